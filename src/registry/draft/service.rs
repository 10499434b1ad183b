//! A service while it is being changed.

use std::{collections::BTreeSet, sync::Arc};

use crate::{
    model::{InstanceId, InstanceKey, Policy, Revision, ServiceName},
    registry::{Change, Member, Options, ServiceEntry},
};

/// A service that the batch touches.
#[derive(Debug)]
pub(super) struct ServiceDraft {
    pub(super) own_policy: Option<Policy>,
    pub(super) policy_changed: bool,
    pub(super) is_prepared_anew: bool,
    pub(super) modified: Revision,
    pub(super) changed: Revision,
    /// Sorted by name.
    pub(super) members: Vec<Arc<Member>>,
    pub(super) touched: BTreeSet<InstanceId>,
}

// === impl ServiceDraft ===

impl ServiceDraft {
    pub(super) fn of(entry: Option<&ServiceEntry>) -> Self {
        Self {
            own_policy: entry.filter(|e| e.has_own_policy).map(|e| e.policy),
            policy_changed: false,
            is_prepared_anew: false,
            modified: entry.map(|e| e.modified).unwrap_or_default(),
            changed: entry.map(|e| e.changed).unwrap_or_default(),
            members: entry.map(|e| e.members.to_vec()).unwrap_or_default(),
            touched: BTreeSet::new(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.members.is_empty() && self.own_policy.is_none()
    }

    pub(super) fn is_untouched(&self) -> bool {
        self.touched.is_empty() && !self.policy_changed && !self.is_prepared_anew
    }

    pub(super) fn place(&self, id: &str) -> Result<usize, usize> {
        self.members.binary_search_by(|member| member.instance.id.as_str().cmp(id))
    }

    pub(super) fn member(&self, id: &InstanceId) -> Option<Arc<Member>> {
        self.place(id.as_str()).ok().map(|at| Arc::clone(&self.members[at]))
    }

    /// Whether more has changed than the states of its instances: what is looked up by their names,
    /// tags and addresses has to be brought up to date.
    pub(super) fn has_new_content(&self, before: &Option<Arc<ServiceEntry>>) -> bool {
        let Some(before) = before else { return true };
        self.is_empty()
            || self.touched.iter().any(|id| {
                let (was, is) = (before.member(id.as_str()), self.member(id));
                was.map(|member| &member.instance) != is.as_ref().map(|member| &member.instance)
            })
    }

    pub(super) fn rows(&self, name: &ServiceName, rows: &mut Vec<Change>) {
        for id in &self.touched {
            rows.push(match self.member(id) {
                Some(member) => Change::PutMember(member),
                None => Change::DeleteMember(InstanceKey::new(name.clone(), id.clone())),
            });
        }
        if self.policy_changed {
            rows.push(match self.own_policy {
                Some(policy) => Change::PutPolicy(name.clone(), policy),
                None => Change::DeletePolicy(name.clone()),
            });
        }
    }

    pub(super) fn into_entry(self, name: &ServiceName, options: &Options) -> Option<ServiceEntry> {
        if self.is_empty() {
            return None;
        }
        let members = self.members.into();
        let (default, revisions) = (options.default_policy, (self.modified, self.changed));
        Some(ServiceEntry::new(name.clone(), self.own_policy, default, revisions, members))
    }
}
