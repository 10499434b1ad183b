//! Transactions: compare, then one branch or the other, all of it or nothing.

use bytes::Bytes;

use super::{Header, KeyRange, LeaseId, Listing, Range, proto};

/// A transaction. etcd takes at most 128 comparisons and as many operations in each branch unless
/// told otherwise (`--max-txn-ops`), 1.5 MiB in all (`--max-request-bytes`), and no key that is
/// written twice.
#[derive(Debug, Clone, Default)]
pub struct Txn {
    /// What must hold, all of it, for `then`.
    pub compare: Vec<Compare>,
    /// What is done then.
    pub then: Vec<Op>,
    /// What is done otherwise.
    pub otherwise: Vec<Op>,
}

/// One thing that must hold.
#[derive(Debug, Clone)]
pub struct Compare {
    keys: KeyRange,
    relation: Relation,
    value: proto::CompareValue,
}

/// How what is there must stand to what is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// The same.
    Equal,
    /// More than what is given.
    Greater,
    /// Less than what is given.
    Less,
}

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Op {
    /// Deletes these keys.
    Delete(KeyRange),
    /// Writes a key.
    Put {
        /// The key.
        key: Bytes,
        /// What it gets.
        value: Bytes,
        /// What it is bound to; nothing takes it off what it was bound to.
        lease: Option<LeaseId>,
    },
    /// Reads, as of this transaction.
    Range(Range),
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TxnReply {
    /// Its revision is that of the transaction if it wrote anything.
    pub header: Header,
    /// Whether everything held, so that `then` was done.
    pub succeeded: bool,
    /// Of the operations of the branch that was taken, in their order.
    pub replies: Vec<OpReply>,
}

/// What became of one operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpReply {
    /// So many keys were deleted.
    Deleted(u64),
    /// It was written.
    Put,
    /// What was read.
    Range(Listing),
}

// === impl Txn ===

impl Txn {
    /// Whether no branch of it changes anything.
    pub(super) fn is_read_only(&self) -> bool {
        self.then.iter().chain(&self.otherwise).all(|op| matches!(op, Op::Range(_)))
    }

    /// The lease that it binds something to, for the message when there is none such.
    pub(super) fn lease(&self) -> Option<LeaseId> {
        self.then.iter().chain(&self.otherwise).find_map(|op| match op {
            Op::Put { lease, .. } => *lease,
            _ => None,
        })
    }

    /// In words: its first operation, and how many there are.
    pub(super) fn what(&self) -> String {
        let (first, count) = (self.then.first(), self.then.len() + self.otherwise.len());
        let first = match first.or(self.otherwise.first()) {
            Some(Op::Delete(keys)) => format!("delete {keys}"),
            Some(Op::Put { key, .. }) => format!("write {}", KeyRange::key(key.clone())),
            Some(Op::Range(range)) => format!("read {}", range.keys),
            None => "compare".to_owned(),
        };
        match count {
            0 | 1 => first,
            _ => format!("{first} and {} more", count - 1),
        }
    }

    pub(super) fn message(&self) -> proto::TxnRequest {
        let ops = |ops: &[Op]| ops.iter().map(Op::message).collect();
        proto::TxnRequest {
            compare: self.compare.iter().map(Compare::message).collect(),
            success: ops(&self.then),
            failure: ops(&self.otherwise),
        }
    }
}

// === impl Compare ===

/// With a range each of its keys must hold; a key, or a range, of which nothing is there has zero
/// in everything, but no value, which compares with nothing.
impl Compare {
    /// The revision that made the key.
    pub fn create_revision(keys: KeyRange, relation: Relation, revision: u64) -> Self {
        Self { keys, relation, value: proto::CompareValue::Create(revision) }
    }

    /// The revision that changed the key last.
    pub fn mod_revision(keys: KeyRange, relation: Relation, revision: u64) -> Self {
        Self { keys, relation, value: proto::CompareValue::Mod(revision) }
    }

    /// What it has, octet by octet.
    pub fn value(keys: KeyRange, relation: Relation, value: impl Into<Bytes>) -> Self {
        Self { keys, relation, value: proto::CompareValue::Value(value.into()) }
    }

    /// The key is not there.
    pub fn absent(key: impl Into<Bytes>) -> Self {
        Self::create_revision(KeyRange::key(key), Relation::Equal, 0)
    }

    /// The key is there.
    pub fn present(key: impl Into<Bytes>) -> Self {
        Self::create_revision(KeyRange::key(key), Relation::Greater, 0)
    }

    /// Nothing of these keys was written after `revision`. Of keys that were deleted after it
    /// nothing is known: where that matters, ask for [`Compare::present`] too.
    pub fn unchanged_since(keys: KeyRange, revision: u64) -> Self {
        Self::mod_revision(keys, Relation::Less, revision.saturating_add(1))
    }

    fn message(&self) -> proto::Compare {
        let result = match self.relation {
            Relation::Equal => proto::CompareResult::Equal,
            Relation::Greater => proto::CompareResult::Greater,
            Relation::Less => proto::CompareResult::Less,
        };
        let target = match self.value {
            proto::CompareValue::Create(_) => proto::CompareTarget::Create,
            proto::CompareValue::Mod(_) => proto::CompareTarget::Mod,
            proto::CompareValue::Value(_) => proto::CompareTarget::Value,
        };
        proto::Compare {
            result: result.into(),
            target: target.into(),
            key: self.keys.first().clone(),
            value: Some(self.value.clone()),
            range_end: self.keys.end().clone(),
        }
    }
}

// === impl Op ===

impl Op {
    /// Writes a key that is bound to nothing.
    pub fn put(key: impl Into<Bytes>, value: impl Into<Bytes>) -> Self {
        Self::Put { key: key.into(), value: value.into(), lease: None }
    }

    fn message(&self) -> proto::RequestOp {
        let op = match self {
            Self::Delete(keys) => proto::Op::Delete(proto::DeleteRangeRequest {
                key: keys.first().clone(),
                range_end: keys.end().clone(),
            }),
            Self::Put { key, value, lease } => proto::Op::Put(proto::PutRequest {
                key: key.clone(),
                value: value.clone(),
                lease: lease.map_or(0, LeaseId::get),
            }),
            Self::Range(range) => proto::Op::Range(range.message()),
        };
        proto::RequestOp { op: Some(op) }
    }
}

// === impl TxnReply ===

impl From<proto::TxnResponse> for TxnReply {
    fn from(reply: proto::TxnResponse) -> Self {
        let of_op = |op: proto::ResponseOp| match op.reply {
            Some(proto::OpReply::Range(listing)) => OpReply::Range(listing.into()),
            Some(proto::OpReply::Delete(gone)) => OpReply::Deleted(gone.deleted),
            Some(proto::OpReply::Put(_)) | None => OpReply::Put,
        };
        Self {
            header: reply.header.into(),
            succeeded: reply.succeeded,
            replies: reply.responses.into_iter().map(of_op).collect(),
        }
    }
}
