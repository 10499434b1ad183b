//! What one Eureka server tells another: changes in batches, and what became of each.
//!
//! JSON in both directions; there is no such thing as XML.

use serde::Serialize;
use smol_str::SmolStr;

use super::{
    Instance, InstanceStatus,
    field::{long, text},
};
use crate::{http::eureka::tree::Node, model::Invalid};

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Replication {
    /// The application, as sent.
    pub(crate) app_name: SmolStr,
    /// The instance's id.
    pub(crate) id: SmolStr,
    /// When its owner last changed it, milliseconds since the Unix epoch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_dirty_timestamp: Option<i64>,
    /// The state that an operator put in place of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) overridden_status: Option<InstanceStatus>,
    /// Its state.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<InstanceStatus>,
    /// The instance itself; a registration has it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) instance_info: Option<Instance>,
    /// What to do.
    pub(crate) action: ReplicationAction,
}

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) enum ReplicationAction {
    /// Removes the instance.
    Cancel,
    /// Takes away the override.
    DeleteStatusOverride,
    /// Renews the lease.
    Heartbeat,
    /// Registers the instance.
    Register,
    /// Overrides the state.
    StatusUpdate,
}

/// A batch as it was sent. A change that cannot be read does not hold up the others: the sender
/// wants one reply for each, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ReplicationBatch(pub(crate) Vec<Result<Replication, Invalid>>);

/// What became of one change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ReplicationReply {
    /// The status that a request of its own would have been answered with.
    pub(crate) status_code: u16,
    /// The instance as it is here, when that is newer than what was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) response_entity: Option<Instance>,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct ReplicationReplies {
    /// One for each change, in their order.
    #[serde(rename = "responseList")]
    pub(crate) list: Vec<ReplicationReply>,
}

// === impl Replication ===

impl Replication {
    /// The change that is said.
    ///
    /// # Errors
    /// When it has no action, or none that is known; when its instance cannot be read.
    fn read(node: &Node) -> Result<Self, Invalid> {
        let action = node.child("action").map_or("", Node::text);
        let action = ReplicationAction::parse(action)?;
        let state = |name| node.child(name).map(|state| InstanceStatus::parse(state.text()));
        let string = |name| node.child(name).and_then(text).unwrap_or_default();
        let dirty = node.child("lastDirtyTimestamp");
        let instance = node.child("instanceInfo").map(Instance::read).transpose();
        Ok(Self {
            app_name: string("appName"),
            id: string("id"),
            last_dirty_timestamp: dirty
                .and_then(|at| long("lastDirtyTimestamp", at).transpose())
                .transpose()?,
            overridden_status: state("overriddenStatus"),
            status: state("status"),
            instance_info: instance.map_err(|invalid| invalid.under("instanceInfo"))?,
            action,
        })
    }
}

// === impl ReplicationAction ===

impl ReplicationAction {
    fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "Cancel" => Ok(Self::Cancel),
            "DeleteStatusOverride" => Ok(Self::DeleteStatusOverride),
            "Heartbeat" => Ok(Self::Heartbeat),
            "Register" => Ok(Self::Register),
            "StatusUpdate" => Ok(Self::StatusUpdate),
            "" => Err(Invalid::new("action", "", "is needed")),
            _ => {
                let problem = "is no action; there are Cancel, DeleteStatusOverride, Heartbeat, \
                               Register, StatusUpdate";
                Err(Invalid::new("action", text, problem))
            }
        }
    }
}

// === impl ReplicationBatch ===

impl ReplicationBatch {
    /// The batch that is said.
    pub(crate) fn read(node: &Node) -> Self {
        let read = |(at, change)| {
            Replication::read(change)
                .map_err(|invalid| invalid.under(format_args!("replicationList[{at}]")))
        };
        Self(node.all("replicationList").enumerate().map(read).collect())
    }
}
