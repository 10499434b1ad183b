//! The task that keeps the registry up to date.

use std::{collections::BTreeSet, sync::Arc};

use bytes::Bytes;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::{
    backoff::Backoff,
    course::{Course, Position},
    list::list,
    listen::{Deaf, Patience},
    sort::{Sorted, sort, sort_row},
    unreadable::Unreadable,
};
use crate::{
    cluster::{
        common::{Common, Roster},
        etcd::{EtcdError, Event, Header, KeyValue, Watch, WatchStream, Watched},
        layout::Meta,
        members::Servers,
        meta,
    },
    registry::{Followed, ServerId, SharedRow, Weather},
};

/// The name of the condition that says that the store is out of reach.
const CONDITION: &str = "etcd";
/// The name of the one that says that its data were restored.
const RESTORED: &str = "etcd history";
/// The name of the one that says that nothing is written.
const READ_ONLY: &str = "etcd schema";
/// The name of the one that tells of what a later version has written.
const LATER: &str = "etcd later";

/// Names of a later version that are remembered, to tell of each once: more than a version adds.
const LATER_MAX: usize = 100;

/// Heartbeats that a server has for others, which it cannot reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Which server has them.
    pub from: ServerId,
    /// What it has written.
    pub value: Bytes,
}

/// Follows the shared state.
#[derive(Debug)]
pub struct Follower {
    common: Common,
    relayed: Option<mpsc::Sender<Relayed>>,
    /// How far it has come; `None` before the first list.
    position: Option<Position>,
    /// Whether what is known has to be listed again, because changes are missing.
    has_gap: bool,
    servers: Servers,
    unreadable: Unreadable,
    /// What a later version has, of which was told.
    later: BTreeSet<String>,
    is_fair: bool,
    pub(super) patience: Patience,
    backoff: Backoff,
    rng: fastrand::Rng,
}

/// Everything there was at a revision.
struct Whole {
    rows: Vec<(u64, SharedRow)>,
    at: u64,
}

/// Changes, sorted.
#[derive(Default)]
struct Batch {
    rows: Vec<(u64, SharedRow)>,
    beats: Vec<Relayed>,
    /// The last key that was put.
    mark: Option<(Bytes, u64)>,
    has_servers: bool,
    has_meta: bool,
}

/// Why a watch is over.
enum End {
    /// Nobody wants to know any more.
    Closed,
    /// It was one, and is to be begun again.
    Again(&'static str, String),
    /// It did not come about.
    Failed(String),
}

// === impl Follower ===

impl Follower {
    /// Follows a store. Heartbeats for others go to `relayed`, if anybody wants them.
    pub fn new(
        common: Common,
        relayed: Option<mpsc::Sender<Relayed>>,
        mut rng: fastrand::Rng,
    ) -> Self {
        let unreadable = Unreadable::new(common.board.clone(), common.metrics.clone());
        Self {
            common,
            relayed,
            position: None,
            has_gap: false,
            servers: Servers::new(),
            unreadable,
            later: BTreeSet::new(),
            is_fair: true,
            patience: Patience::default(),
            backoff: Backoff::new(rng.fork()),
            rng,
        }
    }

    /// Everything there is, with the revision of each row, and the revision of the store at which
    /// it is all. Asks until it is answered; `None` when it is told to stop before.
    pub async fn first(
        &mut self,
        stop: &CancellationToken,
    ) -> Option<(Vec<(u64, SharedRow)>, u64)> {
        let whole = stop.run_until_cancelled(self.until_listed()).await?;
        self.common.board.clear(CONDITION);
        self.common.set_followed(whole.at);
        Some((whole.rows, whole.at))
    }

    /// Tells `out` of all changes since the first list, until it is told to stop or nobody listens.
    /// When `out` is full it waits: nothing is left out.
    pub async fn run(mut self, out: mpsc::Sender<Followed>, stop: CancellationToken) {
        let follow = async {
            loop {
                match self.follow(&out).await {
                    End::Closed => return,
                    End::Again(reason, why) => {
                        info!(reason, why, "the watch of etcd is begun again");
                        self.common.metrics.restarted(reason);
                    }
                    End::Failed(why) => self.set_weather(&out, Weather::Lost(why)).await,
                }
                tokio::time::sleep(self.backoff.wait()).await;
            }
        };
        stop.run_until_cancelled(follow).await;
    }

    async fn until_listed(&mut self) -> Whole {
        let mut told = String::new();
        loop {
            match self.begin().await {
                Ok(whole) => return whole,
                Err(error) => {
                    let message = format!("waiting for etcd, to read the shared state: {error}");
                    if message != told {
                        warn!("{message}");
                    }
                    self.common.board.block(CONDITION, &*message);
                    told = message;
                }
            }
            tokio::time::sleep(self.backoff.wait()).await;
        }
    }

    /// The first list, of a state that is begun if there is none.
    async fn begin(&mut self) -> Result<Whole, EtcdError> {
        let Common { client, layout, .. } = self.common.clone();
        let found = match meta::look(&client, &layout).await? {
            (Some(found), _) => found,
            (None, _) => meta::agree(&client, &layout, meta::drawn(&mut self.rng)).await?,
        };
        self.heed(&found);
        let (whole, _) = self.list(&found).await?;
        self.backoff.reset();
        Ok(whole)
    }

    /// Watches, after a list if one is needed, until that is over.
    async fn follow(&mut self, out: &mpsc::Sender<Followed>) -> End {
        let watch = match self.resume(out).await {
            Ok(watch) => watch,
            Err(end) => return end,
        };
        self.set_weather(out, Weather::Fair).await;
        self.listen(watch, out).await
    }

    /// Finds out where to go on, and begins to watch there.
    async fn resume(&mut self, out: &mpsc::Sender<Followed>) -> Result<WatchStream, End> {
        let failed = |error: EtcdError| End::Failed(error.to_string());
        let Common { client, layout, .. } = self.common.clone();
        let (found, header) = meta::look(&client, &layout).await.map_err(failed)?;
        self.common.heard.touch();
        let mut course = match &self.position {
            Some(position) => position.judge(found.as_ref(), header),
            None => Course::List("nothing was listed yet".to_owned()),
        };
        if let (Course::Resume, Some(position)) = (&course, &mut self.position) {
            position.term = header.term;
            if !position.is_in(&client).await.map_err(failed)? {
                let why = "etcd has another history than was followed: its data were restored \
                           from a backup";
                course = Course::List(why.to_owned());
            }
        }
        let found = match (course, found) {
            (Course::Hold(why), _) => return Err(End::Failed(why)),
            (Course::Resume, found) => found,
            (Course::List(why), found) => {
                warn!(why, "the shared state is read anew");
                self.common.board.note(RESTORED, format!("{why}; what it had not is gone"));
                self.common.metrics.restarted("restored");
                self.has_gap = true;
                found
            }
        };
        let Some(found) = found else {
            return Err(End::Failed("etcd has no row that says whose state it has".to_owned()));
        };
        self.heed(&found);
        if self.has_gap {
            let (whole, late) = self.list(&found).await.map_err(failed)?;
            let Whole { rows, at } = whole;
            let kept = self.unreadable.kept();
            self.tell(out, Followed::Whole { rows, kept, at }, at).await?;
            self.has_gap = false;
            self.relay(late);
        }
        let from = self.position.as_ref().map_or(0, |position| position.revision) + 1;
        client.watch(Watch::of(layout.all().into(), from)).await.map_err(failed)
    }

    /// Tells of what comes, as long as it comes.
    async fn listen(&mut self, mut watch: WatchStream, out: &mpsc::Sender<Followed>) -> End {
        loop {
            let heard = &self.common.heard;
            let word = self.patience.hear(&mut watch, heard, &mut self.rng).await;
            let told = match word {
                Ok(Watched::Changes(events)) => self.take(events, out).await,
                Ok(Watched::Progress(upto)) => self.advance(Vec::new(), upto, out).await,
                Ok(Watched::Canceled { compact_revision, reason }) if compact_revision > 0 => {
                    self.has_gap = true;
                    let why = format!("revisions before {compact_revision} are gone: {reason}");
                    Err(End::Again("compacted", why))
                }
                Ok(Watched::Canceled { reason, .. }) => Err(End::Again("canceled", reason)),
                Err(Deaf::Failed(error @ EtcdError::TooLarge { .. })) => {
                    self.has_gap = true;
                    Err(End::Again("too_large", error.to_string()))
                }
                Err(Deaf::Failed(error)) => Err(End::Again("failed", error.to_string())),
                Err(Deaf::Silent) => {
                    watch.give_up().await;
                    let why = "the member that was followed does not answer".to_owned();
                    Err(End::Again("silent", why))
                }
            };
            match told {
                Ok(()) => self.backoff.reset(),
                Err(end) => return end,
            }
        }
    }

    /// Tells of changes.
    async fn take(&mut self, events: Vec<Event>, out: &mpsc::Sender<Followed>) -> Result<(), End> {
        let Some(upto) = events.last().map(Event::revision) else { return Ok(()) };
        let now = self.now();
        let mut batch = Batch::default();
        for event in events {
            self.put_in(&mut batch, event, &now);
        }
        let Batch { rows, beats, mark, has_servers, has_meta } = batch;
        self.unreadable.publish();
        if has_servers {
            self.publish_roster(upto);
        }
        self.relay(beats);
        self.advance(rows, upto, out).await?;
        if let (Some(position), Some((key, revision))) = (&mut self.position, mark) {
            // Not a slice of the response, which would stay with it.
            position.mark = Some((Bytes::copy_from_slice(&key), revision));
        }
        if has_meta {
            return Err(End::Again("meta", "what all servers have agreed on has changed".into()));
        }
        Ok(())
    }

    fn put_in(&mut self, batch: &mut Batch, event: Event, now: &str) {
        let revision = event.revision();
        if let Event::Put(kv) = &event {
            batch.mark = Some((kv.key.clone(), revision));
        }
        let known = (!self.unreadable.is_empty()).then(|| event.key().clone());
        let sorted = sort(&self.common.layout, event, now);
        if let Some(key) = known
            && !matches!(sorted, Sorted::Unreadable(..))
        {
            self.unreadable.remove(&String::from_utf8_lossy(&key));
        }
        match sorted {
            Sorted::Row(row, later) => {
                self.tell_of_later(later);
                batch.rows.push((revision, row));
            }
            Sorted::Unreadable(key, fault) => self.unreadable.add(key, fault),
            Sorted::Server(id, server) => {
                batch.has_servers = true;
                match server {
                    Some(server) => self.servers.insert(id, server),
                    None => self.servers.remove(&id),
                };
            }
            Sorted::Beats(from, value) => batch.beats.push(Relayed { from, value }),
            Sorted::Stray(what) => self.tell_of_later(vec![what]),
            Sorted::Meta => batch.has_meta = true,
            Sorted::Nothing => {}
        }
    }

    /// Everything at a revision, and the heartbeats for others that are newer than what was known.
    async fn list(&mut self, found: &Meta) -> Result<(Whole, Vec<Relayed>), EtcdError> {
        let (now, Common { client, layout, .. }) = (self.now(), self.common.clone());
        let known = self.position.as_ref().map(|position| position.revision);
        let (mut rows, mut servers) = (Vec::new(), Servers::new());
        let (mut faults, mut strays, mut beats) = (Vec::new(), Vec::new(), Vec::new());
        let mut mark: Option<(Bytes, u64)> = None;
        let take = |page: Vec<KeyValue>| {
            self.common.heard.touch();
            for kv in page {
                if mark.as_ref().is_none_or(|(_, newest)| kv.mod_revision > *newest) {
                    mark = Some((Bytes::copy_from_slice(&kv.key), kv.mod_revision));
                }
                match sort_row(&layout, &kv, &now) {
                    Sorted::Row(row, later) => {
                        rows.push((kv.mod_revision, row));
                        strays.extend(later);
                    }
                    Sorted::Unreadable(key, fault) => faults.push((key, fault)),
                    Sorted::Server(id, Some(server)) => drop(servers.insert(id, server)),
                    Sorted::Beats(from, value) if known.is_some_and(|at| kv.mod_revision > at) => {
                        beats.push(Relayed { from, value });
                    }
                    Sorted::Stray(what) => strays.push(what),
                    _ => {}
                }
            }
        };
        let header = list(&client, layout.all(), take).await?;
        self.common.metrics.listed();
        self.tell_of_later(strays);
        self.unreadable.replace(faults);
        self.unreadable.publish();
        self.servers = servers;
        self.publish_roster(header.revision);
        let Header { revision, cluster, term, .. } = header;
        let state = found.cluster.clone();
        self.position = Some(Position { revision, cluster, term, state, mark });
        info!(rows = rows.len(), revision, "the shared state was read");
        Ok((Whole { rows, at: revision }, beats))
    }

    /// Tells the registry that all changes up to a revision are these.
    async fn advance(
        &mut self,
        rows: Vec<(u64, SharedRow)>,
        upto: u64,
        out: &mpsc::Sender<Followed>,
    ) -> Result<(), End> {
        let known = self.position.as_ref().map_or(0, |position| position.revision);
        if upto <= known {
            return Ok(());
        }
        self.tell(out, Followed::Changes { rows, upto }, upto).await
    }

    async fn tell(
        &mut self,
        out: &mpsc::Sender<Followed>,
        followed: Followed,
        upto: u64,
    ) -> Result<(), End> {
        out.send(followed).await.map_err(|_| End::Closed)?;
        if let Some(position) = &mut self.position {
            position.revision = upto;
        }
        self.common.set_followed(upto);
        Ok(())
    }

    /// Says whether the store is within reach, if that is news.
    async fn set_weather(&mut self, out: &mpsc::Sender<Followed>, weather: Weather) {
        let Common { board, .. } = &self.common;
        match &weather {
            Weather::Fair if self.is_fair => return,
            Weather::Fair => {
                info!("etcd is within reach again");
                board.clear(CONDITION);
            }
            Weather::Lost(why) => {
                let message = format!(
                    "{why}. Answers come from memory, health is checked, and changes are refused"
                );
                if board.note(CONDITION, message) {
                    warn!(why, "etcd is out of reach");
                }
                if !self.is_fair {
                    return;
                }
            }
        }
        self.is_fair = weather == Weather::Fair;
        // Nobody listens: the next word finds that out.
        let _closed = out.send(Followed::Weather(weather)).await;
    }

    /// Takes note of what all servers have agreed on.
    fn heed(&self, found: &Meta) {
        let Common { layout, board, .. } = &self.common;
        let refusal = meta::refusal(layout, found);
        match &refusal {
            Some(why) => {
                if board.note(READ_ONLY, why) {
                    warn!("{why}");
                }
            }
            None => board.clear(READ_ONLY),
        }
        self.common.set_read_only(refusal.map(Into::into));
    }

    fn relay(&self, beats: Vec<Relayed>) {
        let Some(relayed) = &self.relayed else { return };
        for beat in beats {
            // Full: the next heartbeats come in time, and the registry need not wait for these.
            let _full = relayed.try_send(beat);
        }
    }

    fn publish_roster(&self, at: u64) {
        let servers = Arc::new(self.servers.clone());
        self.common.set_roster(Roster { at, servers });
    }

    /// Tells once of each thing that a later version of Rollcall has written.
    fn tell_of_later(&mut self, names: Vec<String>) {
        let mut is_news = false;
        for name in names {
            if self.later.len() < LATER_MAX && self.later.insert(name) {
                is_news = true;
            }
        }
        if is_news {
            let names: Vec<&str> = self.later.iter().map(String::as_str).collect();
            let message = format!(
                "a later version of Rollcall has written what this one passes over: {}; upgrade \
                 this server too",
                names.join(", ")
            );
            info!("{message}");
            self.common.board.note(LATER, message);
        }
    }

    fn now(&self) -> String {
        let millis = i64::try_from(self.common.clock.wall_millis()).unwrap_or(i64::MAX);
        jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX).to_string()
    }
}
