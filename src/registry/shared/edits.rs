//! What a draft comes to, as changes of the shared state. Pure.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use super::{Edit, Guard, Health, Registration, fold::are_the_same};
use crate::{
    model::{CheckState, Command, Instance, InstanceKey, ServiceName},
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
            // It came and went with the same proposal: of that nothing is left.
            Change::DeleteMember(key) if base.member(key).is_none() => {}
            Change::DeleteMember(key) => {
                let guard = Guard::PresentUnchanged;
                edits.push(Edit::Deregister { key: key.clone(), guard });
            }
            Change::PutMember(next) => put(base, next, &mut edits),
        }
    }
    edits
}

/// What has to be asked of the store so that what `commands` leave as it is on `base` may be said
/// to be so: somebody else may have changed it, of which this server has not heard yet. The
/// instances that are to be as they were; what is cheap to write again is added to `edits`.
pub(in crate::registry) fn settle_unchanged<'c>(
    base: &Snapshot,
    commands: impl Iterator<Item = &'c Command>,
    edits: &mut Vec<Edit>,
) -> Vec<InstanceKey> {
    let mut known: HashSet<InstanceKey> = edits.iter().filter_map(Edit::key).cloned().collect();
    let mut kept = Vec::new();
    let mut keep = |instance: &Arc<Instance>| {
        let key = instance.key();
        if base.has_same(instance) && known.insert(key.clone()) {
            kept.push(key);
        }
    };
    // Of several for the same the last one counts.
    let (mut drains, mut policies) = (BTreeMap::new(), BTreeMap::new());
    for command in commands {
        match command {
            Command::Register(all) => all.iter().for_each(&mut keep),
            Command::Amend(all) => {
                all.iter().filter_map(|it| it.to.as_ref()).for_each(|to| keep(&to.instance));
            }
            Command::Drain { key, on } => drop(drains.insert(key, *on)),
            Command::SetPolicy(service, policy) => drop(policies.insert(service, Some(*policy))),
            Command::RemovePolicy(service) => drop(policies.insert(service, None)),
            Command::Deregister(_) | Command::Heartbeat(_) | Command::Report(_) => {}
        }
    }
    let drained = edits.iter().filter_map(|edit| match edit {
        Edit::Drain { key, .. } | Edit::Deregister { key, .. } => Some(key),
        _ => None,
    });
    let drained: HashSet<&InstanceKey> = drained.collect();
    let set = edits.iter().filter_map(|edit| match edit {
        Edit::Policy { service, .. } => Some(service),
        _ => None,
    });
    let set: HashSet<&ServiceName> = set.collect();
    let is_unwritten = |key: &InstanceKey| !drained.contains(key) && base.member(key).is_some();
    let drains = drains.into_iter().filter(|(key, _)| is_unwritten(key)).map(|(key, on)| {
        let guard = Guard::Present;
        Edit::Drain { key: key.clone(), on, guard }
    });
    let policies = policies.into_iter().filter(|(service, _)| !set.contains(service));
    let policies = policies.map(|(service, to)| Edit::Policy { service: service.clone(), to });
    let mut more: Vec<Edit> = drains.chain(policies).collect();
    edits.append(&mut more);
    kept
}

/// The registration of `member`, which the store has, written again as it is: nothing but its row's
/// revision is another.
pub(in crate::registry) fn again(member: &Member) -> Registration {
    let Member { registered, created, .. } = *member;
    Registration {
        instance: Arc::clone(&member.instance),
        registered: Some(registered),
        registered_at: member.registered_at,
        since: (member.since != member.registered_at).then_some(member.since),
        created: (created != registered).then_some(created),
        checks: Some(member.checks.clone()),
    }
}

/// The instance that an edit registers.
pub(in crate::registry) fn registered_by(edit: &Edit) -> Option<&InstanceKey> {
    match edit {
        Edit::Register { key, .. } => Some(key),
        _ => None,
    }
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
        edits.push(Edit::Health { key, to: Health::of(next, next.checks.clone()) });
    }
}

fn registration(before: Option<&Arc<Member>>, next: &Member) -> Registration {
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
        since: (next.since != next.registered_at).then_some(next.since),
        created,
        checks: (!is_initial).then(|| next.checks.clone()),
    }
}
