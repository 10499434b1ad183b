//! The only verbs that change the world. Doors make them; the registry's writer carries them out.

use std::sync::Arc;

use super::{Instance, InstanceKey, Policy, Revision, ServiceName, Status};

/// A change that someone asks for.
#[derive(Debug, Clone)]
pub enum Command {
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

/// A sign of life.
#[derive(Debug, Clone)]
pub struct Heartbeat {
    /// From whom.
    pub key: InstanceKey,
    /// The state it reports for all its `ttl` checks.
    pub status: Status,
    /// What it says of it.
    pub output: Arc<str>,
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
