//! Rows of the shared state, and changes of them that are proposed.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use tokio::sync::mpsc;

use crate::{
    model::{CheckState, Instance, InstanceKey, Policy, Revision, ServiceName, Status, Timestamp},
    registry::{Beat, Contact, JournalError, Member, Ownership, ServerId},
};

/// One row of the shared state, as it is from a revision on.
#[derive(Debug, Clone, PartialEq)]
pub enum SharedRow {
    /// Whether an instance was taken out of the answers by hand.
    Drained {
        /// Which.
        key: InstanceKey,
        /// Whether it is out.
        on: bool,
    },
    /// What the checks of an instance have found.
    Health {
        /// Of which instance, or node.
        key: InstanceKey,
        /// What they have found; `None` when that is forgotten.
        to: Option<Health>,
    },
    /// What one of several servers that check an instance finds otherwise than is shared.
    Opinion {
        /// Of which instance, or node.
        key: InstanceKey,
        /// Which server.
        by: ServerId,
        /// What it finds; `None` when it is of the same opinion as is shared, or is gone.
        to: Option<Opinion>,
    },
    /// The policy of a service.
    Policy {
        /// Of which.
        service: ServiceName,
        /// What it is; `None` for the default.
        to: Option<Policy>,
    },
    /// What was registered; `None` when it is gone, with all that was known of it.
    Registration {
        /// Of which instance, or node.
        key: InstanceKey,
        /// What it is now.
        to: Option<Box<Registration>>,
    },
}

/// A registration, as all servers see it.
#[derive(Debug, Clone, PartialEq)]
pub struct Registration {
    /// What was registered.
    pub instance: Arc<Instance>,
    /// The revision at which, if that is another than the row's.
    pub registered: Option<Revision>,
    /// When.
    pub registered_at: Timestamp,
    /// Since when it has been in its state, if that is since another moment.
    pub since: Option<Timestamp>,
    /// The revision of the first registration of that name, if it is another.
    pub created: Option<Revision>,
    /// The states of its checks at that moment, where they are not those that checks begin with.
    pub checks: Option<Box<[CheckState]>>,
}

/// What the checks of an instance have found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// Of which registration. Of another than the current one it means nothing.
    pub of: Revision,
    /// The state of each check, in their order.
    pub checks: Box<[CheckState]>,
    /// Whether it is silent and held in the answers by self-preservation.
    pub suspect: bool,
    /// Since when the instance is in its state, if it is said: who has not followed all changes
    /// cannot tell by those of the checks.
    pub since: Option<Timestamp>,
}

/// What one server finds otherwise than the shared state has it, where several check the same.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opinion {
    /// Of which registration. Of another than the current one it means nothing.
    pub of: Revision,
    /// What it finds of which checks, by their places. Those of which it finds the same are not
    /// among them.
    pub checks: BTreeMap<usize, CheckState>,
}

/// What the store tells, in its order.
#[derive(Debug, Clone)]
pub enum Followed {
    /// Changes: the rows of whole revisions, each with its own, ascending.
    Changes {
        /// Which rows, and at which revision of the store.
        rows: Vec<(u64, SharedRow)>,
        /// All changes up to this revision of the store are known now.
        upto: u64,
    },
    /// The instances whose registration is in the store and cannot be read there, told before the
    /// changes, or the list, in which that is so.
    Unreadable(BTreeSet<InstanceKey>),
    /// Whether the store is within reach.
    Weather(Weather),
    /// All there is: what is neither among the rows nor kept is gone.
    Whole {
        /// Which rows, and at which revision of the store each was last changed.
        rows: Vec<(u64, SharedRow)>,
        /// What stays as it is, whatever the rows say.
        kept: Kept,
        /// The revision of the store at which this is all. It may be an earlier one than before:
        /// then the store was restored from a backup.
        at: u64,
    },
    /// The store takes changes again, one of which it refused although it was within reach.
    Writable,
}

/// What has a row that is there and cannot be read, for example because a later version wrote it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Kept {
    /// Instances of which any row is like that.
    pub instances: BTreeSet<InstanceKey>,
    /// Services whose policy is.
    pub policies: BTreeSet<ServiceName>,
}

/// Whether the shared store is within reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Weather {
    /// It is, and tells of changes.
    Fair,
    /// It is not: for which cause.
    Lost(String),
}

/// Changes that are to be written, all or none.
#[derive(Debug, Clone, PartialEq)]
pub struct Proposal {
    /// The revision of the store on which it was decided.
    pub base: u64,
    /// Which changes; each row at the most once.
    pub edits: Vec<Edit>,
    /// Instances that were asked to be what they are: nothing is written of them, on condition that
    /// their registrations are there and have not changed since the base.
    pub kept: Vec<InstanceKey>,
    /// Whether it may only be written while this server is known as alive: what it says of the
    /// health of instances is its task then, and nobody else's. What it removes it removes for
    /// their health, on condition that nobody has said anything of that since the base.
    pub as_owner: bool,
}

/// One change of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Edit {
    /// Removes an instance with all that is known of it.
    Deregister {
        /// Which.
        key: InstanceKey,
        /// On what condition.
        guard: Guard,
    },
    /// Takes an instance out of the answers, or puts it back.
    Drain {
        /// Which.
        key: InstanceKey,
        /// Whether it is to be out.
        on: bool,
        /// On what condition.
        guard: Guard,
    },
    /// Says what its checks have found, on condition that it is registered as it was at the base
    /// and that nobody has said anything since.
    Health {
        /// Of which instance.
        key: InstanceKey,
        /// What they have found.
        to: Health,
    },
    /// Says what this server finds of an instance otherwise than is shared; `None` takes that back.
    /// The row goes when this server is no longer known as alive.
    Opinion {
        /// Of which instance.
        key: InstanceKey,
        /// This server.
        by: ServerId,
        /// What it finds.
        to: Option<Opinion>,
    },
    /// Sets the policy of a service; `None` forgets it.
    Policy {
        /// Of which.
        service: ServiceName,
        /// What it is to be.
        to: Option<Policy>,
    },
    /// Puts a registration in place of what is there.
    Register {
        /// Of which instance.
        key: InstanceKey,
        /// What is registered.
        to: Box<Registration>,
        /// On what condition.
        guard: Guard,
    },
}

/// On what condition a change is made, of the registration of the same instance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// On none.
    None,
    /// It is there, whatever it is.
    Present,
    /// It is there, and has not changed since the base.
    PresentUnchanged,
    /// It has not changed since the base; it may be gone, or never have been there.
    Unchanged,
}

/// Why changes were not written. But for [`Refused::Unsure`], nothing of them was.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Something larger is being written, for longer than a change waits.
    #[error("{0}")]
    Busy(String),
    /// Somebody else was faster.
    #[error("{} instances were changed meanwhile", keys.len())]
    Conflict {
        /// The instances whose conditions do not hold.
        keys: Vec<InstanceKey>,
        /// The revision of the store at which they do not.
        at: u64,
    },
    /// The store has no room left.
    #[error("{0}")]
    Full(String),
    /// This server is not known as alive, so that its tasks are those of others.
    #[error("this server is not known as alive any more")]
    NotOwner,
    /// It is more than the store takes.
    #[error("{0}")]
    TooLarge(String),
    /// The store is out of reach.
    #[error("{0}")]
    Unavailable(String),
    /// Nobody knows whether they were: the connection was lost, or the time was over, before the
    /// store has answered.
    #[error("{0}")]
    Unsure(String),
}

/// How a registry shares its state.
pub struct SharedSetup {
    /// Where changes are proposed.
    pub share: Box<dyn Share>,
    /// What the store tells.
    pub followed: mpsc::Receiver<Followed>,
    /// Whose task which instance is.
    pub ownership: Ownership,
    /// Whether the store is within reach.
    pub contact: Contact,
    /// Signs of life for other servers.
    pub beats: mpsc::Sender<Beat>,
    /// Counts those for which there was no room there.
    pub beats_left_out: Counter,
    /// How long a server is taken for alive of which nothing is heard.
    pub lease: Duration,
    /// Where this life begins to number what it shows by itself: at random, from 1 to
    /// [`Steps::LIFE_MAX`](crate::registry::Steps::LIFE_MAX).
    pub life: u16,
}

/// A store that several servers share, for those who write.
pub trait Share: Send + 'static {
    /// Writes changes, all or none, and says at which revision of the store.
    ///
    /// # Errors
    /// When a condition does not hold, or the store does not take them.
    fn propose(
        &mut self,
        proposal: Proposal,
    ) -> Pin<Box<dyn Future<Output = Result<u64, Refused>> + Send + '_>>;
}

// === impl Health ===

impl Health {
    /// What is to be written of an instance that is shown as `shown`: these states of its checks.
    pub(in crate::registry) fn of(shown: &Member, checks: Box<[CheckState]>) -> Self {
        // Its state may be that of its node, or what only this server finds.
        let is_its_own = Status::of_checks(&checks) == shown.status;
        let since = is_its_own.then_some(shown.since);
        Self { of: shown.registered, checks, suspect: shown.suspect, since }
    }
}

// === impl SharedRow ===

impl SharedRow {
    /// The instance that the row is about; `None` for what is about a service.
    pub fn key(&self) -> Option<&InstanceKey> {
        match self {
            Self::Registration { key, .. }
            | Self::Health { key, .. }
            | Self::Drained { key, .. }
            | Self::Opinion { key, .. } => Some(key),
            Self::Policy { .. } => None,
        }
    }
}

// === impl Edit ===

impl Edit {
    /// The instance that the change is about; `None` for what is about a service.
    pub fn key(&self) -> Option<&InstanceKey> {
        match self {
            Self::Register { key, .. }
            | Self::Deregister { key, .. }
            | Self::Drain { key, .. }
            | Self::Health { key, .. }
            | Self::Opinion { key, .. } => Some(key),
            Self::Policy { .. } => None,
        }
    }

    /// Whether it writes a registration again as it is, of which nothing but the row's revision is
    /// another then.
    pub fn is_again(&self) -> bool {
        matches!(self, Self::Register { to, .. } if to.registered.is_some())
    }
}

// === impl JournalError ===

impl From<Refused> for JournalError {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Full(why) => Self::Full(why),
            Refused::Unavailable(why) => Self::Unreachable(why),
            Refused::Unsure(why) => Self::Unsure(why),
            other @ (Refused::Busy(_)
            | Refused::Conflict { .. }
            | Refused::NotOwner
            | Refused::TooLarge(_)) => Self::Failed(other.to_string()),
        }
    }
}
