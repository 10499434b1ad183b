//! Servers that share what they know, and ways that lead nowhere.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::{sync::mpsc, task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::beats::{
        metrics::BeatsMetrics,
        outbox::Waiting,
        sender::{Means, Sender},
        ways::{Handed, Left, Ways},
    },
    model::{Command, InstanceKey, Status},
    registry::{
        Beat, Options, Peer, ServerId,
        testing::{self, Commons, Running, key},
    },
    store::text::BeatsTakenText,
};

/// What was sent, when, and to whom; nothing arrives.
#[derive(Clone, Default)]
pub(super) struct Nowhere(Arc<Mutex<Log>>);

#[derive(Default)]
pub(super) struct Log {
    pub(super) handed: Vec<Batch>,
    /// What was left in the store.
    pub(super) left: Vec<Batch>,
    pub(super) forgotten: BTreeSet<ServerId>,
    /// Those that cannot be reached; `store` among them.
    pub(super) down: BTreeSet<String>,
    /// How long a request takes.
    pub(super) takes: Duration,
    /// What all say of all, unless they take it.
    pub(super) says: Option<Says>,
    /// For how many in the store there is room.
    pub(super) room: Option<usize>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    Unknown,
    Elsewhere,
}

#[derive(Debug, Clone)]
pub(super) struct Batch {
    pub(super) at: Instant,
    pub(super) to: String,
    pub(super) beats: Vec<Beat>,
}

/// Three servers, of which the first sends.
pub(super) struct World {
    pub(super) commons: Commons,
    pub(super) servers: Vec<Running>,
    pub(super) ways: Nowhere,
    pub(super) beats: mpsc::Sender<Beat>,
    pub(super) runs: JoinHandle<()>,
    pub(super) stop: CancellationToken,
    pub(super) _for_others: Vec<mpsc::Receiver<Beat>>,
}

// === impl Nowhere ===

impl Nowhere {
    pub(super) fn with<T>(&self, change: impl FnOnce(&mut Log) -> T) -> T {
        change(&mut self.0.lock())
    }

    /// What was handed to servers, without that by which it is tried whether they are there.
    pub(super) fn handed(&self) -> Vec<Batch> {
        let has_some = |batch: &&Batch| !batch.beats.is_empty();
        self.with(|log| log.handed.iter().filter(has_some).cloned().collect())
    }

    pub(super) fn left(&self) -> Vec<Batch> {
        self.with(|log| log.left.clone())
    }

    pub(super) fn set_down(&self, names: &[&str]) {
        self.with(|log| log.down = names.iter().map(|name| (*name).to_owned()).collect());
    }
}

impl Ways for Nowhere {
    async fn hand(&self, to: &Peer, batch: &[Waiting]) -> Result<Handed, String> {
        let at = Instant::now();
        tokio::time::sleep(self.with(|log| log.takes)).await;
        self.with(|log| {
            let beats = batch.iter().map(|waiting| waiting.beat.clone()).collect();
            log.handed.push(Batch { at, to: to.id.to_string(), beats });
            if log.down.contains(&*to.id) {
                return Err("down".to_owned());
            }
            let mut said = BeatsTakenText::default();
            match log.says {
                None => said.taken = batch.len(),
                Some(Says::Unknown) => said.unknown = (0..batch.len()).collect(),
                // One place more than there are: what is not there is of no consequence.
                Some(Says::Elsewhere) => said.elsewhere = (0..=batch.len()).collect(),
            }
            Ok(Handed { said, octets: 100 * batch.len() })
        })
    }

    async fn leave(&self, batch: &[Waiting]) -> Result<Left, String> {
        self.with(|log| {
            if log.down.contains("store") {
                return Err("down".to_owned());
            }
            let room = log.room.unwrap_or(batch.len()).min(batch.len());
            let (taken, rest) = batch.split_at(room);
            let beats = taken.iter().map(|waiting| waiting.beat.clone()).collect();
            log.left.push(Batch { at: Instant::now(), to: "store".to_owned(), beats });
            Ok(Left { rest: rest.to_vec(), octets: 100 })
        })
    }

    fn forget(&self, server: &ServerId) {
        self.with(|log| log.forgotten.insert(server.clone()));
    }
}

// === impl World ===

impl World {
    /// With `web/i0` and so on, which are kept alive by heartbeats.
    pub(super) async fn start(instances: usize) -> Self {
        let (commons, ways) = (Commons::default(), Nowhere::default());
        let (servers, for_others): (Vec<Running>, Vec<_>) =
            (0..3).map(|_| commons.join(Options::default())).unzip();
        let ttl = Duration::from_secs(30);
        let beating = |n: usize| testing::beating(&format!("web/i{n}"), "10.0.0.1", ttl).into();
        let all = (0..instances).map(beating).collect();
        servers[0].registry.submit(Command::Register(all)).await.unwrap();
        let sender = Sender::new(means(&servers[0], ways.clone()));
        let (beats, queue) = mpsc::channel(10_000);
        let stop = CancellationToken::new();
        let runs = tokio::spawn(sender.run(queue, stop.clone()));
        Self { commons, servers, ways, beats, runs, stop, _for_others: for_others }
    }

    /// Those that are the task of a server.
    pub(super) fn of(&self, server: usize) -> Vec<InstanceKey> {
        let registry = &self.servers[0].registry;
        let mut keys: Vec<_> = registry.snapshot().members().map(|member| member.key()).collect();
        keys.retain(|key| self.commons.owner(key) == server);
        keys.sort();
        assert!(keys.len() > 3, "server {server} has a share");
        keys
    }

    pub(super) async fn beat(&self, key: &InstanceKey, status: Status) {
        let beat =
            Beat { status: Some(status), output: Some("said".into()), ..Beat::of(key.clone()) };
        self.beats.send(beat).await.unwrap();
    }

    pub(super) fn metric(&self, name: &str) -> String {
        metric(&self.servers[0], name)
    }

    pub(super) fn board(&self) -> String {
        let conditions = self.servers[0].board.conditions();
        conditions.iter().map(|(name, it)| format!("{name}: {}\n", it.message)).collect()
    }
}

/// What the sender of a server works with.
pub(super) fn means<W>(server: &Running, ways: W) -> Means<W> {
    Means {
        ways,
        registry: server.registry.clone(),
        board: server.board.clone(),
        metrics: BeatsMetrics::new(&server.metrics),
        clock: server.clock.clone(),
        rng: fastrand::Rng::with_seed(7),
    }
}

/// A count of this server, of all senders that a test has made there.
pub(super) fn metric(server: &Running, name: &str) -> String {
    let text = server.metrics.encode().unwrap();
    let name = format!("rollcall_cluster_{name} ");
    let counts = text.lines().filter_map(|line| line.strip_prefix(&name));
    counts.map(|count| count.parse::<u64>().unwrap()).sum::<u64>().to_string()
}

pub(super) async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

/// The batches by where they went.
pub(super) fn by_server(batches: Vec<Batch>) -> BTreeMap<String, Vec<Batch>> {
    let mut by_server: BTreeMap<String, Vec<Batch>> = BTreeMap::new();
    for batch in batches {
        by_server.entry(batch.to.clone()).or_default().push(batch);
    }
    by_server
}

/// The shortest time between two that follow one another.
pub(super) fn shortest_pause(batches: &[Batch]) -> Duration {
    batches.windows(2).map(|two| two[1].at - two[0].at).min().unwrap_or(Duration::MAX)
}

/// An instance whose status all of these servers come to show.
pub(super) async fn becomes(servers: &[Running], name: &str, status: Status) {
    for server in servers {
        let mut bell = server.registry.events().subscribe();
        let shows = || server.registry.snapshot().member(&key(name)).map(|member| member.status);
        while shows() != Some(status) {
            let rung = tokio::time::timeout(Duration::from_secs(30), bell.changed()).await;
            rung.expect("it does in time").unwrap();
        }
    }
}
