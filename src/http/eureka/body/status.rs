//! The states of an instance, and what happened to it in a delta.

use serde::{Serialize, Serializer};

/// The state of an instance, as its owner says it or an operator overrides it.
///
/// In the order of their names, which is that of `apps__hashcode`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum InstanceStatus {
    /// Its health check fails.
    Down,
    /// Taken out of traffic on purpose.
    OutOfService,
    /// Not ready yet.
    Starting,
    /// Nobody said; as an override: there is none.
    Unknown,
    /// Takes traffic.
    Up,
}

/// What happened to an instance; clients apply a delta by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ActionType {
    /// It was registered.
    Added,
    /// It is gone.
    Deleted,
    /// It was registered again, or its state is another one.
    Modified,
}

// === impl InstanceStatus ===

impl InstanceStatus {
    /// All of them, in the order of their names.
    pub(crate) const ALL: [Self; 5] =
        [Self::Down, Self::OutOfService, Self::Starting, Self::Unknown, Self::Up];

    /// Its name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Down => "DOWN",
            Self::OutOfService => "OUT_OF_SERVICE",
            Self::Starting => "STARTING",
            Self::Unknown => "UNKNOWN",
            Self::Up => "UP",
        }
    }

    /// The state of that name, in whatever case. What has no such name is unknown, as it is to
    /// Eureka: clients have sent empty ones and inventions of their own for years.
    pub(crate) fn parse(text: &str) -> Self {
        let named = |status: &Self| status.as_str().eq_ignore_ascii_case(text.trim());
        Self::ALL.into_iter().find(named).unwrap_or(Self::Unknown)
    }
}

impl Serialize for InstanceStatus {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

// === impl ActionType ===

impl ActionType {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Added, Self::Deleted, Self::Modified];

    /// Its name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Added => "ADDED",
            Self::Deleted => "DELETED",
            Self::Modified => "MODIFIED",
        }
    }

    /// The action of that name, if it is one. A registration may carry whatever it likes here: what
    /// happened is for the server to say.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|action| action.as_str().eq_ignore_ascii_case(text.trim()))
    }
}

impl Serialize for ActionType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}
