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
    registry::{Member, Snapshot, apply::Applier, lease::Due, snapshot::ServiceEntry},
};

/// Instances that are looked at in one go, which takes about a millisecond; of a larger service
/// all.
pub(in crate::registry) const SLICE: usize = 2_048;

/// What has yet to be looked at.
#[derive(Debug, Default)]
pub(super) struct Unlooked {
    /// Since a change of the servers before the last one. What it is that was lost then and has
    /// come back since nobody knows any more, so all of it is begun anew.
    before: Walk,
    /// Since the last one.
    now: Walk,
}

/// A way through all instances, as they were when it began.
#[derive(Debug, Default)]
struct Walk {
    services: Vec<Arc<ServiceEntry>>,
    nodes: Vec<Arc<Member>>,
}

/// Instances to be looked at.
struct Slice {
    keys: Vec<InstanceKey>,
    /// Whether their leases begin anew.
    is_anew: bool,
}

// === impl Unlooked ===

impl Unlooked {
    /// Everything again, because the servers are others than before.
    pub(super) fn again(&mut self, snapshot: &Snapshot) {
        // While anything is left of `before`, `now` is everything.
        self.before = std::mem::replace(&mut self.now, Walk::of(snapshot));
    }

    /// Whether nothing is left.
    pub(super) fn is_empty(&self) -> bool {
        self.before.is_empty() && self.now.is_empty()
    }

    fn next_slice(&mut self) -> Slice {
        let is_anew = !self.before.is_empty();
        let walk = if is_anew { &mut self.before } else { &mut self.now };
        Slice { keys: walk.next_keys(), is_anew }
    }
}

// === impl Walk ===

impl Walk {
    fn of(snapshot: &Snapshot) -> Self {
        let services = snapshot.services.iter().map(|(_, entry)| Arc::clone(entry)).collect();
        let nodes = snapshot.nodes.iter().map(|(_, node)| Arc::clone(node)).collect();
        Self { services, nodes }
    }

    fn is_empty(&self) -> bool {
        self.services.is_empty() && self.nodes.is_empty()
    }

    fn next_keys(&mut self) -> Vec<InstanceKey> {
        let mut keys = Vec::with_capacity(SLICE);
        while keys.len() < SLICE
            && let Some(entry) = self.services.pop()
        {
            keys.extend(entry.members.iter().map(|member| member.key()));
        }
        let rest = self.nodes.len().saturating_sub(SLICE.saturating_sub(keys.len()));
        keys.extend(self.nodes.drain(rest..).map(|node| node.key()));
        keys
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
        let Slice { keys, is_anew } = sharing.unlooked.next_slice();
        for key in keys {
            if is_anew {
                self.leases.follow(&key, None, now);
            }
            // They may have changed since.
            let kept = snapshot.member(&key).filter(|_| sharing.keeps(&key));
            self.leases.follow(&key, kept.map(AsRef::as_ref), now);
        }
    }

    /// Leaves out what was due of instances that are no longer this server's task, at which it has
    /// not looked yet: their heartbeats go elsewhere.
    pub(in crate::registry::apply) fn forget_given_up(&mut self, due: &mut Vec<Due>) {
        let Some(sharing) = self.sharing.as_ref().filter(|it| !it.unlooked.is_empty()) else {
            return;
        };
        let now = self.clock.elapsed();
        due.retain(|due| {
            let keeps = sharing.keeps(due.key());
            if !keeps {
                self.leases.follow(due.key(), None, now);
            }
            keeps
        });
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::{SLICE, Slice, Unlooked};
    use crate::{model::Command, registry::testing};

    #[tokio::test]
    async fn slices_are_bounded_and_have_everything_once() {
        let registry = testing::registry();
        let names = (0..3 * SLICE).map(|number| format!("s{}/i{number}", number % 1_000));
        let all = names.map(|name| testing::instance(&name, "10.0.0.1").into()).collect();
        registry.submit(Command::Register(all)).await.unwrap();
        let mut unlooked = Unlooked::default();
        unlooked.again(&registry.snapshot());
        let mut seen = HashSet::new();
        while !unlooked.is_empty() {
            let slice = unlooked.next_slice();
            assert!((1..SLICE + 10).contains(&slice.keys.len()), "{}", slice.keys.len());
            assert!(!slice.is_anew);
            for key in slice.keys {
                assert!(seen.insert(key.clone()), "{key} twice");
            }
        }
        assert_eq!(seen.len(), 3 * SLICE);
    }

    /// What was lost and came back meanwhile had the deadline from before: its heartbeats went to
    /// the one who had it in between.
    #[tokio::test]
    async fn what_was_not_looked_at_when_servers_change_again_is_begun_anew() {
        let registry = testing::registry();
        let names = (0..3 * SLICE).map(|number| format!("s{}/i{number}", number % 1_000));
        let all = names.map(|name| testing::instance(&name, "10.0.0.1").into()).collect();
        registry.submit(Command::Register(all)).await.unwrap();
        for slices in 0..2 {
            let mut unlooked = Unlooked::default();
            unlooked.again(&registry.snapshot());
            let seen: usize = (0..slices).map(|_| unlooked.next_slice().keys.len()).sum();
            unlooked.again(&registry.snapshot());
            let (mut anew, mut all) = (HashSet::new(), HashSet::new());
            while !unlooked.is_empty() {
                let Slice { keys, is_anew } = unlooked.next_slice();
                if is_anew { &mut anew } else { &mut all }.extend(keys);
            }
            assert_eq!((anew.len(), all.len()), (3 * SLICE - seen, 3 * SLICE));
        }
    }
}
