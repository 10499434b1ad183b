//! What a draft comes to, as changes of the shared state. Pure.

use super::{Edit, Guard, Health, Registration, fold::are_the_same};
use crate::{
    model::CheckState,
    registry::{Change, Member, Snapshot},
};

/// What has to be written so that the rows in `changes`, which were drafted on `base`, come true.
pub(in crate::registry) fn edits(base: &Snapshot, changes: &[Change]) -> Vec<Edit> {
    let mut edits = Vec::with_capacity(changes.len());
    for change in changes {
        match change {
            Change::DeletePolicy(service) => {
                edits.push(Edit::Policy { service: service.clone(), to: None });
            }
            Change::PutPolicy(service, policy) => {
                edits.push(Edit::Policy { service: service.clone(), to: Some(*policy) });
            }
            Change::DeleteMember(key) => {
                let guard = Guard::PresentUnchanged;
                edits.push(Edit::Deregister { key: key.clone(), guard });
            }
            Change::PutMember(next) => put(base, next, &mut edits),
        }
    }
    edits
}

fn put(base: &Snapshot, next: &Member, edits: &mut Vec<Edit>) {
    let (key, before) = (next.key(), base.member_like(&next.instance));
    let same = before.filter(|before| before.registered == next.registered);
    let was_drained = before.is_some_and(|before| before.drained);
    if next.drained != was_drained {
        let guard = if same.is_some() { Guard::Present } else { Guard::None };
        edits.push(Edit::Drain { key: key.clone(), on: next.drained, guard });
    }
    let Some(same) = same else {
        let guard = if before.is_some() { Guard::PresentUnchanged } else { Guard::Unchanged };
        edits.push(Edit::Register { key, to: Box::new(registration(before, next)), guard });
        return;
    };
    let next_drained = Member { drained: same.drained, ..next.clone() };
    if !are_the_same(same, &next_drained) {
        let to = Health { of: next.registered, checks: next.checks.clone(), suspect: next.suspect };
        edits.push(Edit::Health { key, to });
    }
}

fn registration(before: Option<&std::sync::Arc<Member>>, next: &Member) -> Registration {
    let instance = &next.instance;
    let initial = |spec| CheckState::initial(spec, instance.initial_status, next.registered_at);
    let is_initial = instance.checks.iter().map(initial).eq(next.checks.iter().cloned());
    // One that is new is as old as its row, unless it stands for what was there by another name.
    let created = before.map(|before| before.created);
    let created = created.or((next.created != next.registered).then_some(next.created));
    Registration {
        instance: instance.clone(),
        registered: None,
        registered_at: next.registered_at,
        created,
        checks: (!is_initial).then(|| next.checks.clone()),
    }
}
