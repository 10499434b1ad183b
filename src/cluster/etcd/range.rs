//! Reading: what is asked for, and what comes back.

use bytes::Bytes;

use super::{KeyRange, LeaseId, proto};

/// A question for keys. Public fields: what is left alone is not asked for.
#[derive(Debug, Clone)]
pub struct Range {
    /// Which keys.
    pub keys: KeyRange,
    /// At most so many; zero for all of them.
    pub limit: u64,
    /// As of this revision; zero for now.
    pub revision: u64,
    /// Without values.
    pub keys_only: bool,
}

/// What every reply says of the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Header {
    /// The cluster's id: another one is another cluster.
    pub cluster: u64,
    /// The member that answered.
    pub member: u64,
    /// The newest revision that the member knew.
    pub revision: u64,
    /// The election's number.
    pub term: u64,
}

/// A key with its value and where it stands in history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyValue {
    /// The key.
    pub key: Bytes,
    /// Its value. A slice of the reply, all of which stays in memory with it.
    pub value: Bytes,
    /// The revision that made the key.
    pub create_revision: u64,
    /// The revision that changed it last.
    pub mod_revision: u64,
    /// How often it was written since it was made; 1 the first time.
    pub version: u64,
    /// What it is bound to.
    pub lease: Option<LeaseId>,
}

/// The keys that were found, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// Of the reply. Its revision is the newest one, not the one that was asked for.
    pub header: Header,
    /// Found, at most as many as asked for.
    pub kvs: Vec<KeyValue>,
    /// Whether the limit left some out.
    pub more: bool,
    /// How many there are in all of the range, whatever the limit.
    pub count: u64,
}

// === impl Range ===

impl Range {
    /// Everything of these keys as of now.
    pub fn of(keys: KeyRange) -> Self {
        Self { keys, limit: 0, revision: 0, keys_only: false }
    }

    pub(super) fn message(&self) -> proto::RangeRequest {
        proto::RangeRequest {
            key: self.keys.first().clone(),
            range_end: self.keys.end().clone(),
            limit: self.limit,
            revision: self.revision,
            keys_only: self.keys_only,
        }
    }
}

// === impl Header ===

impl From<Option<proto::ResponseHeader>> for Header {
    fn from(header: Option<proto::ResponseHeader>) -> Self {
        let header = header.unwrap_or_default();
        Self {
            cluster: header.cluster_id,
            member: header.member_id,
            revision: header.revision,
            term: header.raft_term,
        }
    }
}

// === impl KeyValue ===

impl From<proto::KeyValue> for KeyValue {
    fn from(kv: proto::KeyValue) -> Self {
        Self {
            key: kv.key,
            value: kv.value,
            create_revision: kv.create_revision,
            mod_revision: kv.mod_revision,
            version: kv.version,
            lease: LeaseId::of(kv.lease),
        }
    }
}

// === impl Listing ===

impl From<proto::RangeResponse> for Listing {
    fn from(reply: proto::RangeResponse) -> Self {
        Self {
            header: reply.header.into(),
            kvs: reply.kvs.into_iter().map(Into::into).collect(),
            more: reply.more,
            count: reply.count,
        }
    }
}
