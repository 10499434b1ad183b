//! What the tests of following, members and writing share: a way to etcd that can be cut, and a
//! registry that only keeps the rows.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
    sync::Arc,
};

use parking_lot::Mutex;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::{mpsc, watch},
    time::{Duration, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Follower;
use crate::{
    cluster::{
        common::Common,
        etcd::{Client, EtcdOptions, KeyValue},
        layout::{Layout, Meta},
        meta,
        testing::PATIENCE,
    },
    model::InstanceKey,
    registry::{Followed, SharedRow, Weather},
    telemetry::{Board, Metrics},
    util::Clock,
};

/// Waits until that holds, which nothing rings for.
pub(in crate::cluster) async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("it does not come about");
}

/// A row of a list.
pub(in crate::cluster) fn kv(key: &str, value: &str, revision: u64) -> KeyValue {
    KeyValue {
        key: key.to_owned().into(),
        value: value.to_owned().into(),
        create_revision: revision,
        mod_revision: revision,
        version: 1,
        lease: None,
    }
}

/// A way to etcd, as `http://127.0.0.1:PORT`, which can be cut, held up, and led elsewhere.
pub(in crate::cluster) struct Link {
    pub(in crate::cluster) url: String,
    to: Arc<Mutex<Option<String>>>,
    open: Arc<Mutex<CancellationToken>>,
    flow: watch::Sender<Flow>,
    _stop: DropGuard,
}

/// Which way octets go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cluster) enum Flow {
    Both,
    /// Requests go out, and answers do not come back.
    Out,
    None,
}

impl Link {
    pub(in crate::cluster) async fn to(url: &str) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let own = format!("http://{}", listener.local_addr().unwrap());
        let (to, open) = (Arc::new(Mutex::new(Some(address(url)))), Arc::default());
        let (flow, stop) = (watch::Sender::new(Flow::Both), CancellationToken::new());
        let link = Self { url: own, to, open, flow, _stop: stop.clone().drop_guard() };
        let (to, open, flow) = (link.to.clone(), link.open.clone(), link.flow.clone());
        tokio::spawn(stop.run_until_cancelled_owned(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Some(to) = to.lock().clone() else { continue };
                let (open, flow) = (open.lock().clone(), flow.clone());
                tokio::spawn(open.run_until_cancelled_owned(async move {
                    let Ok(far) = TcpStream::connect(to).await else { return };
                    let ((near_in, near_out), (far_in, far_out)) =
                        (near.into_split(), far.into_split());
                    let back = |flow: &Flow| *flow == Flow::Both;
                    let forth = |flow: &Flow| *flow != Flow::None;
                    tokio::select! {
                        () = pass(near_in, far_out, flow.subscribe(), forth) => {}
                        () = pass(far_in, near_out, flow.subscribe(), back) => {}
                    }
                }));
            }
        }));
        link
    }

    /// Ends all connections and takes none.
    pub(in crate::cluster) fn cut(&self) {
        self.lead(None);
    }

    /// Leads there from now on.
    pub(in crate::cluster) fn lead_to(&self, url: &str) {
        self.lead(Some(address(url)));
    }

    /// Holds up what is on its way, without a word to anybody.
    pub(in crate::cluster) fn set_flow(&self, flow: Flow) {
        self.flow.send_replace(flow);
    }

    fn lead(&self, to: Option<String>) {
        *self.to.lock() = to;
        std::mem::take(&mut *self.open.lock()).cancel();
    }
}

/// Passes octets on while they may go.
async fn pass(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut flow: watch::Receiver<Flow>,
    may_go: impl Fn(&Flow) -> bool,
) {
    let mut octets = vec![0; 64 << 10];
    while let Ok(count @ 1..) = from.read(&mut octets).await {
        if flow.wait_for(&may_go).await.is_err() || to.write_all(&octets[..count]).await.is_err() {
            return;
        }
    }
}

fn address(url: &str) -> String {
    url.trim_start_matches("http://").to_owned()
}

/// What a server has of an etcd under a prefix, with metrics that can be read.
pub(in crate::cluster) fn common(client: Client, prefix: &str) -> (Common, Metrics) {
    let layout = Layout::new(prefix.trim_end_matches('/')).unwrap();
    let metrics = Metrics::new();
    (Common::new(client, layout, Board::default(), &metrics, Clock::system()), metrics)
}

/// Agrees with who is there on whose state it is, or begins one, as whoever follows does.
pub(in crate::cluster) async fn agree(common: &Common) -> Meta {
    let drawn = meta::drawn(&mut fastrand::Rng::new());
    let found = meta::agree(&common.client, &common.layout, drawn).await.unwrap();
    common.set_agreed(&found);
    found.meta
}

/// A client of that URL which gives up soon.
pub(in crate::cluster) fn client(url: &str) -> Client {
    let deadline = Duration::from_secs(1);
    Client::new(EtcdOptions { deadline, ..EtcdOptions::new([url]) }).unwrap()
}

/// The rows as a registry has them that follows, by what they are about.
pub(in crate::cluster) struct Mirror {
    pub(in crate::cluster) common: Common,
    pub(in crate::cluster) metrics: Metrics,
    pub(in crate::cluster) rows: BTreeMap<String, SharedRow>,
    pub(in crate::cluster) upto: u64,
    pub(in crate::cluster) weather: Weather,
    /// How often all was listed, after the first time.
    pub(in crate::cluster) lists: usize,
    /// How often it was said that changes are taken again.
    pub(in crate::cluster) writable: usize,
    /// The instances whose registration cannot be read, as the registry is told.
    pub(in crate::cluster) unreadable: BTreeSet<InstanceKey>,
    told: mpsc::Receiver<Followed>,
    _stop: DropGuard,
}

impl Mirror {
    /// Begins to follow an etcd under a prefix.
    pub(in crate::cluster) async fn start(client: Client, prefix: &str) -> Self {
        Self::of(client, prefix, |_| {}).await
    }

    /// The same with a follower that is adjusted before.
    pub(in crate::cluster) async fn of(
        client: Client,
        prefix: &str,
        adjust: impl FnOnce(&mut Follower),
    ) -> Self {
        let (common, metrics) = common(client, prefix);
        let mut follower = Follower::new(common.clone(), None, fastrand::Rng::new());
        adjust(&mut follower);
        let stop = CancellationToken::new();
        let first = timeout(PATIENCE, follower.first(&stop)).await;
        let (rows, upto) = first.expect("etcd answers").expect("it was not stopped");
        // Short, so that a slow registry holds up the watch.
        let (sender, told) = mpsc::channel(2);
        tokio::spawn(follower.run(sender, stop.clone()));
        let mut mirror = Self {
            common,
            metrics,
            rows: BTreeMap::new(),
            upto,
            weather: Weather::Fair,
            lists: 0,
            writable: 0,
            unreadable: BTreeSet::new(),
            told,
            _stop: stop.drop_guard(),
        };
        mirror.apply(rows);
        mirror
    }

    /// Takes what is told until that holds.
    pub(in crate::cluster) async fn until(&mut self, holds: impl Fn(&Self) -> bool) {
        let wait = async {
            while !holds(self) {
                self.next().await;
            }
        };
        let waited = timeout(PATIENCE, wait).await;
        assert!(waited.is_ok(), "at {}: {:#?}, {:?}", self.upto, self.rows.keys(), self.weather);
    }

    /// Takes what is told until all is known up to a revision. However much that is, something
    /// comes all the time.
    pub(in crate::cluster) async fn until_seen(&mut self, revision: u64) {
        while self.upto < revision {
            let told = timeout(PATIENCE, self.next()).await;
            assert!(told.is_ok(), "at {}: {:#?}, {:?}", self.upto, self.rows.keys(), self.weather);
        }
    }

    /// Takes the next thing that is told.
    pub(in crate::cluster) async fn next(&mut self) {
        match self.told.recv().await.expect("the follower runs") {
            Followed::Changes { rows, upto } => {
                let is_opinion = |(_, row): &_| matches!(row, SharedRow::Opinion { .. });
                if upto == self.upto && rows.iter().all(is_opinion) {
                    return self.apply(rows); // those of the first list
                }
                assert!(upto > self.upto, "{upto} after {}", self.upto);
                let revisions: Vec<u64> = rows.iter().map(|(revision, _)| *revision).collect();
                assert!(revisions.is_sorted(), "{revisions:?}");
                assert!(revisions.iter().all(|it| *it > self.upto && *it <= upto), "{revisions:?}");
                self.upto = upto;
                self.apply(rows);
            }
            Followed::Whole { mut rows, kept, at } => {
                let is_kept =
                    |row: &SharedRow| row.key().is_some_and(|key| kept.instances.contains(key));
                rows.retain(|(_, row)| !is_kept(row));
                self.lists += 1;
                self.upto = at;
                self.rows.retain(|_, row| match row.key() {
                    Some(key) => kept.instances.contains(key),
                    None => false,
                });
                self.apply(rows);
            }
            Followed::Unreadable(keys) => self.unreadable = keys,
            Followed::Writable => self.writable += 1,
            Followed::Weather(weather) => {
                assert_ne!(weather, self.weather, "told twice");
                self.weather = weather;
            }
        }
    }

    fn apply(&mut self, rows: Vec<(u64, SharedRow)>) {
        for (_, row) in rows {
            let name = name(&row);
            let is_gone = match &row {
                SharedRow::Registration { to, .. } => to.is_none(),
                SharedRow::Health { to, .. } => to.is_none(),
                SharedRow::Drained { on, .. } => !on,
                SharedRow::Opinion { to, .. } => to.is_none(),
                SharedRow::Policy { to, .. } => to.is_none(),
            };
            if let SharedRow::Registration { key, to: None } = &row {
                self.rows.remove(&format!("health {key}"));
                self.rows.remove(&format!("drained {key}"));
            }
            if is_gone {
                self.rows.remove(&name);
            } else {
                self.rows.insert(name, row);
            }
        }
    }

    /// The names of the rows: `registration web/a`.
    pub(in crate::cluster) fn names(&self) -> Vec<&str> {
        self.rows.keys().map(String::as_str).collect()
    }

    /// What is pinned on the board, as one text.
    pub(in crate::cluster) fn board(&self) -> String {
        let conditions = self.common.board.conditions();
        conditions.iter().map(|(name, it)| format!("{name}: {}\n", it.message)).collect()
    }

    /// The value of a metric, with its labels.
    /// A number that is nothing as long as it has not been counted.
    pub(in crate::cluster) fn metric_or_zero(&self, name: &str) -> u64 {
        let text = self.metrics.encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.map_or(0, |number| number.trim().parse().unwrap())
    }

    /// How often the watch was begun again, for whatever reason.
    pub(in crate::cluster) fn restarts(&self) -> u64 {
        let text = self.metrics.encode().unwrap();
        let of_reasons = text
            .lines()
            .filter(|line| line.starts_with("rollcall_cluster_watch_restarts_total{"))
            .map(|line| line.rsplit_once(' ').unwrap().1);
        of_reasons.map(|count| count.parse::<u64>().unwrap()).sum()
    }

    pub(in crate::cluster) fn metric(&self, name: &str) -> String {
        let text = self.metrics.encode().unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name));
        line.unwrap_or_else(|| panic!("no {name} in {text}")).trim().to_owned()
    }
}

fn name(row: &SharedRow) -> String {
    match row {
        SharedRow::Registration { key, .. } => format!("registration {key}"),
        SharedRow::Health { key, .. } => format!("health {key}"),
        SharedRow::Drained { key, .. } => format!("drained {key}"),
        SharedRow::Opinion { key, by, .. } => format!("opinion {key} {by}"),
        SharedRow::Policy { service, .. } => format!("policy {service}"),
    }
}
