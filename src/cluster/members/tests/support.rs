//! A server as far as the others see it.

use std::{collections::BTreeMap, sync::Arc};

use parking_lot::Mutex;
use tokio::{
    sync::mpsc,
    task::JoinHandle,
    time::{Duration, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    cluster::{
        common::Common,
        etcd::{Client, KeyRange, KeyValue, Range},
        follow::{
            Follower,
            testing::{common, until},
        },
        layout::{Key, ServerRow},
        members::{Members, MembersSetup},
        testing::PATIENCE,
    },
    model::Timestamp,
    registry::{Ownership, View},
};

/// A server that follows and is known.
pub(super) struct Seat {
    pub(super) id: &'static str,
    pub(super) common: Common,
    pub(super) ownership: Ownership,
    /// All views since the start.
    pub(super) views: Arc<Mutex<Vec<View>>>,
    stop: CancellationToken,
    members: JoinHandle<()>,
    _rest: DropGuard,
}

impl Seat {
    /// Takes its place among the others, by a client of its own.
    pub(super) async fn take(
        client: Client,
        prefix: &str,
        id: &'static str,
        lease: Duration,
    ) -> Self {
        Self::take_with(client, prefix, id, lease, row(id)).await
    }

    /// The same, with this row.
    pub(super) async fn take_with(
        client: Client,
        prefix: &str,
        id: &'static str,
        lease: Duration,
        row: ServerRow,
    ) -> Self {
        let (common, _metrics) = common(client, prefix);
        let rest = CancellationToken::new();
        let mut follower = Follower::new(common.clone(), None, fastrand::Rng::new());
        let first = timeout(PATIENCE, follower.first(&rest)).await;
        first.expect("etcd answers").expect("it was not stopped");
        let (sender, mut told) = mpsc::channel(4);
        tokio::spawn(follower.run(sender, rest.clone()));
        tokio::spawn(async move { while told.recv().await.is_some() {} });
        let ownership = Ownership::all();
        let setup =
            MembersSetup { id: id.into(), row, lease, checkers: 1, ownership: ownership.clone() };
        let members = Members::new(common.clone(), setup, fastrand::Rng::new());
        let (stop, views) = (CancellationToken::new(), Arc::default());
        tokio::spawn(record(ownership.clone(), Arc::clone(&views)));
        let members = tokio::spawn(members.run(stop.clone()));
        Self { id, common, ownership, views, stop, members, _rest: rest.drop_guard() }
    }

    /// Its names of those that it takes for alive, in order.
    pub(super) fn sees(&self) -> Vec<String> {
        names(&self.ownership.view().expect("it has a view"))
    }

    /// Waits until it takes these for alive.
    pub(super) async fn until_sees(&self, names: &[&str]) {
        until(|| self.sees() == names).await;
    }

    /// Takes leave, and waits until that is done.
    pub(super) async fn leave(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.members).await.expect("it ends").unwrap();
    }

    /// Goes without a word.
    pub(super) fn die(self) {
        self.members.abort();
    }

    /// Its row, if there is one.
    pub(super) async fn row(&self, etcd: &Client) -> Option<KeyValue> {
        let key = self.common.layout.key(&Key::Server(self.id.into()));
        etcd.range(Range::of(KeyRange::key(key))).await.unwrap().kvs.into_iter().next()
    }

    pub(super) fn board(&self) -> String {
        let conditions = self.common.board.conditions();
        conditions.iter().map(|(name, it)| format!("{name}: {}\n", it.message)).collect()
    }
}

/// Those in a view, in order.
pub(super) fn names(view: &View) -> Vec<String> {
    let mut names: Vec<String> = view.servers.iter().map(|peer| peer.id.to_string()).collect();
    names.sort();
    names
}

/// What a server says of itself; each has a token of its own.
pub(super) fn row(id: &str) -> ServerRow {
    ServerRow {
        http: vec![format!("{id}.example:8500")],
        version: "0.2.0".to_owned(),
        started: Timestamp(1_795_000_000_000),
        token: format!("{:x}", fastrand::u64(..)),
        settings: BTreeMap::default(),
    }
}

async fn record(ownership: Ownership, views: Arc<Mutex<Vec<View>>>) {
    let mut changes = ownership.subscribe();
    loop {
        views.lock().extend(ownership.view());
        if changes.changed().await.is_err() {
            return;
        }
    }
}
