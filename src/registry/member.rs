//! An instance together with what the registry knows of it.

use std::sync::Arc;

use crate::model::{CheckState, Instance, InstanceKey, Revision, Status, Timestamp};

/// One instance in the registry. Immutable: a change makes a new one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// What its owner registered.
    pub instance: Arc<Instance>,
    /// The state of each of its checks, in their order.
    pub checks: Box<[CheckState]>,
    /// The state of its node, as far as that has one. Not stored with it.
    pub node_status: Status,
    /// Its own state: its worst check's, or its node's if that is worse.
    pub status: Status,
    /// Since when it is in this state.
    pub since: Timestamp,
    /// Whether it was taken out of the answers by hand.
    pub drained: bool,
    /// Whether it is silent and held in the answers by self-preservation. Not stored.
    pub suspect: bool,
    /// The revision at which it was first registered. Of an instance that came by the native door
    /// a restart has that of this registration instead.
    pub created: Revision,
    /// The revision of this registration: tells it from an earlier one of the same name.
    pub registered: Revision,
    /// When it was registered.
    pub registered_at: Timestamp,
    /// The revision of its last change of any kind.
    pub modified: Revision,
}

// === impl Member ===

impl Member {
    /// A member as it is right after its registration.
    pub fn new(instance: Arc<Instance>, revision: Revision, at: Timestamp) -> Self {
        let checks: Box<[_]> = instance
            .checks
            .iter()
            .map(|spec| CheckState::initial(spec, instance.initial_status, at))
            .collect();
        let status = Status::of_checks(&checks);
        Self {
            instance,
            checks,
            node_status: Status::Passing,
            status,
            since: at,
            drained: false,
            suspect: false,
            created: revision,
            registered: revision,
            registered_at: at,
            modified: revision,
        }
    }

    /// The identity of the instance.
    pub fn key(&self) -> InstanceKey {
        self.instance.key()
    }

    /// The revision at which it was first registered, where a store or a backup keeps it: if it is
    /// another than this registration's, and the instance came by another door than the native one.
    /// What came by that one is written as it always was: an older Rollcall goes on reading it.
    pub fn kept_created(&self) -> Option<Revision> {
        let is_kept = self.instance.origin.is_some() && self.created != self.registered;
        is_kept.then_some(self.created)
    }

    /// Its share of the answers in its state.
    pub fn weight_now(&self) -> u16 {
        self.instance.weight_in(self.status)
    }

    /// Whether its registration is younger than that of another; of those of one revision the name
    /// decides.
    pub(super) fn is_younger_than(&self, other: &Self) -> bool {
        (self.registered, self.key()) > (other.registered, other.key())
    }

    /// What its checks and its node come to.
    pub(super) fn worst(&self) -> Status {
        Status::of_checks(&self.checks).max(self.node_status)
    }

    /// Whether each of its checks is in the state that it is in with another.
    pub(super) fn has_statuses_of(&self, other: &Self) -> bool {
        let status = |check: &CheckState| check.status;
        self.checks.iter().map(status).eq(other.checks.iter().map(status))
    }

    /// Whether an active check has found it dead. A `manual` one is somebody's word, and an `alias`
    /// is about another.
    pub(super) fn is_found_dead(&self) -> bool {
        let mut checks = self.instance.checks.iter().zip(&self.checks);
        checks.any(|(spec, state)| spec.thresholds().is_some() && !state.status.is_up())
    }

    /// Whether it is answered in the ordinary case: up and not drained.
    pub fn is_answered(&self) -> bool {
        self.status.is_up() && !self.drained
    }
}
