//! The names of the three states.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::model::Status;

/// The state of an instance or a check. Passing and warning are answered, critical is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum StatusName {
    /// In order.
    Passing,
    /// Worth a look.
    Warning,
    /// Down.
    Critical,
}

// === impl StatusName ===

impl From<Status> for StatusName {
    fn from(status: Status) -> Self {
        match status {
            Status::Passing => Self::Passing,
            Status::Warning => Self::Warning,
            Status::Critical => Self::Critical,
        }
    }
}

impl From<StatusName> for Status {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Passing => Self::Passing,
            StatusName::Warning => Self::Warning,
            StatusName::Critical => Self::Critical,
        }
    }
}
