//! A store that servers share: what is made of it at the start, and what runs beside the registry.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc, time::Duration};

use anyhow::Context as _;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::info;

use super::{config::Config, supervise::Tasks};
use crate::{
    cluster::{
        self,
        beats::{Beats, BeatsMetrics, BeatsSetup},
        etcd::Client,
        follow::{Follower, Relayed, answer, inspect},
        layout::{Layout, ServerRow},
        members::{Members, MembersSetup, count},
        write::{Finisher, Probe, Writer},
    },
    http::{Life, PeerFacts, PeerToken, Peers, Server},
    model::Timestamp,
    registry::{
        Beat, Followed, Keeping, Loaded, Ownership, Peer, Registry, SharedSetup, Steps, View,
        loaded,
    },
    telemetry::{Board, Metrics},
    util::Clock,
};

/// Batches of the store that wait for the registry; more wait in etcd.
const FOLLOWED_MAX: usize = 64;

/// Batches of heartbeats that other servers have left in etcd: each has one row.
const RELAYED_MAX: usize = 64;

/// Heartbeats for others that wait to be sent: those of half a second, where each of a million
/// instances beats every ten.
const BEATS_MAX: usize = 50_000;

/// The parts that share the state, before anything runs.
pub(super) struct Sharing {
    common: cluster::Common,
    me: Peer,
    row: ServerRow,
    ownership: Ownership,
    follower: Follower,
    relayed: mpsc::Receiver<Relayed>,
    beats_metrics: BeatsMetrics,
    lease: Duration,
    checkers: usize,
}

/// What the rows in etcd say of the servers.
struct Rows(cluster::Common);

/// What runs beside the registry.
pub(super) struct SharingTasks {
    sharing: Sharing,
    followed: mpsc::Sender<Followed>,
    beats: mpsc::Receiver<Beat>,
}

// === impl Sharing ===

impl Sharing {
    /// What is configured; `None` when the store is this server's own. Nothing is connected yet.
    ///
    /// # Errors
    /// When the client cannot be made of its keys, or others could not reach this server.
    pub(super) fn new(
        config: &Config,
        http: &[SocketAddr],
        (clock, board, metrics): (&Clock, &Board, &Metrics),
    ) -> anyhow::Result<Option<Self>> {
        let mut random = fastrand::Rng::new();
        let Some(options) = config.etcd_options(random.usize(..))? else { return Ok(None) };
        let client = Client::new(options).map_err(|error| config.etcd_mistake(&error))?;
        let layout = Layout::new(&config.store.etcd.prefix)
            .map_err(|invalid| anyhow::anyhow!("`store.prefix`: {invalid}"))?;
        let common = cluster::Common::new(client, layout, board.clone(), metrics, clock.clone());
        let me = config.peer(http, random.u32(..))?;
        let Life { version, started } = life(clock);
        let http = me.http.to_vec();
        let row = ServerRow { http, version, started, token: token()?, settings: alike(config) };
        let nobody = View {
            me: Arc::clone(&me.id),
            servers: Vec::new(),
            checkers: config.cluster.checkers,
            is_cut_off: false,
            hears_all: false,
        };
        let (relay, relayed) = mpsc::channel(RELAYED_MAX);
        let follower = Follower::new(common.clone(), Some(relay), random.fork());
        Ok(Some(Self {
            common,
            me,
            row,
            ownership: Ownership::of(nobody),
            follower,
            relayed,
            beats_metrics: BeatsMetrics::new(metrics),
            lease: config.cluster.lease,
            checkers: config.cluster.checkers,
        }))
    }

    /// Reads all that is shared, as soon as etcd is within reach; `None` when it is told to stop
    /// before.
    pub(super) async fn read(
        mut self,
        stop: &CancellationToken,
    ) -> Option<(Loaded, Keeping, SharingTasks)> {
        let (rows, at) = self.follower.first(stop).await?;
        let (followed, receiver) = mpsc::channel(FOLLOWED_MAX);
        let (beats, beats_receiver) = mpsc::channel(BEATS_MAX);
        let keeping = Keeping::Shared(SharedSetup {
            share: Box::new(Writer::new(self.common.clone(), Arc::clone(&self.me.id))),
            followed: receiver,
            ownership: self.ownership.clone(),
            contact: self.common.contact(),
            beats,
            beats_left_out: self.beats_metrics.left_out(),
            lease: self.lease,
            life: fastrand::Rng::new().u16(1..=Steps::LIFE_MAX),
        });
        let tasks = SharingTasks { sharing: self, followed, beats: beats_receiver };
        Some((loaded(rows, at), keeping, tasks))
    }
}

// === impl SharingTasks ===

impl SharingTasks {
    /// How the other servers are known that call this one.
    pub(super) fn peers(&self) -> Peers {
        let Sharing { common, row, ownership, .. } = &self.sharing;
        Peers {
            gate: Arc::new(PeerToken::new(row.token.as_str())),
            ownership: ownership.clone(),
            facts: Arc::new(Rows(common.clone())),
        }
    }

    /// This server, as the others see it.
    pub(super) fn server(&self) -> Server {
        let Sharing { me, row, .. } = &self.sharing;
        Server { peer: me.clone(), life: life_of(row) }
    }

    /// Starts them all; they run until `stop`, after the registry.
    pub(super) fn start(self, tasks: &mut Tasks, registry: Registry, stop: &CancellationToken) {
        let Self { sharing, followed, beats } = self;
        let Sharing { common, me, row, ownership, follower, relayed, .. } = sharing;
        let (lease, checkers, metrics) = (sharing.lease, sharing.checkers, sharing.beats_metrics);
        info!(server = %me.id, reached_at = ?me.http, "sharing the registry");
        let finisher = Finisher::new(common.clone(), me.id.clone());
        tasks.spawn("bulks", finisher.run(stop.clone()));
        let mut random = fastrand::Rng::new();
        let probe = Probe::new(common.clone(), Arc::clone(&me.id), random.fork());
        let counting = count(common.clone(), registry.clone(), ownership.clone(), stop.clone());
        tasks.spawn("count", counting);
        let (id, common_beats) = (Arc::clone(&me.id), common.clone());
        let setup = BeatsSetup { common: common_beats, me: id, registry, beats, relayed, metrics };
        let beats = Beats::new(setup, random.fork());
        let setup = MembersSetup { id: me.id, row, lease, checkers, ownership };
        let members = Members::new(common.clone(), setup, random.fork());
        tasks.spawn("members", members.run(stop.clone()));
        tasks.spawn("probe", probe.run(followed.clone(), stop.clone()));
        tasks.spawn("follower", follower.run(followed, stop.clone()));
        tasks.spawn("contact", answer(common.clone(), stop.clone()));
        tasks.spawn("etcd", inspect(common, random.fork(), stop.clone()));
        tasks.spawn("beats", beats.run(stop.clone()));
    }
}

// === impl Rows ===

impl PeerFacts for Rows {
    fn life(&self, server: &str) -> Option<Life> {
        self.0.roster().borrow().servers.get(server)?.row.as_ref().map(life_of)
    }

    fn kept(&self) -> u64 {
        self.0.metrics.owned_last()
    }

    fn changed_ago(&self) -> Option<Duration> {
        self.0.taken_ago()
    }

    fn hear_of_twin(&self) {
        self.0.hear_of_twin();
    }
}

/// What each server decides and answers by, and so all have to be given alike.
fn alike(config: &Config) -> BTreeMap<String, String> {
    let mut settings = BTreeMap::from([
        ("cluster.checkers".to_owned(), config.cluster.checkers.to_string()),
        ("cluster.lease".to_owned(), format!("{:?}", config.cluster.lease)),
        ("server.domain".to_owned(), config.server.domain.to_string()),
    ]);
    if config.consul.enabled {
        settings.insert("consul.datacenter".to_owned(), config.consul.datacenter.clone());
    }
    settings
}

fn life_of(row: &ServerRow) -> Life {
    Life { version: row.version.clone(), started: row.started }
}

/// This server where it shares nothing; its HTTP interface is at `http`.
pub(super) fn lone(config: &Config, http: &[SocketAddr], clock: &Clock) -> Server {
    Server { peer: config.lone_peer(http), life: life(clock) }
}

/// The life of this server, which begins.
fn life(clock: &Clock) -> Life {
    let started = Timestamp(clock.wall_millis());
    Life { version: env!("CARGO_PKG_VERSION").into(), started }
}

/// What other servers show to this one: 128 bits that nobody guesses.
fn token() -> anyhow::Result<String> {
    let mut octets = [0; 16];
    aws_lc_rs::rand::fill(&mut octets).ok().context("the system gives no random numbers")?;
    Ok(octets.iter().map(|octet| format!("{octet:02x}")).collect())
}
