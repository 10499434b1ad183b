//! The only verbs that change the world. Doors make them; the registry's writer carries them out.

use std::sync::Arc;

use super::{Instance, InstanceKey, Policy, Revision, ServiceName, Status, Timestamp};

/// A change that someone asks for.
#[derive(Debug, Clone)]
pub enum Command {
    /// Changes instances, all or none, each only if it is still as whoever asks has seen it.
    Amend(Vec<Amendment>),
    /// Removes an instance.
    Deregister(InstanceKey),
    /// Takes an instance out of the answers (`on`), or puts it back. Survives restarts.
    Drain {
        /// The instance.
        key: InstanceKey,
        /// Whether it is to be out.
        on: bool,
    },
    /// Renews the `ttl` checks of an instance.
    Heartbeat(Heartbeat),
    /// Registers or replaces instances, all or none.
    Register(Vec<Arc<Instance>>),
    /// Forgets the policy of a service, which falls back to the default.
    RemovePolicy(ServiceName),
    /// A new state of an active check.
    Report(CheckReport),
    /// Sets the policy of a service.
    SetPolicy(ServiceName, Policy),
}

/// A change of one instance by someone who has read it before.
#[derive(Debug, Clone)]
pub struct Amendment {
    /// The instance.
    pub key: InstanceKey,
    /// The registration that was seen; `None` when there was none.
    pub seen: Option<Revision>,
    /// What is to be there; `None` removes the instance.
    pub to: Option<Replacement>,
}

/// An instance in place of one that was seen.
#[derive(Debug, Clone)]
pub struct Replacement {
    /// The instance.
    pub instance: Arc<Instance>,
    /// What is known of each of its checks.
    pub checks: Vec<Carry>,
    /// Whether it is to be out of the answers; `None` leaves that as it is.
    pub drained: Option<bool>,
}

/// What is known of a check of an instance that replaces another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Carry {
    /// What was known of a check of the instance before, counted from 0. A heartbeat has to come
    /// by when it had to.
    From(usize),
    /// The same, and its owner has just given a sign of life.
    Renewed(usize),
    /// This, from now on.
    Anew(Status, Arc<str>),
}

/// A sign of life.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// From whom.
    pub key: InstanceKey,
    /// Of which of its checks, counted from 0, and of which registration; `None` is for all its
    /// `ttl` checks, whatever was registered.
    pub check: Option<(usize, Revision)>,
    /// The state it reports for all its `ttl` checks.
    pub status: Status,
    /// What it says of it.
    pub output: Arc<str>,
    /// Of one that another server has handed on: how that one heard it. `None` for one that was
    /// heard here, or by an older Rollcall.
    pub heard: Option<Arrival>,
}

/// How a sign of life reached the server that has handed it on.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Up to which revision that server had seen all changes by then; `None` where no revision
    /// says what it knew.
    pub seen: Option<Revision>,
    /// When, by this server's clock: the time on the way from the other one counts as before.
    /// `None` where that has not come along.
    pub at: Option<Timestamp>,
}

/// A state of an active check that is believed, or a new output in the same state.
#[derive(Debug, Clone)]
pub struct CheckReport {
    /// Of which instance.
    pub key: InstanceKey,
    /// Of which registration: results that are late for a replaced one are dropped.
    pub registered: Revision,
    /// Of which of its checks, counted from 0.
    pub check: usize,
    /// The state.
    pub status: Status,
    /// What was found, for a person.
    pub output: Arc<str>,
    /// Since when it is so; `None` is from when it is taken.
    pub since: Option<Timestamp>,
}

// === impl Command ===

impl Command {
    /// Whether the command may only take effect once it is durable. What is seen of the world
    /// (heartbeats, results of checks) takes effect although the store is down: the answers follow
    /// health, whatever else is broken.
    pub fn must_be_durable(&self) -> bool {
        !matches!(self, Self::Heartbeat(_) | Self::Report(_))
    }
}
