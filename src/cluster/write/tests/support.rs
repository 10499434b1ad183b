//! A writer, a server that follows, and changes to propose.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    cluster::{
        common::{Fence, Held},
        etcd::{Client, KeyRange, Op, Range, Txn},
        follow::testing::Mirror,
        layout::Key,
        testing::{PATIENCE, shared},
        write::{Finisher, Writer},
    },
    model::{CheckState, InstanceKey, Policy, Revision, Status, Timestamp},
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

    /// Another server of the same etcd.
    pub(super) async fn other(&self) -> Self {
        let mut other = Self::of(self.etcd.clone(), self.etcd.clone(), &self.prefix).await;
        other.writer.me = "other".into();
        other
    }

    /// Has this server finish bulks until the guard goes, also those of others.
    pub(super) fn finish(&self) -> DropGuard {
        self.finish_after(PATIENCE)
    }

    /// The same; a bulk that does not count is given up after a while.
    pub(super) fn finish_after(&self, given_up: Duration) -> DropGuard {
        let common = self.mirror.common.clone();
        let mut finisher = Finisher::new(common, self.writer.me.clone());
        (finisher.left, finisher.given_up) = (Duration::ZERO, given_up);
        finisher.no_news = Duration::ZERO;
        let stop = CancellationToken::new();
        tokio::spawn(finisher.run(stop.clone()));
        stop.drop_guard()
    }

    /// The keys below the prefix that begin so.
    pub(super) async fn keys(&self, name: &str) -> usize {
        let keys = KeyRange::prefix(format!("{}v1/{name}", self.prefix));
        let found = self.etcd.range(Range { limit: 1, ..Range::of(keys) }).await;
        usize::try_from(found.unwrap().count).unwrap()
    }

    /// How many keys below the prefix that begin so were written after that revision.
    pub(super) async fn written_since(&self, revision: u64, name: &str) -> usize {
        let keys = KeyRange::prefix(format!("{}{name}", self.prefix));
        let found = self.etcd.range(Range { keys_only: true, ..Range::of(keys) }).await;
        found.unwrap().kvs.iter().filter(|kv| kv.mod_revision > revision).count()
    }

    /// Takes what is told until no bulk is under way.
    pub(super) async fn until_over(&mut self) {
        let bulks = self.mirror.common.bulks();
        let is_over = |mirror: &Mirror| {
            let bulks = bulks.borrow();
            bulks.under_way.is_none() && bulks.last.is_none_or(|over| over.ended <= mirror.upto)
        };
        self.mirror.until(is_over).await;
    }

    /// Proposes on what the mirror has seen.
    pub(super) async fn propose(&mut self, edits: Vec<Edit>) -> Result<u64, Refused> {
        self.offer(Proposal { base: self.mirror.upto, edits, kept: Vec::new(), as_owner: false })
            .await
    }

    /// The same on an older revision.
    pub(super) async fn propose_on(&mut self, base: u64, edits: Vec<Edit>) -> Result<u64, Refused> {
        self.offer(Proposal { base, edits, kept: Vec::new(), as_owner: false }).await
    }

    /// Proposes that instances stay as they are, beside changes of others.
    pub(super) async fn keep(
        &mut self,
        kept: Vec<InstanceKey>,
        edits: Vec<Edit>,
    ) -> Result<u64, Refused> {
        self.offer(Proposal { base: self.mirror.upto, edits, kept, as_owner: false }).await
    }

    /// The revisions at which the keys below the prefix that begin so were written last. That of
    /// etcd itself rises with the tests beside this one.
    pub(super) async fn revisions(&self, name: &str) -> BTreeSet<u64> {
        let keys = KeyRange::prefix(format!("{}v1/{name}", self.prefix));
        let found = self.etcd.range(Range { keys_only: true, ..Range::of(keys) }).await.unwrap();
        found.kvs.iter().map(|kv| kv.mod_revision).collect()
    }

    pub(super) async fn as_owner(&mut self, edits: Vec<Edit>) -> Result<u64, Refused> {
        self.offer(Proposal { base: self.mirror.upto, edits, kept: Vec::new(), as_owner: true })
            .await
    }

    /// Proposes, and takes what is told meanwhile, as a registry does.
    async fn offer(&mut self, proposal: Proposal) -> Result<u64, Refused> {
        let mut proposing = self.writer.propose(proposal);
        loop {
            tokio::select! {
                end = &mut proposing => return end,
                () = self.mirror.next() => {}
            }
        }
    }

    /// Proposes what is taken, and waits until the mirror has it.
    pub(super) async fn write(&mut self, edits: Vec<Edit>) -> u64 {
        let at = self.propose(edits).await.unwrap();
        self.mirror.until_seen(at).await;
        at
    }

    /// Puts the row of this server, which makes it an owner; says at which revision.
    pub(super) async fn join(&mut self) -> u64 {
        let key = self.mirror.common.layout.key(&Key::Server(self.writer.me.clone()));
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

    /// Takes something away, the same way.
    pub(super) async fn delete(&self, name: &str) {
        let key = KeyRange::key(format!("{}v1/{name}", self.prefix));
        let then = vec![Op::Delete(key)];
        self.etcd.txn(Txn { then, ..Txn::default() }).await.unwrap();
    }
}

pub(super) fn register(name: &str, guard: Guard) -> Edit {
    let to = Registration {
        instance: Arc::new(testing::instance(name, "10.0.0.1")),
        registered: None,
        registered_at: Timestamp(1_795_000_000_000),
        since: None,
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
    let to = Health { of: Revision::shared(1), checks, suspect: false, since: None };
    Edit::Health { key: testing::key(name), to }
}

/// Sets the policy of a service, as any server would.
pub(super) fn own_policy(service: &str) -> Edit {
    let service = testing::key(&format!("{service}/a")).service;
    Edit::Policy { service, to: Some(Policy::default()) }
}

pub(super) fn policy(service: &str) -> Edit {
    Edit::Policy { service: testing::key(&format!("{service}/a")).service, to: None }
}
