//! That the store takes no changes, and whether it is this server alone that it refuses.

use std::sync::Arc;

use tokio::time::{Duration, Instant};

use crate::registry::ServerId;

/// That the store answers, and takes no changes: it is full, or this server may not write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cluster) struct Refusing {
    /// Since when.
    pub(in crate::cluster) since: Instant,
    /// When it did so last.
    pub(super) last: Instant,
    /// Why, if it is that this server may not write.
    pub(super) denied: Option<Arc<str>>,
    /// Another server of which the store has taken a change meanwhile, and when it did first.
    pub(super) witness: Option<(ServerId, Instant)>,
}

// === impl Refusing ===

impl Refusing {
    /// What another server says of when the store took its change may be wrong by as much, for its
    /// answer was on its way: longer than a request to another server may take (`beats/direct`).
    /// That a heartbeat is worth something for as long has nothing to do with it.
    const ON_ITS_WAY: Duration = Duration::from_secs(3);

    /// Why this server may not write, if that is why.
    pub(in crate::cluster) fn denied(self) -> Option<Arc<str>> {
        self.denied
    }

    /// Whether it has lasted for `patience`, and is of this server: a change of another one was
    /// taken after it began, and one of this server refused after that.
    pub(super) fn is_of_one(&self, patience: Duration) -> bool {
        let is_between = |at: Instant| at + Self::ON_ITS_WAY <= self.last;
        self.since + patience <= self.last
            && self.witness.as_ref().is_some_and(|it| is_between(it.1))
    }
}
