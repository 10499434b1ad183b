//! The task that brings heartbeats to the servers that count them.

use std::{collections::BTreeMap, time::Duration};

use tokio::{
    sync::mpsc,
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::{
    metrics::BeatsMetrics,
    outbox::{LINGER, Waiting},
    post::Post,
    relay,
    ways::{Handed, Left, Ways},
};
use crate::{
    model::{CheckSpec, Command, limit},
    registry::{Beat, Member, Ownership, Peer, Registry, ServerId, View},
    telemetry::Board,
    util::Clock,
};

/// Octets of one batch: half of what the other side takes, as these are counted generously.
const BATCH_OCTETS_MAX: usize = limit::BEATS_OCTETS_MAX / 2;

/// Octets of all that waits: 300,000 heartbeats that say little. What one server is sent in the
/// three seconds that they are worth something is less.
pub(super) const WAITING_OCTETS_MAX: usize = 64 << 20;

/// Heartbeats that are taken from the registry's queue at once.
const COME_MAX: usize = 1_024;

/// How long the last ones may take when the server stops.
const LEAVE: Duration = Duration::from_secs(1);

/// What a sender works with.
pub(super) struct Means<W> {
    pub ways: W,
    pub registry: Registry,
    pub board: Board,
    pub metrics: BeatsMetrics,
    pub clock: Clock,
    pub rng: fastrand::Rng,
}

/// Brings heartbeats to other servers.
pub(super) struct Sender<W> {
    pub(super) means: Means<W>,
    pub(super) posts: BTreeMap<ServerId, Post>,
    /// When the store may be written to next.
    pub(super) relay_at: Instant,
    pub(super) is_relaying: bool,
    ownership: Ownership,
    turn: u64,
    under_way: JoinSet<Done>,
}

/// What was under way.
pub(super) enum Done {
    Handed { to: ServerId, batch: Vec<Waiting>, outcome: Result<Handed, String> },
    Left { batch: Vec<Waiting>, began: Instant, outcome: Result<Left, String> },
}

// === impl Sender ===

impl<W: Ways> Sender<W> {
    pub(super) fn new(means: Means<W>) -> Self {
        Self {
            ownership: means.registry.ownership().clone(),
            means,
            posts: BTreeMap::new(),
            turn: 0,
            under_way: JoinSet::new(),
            relay_at: Instant::now(),
            is_relaying: false,
        }
    }

    /// Runs until it is told to stop, or the registry has stopped; then sends what is left.
    pub(super) async fn run(mut self, mut beats: mpsc::Receiver<Beat>, stop: CancellationToken) {
        let mut changes = self.ownership.subscribe();
        let mut come = Vec::new();
        loop {
            self.adopt_apart();
            self.send(Instant::now());
            let next = self.next_at();
            tokio::select! {
                () = stop.cancelled() => break,
                count = beats.recv_many(&mut come, COME_MAX) => match count {
                    0 => break,
                    _ => self.take(&mut come).await,
                },
                Ok(()) = changes.changed() => self.regroup().await,
                Some(done) = self.under_way.join_next() => self.finish(done).await,
                () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
            }
        }
        while let Ok(beat) = beats.try_recv() {
            come.push(beat);
        }
        self.take(&mut come).await;
        if timeout(LEAVE, self.flush()).await.is_err() {
            let left: usize = self.waiting().sum();
            warn!(left, "not all heartbeats for other servers could be sent in time");
        }
    }

    /// How many wait for each server.
    pub(super) fn waiting(&self) -> impl Iterator<Item = usize> {
        self.posts.values().map(|post| post.outbox.len())
    }

    /// Takes what has come.
    async fn take(&mut self, come: &mut Vec<Beat>) {
        let snapshot = self.means.registry.snapshot();
        let now = Instant::now();
        for beat in come.drain(..) {
            // It may have been removed since, or be another one.
            match snapshot.member(&beat.key).and_then(|member| ttl(member, &beat)) {
                Some(ttl) => {
                    self.turn += 1;
                    let waiting = Waiting::new(beat, self.turn, ttl, now);
                    match waiting.beat.is_finding {
                        true => self.tell_all(&waiting),
                        false => self.place(waiting).await,
                    }
                }
                None => self.means.metrics.dropped("unknown", 1),
            }
        }
    }

    /// Puts one where it belongs as things are now. What was found is told again by itself.
    pub(super) async fn place(&mut self, waiting: Waiting) {
        let key = &waiting.beat.key;
        if waiting.beat.is_finding {
            return;
        }
        if let Some(peer) = self.ownership.owner(key) {
            let post = self.posts.entry(peer.id.clone()).or_insert_with(|| Post::new(peer));
            post.is_listed = true;
            post.outbox.put(waiting);
            self.make_room();
        } else if self.ownership.keeps(key) {
            let snapshot = self.means.registry.snapshot();
            let heard = waiting.beat.heartbeats(&snapshot, &self.ownership);
            for heartbeat in heard.unwrap_or_default() {
                // When the server is stopping nobody need be told.
                let _stopping = self.means.registry.enqueue(Command::Heartbeat(heartbeat)).await;
            }
        } else {
            self.means.metrics.dropped("nobody", 1);
        }
    }

    /// What this server finds of its own instances while it is cut off is for all others.
    fn tell_all(&mut self, waiting: &Waiting) {
        if self.ownership.circle().is_none() || !self.ownership.keeps(&waiting.beat.key) {
            return;
        }
        for post in self.posts.values_mut().filter(|post| post.is_listed) {
            post.outbox.put(waiting.clone());
        }
        self.make_room();
    }

    /// While this server is cut off it says so to all others, and once that it is not any more.
    fn adopt_apart(&mut self) {
        let now = Instant::now();
        if self.ownership.circle().is_none() {
            let told = self.posts.values_mut().filter_map(|post| post.word_at.as_mut());
            told.for_each(|word_at| *word_at = now);
            return;
        }
        let Some(View { me, servers, .. }) = self.ownership.view() else { return };
        for peer in servers.into_iter().filter(|peer| peer.id != me) {
            let post = self.posts.entry(peer.id.clone()).or_insert_with(|| Post::new(peer));
            post.word_at.get_or_insert(now);
        }
    }

    /// Drops what is oldest where most is waiting: a server that is out of reach takes nothing
    /// away from the others.
    fn make_room(&mut self) {
        while self.posts.values().map(|post| post.outbox.octets()).sum::<usize>()
            > WAITING_OCTETS_MAX
        {
            let fullest = self.posts.values_mut().max_by_key(|post| post.outbox.octets());
            if fullest.and_then(|post| post.outbox.pop()).is_some() {
                self.means.metrics.dropped("full", 1);
            }
        }
    }

    /// Whose task what is has changed.
    async fn regroup(&mut self) {
        let view = self.ownership.view();
        let is_other = |peer: &&Peer| view.as_ref().is_some_and(|view| peer.id != view.me);
        // Who had this server's name may have it no more.
        let servers = view.iter().flat_map(|view| &view.servers).filter(is_other);
        let mut all = Vec::new();
        for post in self.posts.values_mut() {
            all.extend(std::iter::from_fn(|| post.outbox.pop()));
            match servers.clone().find(|peer| peer.id == post.peer.id) {
                Some(peer) if *peer == post.peer => {}
                Some(peer) => {
                    post.peer = peer.clone();
                    if let Some(trouble) = &mut post.trouble {
                        trouble.retry_at = Instant::now();
                    }
                }
                None => {
                    post.is_listed = false;
                    if post.trouble.take().is_some_and(|trouble| trouble.is_told) {
                        self.means.board.clear(&post.condition());
                    }
                    self.means.ways.forget(&post.peer.id);
                }
            }
        }
        self.posts.retain(|_, post| post.is_listed || post.is_busy);
        self.count_unreachable();
        all.sort_by_key(|waiting| waiting.turn);
        for waiting in all {
            self.place(waiting).await;
        }
    }

    /// When there is something to do although nothing comes.
    fn next_at(&self) -> Option<Instant> {
        let direct = self.posts.values().filter_map(Post::next_at).min();
        let relay = self.posts.values().filter_map(Post::relay_at).min();
        let relay = relay.filter(|_| !self.is_relaying).map(|at| at.max(self.relay_at));
        direct.into_iter().chain(relay).min()
    }

    /// Sends what is due.
    fn send(&mut self, now: Instant) {
        let is_apart = self.ownership.circle().is_some();
        let Self { means, posts, under_way, .. } = self;
        for post in posts.values_mut().filter(|post| post.next_at().is_some_and(|at| at <= now)) {
            // Who is out of reach is tried with nothing, while what there is goes the other way.
            let batch = match post.trouble {
                Some(_) => Vec::new(),
                None => {
                    let batch = post.outbox.take(limit::BEATS_MAX, BATCH_OCTETS_MAX);
                    let batch = timely(batch, now, &means.metrics);
                    if batch.is_empty() && post.word_at.is_none_or(|at| at > now) {
                        continue;
                    }
                    batch
                }
            };
            post.begins(is_apart, now);
            let (ways, to) = (means.ways.clone(), post.peer.clone());
            under_way.spawn(async move {
                let outcome = ways.hand(&to, &batch).await;
                Done::Handed { to: to.id, batch, outcome }
            });
        }
        self.relay(now);
    }

    /// Leaves in the store what is due for those who cannot be reached.
    fn relay(&mut self, now: Instant) {
        let is_due = |post: &Post| post.relay_at().is_some_and(|at| at <= now);
        if self.is_relaying || now < self.relay_at || !self.posts.values().any(is_due) {
            return;
        }
        let posts = self.posts.values_mut().filter(|post| post.trouble.is_some());
        let batch =
            posts.flat_map(|post| post.outbox.take(usize::MAX, relay::LOOK_OCTETS_MAX)).collect();
        let batch = timely(batch, now, &self.means.metrics);
        if batch.is_empty() {
            return;
        }
        self.is_relaying = true;
        let (ways, began) = (self.means.ways.clone(), now);
        self.under_way.spawn(async move {
            let outcome = ways.leave(&batch).await;
            Done::Left { batch, began, outcome }
        });
    }

    /// Sends all that waits, whether it is due or not.
    async fn flush(&mut self) {
        self.relay_at = Instant::now();
        loop {
            self.send(Instant::now() + LINGER);
            match self.under_way.join_next().await {
                Some(done) => self.finish(done).await,
                None => return,
            }
        }
    }
}

/// Those that are worth something still.
fn timely(batch: Vec<Waiting>, now: Instant, metrics: &BeatsMetrics) -> Vec<Waiting> {
    let count = batch.len();
    let timely: Vec<_> = batch.into_iter().filter(|waiting| now < waiting.late).collect();
    metrics.dropped("late", count - timely.len());
    timely
}

/// The shortest ttl of the checks that a heartbeat is for.
fn ttl(member: &Member, beat: &Beat) -> Option<Duration> {
    let checks = member.instance.checks.iter().enumerate();
    let is_meant = |index| beat.check.is_none_or(|(check, _)| check == index);
    checks.filter(|(index, _)| is_meant(*index)).filter_map(|(_, spec)| CheckSpec::ttl(spec)).min()
}
