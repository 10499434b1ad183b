//! A service as it is shown.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::PolicyView;
use crate::registry::{Counts, FailOpen, ServiceEntry};

/// One service.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceView {
    /// Its name.
    pub service: String,
    /// How many instances it has.
    pub instances: usize,
    /// How many of them are passing.
    pub passing: usize,
    /// How many of them are warning.
    pub warning: usize,
    /// How many of them are critical.
    pub critical: usize,
    /// How many of them were taken out of the answers by hand.
    pub drained: usize,
    /// How many of them are silent, and held in the answers by self-preservation.
    pub suspect: usize,
    /// How many of them DNS answers with now, all tiers together.
    pub answered: usize,
    /// Why instances that are not healthy are answered; absent while only healthy ones are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_open: Option<FailingOpen>,
    /// The tags that any instance carries, sorted.
    pub tags: Vec<TagView>,
    /// The policy it is answered by.
    pub policy: PolicyView,
    /// The revision of its last change.
    pub revision: u64,
}

/// One tag of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct TagView {
    /// The tag.
    pub tag: String,
    /// How many instances DNS answers with under the tag now, all tiers together.
    pub answered: usize,
    /// Why instances with this tag that are not healthy are answered; absent while only healthy
    /// ones are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failing_open: Option<FailingOpen>,
}

/// Why instances that are not healthy are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum FailingOpen {
    /// Less than the policy's `min_healthy` of the weight is healthy.
    MinHealthy,
    /// None is healthy, and the policy's `when_none_healthy` is `all`.
    NoneHealthy,
}

/// All services at one revision.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ServiceList {
    /// The revision of the whole registry that the list shows.
    pub revision: u64,
    /// The services, sorted by name.
    pub services: Vec<ServiceView>,
}

// === impl ServiceView ===

impl From<&ServiceEntry> for ServiceView {
    fn from(entry: &ServiceEntry) -> Self {
        let mut counts = Counts::default();
        entry.members.iter().for_each(|member| counts.add(member));
        let answered = |selection: &crate::registry::Selection| {
            selection.tiers().map(|tier| tier.groups.len()).sum()
        };
        let tags = entry.tags().map(|(tag, selection)| TagView {
            tag: tag.to_string(),
            answered: answered(selection),
            failing_open: selection.fail_open().map(FailingOpen::from),
        });
        Self {
            service: entry.name.to_string(),
            instances: counts.instances(),
            passing: counts.passing,
            warning: counts.warning,
            critical: counts.critical,
            drained: counts.drained,
            suspect: counts.suspect,
            answered: answered(&entry.all),
            failing_open: entry.all.fail_open().map(FailingOpen::from),
            tags: tags.collect(),
            policy: PolicyView::new(&entry.policy, entry.has_own_policy, entry.modified),
            revision: entry.modified.0,
        }
    }
}

// === impl FailingOpen ===

impl From<FailOpen> for FailingOpen {
    fn from(reason: FailOpen) -> Self {
        match reason {
            FailOpen::MinHealthy => Self::MinHealthy,
            FailOpen::NoneHealthy => Self::NoneHealthy,
        }
    }
}
