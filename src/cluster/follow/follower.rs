//! The task that keeps the registry up to date.

use bytes::Bytes;
use tokio::{
    sync::{mpsc, watch},
    time::{Duration, Instant, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{
    backoff::Backoff,
    bulks::Bulks,
    course::{Astray, Course, Position},
    fresh::Fresh,
    later::Later,
    listen::{Deaf, Patience, Word},
    notes::{Notes, Trouble},
    unreadable::Unreadable,
};
use crate::{
    cluster::{
        common::{Common, Doubt},
        etcd::{EtcdError, Watch, WatchStream, Watched},
        layout::Meta,
        members::Servers,
        meta::{self, Found},
    },
    registry::{Followed, ServerId, SharedRow, Weather},
};

/// How long a connection may be missing before that is told: long enough to change to another
/// member, and shorter than what those wait who want something written.
const QUICK: Duration = Duration::from_secs(1);

/// Heartbeats that a server has for others, which it cannot reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relayed {
    /// Which server has them.
    pub from: ServerId,
    /// What it has written.
    pub value: Bytes,
    /// When this was seen.
    pub at: Instant,
}

/// Follows the shared state.
#[derive(Debug)]
pub struct Follower {
    pub(super) common: Common,
    pub(super) relayed: Option<mpsc::Sender<Relayed>>,
    /// How far it has come; `None` before the first list.
    pub(super) position: Option<Position>,
    /// What all servers have agreed on.
    pub(super) agreed: Option<Meta>,
    /// What the store is if it is not believed.
    astray: Option<Astray>,
    pub(super) servers: Servers,
    pub(super) bulks: Bulks,
    pub(super) unreadable: Unreadable,
    pub(super) later: Later,
    pub(super) notes: Notes,
    pub(super) patience: Patience,
    pub(super) fresh: Fresh,
    /// Opinions of the first list: a registry does not begin with them, but is told of them.
    opinions: Vec<(u64, SharedRow)>,
    /// Whether what is known has to be listed again, because changes are missing.
    pub(super) has_gap: bool,
    is_fair: bool,
    /// What writes have met that were refused though the store was within reach.
    doubts: watch::Receiver<Doubt>,
    /// Whether one has since it was last said that writes are taken.
    is_doubted: bool,
    /// Whether a watch was given up that said nothing.
    was_deaf: bool,
    backoff: Backoff,
    rng: fastrand::Rng,
}

/// Everything there was at a revision.
pub(super) struct Whole {
    pub(super) rows: Vec<(u64, SharedRow)>,
    pub(super) at: u64,
}

/// Why a watch is over.
pub(super) enum End {
    /// Nobody wants to know any more.
    Closed,
    /// It was one, and is to be begun again.
    Again(&'static str, String),
    /// It did not come about.
    Failed(Trouble, String),
}

// === impl Follower ===

impl Follower {
    /// Follows a store. Heartbeats for others go to `relayed`, if anybody wants them.
    pub fn new(
        common: Common,
        relayed: Option<mpsc::Sender<Relayed>>,
        mut rng: fastrand::Rng,
    ) -> Self {
        let doubts = common.doubts();
        let unreadable = Unreadable::new(common.board.clone(), common.metrics.clone());
        Self {
            later: Later::new(common.board.clone()),
            notes: Notes::new(common.clone()),
            common,
            relayed,
            position: None,
            agreed: None,
            astray: None,
            opinions: Vec::new(),
            servers: Servers::new(),
            bulks: Bulks::default(),
            unreadable,
            patience: Patience::default(),
            fresh: Fresh::default(),
            has_gap: false,
            is_fair: true,
            doubts,
            is_doubted: false,
            was_deaf: false,
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
        self.notes.within_reach();
        self.common.set_followed(whole.at);
        let is_opinion = |(_, row): &(u64, SharedRow)| matches!(row, SharedRow::Opinion { .. });
        let (opinions, rows) = whole.rows.into_iter().partition(is_opinion);
        self.opinions = opinions;
        Some((rows, whole.at))
    }

    /// Tells `out` of all changes since the first list, until it is told to stop or nobody listens.
    /// When `out` is full it waits: nothing is left out.
    pub async fn run(mut self, out: mpsc::Sender<Followed>, stop: CancellationToken) {
        let (rows, known) = (std::mem::take(&mut self.opinions), self.position.as_ref());
        let upto = known.map_or(0, |position| position.revision);
        let follow = async {
            if !rows.is_empty() && out.send(Followed::Changes { rows, upto }).await.is_err() {
                return;
            }
            loop {
                match self.follow(&out).await {
                    End::Closed => return,
                    End::Again(reason, why) => {
                        info!(reason, why, "the watch of etcd is begun again");
                        self.common.metrics.restarted(reason);
                    }
                    End::Failed(trouble, why) => self.lose(&out, trouble, why).await,
                }
                tokio::time::sleep(self.backoff.wait()).await;
            }
        };
        stop.run_until_cancelled(follow).await;
    }

    async fn until_listed(&mut self) -> Whole {
        loop {
            match self.begin().await {
                Ok(whole) => return whole,
                Err(error) => self.notes.waiting(&error.to_string()),
            }
            tokio::time::sleep(self.backoff.wait()).await;
        }
    }

    /// The first list, of a state that is begun if there is none.
    async fn begin(&mut self) -> Result<Whole, EtcdError> {
        let Common { client, layout, .. } = self.common.clone();
        let found = match meta::look(&client, &layout).await? {
            (Some(found), _) => found,
            (None, _) => {
                let drawn = meta::drawn(&mut self.rng);
                let found = meta::agree(&client, &layout, drawn.clone()).await?;
                // Servers that begin together agree on one; the others find what it has begun.
                if found.meta == drawn {
                    self.notes.begun(&client.endpoints());
                }
                found
            }
        };
        let state = found.meta.cluster.clone();
        self.heed(found);
        let whole = self.list(state).await?;
        self.backoff.reset();
        Ok(whole)
    }

    /// Watches, after a list if one is needed, until that is over.
    async fn follow(&mut self, out: &mpsc::Sender<Followed>) -> End {
        // What was doubted until now is looked at.
        self.is_doubted |= self.doubts.has_changed().unwrap_or(false);
        self.doubts.mark_unchanged();
        let watch = match self.resume(out).await {
            Ok(watch) => watch,
            Err(end) => return end,
        };
        if std::mem::take(&mut self.was_deaf) {
            self.common.contact.broken();
        }
        self.notes.within_reach();
        self.set_weather(out, Weather::Fair).await;
        if std::mem::take(&mut self.is_doubted) {
            // Nobody listens: the next word finds that out.
            let _closed = out.send(Followed::Writable).await;
        }
        self.listen(watch, out).await
    }

    /// Finds out where to go on, and begins to watch there.
    async fn resume(&mut self, out: &mpsc::Sender<Followed>) -> Result<WatchStream, End> {
        let failed = |error: EtcdError| End::of(&error);
        let Common { client, layout, .. } = self.common.clone();
        let look = meta::look(&client, &layout);
        let mut look = std::pin::pin!(look);
        let looked = match timeout(QUICK, &mut look).await {
            Ok(looked) => looked,
            Err(_) if self.is_fair => {
                let why = format!("no member of etcd has answered within {QUICK:?}");
                self.lose(out, Trouble::Reach, why).await;
                look.await
            }
            Err(_) => look.await,
        };
        let (found, header) = looked.map_err(failed)?;
        self.common.hear_again();
        self.fresh.begin(header.revision);
        let mut course = match &self.position {
            Some(position) => position.course(&client, &layout, found.as_ref(), header).await,
            None => Ok(Course::List("nothing was listed yet".to_owned())),
        }
        .map_err(failed)?;
        if let (Course::Hold(_), Some(found), Some(astray)) = (&course, &found, self.astray)
            && astray.is_over(found, header)
        {
            course = Course::List("etcd was emptied, and a registry imported into it".to_owned());
        }
        if let (Course::Resume, Some(position)) = (&course, &mut self.position) {
            position.term = header.term;
            if !position.is_in(&client).await.map_err(failed)? {
                let why = "etcd has another history than was followed: its data were restored \
                           from a backup";
                course = Course::List(why.to_owned());
            }
        }
        let found = match (course, found) {
            (Course::Hold(why), _) => {
                self.astray = Some(Astray::found(self.astray, header));
                self.notes.astray(&why);
                // Perhaps only this endpoint is of another etcd.
                client.leave(header);
                return Err(End::Failed(Trouble::Astray, why));
            }
            (Course::Resume, found) => found,
            (Course::List(why), found) => {
                self.notes.restored(&why);
                self.common.metrics.restarted("restored");
                self.has_gap = true;
                found
            }
        };
        let Some(found) = found else {
            let why = "etcd has no row that says whose state it has".to_owned();
            return Err(End::Failed(Trouble::Astray, why));
        };
        let state = found.meta.cluster.clone();
        self.heed(found);
        self.astray = None;
        if self.has_gap {
            let Whole { rows, at } = self.list(state.clone()).await.map_err(failed)?;
            let kept = self.unreadable.kept();
            self.tell(out, Followed::Whole { rows, kept, at }, at).await?;
            self.has_gap = false;
        }
        if let Some(position) = &mut self.position {
            position.state = state;
        }
        self.watch(header.cluster).await
    }

    /// Watches from where it has come to, in the cluster of etcd that was looked at.
    pub(super) async fn watch(&self, cluster: u64) -> Result<WatchStream, End> {
        let Common { client, layout, .. } = &self.common;
        let from = self.position.as_ref().map_or(0, |position| position.revision) + 1;
        let watch = client.watch(Watch::of(layout.all().into(), from)).await;
        let watch = watch.map_err(|error| End::of(&error))?;
        let is_of = watch.header().cluster;
        if is_of == cluster {
            return Ok(watch);
        }
        // The endpoint that was looked at has failed, and the next one is of another etcd.
        let endpoint = client.leave(watch.header());
        let why = format!("{endpoint} is of etcd's cluster {is_of:x}, not of {cluster:x}");
        Err(End::Again("meta", why))
    }

    /// Tells of what comes, as long as it comes.
    async fn listen(&mut self, mut watch: WatchStream, out: &mpsc::Sender<Followed>) -> End {
        self.fresh.begun(watch.header().revision);
        loop {
            let heard = &self.common.heard;
            let word = tokio::select! {
                biased;
                Ok(()) = self.doubts.changed() => {
                    self.is_doubted = true;
                    let (reason, why) = match *self.doubts.borrow_and_update() {
                        Doubt::State => ("meta", "a write has met another state than is followed"),
                        Doubt::Silence => ("unanswered", "a write had no answer"),
                    };
                    return End::Again(reason, why.to_owned());
                }
                word = self.patience.hear(&mut watch, heard, &mut self.rng) => word,
            };
            let heard_at = Instant::now();
            let word = word.map(|Word { watched, is_late }| {
                if is_late {
                    self.common.contact.broken();
                }
                self.fresh.hear(&watched, is_late);
                watched
            });
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
                    self.was_deaf = true;
                    watch.give_up().await;
                    let why = "the member that was followed does not answer".to_owned();
                    Err(End::Again("silent", why))
                }
            };
            match told {
                Ok(()) => {
                    self.backoff.reset();
                    self.notes.tidy();
                }
                Err(end) => return end,
            }
            if self.fresh.is_in_doubt(heard_at.elapsed() > self.patience.late) {
                watch.request_progress();
            }
        }
    }

    /// Says that the store cannot be followed.
    async fn lose(&mut self, out: &mpsc::Sender<Followed>, trouble: Trouble, why: String) {
        self.notes.out_of_reach(trouble, &why);
        self.set_weather(out, Weather::Lost(why)).await;
    }

    /// Says whether the store is within reach, if that is news.
    async fn set_weather(&mut self, out: &mpsc::Sender<Followed>, weather: Weather) {
        let is_fair = weather == Weather::Fair;
        if std::mem::replace(&mut self.is_fair, is_fair) != is_fair {
            // Nobody listens: the next word finds that out.
            let _closed = out.send(Followed::Weather(weather)).await;
        }
    }

    /// Takes note of what all servers have agreed on.
    pub(super) fn heed(&mut self, found: Found) {
        self.common.set_agreed(&found);
        if self.agreed.as_ref() != Some(&found.meta) || *self.common.strayed().borrow() {
            self.notes.agreed(&found.meta);
            self.agreed = Some(found.meta);
        }
    }
}

// === impl End ===

impl End {
    fn of(error: &EtcdError) -> Self {
        Self::Failed(Trouble::of(error), error.to_string())
    }
}
