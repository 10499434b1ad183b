//! `PUT /v1/agent/check/update/:id`.

use serde::{Deserialize, Serialize};

use super::{
    super::{
        reader::{Body, Field, Fields, Shape},
        texts::ConsulError,
    },
    check_type::is_status,
};

/// What a service says of its TTL check.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::http) struct CheckUpdate {
    /// Its state.
    pub(in crate::http) status: String,
    /// Text for people.
    pub(in crate::http) output: String,
}

static CHECK_UPDATE: Fields = Fields {
    owner: "checkUpdate",
    kind: "agent.checkUpdate",
    fields: &[Field::new("Status", Shape::Text), Field::new("Output", Shape::Text)],
    common: &[],
    open: false,
};

// === impl CheckUpdate ===

impl CheckUpdate {
    /// Consul's own checks.
    ///
    /// # Errors
    /// 400 when it says no state.
    pub(in crate::http) fn validate(&self) -> Result<(), ConsulError> {
        match is_status(&self.status) {
            true => Ok(()),
            false => Err(ConsulError::invalid_check_status(&self.status)),
        }
    }
}

impl Body for CheckUpdate {
    const FIELDS: &'static Fields = &CHECK_UPDATE;
}
