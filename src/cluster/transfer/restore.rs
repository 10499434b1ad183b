//! Writing a registry into etcd.

use std::{pin::pin, time::Duration};

use futures_util::{StreamExt, stream};
use tokio::time::Instant;

use super::{
    TransferError,
    load::{check_schema, keys_of, under_way},
    plan::{Batch, Batches, Step, There},
};
use crate::{
    cluster::{
        etcd::{
            Client, Compare, EtcdError, KeyRange, MANY, Op, OpReply, Range, Relation, Txn, TxnReply,
        },
        layout::{self, Author, Key, Layout, Meta, Write},
        meta,
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
    /// How long to wait for a bulk that others write; see [`PATIENCE`].
    pub patience: Duration,
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
    sender: Sender<'a>,
    progress: &'a mut (dyn FnMut(usize, usize) + Send),
    /// Of the first transaction, until it was sent.
    condition: Vec<Compare>,
    written: usize,
    all: usize,
    revision: u64,
}

/// Sends transactions, while no bulk is under way: the servers may change nothing then, either.
#[derive(Clone)]
struct Sender<'a> {
    client: &'a Client,
    /// The key of the marker that says that one is.
    marker: String,
    patience: Duration,
}

/// What became of a transaction.
enum Sent {
    /// It was carried out: at which revision of etcd, and how many steps.
    Committed(u64, usize),
    /// The condition does not hold.
    Raced,
    /// A bulk was under way all the time.
    Held,
}

/// Why it was not said that all of it is there.
enum Unsealed {
    Etcd(EtcdError),
    /// There is no row in which to say so.
    Gone,
}

/// How long an import waits for a bulk: longer than one takes until it counts, or is given up.
pub const PATIENCE: Duration = Duration::from_secs(60);

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
/// How soon it is looked again whether a bulk is over.
const HELD_PAUSE: Duration = Duration::from_millis(200);
/// How often it is tried to say that all is there; others hardly ever write that row.
const SEALS_MAX: usize = 10;

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
    let meta = Meta { schema: Meta::SCHEMA, cluster: how.cluster, imported: None };
    meta::agree(client, layout, meta).await?;
    let sender = Sender { client, marker: layout.key(&Key::Bulk), patience: how.patience };
    let mut writer = Writer {
        sender,
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
    let sealed = seal(client, layout, how.at).await?;
    if writer.written >= MANY {
        client.release_buffers().await;
    }
    let revision = Revision::shared(writer.revision.max(sealed));
    Ok(Restored { revision, removed: gone.len() })
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

/// Says that all of it is there: servers that do not believe an etcd which was emptied take what
/// was imported since.
///
/// # Errors
/// When that could not be written: those servers still do not believe it.
async fn seal(client: &Client, layout: &Layout, at: Timestamp) -> Result<u64, TransferError> {
    let key = layout.key(&Key::Meta);
    let failed = |why| TransferError::Unsealed { key: key.clone(), why };
    let mut last = "others write that row again and again".to_owned();
    for _ in 0..SEALS_MAX {
        match seal_once(client, layout, at).await {
            Ok(Some(revision)) => return Ok(revision),
            Ok(None) => {}
            Err(Unsealed::Gone) => {
                let why = "the row is gone: somebody has deleted it, and perhaps all the others";
                return Err(failed(why.to_owned()));
            }
            Err(Unsealed::Etcd(error)) if error.is_passing() => {
                last = error.to_string();
                tokio::time::sleep(PAUSE).await;
            }
            Err(Unsealed::Etcd(error)) => return Err(failed(error.to_string())),
        }
    }
    Err(failed(last))
}

/// Says so once; at which revision, or nothing if somebody else has written the row meanwhile.
async fn seal_once(
    client: &Client,
    layout: &Layout,
    at: Timestamp,
) -> Result<Option<u64>, Unsealed> {
    let key = layout.key(&Key::Meta);
    let (found, _) = meta::look(client, layout).await?;
    let found = found.ok_or(Unsealed::Gone)?;
    let own = KeyRange::key(key.clone());
    let compare = vec![Compare::mod_revision(own, Relation::Equal, found.at)];
    let meta = Meta { imported: Some(at), ..found.meta };
    let then = vec![Op::put(key, meta.encode())];
    let reply = client.txn(Txn { compare, then, ..Txn::default() }).await?;
    Ok(reply.succeeded.then_some(reply.header.revision))
}

// === impl Writer ===

impl Writer<'_> {
    /// Writes steps, in any order.
    async fn write(&mut self, steps: impl Iterator<Item = Step>) -> Result<(), TransferError> {
        let mut batches = Batches::new(steps);
        if !self.condition.is_empty()
            && let Some(first) = batches.next()
        {
            let sent = self.sender.send(std::mem::take(&mut self.condition), first).await;
            self.note(sent)?;
        }
        let sender = self.sender.clone();
        let sends = stream::iter(batches).map(|batch| sender.send(Vec::new(), batch));
        let mut sends = pin!(sends.buffer_unordered(IN_FLIGHT));
        while let Some(sent) = sends.next().await {
            self.note(sent)?;
        }
        Ok(())
    }

    fn note(&mut self, sent: Result<Sent, EtcdError>) -> Result<(), TransferError> {
        let (written, all) = (self.written, self.all);
        let (key, waited) = (self.sender.marker.clone(), self.sender.patience);
        match sent {
            Ok(Sent::Committed(revision, steps)) => {
                self.revision = self.revision.max(revision);
                self.written += steps;
                (self.progress)(self.written, all);
                Ok(())
            }
            Ok(Sent::Raced) => Err(TransferError::Raced),
            Ok(Sent::Held) if written == 0 => Err(TransferError::UnderWay { key }),
            Ok(Sent::Held) => Err(TransferError::Held { written, all, key, waited }),
            Err(problem) => self.failed(problem),
        }
    }

    fn failed<T>(&self, problem: EtcdError) -> Result<T, TransferError> {
        match (self.written, self.all) {
            (0, _) => Err(problem.into()),
            (written, all) => Err(TransferError::Interrupted { written, all, problem }),
        }
    }
}

// === impl Sender ===

impl Sender<'_> {
    /// Sends a batch, as soon as no bulk is under way.
    async fn send(&self, compare: Vec<Compare>, batch: Batch) -> Result<Sent, EtcdError> {
        let own = KeyRange::key(self.marker.clone());
        let is_conditional = !compare.is_empty();
        let txn = Txn {
            compare: [vec![Compare::absent(self.marker.clone())], compare].concat(),
            then: batch.writes.into_iter().map(op).collect(),
            otherwise: vec![Op::Range(Range { keys_only: true, ..Range::of(own) })],
        };
        let until = Instant::now() + self.patience;
        loop {
            let reply = self.ask(&txn, is_conditional).await?;
            if reply.succeeded {
                return Ok(Sent::Committed(reply.header.revision, batch.steps));
            }
            let is_held =
                matches!(&reply.replies[..], [OpReply::Range(found)] if !found.kvs.is_empty());
            match is_held {
                false => return Ok(Sent::Raced),
                true if Instant::now() >= until => return Ok(Sent::Held),
                true => tokio::time::sleep(HELD_PAUSE).await,
            }
        }
    }

    /// Sends a transaction until it is answered; again where that makes no difference.
    async fn ask(&self, txn: &Txn, is_conditional: bool) -> Result<TxnReply, EtcdError> {
        for _ in 1..TRIES {
            match self.client.txn(txn.clone()).await {
                // Its own success would be what keeps it from succeeding again.
                Err(error @ EtcdError::Unsure { .. }) if is_conditional => return Err(error),
                Err(error) if error.is_passing() => tokio::time::sleep(PAUSE).await,
                answer => return answer,
            }
        }
        self.client.txn(txn.clone()).await
    }
}

// === impl Unsealed ===

impl From<EtcdError> for Unsealed {
    fn from(error: EtcdError) -> Self {
        Self::Etcd(error)
    }
}

fn op(write: Write) -> Op {
    match write {
        Write::Put { key, value } => Op::put(key, value),
        Write::Delete { key } => Op::Delete(KeyRange::key(key)),
        Write::DeleteAll(keys) => Op::Delete(keys_of(keys)),
    }
}
