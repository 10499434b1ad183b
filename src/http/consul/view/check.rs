//! A check with its state.

use std::cmp::Ordering;

use serde::Serialize;
use serde_json::{Map, Value};

use super::in_order;

/// A check in the catalog or of an agent.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::http::consul) struct HealthCheck {
    /// The node that it is on.
    pub node: String,
    /// Its id, unique on the node.
    #[serde(rename = "CheckID")]
    pub check_id: String,
    /// Its name.
    pub name: String,
    /// `passing`, `warning` or `critical`.
    pub status: &'static str,
    /// Text for people.
    pub notes: String,
    /// What its last result said.
    pub output: String,
    /// The id of its service; empty for a check of the node.
    #[serde(rename = "ServiceID")]
    pub service_id: String,
    /// The name of its service.
    pub service_name: String,
    /// The tags of its service.
    pub service_tags: Vec<String>,
    /// Its kind: `http`, `tcp`, `ttl` …
    pub r#type: String,
    /// From one run's start to the next one's, as Go writes durations; empty for what nobody runs.
    pub interval: String,
    /// After which an unanswered run has failed.
    pub timeout: String,
    /// A port of a proxy; there is none.
    pub exposed_port: u16,
    /// What others are to probe.
    pub definition: Map<String, Value>,
    /// The revision at which it came.
    pub create_index: u64,
    /// The revision of its last change.
    pub modify_index: u64,
}

// === impl HealthCheck ===

impl HealthCheck {
    /// The order of checks: by their ids, whatever the case of their letters.
    pub(in crate::http::consul) fn by_id(&self, other: &Self) -> Ordering {
        in_order(&self.check_id, &other.check_id)
    }

    /// Whether it passes.
    pub(in crate::http::consul) fn is_passing(&self) -> bool {
        self.status == "passing"
    }
}
