//! What happened, for those who watch.

use super::{InstanceKey, Revision, ServiceName, Status, Timestamp};

/// One change of state.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The revision at which it is visible.
    pub revision: Revision,
    /// When, by the wall clock.
    pub at: Timestamp,
    /// The service it belongs to.
    pub service: ServiceName,
    /// What happened.
    pub kind: EventKind,
    /// Where a watcher goes on that has heard of it: its revision, or one of this server's own
    /// while more is shown here than is shared.
    pub place: Revision,
    /// That it was told here before, after this revision, when the store that servers share did
    /// not have it yet.
    pub told_after: Option<Revision>,
}

/// The kinds of change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The state of one of its checks changed, and that of the instance did not.
    CheckChanged {
        /// Of which.
        key: InstanceKey,
    },
    /// An instance is gone.
    Deregistered {
        /// Which.
        key: InstanceKey,
        /// Why.
        reason: RemovalReason,
    },
    /// An instance was taken out of the answers by hand, or put back.
    Drained {
        /// Which.
        key: InstanceKey,
        /// Whether it is out now.
        on: bool,
    },
    /// A service's policy was set or forgotten.
    PolicyChanged,
    /// An instance is new, or was replaced by another content.
    Registered {
        /// Which.
        key: InstanceKey,
        /// Whether one of that name was there before.
        replaced: bool,
    },
    /// The state of an instance changed, or whether its silence is doubted.
    StatusChanged {
        /// Which.
        key: InstanceKey,
        /// The state before.
        from: Status,
        /// The state now.
        to: Status,
        /// Whether it is silent and held in the answers by self-preservation.
        suspect: bool,
        /// What the check said that turned it.
        output: std::sync::Arc<str>,
    },
}

/// Why an instance was removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RemovalReason {
    /// Somebody asked for it.
    Asked,
    /// It was critical for its `deregister_after`.
    Expired,
}

// === impl EventKind ===

impl EventKind {
    /// The instance or node that it is about; `None` for what is about a service.
    pub fn key(&self) -> Option<&InstanceKey> {
        match self {
            Self::PolicyChanged => None,
            Self::CheckChanged { key }
            | Self::Deregistered { key, .. }
            | Self::Drained { key, .. }
            | Self::Registered { key, .. }
            | Self::StatusChanged { key, .. } => Some(key),
        }
    }
}

// === impl RemovalReason ===

impl RemovalReason {
    /// The name the API uses.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "deregistered",
            Self::Expired => "expired",
        }
    }
}
