//! Leases: what is bound to one goes when nobody keeps it alive.

use std::{fmt, time::Duration};

/// A lease's id, which etcd chose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LeaseId(i64);

/// A lease that was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// Its id.
    pub lease: LeaseId,
    /// How long it lasts unless it is kept alive; longer than what was asked for, if that was
    /// shorter than one and a half election timeouts.
    pub ttl: Duration,
}

/// What is left of a lease.
#[cfg(test)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cluster) struct TimeToLive {
    /// How long it lasts if nobody keeps it alive.
    pub left: Duration,
    /// How long it was granted for.
    pub granted: Duration,
    /// What is bound to it, if that was asked for.
    pub keys: Vec<bytes::Bytes>,
}

// === impl LeaseId ===

impl LeaseId {
    /// etcd's number; none for zero, which stands for no lease there.
    pub fn of(id: i64) -> Option<Self> {
        (id != 0).then_some(Self(id))
    }

    /// etcd's number.
    pub fn get(self) -> i64 {
        self.0
    }
}

impl fmt::Display for LeaseId {
    /// As etcdctl writes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// Seconds of etcd's; nothing for what is gone.
pub(super) fn seconds(seconds: i64) -> Duration {
    Duration::from_secs(u64::try_from(seconds).unwrap_or(0))
}

/// Whole seconds, at least one: etcd knows no parts of them.
pub(super) fn whole_seconds(ttl: Duration) -> i64 {
    let seconds = ttl.as_secs() + u64::from(ttl.subsec_nanos() > 0);
    i64::try_from(seconds).unwrap_or(i64::MAX).max(1)
}
