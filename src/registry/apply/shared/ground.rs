//! What is drafted on, and written besides, where this server shows another thing than the store
//! has.

use std::{collections::HashSet, sync::Arc, time::Duration};

use crate::{
    model::{Command, InstanceKey},
    registry::{
        Applied, Edit, Guard, Member, Snapshot,
        apply::{Applier, Outcome},
        handle::Request,
        shared::{again, registered_by},
    },
};

/// An instance that may be critical for less than this, or for less than three leases, may be gone
/// before other servers have heard that it is: who finds it may have been without the store for a
/// lease's time, and writes the removal alone.
const BRIEF: Duration = Duration::from_secs(30);

// === impl Applier ===

impl Applier {
    /// What requests are drafted on: the newest snapshot, but with what the store has of instances
    /// of which others know better than this server. What it has found alone must not come into
    /// the store with what is registered in their place.
    pub(super) fn ground(&self, base: &Arc<Snapshot>, requests: &[(Request, u8)]) -> Arc<Snapshot> {
        let Some(sharing) = self.sharing.as_ref().filter(|it| it.overlay.has_others()) else {
            return Arc::clone(base);
        };
        let keys = requests.iter().flat_map(|(request, _)| keys_of(&request.command));
        let lone = keys.filter_map(|key| {
            let shared = Arc::clone(sharing.overlay.lone(&key)?);
            Some((key, shared))
        });
        let lone: Vec<(InstanceKey, Arc<Member>)> = lone.collect();
        let (finished, _) = self.draft(base, &[], |draft| {
            lone.into_iter().for_each(|(key, shared)| draft.show(&key, Some(shared)));
            Vec::new()
        });
        finished.map_or_else(|| Arc::clone(base), |finished| Arc::new(finished.next))
    }

    /// Adds to edits what has to go of an instance that was removed here and not in the store yet:
    /// who is registered anew is not drained.
    pub(super) fn clear_away(&self, ground: &Snapshot, edits: &mut Vec<Edit>) {
        let Some(sharing) = self.sharing.as_ref().filter(|it| !it.overlay.is_empty()) else {
            return;
        };
        let drains = edits.iter().filter(|edit| matches!(edit, Edit::Drain { .. }));
        let drains: HashSet<&InstanceKey> = drains.filter_map(Edit::key).collect();
        let is_left = |key: &&InstanceKey| {
            let shared = sharing.overlay.get(key).filter(|_| !drains.contains(key));
            ground.member(key).is_none() && shared.is_some_and(|shared| shared.drained)
        };
        let left = edits.iter().filter_map(registered_by).filter(is_left);
        let undrained = left.map(|key| {
            let guard = Guard::None;
            Edit::Drain { key: key.clone(), on: false, guard }
        });
        let undrained: Vec<Edit> = undrained.collect();
        edits.extend(undrained);
    }

    /// Has those of `kept` written again, as they are, that may be about to be removed because they
    /// are down: then whoever removes them has decided that before, and is refused. So are those
    /// whose row cannot be read: who is started later would not have them.
    pub(super) fn hold_fast(
        &self,
        ground: &Snapshot,
        kept: &mut Vec<InstanceKey>,
        edits: &mut Vec<Edit>,
    ) {
        let Some(sharing) = &self.sharing else { return };
        let brief = BRIEF.max(3 * sharing.lease);
        let is_unreadable = |key: &InstanceKey| sharing.unreadable.contains(key);
        kept.retain(|key| {
            let is_due = |member: &&Arc<Member>| is_unreadable(key) || may_go(member, brief);
            let Some(member) = ground.member(key).filter(is_due) else {
                return true;
            };
            let (to, guard) = (again(sharing.overlay.shared(key, member)), Guard::PresentUnchanged);
            edits.push(Edit::Register { key: key.clone(), to: Box::new(to), guard });
            false
        });
    }
}

/// Nobody has seen a revision that only the ground had.
pub(super) fn on_ground(outcomes: &mut [Outcome], base: &Snapshot) {
    for applied in outcomes.iter_mut().flatten() {
        *applied = Applied { revision: applied.revision.min(base.revision), ..*applied };
    }
}

fn may_go(member: &Member, brief: Duration) -> bool {
    let may = |after: Duration| after < brief || !member.status.is_up();
    let checks = member.instance.checks.iter().filter_map(|spec| spec.deregister_after);
    checks.chain(member.instance.deregister_after).any(may)
}

fn keys_of(command: &Command) -> Vec<InstanceKey> {
    match command {
        Command::Amend(all) => all.iter().map(|amendment| amendment.key.clone()).collect(),
        Command::Deregister(key) | Command::Drain { key, .. } => vec![key.clone()],
        Command::Register(all) => all.iter().map(|instance| instance.key()).collect(),
        Command::Heartbeat(_)
        | Command::RemovePolicy(_)
        | Command::Report(_)
        | Command::SetPolicy(..) => Vec::new(),
    }
}
