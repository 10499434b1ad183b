//! What following, writing and membership know together.

mod refusing;

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use parking_lot::Mutex;
use tokio::{
    sync::{Notify, watch},
    time::{Duration, Instant},
};
use tracing::warn;

pub(super) use self::refusing::Refusing;
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
    registry::{Beat, Contact, Edit, ServerId},
    telemetry::{Board, Metrics},
    util::Clock,
};

/// The name of the condition that says that the store is full.
pub(super) const FULL: &str = "etcd space";

/// What it says, whoever has found out.
pub(super) const FULL_MESSAGE: &str = "etcd's database is full (alarm NOSPACE): changes are \
    refused. Compact it, `etcdctl defrag --cluster`, raise --quota-backend-bytes if need be, and \
    then `etcdctl alarm disarm`";

/// The name of the condition that another server, too, says to have this one's name.
const TWIN: &str = "server id twin";

/// For how long after its last word such a server is told of: longer than its clients are silent
/// between two heartbeats.
const TWIN_TOLD: Duration = Duration::from_secs(60);

/// A pause in what is heard after which heartbeats that others had for this server may be lost.
const BREAK: Duration = Beat::WORTH;

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
    pub(super) contact: Contact,
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
    refusing: watch::Sender<Option<Refusing>>,
    /// When the store has last taken a change of this server, or would have.
    taken: Mutex<Option<Instant>>,
    /// Rings when a change was refused for what is the matter with the store.
    refusals: Notify,
    /// The row that names the state; none before the first list.
    agreed: Mutex<Option<Agreed>>,
    /// Why who follows has to look, each time anew.
    doubts: watch::Sender<Doubt>,
    /// When another server of this one's name was heard of last.
    twin: Mutex<Option<Instant>>,
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
            taken: Mutex::default(),
            refusals: Notify::new(),
            agreed: Mutex::default(),
            doubts: watch::Sender::new(Doubt::State),
            twin: Mutex::default(),
            history: AtomicU64::default(),
            writing: Mutex::default(),
        });
        let (contact, fence) = (Contact::new(clock.clone()), Fence::default());
        Self { client, layout, board, metrics, clock, heard, contact, fence, news }
    }

    /// The questions whether the store is within reach.
    pub fn contact(&self) -> Contact {
        self.contact.clone()
    }

    /// The store has answered whoever wants to follow it.
    pub(super) fn hear_again(&self) {
        if self.heard.silence() > BREAK {
            self.contact.broken();
        }
        self.heard.touch();
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

    /// Whether the store takes no changes, though it answers.
    pub(super) fn refusing(&self) -> Option<Refusing> {
        self.news.refusing.borrow().clone()
    }

    /// The same, as it changes.
    pub(super) fn watch_refusing(&self) -> watch::Receiver<Option<Refusing>> {
        self.news.refusing.subscribe()
    }

    /// The store has refused a change; `denied` says why if this server may not write.
    pub(super) fn set_refusing(&self, denied: Option<Arc<str>>) {
        self.metrics.refusing(true);
        let now = Instant::now();
        self.news.refusing.send_modify(|known| {
            let since = known.as_ref().map_or(now, |known| known.since);
            let witness = known.take().and_then(|known| known.witness);
            *known = Some(Refusing { since, last: now, denied, witness });
        });
    }

    /// The store takes changes again.
    pub(super) fn set_taking(&self) {
        self.metrics.refusing(false);
        self.news.refusing.send_replace(None);
    }

    /// The store has taken a change of this server, or would have.
    pub(super) fn taken(&self) {
        *self.news.taken.lock() = Some(Instant::now());
    }

    /// For how long the store has taken no change of this server, as far as it has been asked;
    /// `None` when it refuses them.
    pub fn taken_ago(&self) -> Option<Duration> {
        let taken = self.news.taken.lock().filter(|_| self.refusing().is_none())?;
        Some(taken.elapsed())
    }

    /// Another server of this one's name has handed on what came to it: it has no task, because
    /// this one took its place. Servers do not call themselves.
    pub fn hear_of_twin(&self) {
        *self.news.twin.lock() = Some(Instant::now());
        let message = "another server has the `cluster.server_id` of this one, too, and hands its \
                       heartbeats on to this one, which has taken its place: give one of the two \
                       another, and restart it. That server has the note `server id`";
        if self.board.note(TWIN, message) {
            warn!("{message}");
        }
    }

    /// Tells no longer of a server that was not heard of for a while.
    pub(super) fn forget_twin(&self) {
        let mut twin = self.news.twin.lock();
        if twin.is_some_and(|heard| heard.elapsed() >= TWIN_TOLD) {
            *twin = None;
            self.board.clear(TWIN);
        }
    }

    /// Another server has said when the store took a change of it; `None` when it takes none there,
    /// or the server is of a version that does not say so.
    pub(super) fn hear_of_taken(&self, server: &ServerId, at: Option<Instant>) {
        self.news.refusing.send_if_modified(|known| {
            let Some(refusing) = known else { return false };
            let is_witness = refusing.witness.as_ref().is_some_and(|(by, _)| by == server);
            match at {
                None if is_witness => refusing.witness = None,
                Some(at) if at > refusing.since && refusing.witness.is_none() => {
                    refusing.witness = Some((ServerId::clone(server), at));
                }
                _ => return false,
            }
            true
        });
    }

    /// Waits until the store has refused all changes of this server for `patience`, because it may
    /// not write, and took those of another one meanwhile; says why.
    pub(super) async fn until_denied_alone(&self, patience: Duration) -> Arc<str> {
        let mut refusing = self.watch_refusing();
        loop {
            let known = refusing.borrow_and_update().clone();
            if let Some(why) = known.filter(|it| it.is_of_one(patience)).and_then(|it| it.denied) {
                return why;
            }
            if refusing.changed().await.is_err() {
                return std::future::pending().await; // the sender is in `self`
            }
        }
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

#[cfg(test)]
mod tests;
