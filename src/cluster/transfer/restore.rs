//! Writing a registry into etcd.

use std::{pin::pin, time::Duration};

use futures_util::{StreamExt, stream};

use super::{
    TransferError,
    load::{check_schema, keys_of, under_way},
    plan::{Batch, Batches, Step, There},
};
use crate::{
    cluster::{
        etcd::{Client, Compare, EtcdError, KeyRange, Op, Range, Relation, Txn, TxnReply},
        layout::{self, Author, Key, Layout, Meta, Write},
    },
    model::{Policy, Revision, ServiceName, Timestamp},
    registry::{Loaded, Member},
};

/// How an export is written.
#[derive(Debug, Clone)]
pub struct How {
    /// Whether in place of what is there; otherwise nothing may be, nor a server that is alive.
    pub replace: bool,
    /// When.
    pub at: Timestamp,
    /// The id that the shared state gets if it has none, drawn at random.
    pub cluster: String,
}

/// What was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// The revision from which on all of it is there.
    pub revision: Revision,
    /// Instances and policies that were there and are gone.
    pub removed: usize,
}

struct Writer<'a> {
    client: &'a Client,
    progress: &'a mut (dyn FnMut(usize, usize) + Send),
    /// Of the first transaction, until it was sent.
    condition: Vec<Compare>,
    written: usize,
    all: usize,
    revision: u64,
}

/// At which revision of etcd, and how many steps; `None` when the condition does not hold.
type Committed = Option<(u64, usize)>;

/// Who has written it, for who reads a row.
const AUTHOR: &str = "import";
/// Keys of a page: a hundred octets each.
const PAGE_KEYS: u64 = 20_000;
/// Transactions under way: etcd writes several to its disk at once; more would make others wait.
const IN_FLIGHT: usize = 8;
/// How often a transaction is sent until one of them is answered; they can be repeated. In this
/// time etcd elects a leader.
const TRIES: usize = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Puts an export into etcd; `progress` is told how many changes are written, and of how many.
///
/// # Errors
/// When something is there (with [`How::replace`]: of a later schema, or a bulk under way), when an
/// instance is larger than a row can be, and when etcd does not take it.
pub async fn restore(
    client: &Client,
    layout: &Layout,
    loaded: Loaded,
    how: How,
    progress: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Restored, TransferError> {
    let author = Author { server: AUTHOR, at: how.at };
    let there = look(client, layout, how.replace).await?;
    let put = |member: &Member| Step::put(layout, member, &there, &author);
    let set =
        |(service, policy): &(ServiceName, Policy)| Step::set(layout, service, *policy, &author);
    // Nothing is written unless all of it can be.
    loaded.members.iter().try_for_each(|member| put(member).map(drop))?;
    let gone = there.beside(&loaded);
    let is_node = |member: &&Member| member.instance.service.is_nodes();
    let (nodes, others): (Vec<&Member>, Vec<&Member>) = loaded.members.iter().partition(is_node);
    agree(client, layout, how.cluster).await?;
    let mut writer = Writer {
        client,
        progress,
        condition: if how.replace { Vec::new() } else { is_empty(layout) },
        written: 0,
        all: loaded.members.len() + loaded.policies.len() + gone.len(),
        revision: 0,
    };
    // What is on a node comes after it. All can be encoded: it was tried.
    writer.write(nodes.into_iter().flat_map(put)).await?;
    let policies = loaded.policies.iter().flat_map(set);
    writer.write(policies.chain(others.into_iter().flat_map(put))).await?;
    writer.write(gone.iter().map(|row| Step::remove(layout, row))).await?;
    Ok(Restored { revision: Revision::shared(writer.revision), removed: gone.len() })
}

/// What is there; refuses what must not be.
async fn look(client: &Client, layout: &Layout, replace: bool) -> Result<There, TransferError> {
    let prefix = || layout.all().from;
    let meta = Range::of(KeyRange::key(layout.key(&Key::Meta)));
    client.range(meta).await?.kvs.iter().try_for_each(|kv| check_schema(layout, kv))?;
    let (mut there, mut servers) = (There::default(), Vec::new());
    let layout::KeyRange { from, to } = layout.all();
    let mut from = from.into_bytes();
    loop {
        let keys = KeyRange::between(from, to.clone());
        let page = Range { limit: PAGE_KEYS, keys_only: true, ..Range::of(keys) };
        let page = client.range(page).await?;
        for kv in &page.kvs {
            match layout.parse(&kv.key) {
                Ok(Key::Row(row)) => drop(there.0.insert(row)),
                Ok(Key::Server(id)) => servers.push(id.to_string()),
                Ok(Key::Bulk) => return Err(under_way(kv)),
                Ok(Key::Meta | Key::Beats(_) | Key::Part(..)) | Err(_) => {}
            }
        }
        match page.kvs.last() {
            Some(last) if page.more => from = [&last.key[..], b"\0"].concat(),
            _ => break,
        }
    }
    match there.counts() {
        _ if replace => Ok(there),
        (0, 0) if servers.is_empty() => Ok(there),
        (0, 0) => Err(TransferError::Alive { prefix: prefix(), servers }),
        (instances, policies) => {
            Err(TransferError::NotEmpty { prefix: prefix(), instances, policies })
        }
    }
}

/// That nobody has come first.
fn is_empty(layout: &Layout) -> Vec<Compare> {
    let absent = |keys| Compare::create_revision(keys_of(keys), Relation::Equal, 0);
    [layout.instances(), layout.policies()].map(absent).into()
}

/// Has a state that is new say what it is.
async fn agree(client: &Client, layout: &Layout, cluster: String) -> Result<(), TransferError> {
    let (key, meta) = (layout.key(&Key::Meta), Meta { schema: Meta::SCHEMA, cluster });
    let compare = vec![Compare::absent(key.clone())];
    client.txn(Txn { compare, then: vec![Op::put(key, meta.encode())], ..Txn::default() }).await?;
    Ok(())
}

// === impl Writer ===

impl Writer<'_> {
    /// Writes steps, in any order.
    async fn write(&mut self, steps: impl Iterator<Item = Step>) -> Result<(), TransferError> {
        let client = self.client;
        let mut batches = Batches::new(steps);
        if !self.condition.is_empty()
            && let Some(first) = batches.next()
        {
            let done = commit(client, std::mem::take(&mut self.condition), first).await;
            self.note(done)?;
        }
        let commits = stream::iter(batches).map(|batch| commit(client, Vec::new(), batch));
        let mut commits = pin!(commits.buffer_unordered(IN_FLIGHT));
        while let Some(done) = commits.next().await {
            self.note(done)?;
        }
        Ok(())
    }

    fn note(&mut self, done: Result<Committed, EtcdError>) -> Result<(), TransferError> {
        let (written, all) = (self.written, self.all);
        match done {
            Ok(Some((revision, steps))) => {
                self.revision = self.revision.max(revision);
                self.written += steps;
                (self.progress)(self.written, all);
                Ok(())
            }
            Ok(None) => Err(TransferError::Raced),
            Err(problem) if written == 0 => Err(problem.into()),
            Err(problem) => Err(TransferError::Interrupted { written, all, problem }),
        }
    }
}

/// Sends a transaction until it is answered; again where that makes no difference.
async fn commit(
    client: &Client,
    compare: Vec<Compare>,
    batch: Batch,
) -> Result<Committed, EtcdError> {
    let then = batch.writes.into_iter().map(op).collect();
    let txn = Txn { compare, then, otherwise: Vec::new() };
    for _ in 1..TRIES {
        match client.txn(txn.clone()).await {
            // Its own success would be what keeps it from succeeding again.
            Err(error @ EtcdError::Unsure { .. }) if !txn.compare.is_empty() => return Err(error),
            Err(
                EtcdError::Unsure { .. }
                | EtcdError::Unreachable { .. }
                | EtcdError::NoLeader { .. },
            ) => tokio::time::sleep(PAUSE).await,
            answer => return answer.map(|reply| committed(&reply, batch.steps)),
        }
    }
    client.txn(txn).await.map(|reply| committed(&reply, batch.steps))
}

fn committed(reply: &TxnReply, steps: usize) -> Committed {
    reply.succeeded.then_some((reply.header.revision, steps))
}

fn op(write: Write) -> Op {
    match write {
        Write::Put { key, value } => Op::put(key, value),
        Write::Delete { key } => Op::Delete(KeyRange::key(key)),
        Write::DeleteAll(keys) => Op::Delete(keys_of(keys)),
    }
}
