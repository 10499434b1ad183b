//! What is drafted on where this server shows another thing than the store has.

use std::sync::Arc;

use crate::{
    model::{Command, InstanceKey},
    registry::{
        Applied, Member, Snapshot,
        apply::{Applier, Outcome},
        handle::Request,
    },
};

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
}

/// Nobody has seen a revision that only the ground had.
pub(super) fn on_ground(outcomes: &mut [Outcome], base: &Snapshot) {
    for applied in outcomes.iter_mut().flatten() {
        *applied = Applied { revision: applied.revision.min(base.revision), ..*applied };
    }
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
