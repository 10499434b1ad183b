//! Why a registry could not be moved.

use std::time::Duration;

use crate::cluster::{
    etcd::EtcdError,
    layout::{TooLarge, Unreadable},
};

/// Why a registry could not be moved into etcd, or out of it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// etcd did not do it. Of an import something may be written.
    #[error("{0}")]
    Etcd(#[from] EtcdError),
    /// Some of an import is written, and etcd takes no more.
    #[error(
        "{written} of {all} changes were written, then: {problem}; what is there now is partly \
         from the export; repeat it with --replace"
    )]
    Interrupted {
        /// Changes that etcd has taken.
        written: usize,
        /// Changes that there are.
        all: usize,
        /// Why it took no more.
        problem: EtcdError,
    },
    /// Some of an import is written, and a bulk is under way for too long.
    #[error(
        "{written} of {all} changes were written, then a change of many instances was under way \
         (`{key}`) and was not over within {waited:?}; what is there now is partly from the \
         export; repeat it with --replace"
    )]
    Held {
        /// Changes that etcd has taken.
        written: usize,
        /// Changes that there are.
        all: usize,
        /// The key of its marker.
        key: String,
        /// How long it was waited.
        waited: Duration,
    },
    /// All of an import is written, and not that it is.
    #[error(
        "all of it was written, but not (in `{key}`) that it is complete: {why}; servers that did \
         not believe this etcd still do not; repeat it with --replace"
    )]
    Unsealed {
        /// The key of the row that was to say so.
        key: String,
        /// Why it does not.
        why: String,
    },
    /// The version of the shared state is later than what this version of Rollcall knows.
    #[error(
        "the shared state below `{prefix}` is of schema {schema}, this version of Rollcall knows \
         schema {known}; use a later version"
    )]
    Later {
        /// Below which prefix.
        prefix: String,
        /// Its schema.
        schema: u32,
        /// The one that is known.
        known: u32,
    },
    /// There is no registry.
    #[error("there is no registry below `{prefix}`")]
    Nothing {
        /// Below which prefix.
        prefix: String,
    },
    /// There is something already.
    #[error(
        "there is a registry below `{prefix}` already (instances: {instances}, policies: \
         {policies}); use another prefix, or --replace to put the export in its place"
    )]
    NotEmpty {
        /// Below which prefix.
        prefix: String,
        /// How many instances.
        instances: usize,
        /// How many policies.
        policies: usize,
    },
    /// Servers would see it happen.
    #[error(
        "servers share what is below `{prefix}` ({}), and would answer with a part of the export \
         until all of it is there; stop them, or use --replace if that is acceptable",
        servers.join(", ")
    )]
    Alive {
        /// Below which prefix.
        prefix: String,
        /// Which servers.
        servers: Vec<String>,
    },
    /// Somebody wrote at the same time.
    #[error("others have written instances or policies meanwhile; nothing was changed")]
    Raced,
    /// Rows that an export would lack.
    #[error(
        "what cannot be read would be missing (rows: {count}): {first}; use the version of \
         Rollcall that has written it, or remove it with `etcdctl del`"
    )]
    Unreadable {
        /// How many.
        count: usize,
        /// One of them.
        first: Box<Unreadable>,
    },
    /// Many changes at once are written, but not yet folded into their rows.
    #[error(
        "a change of many instances is under way (`{key}`); a server that is running finishes it \
         within seconds: repeat this then"
    )]
    UnderWay {
        /// The key of its marker.
        key: String,
    },
    /// An instance that is larger than a row can be.
    #[error("{0}; nothing was changed")]
    TooLarge(#[from] TooLarge),
}
