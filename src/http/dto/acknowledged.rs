//! The reply to a change that has nothing else to show.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::registry::Applied;

/// A change was carried out: it is durable, and every DNS query from now on sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Acknowledged {
    /// The revision at which the change is visible.
    pub revision: u64,
    /// How many instances are new.
    pub created: usize,
    /// Whether anything is different from before.
    pub changed: bool,
}

impl From<Applied> for Acknowledged {
    fn from(applied: Applied) -> Self {
        let Applied { revision, created, changed } = applied;
        Self { revision: revision.0, created, changed }
    }
}
