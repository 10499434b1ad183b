//! Whose task which instance is, after servers have come or gone: looked at some at a time.
//!
//! To look at a million instances takes seconds on a busy machine. The writer has changes to show
//! and heartbeats to hear meanwhile, so it does its work between one slice and the next. An
//! instance that has become this server's task has a full ttl from its slice on; heartbeats of one
//! that is no longer go to its new owner at once, whatever is still counted here.
//!
//! All at once is only what has to be: where this server's own leases count for nothing, since
//! others have done its work meanwhile, none of them may run out before it was begun anew.

use std::sync::Arc;

use crate::{
    model::InstanceKey,
    registry::{Member, Snapshot, apply::Applier, snapshot::ServiceEntry},
};

/// Instances that are looked at in one go, which takes about a millisecond; of a larger service
/// all.
pub(in crate::registry) const SLICE: usize = 2_048;

/// What has yet to be looked at, as it was when the servers came or went.
#[derive(Debug, Default)]
pub(super) struct Unlooked {
    services: Vec<Arc<ServiceEntry>>,
    nodes: Vec<Arc<Member>>,
}

// === impl Unlooked ===

impl Unlooked {
    /// Everything.
    pub(super) fn of(snapshot: &Snapshot) -> Self {
        let services = snapshot.services.iter().map(|(_, entry)| Arc::clone(entry)).collect();
        let nodes = snapshot.nodes.iter().map(|(_, node)| Arc::clone(node)).collect();
        Self { services, nodes }
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.services.is_empty() && self.nodes.is_empty()
    }

    fn next_slice(&mut self) -> Vec<InstanceKey> {
        let mut slice = Vec::with_capacity(SLICE);
        while slice.len() < SLICE
            && let Some(entry) = self.services.pop()
        {
            slice.extend(entry.members.iter().map(|member| member.key()));
        }
        let rest = self.nodes.len().saturating_sub(SLICE.saturating_sub(slice.len()));
        slice.extend(self.nodes.drain(rest..).map(|node| node.key()));
        slice
    }
}

// === impl Applier ===

impl Applier {
    /// Begins the leases of all instances that are this server's task anew, each with a full ttl,
    /// and ends those of all others.
    pub(super) fn begin_all_anew(&mut self) {
        let (snapshot, now) = (self.registry.snapshot(), self.clock.elapsed());
        let Some(sharing) = &mut self.sharing else { return };
        sharing.unlooked = Unlooked::default();
        for member in snapshot.members() {
            let key = member.key();
            self.leases.follow(&key, None, now);
            if sharing.keeps(&key) {
                self.leases.follow(&key, Some(member), now);
            }
        }
    }

    /// Looks at the next instances: begins the leases of what has become this server's task, and
    /// ends those of what no longer is.
    pub(in crate::registry::apply) fn look_at_some(&mut self) {
        let Some(sharing) = &mut self.sharing else { return };
        if sharing.unlooked.is_empty() {
            return;
        }
        let (snapshot, now) = (self.registry.snapshot(), self.clock.elapsed());
        for key in sharing.unlooked.next_slice() {
            // They may have changed since.
            let kept = snapshot.member(&key).filter(|_| sharing.keeps(&key));
            self.leases.follow(&key, kept.map(AsRef::as_ref), now);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{SLICE, Unlooked};
    use crate::{model::Command, registry::testing};

    #[tokio::test]
    async fn slices_are_bounded_and_have_everything_once() {
        let registry = testing::registry();
        let names = (0..3 * SLICE).map(|number| format!("s{}/i{number}", number % 1_000));
        let all = names.map(|name| testing::instance(&name, "10.0.0.1").into()).collect();
        registry.submit(Command::Register(all)).await.unwrap();
        let mut unlooked = Unlooked::of(&registry.snapshot());
        let mut seen = HashSet::new();
        while !unlooked.is_empty() {
            let slice = unlooked.next_slice();
            assert!((1..SLICE + 10).contains(&slice.len()), "{}", slice.len());
            for key in slice {
                assert!(seen.insert(key.clone()), "{key} twice");
            }
        }
        assert_eq!(seen.len(), 3 * SLICE);
    }
}
