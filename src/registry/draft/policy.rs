//! Policies of services.

use super::{Draft, unchanged};
use crate::{
    model::{EventKind, Policy, ServiceName},
    registry::{Applied, RegistryError},
};

impl Draft<'_> {
    /// Sets the policy of a service, which exists by it if it has no instance.
    pub(super) fn set_policy(
        &mut self,
        service: &ServiceName,
        policy: Policy,
    ) -> Result<Applied, RegistryError> {
        let draft = self.draft_of(service);
        let (modified, is_new) = (draft.modified, draft.is_empty());
        if draft.own_policy == Some(policy) {
            return Ok(unchanged(modified));
        }
        if is_new {
            self.check_service_limit(1)?;
            self.service_count += 1;
        }
        Ok(self.change_policy(service, Some(policy)))
    }

    pub(super) fn remove_policy(
        &mut self,
        service: &ServiceName,
    ) -> Result<Applied, RegistryError> {
        if self.draft_of(service).own_policy.is_none() {
            return Err(RegistryError::UnknownPolicy(service.clone()));
        }
        let applied = self.change_policy(service, None);
        if self.draft_of(service).is_empty() {
            self.service_count -= 1;
        }
        Ok(applied)
    }

    pub(super) fn change_policy(
        &mut self,
        service: &ServiceName,
        policy: Option<Policy>,
    ) -> Applied {
        let revision = self.step();
        let draft = self.draft_of(service);
        draft.own_policy = policy;
        draft.policy_changed = true;
        draft.modified = revision;
        self.event(revision, service, EventKind::PolicyChanged);
        Applied { revision, created: 0, changed: true }
    }
}
