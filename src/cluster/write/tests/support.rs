//! A writer, a server that follows, and changes to propose.

use std::{sync::Arc, time::Duration};

use crate::{
    cluster::{
        common::{Fence, Held},
        etcd::Client,
        follow::testing::Mirror,
        layout::Key,
        testing::shared,
        write::Writer,
    },
    model::{CheckState, Revision, Status, Timestamp},
    registry::{Edit, Guard, Health, Proposal, Refused, Registration, Share, testing},
};

/// A server that writes and follows, under a prefix of its own.
pub(super) struct World {
    pub(super) mirror: Mirror,
    pub(super) etcd: Client,
    pub(super) prefix: String,
    pub(super) writer: Writer,
}

impl World {
    pub(super) async fn new() -> Self {
        let (etcd, prefix) = shared();
        Self::of(etcd.clone(), etcd, &prefix).await
    }

    /// With a writer that has a client of its own.
    pub(super) async fn of(etcd: Client, writes: Client, prefix: &str) -> Self {
        let mirror = Mirror::start(etcd.clone(), prefix).await;
        let mut common = mirror.common.clone();
        common.client = writes;
        let writer = Writer::new(common, "me".into());
        Self { mirror, etcd, prefix: prefix.to_owned(), writer }
    }

    /// Proposes on what the mirror has seen.
    pub(super) async fn propose(&mut self, edits: Vec<Edit>) -> Result<u64, Refused> {
        let base = self.mirror.upto;
        self.writer.propose(Proposal { base, edits, as_owner: false }).await
    }

    /// The same on an older revision.
    pub(super) async fn propose_on(&mut self, base: u64, edits: Vec<Edit>) -> Result<u64, Refused> {
        self.writer.propose(Proposal { base, edits, as_owner: false }).await
    }

    pub(super) async fn as_owner(&mut self, edits: Vec<Edit>) -> Result<u64, Refused> {
        let base = self.mirror.upto;
        self.writer.propose(Proposal { base, edits, as_owner: true }).await
    }

    /// Proposes what is taken, and waits until the mirror has it.
    pub(super) async fn write(&mut self, edits: Vec<Edit>) -> u64 {
        let at = self.propose(edits).await.unwrap();
        self.mirror.until_seen(at).await;
        at
    }

    /// Puts the row of this server, which makes it an owner; says at which revision.
    pub(super) async fn join(&mut self) -> u64 {
        let key = self.mirror.common.layout.key(&Key::Server("me".into()));
        let at = self.etcd.put(key, "{}", None).await.unwrap().revision;
        let lease = self.etcd.grant(Duration::from_secs(60)).await.unwrap().lease;
        self.fence().set(Some(Held { revision: at, lease }));
        self.mirror.until_seen(at).await;
        at
    }

    pub(super) fn fence(&self) -> &Fence {
        &self.mirror.common.fence
    }

    /// Puts something below the prefix, behind everybody's back.
    pub(super) async fn put(&self, name: &str, value: &str) -> u64 {
        let key = format!("{}v1/{name}", self.prefix);
        self.etcd.put(key, value.to_owned(), None).await.unwrap().revision
    }
}

pub(super) fn register(name: &str, guard: Guard) -> Edit {
    let to = Registration {
        instance: Arc::new(testing::instance(name, "10.0.0.1")),
        registered: None,
        registered_at: Timestamp(1_795_000_000_000),
        created: None,
        checks: None,
    };
    Edit::Register { key: testing::key(name), to: to.into(), guard }
}

pub(super) fn deregister(name: &str, guard: Guard) -> Edit {
    Edit::Deregister { key: testing::key(name), guard }
}

pub(super) fn drain(name: &str, on: bool, guard: Guard) -> Edit {
    Edit::Drain { key: testing::key(name), on, guard }
}

pub(super) fn health(name: &str, status: Status, output: &str) -> Edit {
    let since = Timestamp(1_795_000_000_000);
    let checks = [CheckState { status, output: output.into(), since }].into();
    let to = Health { of: Revision::shared(1), checks, suspect: false };
    Edit::Health { key: testing::key(name), to }
}

pub(super) fn policy(service: &str) -> Edit {
    Edit::Policy { service: testing::key(&format!("{service}/a")).service, to: None }
}
