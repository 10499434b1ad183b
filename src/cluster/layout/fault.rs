//! What is found in etcd and cannot be read, and what cannot be written there.

use super::RowKey;
use crate::model::{InstanceKey, Invalid};

/// A key that stands for nothing here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Stray {
    /// It is not below the prefix, or is nobody's of Rollcall.
    #[error("is not a key of Rollcall")]
    Foreign,
    /// A later version of Rollcall wrote it: what this one does not know.
    #[error("is of a later version of Rollcall, which has `{0}`")]
    Later(String),
    /// It would be one of this version's, but for a name in it.
    #[error("is no key of Rollcall: {0}")]
    Malformed(Invalid),
}

/// A value that cannot be read. What was known of its row before stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{key}`, revision {revision} of etcd: {problem}")]
pub struct Unreadable {
    /// Its key, as `etcdctl` takes it.
    pub key: String,
    /// The revision of etcd at which it was written.
    pub revision: u64,
    /// What is wrong: which field, which value.
    pub problem: String,
    /// The row of the registry that it is, or would change.
    pub row: Option<RowKey>,
}

/// A registration that is more than a row can be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the registration of `{key}` has {octets} octets where servers share it, above the limit of \
     {limit}"
)]
pub struct TooLarge {
    /// Of which instance.
    pub key: InstanceKey,
    /// How many octets its value would have.
    pub octets: usize,
    /// How many there may be.
    pub limit: usize,
}
