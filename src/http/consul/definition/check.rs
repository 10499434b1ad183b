//! `PUT /v1/agent/check/register`.

use serde::{Deserialize, Serialize};

use super::{
    super::{
        reader::{Body, Field, Fields, Shape},
        texts::ConsulError,
    },
    check_type::{COMMON, CheckType, is_status},
};

/// A check of its own: of a service that is there, or of the node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::http) struct CheckDefinition {
    /// The id of the service that it checks; empty for the node.
    #[serde(rename = "ServiceID")]
    pub(in crate::http) service_id: String,
    /// A token; nothing looks at it.
    #[serde(rename = "Token")]
    pub(in crate::http) token: String,
    /// The rest. Its id is `ID` in the body.
    #[serde(flatten)]
    pub(in crate::http) check: CheckType,
}

static CHECK_DEFINITION: Fields = Fields {
    owner: "",
    kind: "structs.CheckDefinition",
    fields: &[Field::new("Token", Shape::Text)],
    common: COMMON,
    open: false,
};

// === impl CheckDefinition ===

impl CheckDefinition {
    /// Its id: its name unless it has one.
    pub(in crate::http) fn id(&self) -> &str {
        if self.check.check_id.is_empty() { &self.check.name } else { &self.check.check_id }
    }

    /// Consul's own checks, in its order.
    ///
    /// # Errors
    /// 400 that says which.
    pub(in crate::http) fn validate(&self) -> Result<(), ConsulError> {
        if self.check.name.is_empty() {
            return Err(ConsulError::missing_check_name());
        }
        if !self.check.status.is_empty() && !is_status(&self.check.status) {
            return Err(ConsulError::bad_check_status());
        }
        self.check.validate().map_err(ConsulError::invalid_check)
    }
}

impl Body for CheckDefinition {
    const FIELDS: &'static Fields = &CHECK_DEFINITION;
}
