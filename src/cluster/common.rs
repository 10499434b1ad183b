//! What following, writing and membership know together.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{Duration, Instant},
};

use super::{
    agreed::Agreed,
    etcd::{Client, KeyRange, LeaseId},
    layout::{self, BulkId, Layout, Marker},
    members::Servers,
    meta::Found,
    metrics::ClusterMetrics,
    pins::Pins,
};
use crate::{
    registry::Edit,
    telemetry::{Board, Metrics},
    util::Clock,
};

/// The name of the condition that says that the store is full.
pub(super) const FULL: &str = "etcd space";

/// What it says, whoever has found out.
pub(super) const FULL_MESSAGE: &str = "etcd's database is full (alarm NOSPACE): changes are \
    refused. Compact it, `etcdctl defrag --cluster`, raise --quota-backend-bytes if need be, and \
    then `etcdctl alarm disarm`";

/// The shared store, and what is known of it; clones share it.
#[derive(Debug, Clone)]
pub struct Common {
    /// The store.
    pub client: Client,
    /// Where in it our rows are.
    pub layout: Layout,
    /// Where conditions are pinned.
    pub board: Pins,
    /// What is counted.
    pub metrics: ClusterMetrics,
    /// The time.
    pub clock: Clock,
    pub(super) heard: LastWord,
    pub(super) fence: Fence,
    news: Arc<News>,
}

/// What the follower tells the others.
#[derive(Debug)]
struct News {
    followed: watch::Sender<u64>,
    roster: watch::Sender<Roster>,
    bulks: watch::Sender<Bulks>,
    read_only: watch::Sender<Option<Arc<str>>>,
    strayed: watch::Sender<bool>,
    refusing: watch::Sender<Option<Instant>>,
    /// Rings when a change was refused for what is the matter with the store.
    refusals: Notify,
    /// The row that names the state; none before the first list.
    agreed: Mutex<Option<Agreed>>,
    /// Why who follows has to look, each time anew.
    doubts: watch::Sender<Doubt>,
    /// How often the store had another history than before.
    history: AtomicU64,
    /// The bulk that this server is writing.
    writing: Mutex<Option<BulkId>>,
}

/// What makes a write doubt what is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// It has met another state.
    State,
    /// It had no answer.
    Silence,
}

/// The rows of the servers.
#[derive(Debug, Clone, Default)]
pub struct Roster {
    /// As of this revision of the store.
    pub at: u64,
    /// Those that are there.
    pub servers: Arc<Servers>,
}

/// What is known of changes of more than one transaction.
#[derive(Debug, Clone, Default)]
pub(super) struct Bulks {
    /// The one that is under way.
    pub(super) under_way: Option<Arc<UnderWay>>,
    /// The last one that counted and is over.
    pub(super) last: Option<Over>,
}

/// A bulk that is under way: it is being written, or it counts and comes into its rows.
#[derive(Debug)]
pub(super) struct UnderWay {
    /// What its marker says.
    pub(super) marker: Marker,
    /// The revision of the store that wrote the marker last. If the bulk counts, from this on.
    pub(super) at: u64,
    /// Its changes, if it counts.
    pub(super) edits: Vec<Edit>,
    /// Whether that is all of them: a later version may have written what cannot be read here.
    pub(super) is_whole: bool,
}

/// A bulk that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Over {
    pub(super) bulk: BulkId,
    /// The revision from which on it counted.
    pub(super) counted: u64,
    /// The revision from which on nothing more is written of it.
    pub(super) ended: u64,
}

/// When the store was last heard of: it answered, or told of something.
#[derive(Debug, Clone)]
pub(super) struct LastWord {
    clock: Clock,
    /// Milliseconds on the clock.
    at: Arc<AtomicU64>,
}

/// What holds this server's row; nothing while there is none.
#[derive(Debug, Clone, Default)]
pub(super) struct Fence(Arc<Mutex<Option<Held>>>);

/// A row of a server that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Held {
    /// The revision that made it, which is proof that the server is alive as long as the row has
    /// it.
    pub(super) revision: u64,
    /// What else is to go with the server is bound to it, too.
    pub(super) lease: LeaseId,
}

// === impl Common ===

impl Common {
    /// Of a store, with metrics registered.
    pub fn new(
        client: Client,
        layout: Layout,
        board: Board,
        metrics: &Metrics,
        clock: Clock,
    ) -> Self {
        let heard = LastWord { clock: clock.clone(), at: Arc::default() };
        heard.touch();
        let metrics = ClusterMetrics::new(metrics, &heard);
        let board = Pins::new(board, clock.clone());
        let news = Arc::new(News {
            followed: watch::Sender::new(0),
            roster: watch::Sender::default(),
            bulks: watch::Sender::default(),
            read_only: watch::Sender::new(None),
            strayed: watch::Sender::new(false),
            refusing: watch::Sender::new(None),
            refusals: Notify::new(),
            agreed: Mutex::default(),
            doubts: watch::Sender::new(Doubt::State),
            history: AtomicU64::default(),
            writing: Mutex::default(),
        });
        Self { client, layout, board, metrics, clock, heard, fence: Fence::default(), news }
    }

    /// The servers that have a row, as they come and go.
    pub fn roster(&self) -> watch::Receiver<Roster> {
        self.news.roster.subscribe()
    }

    /// The revision of the store up to which the registry was told everything, as it grows.
    pub fn followed(&self) -> watch::Receiver<u64> {
        self.news.followed.subscribe()
    }

    /// Why nothing may be written by this server, if it is so.
    pub fn read_only(&self) -> Option<Arc<str>> {
        self.news.read_only.borrow().clone()
    }

    /// The time, for people (RFC 3339).
    pub(super) fn now(&self) -> String {
        self.board.now()
    }

    pub(super) fn set_roster(&self, roster: Roster) {
        self.news.roster.send_replace(roster);
    }

    /// The bulks, as they come and go. When [`Common::followed`] has a revision, this has it.
    pub(super) fn bulks(&self) -> watch::Receiver<Bulks> {
        self.news.bulks.subscribe()
    }

    pub(super) fn set_bulks(&self, bulks: Bulks) {
        self.news.bulks.send_replace(bulks);
    }

    /// The bulk that this server is writing. One that is there by its name, and not this, is of an
    /// earlier life.
    pub(super) fn writing(&self) -> Option<BulkId> {
        *self.news.writing.lock()
    }

    pub(super) fn set_writing(&self, bulk: Option<BulkId>) {
        *self.news.writing.lock() = bulk;
    }

    pub(super) fn set_followed(&self, revision: u64) {
        self.metrics.followed(revision);
        self.news.followed.send_replace(revision);
    }

    /// Whether the store has not what is shown here: it was emptied, or is another one. Then this
    /// server is on its own, and writes nothing, though the store answers.
    pub(super) fn strayed(&self) -> watch::Receiver<bool> {
        self.news.strayed.subscribe()
    }

    pub(super) fn set_strayed(&self, strayed: bool) {
        self.news.strayed.send_replace(strayed);
    }

    /// Since when the store answers, and takes no changes: it is full, or this server may not
    /// write.
    pub(super) fn refusing_since(&self) -> Option<Instant> {
        *self.news.refusing.borrow()
    }

    /// The same, as it changes.
    pub(super) fn watch_refusing(&self) -> watch::Receiver<Option<Instant>> {
        self.news.refusing.subscribe()
    }

    pub(super) fn set_refusing(&self, since: Option<Instant>) {
        self.metrics.refusing(since.is_some());
        self.news.refusing.send_replace(since);
    }

    /// A change was refused, and not for what it is.
    pub(super) fn refused_one(&self) {
        self.news.refusals.notify_one();
    }

    /// Waits for the next change that is refused.
    pub(super) async fn refusals(&self) {
        self.news.refusals.notified().await;
    }

    /// The row that names the state which is followed.
    pub(super) fn agreed(&self) -> Option<Agreed> {
        self.news.agreed.lock().clone()
    }

    pub(super) fn set_agreed(&self, found: &Found) {
        *self.news.agreed.lock() = Some(found.into());
    }

    /// A write has met what was not followed: who follows has to look.
    pub(super) fn doubt(&self, doubt: Doubt) {
        self.news.doubts.send_replace(doubt);
    }

    pub(super) fn doubts(&self) -> watch::Receiver<Doubt> {
        self.news.doubts.subscribe()
    }

    /// The number of the store's history: another one has other rows, whatever was seen before.
    pub(super) fn history(&self) -> u64 {
        self.news.history.load(Relaxed)
    }

    pub(super) fn begin_history(&self) {
        self.news.history.fetch_add(1, Relaxed);
    }

    /// Waits until nothing may be written; says why.
    pub(super) async fn until_read_only(&self) -> Arc<str> {
        let mut read_only = self.news.read_only.subscribe();
        loop {
            if let Some(why) = read_only.borrow_and_update().clone() {
                return why;
            }
            if read_only.changed().await.is_err() {
                return std::future::pending().await; // the sender is in `self`
            }
        }
    }

    pub(super) fn set_read_only(&self, why: Option<Arc<str>>) {
        self.news.read_only.send_if_modified(|known| {
            let is_news = *known != why;
            *known = why;
            is_news
        });
    }
}

// === impl LastWord ===

impl LastWord {
    pub(super) fn touch(&self) {
        let now = u64::try_from(self.clock.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.at.fetch_max(now, Relaxed);
    }

    pub(super) fn at(&self) -> Instant {
        self.clock.instant(self.elapsed())
    }

    pub(super) fn silence(&self) -> Duration {
        self.clock.elapsed().saturating_sub(self.elapsed())
    }

    fn elapsed(&self) -> Duration {
        Duration::from_millis(self.at.load(Relaxed))
    }
}

// === impl Fence ===

impl Fence {
    pub(super) fn get(&self) -> Option<Held> {
        *self.0.lock()
    }

    pub(super) fn set(&self, held: Option<Held>) {
        *self.0.lock() = held;
    }
}

// === impl KeyRange ===

impl From<layout::KeyRange> for KeyRange {
    fn from(keys: layout::KeyRange) -> Self {
        Self::between(keys.from, keys.to)
    }
}
