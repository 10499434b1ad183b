//! A sign of life.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::StatusName;
use crate::model::{self, InstanceKey, Status, limit};

/// A sign of life of an instance with a check of type `ttl`. The body may be left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Heartbeat {
    /// The state that the instance reports of itself; `passing` when left out.
    pub status: Option<StatusName>,
    /// What it says of it, for a person; cut at 4096 octets.
    pub output: Option<String>,
}

// === impl Heartbeat ===

impl Heartbeat {
    /// The heartbeat as the registry takes it.
    pub fn into_model(self, key: InstanceKey) -> model::Heartbeat {
        let mut output = self.output.unwrap_or_default();
        output.truncate(output.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX));
        let status = self.status.map_or(Status::Passing, Status::from);
        model::Heartbeat { key, check: None, status, output: output.into(), heard: None }
    }
}
