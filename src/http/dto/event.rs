//! One change, as watchers are told of it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{StatusName, rfc3339};
use crate::model::{Event, EventKind};

/// The data of one event of the watch; the event's own name says what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// The revision at which the change is visible.
    pub revision: u64,
    /// When it happened (RFC 3339).
    pub at: String,
    /// The service.
    pub service: String,
    /// The instance; absent when it is about the service as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// `status`: the state before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<StatusName>,
    /// `status`: the state now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<StatusName>,
    /// `status`: whether the instance is silent, and held in the answers by self-preservation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suspect: Option<bool>,
    /// `status`: what the check said that turned it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<String>,
    /// `deregistered`: why, `deregistered` (somebody asked for it) or `expired`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

// === impl EventView ===

impl EventView {
    /// The name of an event of this kind in the stream.
    pub fn name(kind: &EventKind) -> &'static str {
        match kind {
            EventKind::CheckChanged { .. } => "check",
            EventKind::Deregistered { .. } => "deregistered",
            EventKind::Drained { on: true, .. } => "drained",
            EventKind::Drained { on: false, .. } => "undrained",
            EventKind::PolicyChanged => "policy",
            EventKind::Registered { replaced: false, .. } => "registered",
            EventKind::Registered { replaced: true, .. } => "updated",
            EventKind::StatusChanged { .. } => "status",
        }
    }
}

impl From<&Event> for EventView {
    fn from(event: &Event) -> Self {
        let mut view = Self {
            revision: event.revision.0,
            at: rfc3339(event.at),
            service: event.service.to_string(),
            instance: event.kind.key().map(|key| key.id.to_string()),
            from: None,
            to: None,
            suspect: None,
            output: None,
            reason: None,
        };
        match &event.kind {
            EventKind::Deregistered { reason, .. } => {
                view.reason = Some(reason.as_str().to_owned());
            }
            EventKind::StatusChanged { from, to, suspect, output, .. } => {
                view.from = Some((*from).into());
                view.to = Some((*to).into());
                view.suspect = Some(*suspect);
                view.output = Some(output.to_string());
            }
            EventKind::CheckChanged { .. }
            | EventKind::Drained { .. }
            | EventKind::PolicyChanged
            | EventKind::Registered { .. } => {}
        }
        view
    }
}
