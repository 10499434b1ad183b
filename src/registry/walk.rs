//! A way through all instances and nodes, some at a time.
//!
//! To look at a million takes a good part of a second, and when servers come or go all of them do
//! it at the same time, in several tasks, while changes are to be shown and other processes want to
//! run. So who has the time looks at one slice, and rests. Nothing is kept but a place: what is met
//! is what is there at that moment. What comes or goes behind it is seen in its event.
//!
//! Rejected: to take a list of all of it along, which is a walk in one go by itself.

use std::{sync::Arc, time::Duration};

use super::{Member, Snapshot, shards::SHARDS};

/// Instances that are looked at in one go, which takes about a millisecond; of a larger service
/// all.
pub const SLICE: usize = 2_048;

/// How many times as long as a slice took there is none after it.
const REST: u32 = 3;

/// There is none for so long at least: the step of timers.
const REST_MIN: Duration = Duration::from_millis(1);

/// A place, and how far it is from there. It goes round, and begins where it is: if servers come
/// and go more often than it takes, everything has its turn as well.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    /// Which shard is next, of the services' first, then of the nodes'.
    at: usize,
    /// How many are left.
    left: usize,
}

/// Shards on the way.
const ROUND: usize = 2 * SHARDS;

// === impl Walk ===

impl Walk {
    /// Begins: everything is to be met from now on.
    pub fn again(&mut self) {
        self.left = ROUND;
    }

    /// Whether nothing is left.
    pub fn is_over(&self) -> bool {
        self.left == 0
    }

    /// The next slice of a snapshot, which came from the one before by changes.
    pub fn next<'s>(&mut self, snapshot: &'s Snapshot) -> Vec<&'s Arc<Member>> {
        let mut slice = Vec::new();
        while slice.len() < SLICE && !self.is_over() {
            match self.at.checked_sub(SHARDS) {
                None => {
                    let services = snapshot.services.shard(self.at);
                    slice.extend(services.flat_map(|(_, entry)| &entry.members));
                }
                Some(number) => {
                    slice.extend(snapshot.nodes.shard(number).map(|(_, node)| node));
                }
            }
            self.at = (self.at + 1) % ROUND;
            self.left -= 1;
        }
        slice
    }
}

/// When the next slice is due, after one that took this time.
pub fn rested(began: Duration, ended: Duration) -> Duration {
    ended + REST_MIN.max(ended.saturating_sub(began) * REST)
}

#[cfg(test)]
mod tests {
    use std::{collections::HashSet, time::Duration};

    use super::{REST, REST_MIN, SLICE, Walk, rested};
    use crate::{
        model::{Command, InstanceKey},
        registry::testing,
    };

    fn keys(walk: &mut Walk, registry: &super::super::Registry) -> Vec<InstanceKey> {
        walk.next(&registry.snapshot()).into_iter().map(|member| member.key()).collect()
    }

    #[tokio::test]
    async fn slices_are_bounded_and_have_everything_once() {
        let registry = testing::registry_of(3 * SLICE).await;
        let (mut walk, mut seen) = (Walk::default(), HashSet::new());
        assert!(walk.is_over());
        walk.again();
        while !walk.is_over() {
            let keys = keys(&mut walk, &registry);
            assert!(keys.len() < SLICE + 100, "{}", keys.len());
            assert!(walk.is_over() || keys.len() >= SLICE, "{}", keys.len());
            for key in keys {
                assert!(seen.insert(key.clone()), "{key} twice");
            }
        }
        assert_eq!(seen.len(), 3 * SLICE + 1, "all, and a node");
        assert!(seen.iter().any(|key| key.service.is_nodes()));
    }

    #[tokio::test]
    async fn what_changes_ahead_is_met_as_it_is_then() {
        let registry = testing::registry_of(3 * SLICE).await;
        let mut walk = Walk::default();
        walk.again();
        let mut seen: HashSet<_> = keys(&mut walk, &registry).into_iter().collect();
        let all: Vec<_> = registry.snapshot().members().map(|member| member.key()).collect();
        let ahead: Vec<_> = all.into_iter().filter(|key| !seen.contains(key)).collect();
        for key in ahead.iter().step_by(2).take(100) {
            registry.submit(Command::Deregister(key.clone())).await.unwrap();
        }
        while !walk.is_over() {
            seen.extend(keys(&mut walk, &registry));
        }
        assert_eq!(seen.len(), 3 * SLICE + 1 - 100);
    }

    /// Whoever is at the end would have to wait until no server comes or goes for a while.
    #[tokio::test]
    async fn everything_has_its_turn_however_often_it_is_begun() {
        let registry = testing::registry_of(3 * SLICE).await;
        let (mut walk, mut seen) = (Walk::default(), HashSet::new());
        for _ in 0..4 {
            walk.again();
            seen.extend(keys(&mut walk, &registry));
        }
        assert_eq!(seen.len(), 3 * SLICE + 1);
    }

    #[test]
    fn a_rest_is_longer_than_what_was_done() {
        let (began, millis) = (Duration::from_secs(7), Duration::from_millis);
        assert_eq!(rested(began, began + millis(2)), began + millis(2) * (1 + REST));
        assert_eq!(rested(began, began), began + REST_MIN);
    }
}
