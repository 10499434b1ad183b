//! Whose task which instance is, after servers have come or gone: looked at some at a time.
//!
//! To look at a million instances takes half a second, and all servers do it at the same time. The
//! writer has changes to show and heartbeats to hear meanwhile, and other processes want to run: it
//! looks at one slice, and rests. An instance that has become this server's task has a full ttl
//! from its slice on; heartbeats of one that is no longer go to its new owner at once, whatever is
//! still counted here.
//!
//! All at once is only what has to be: where this server's own leases count for nothing, since
//! others have done its work meanwhile, none of them may run out before it was begun anew.

use std::{sync::Arc, time::Duration};

use crate::registry::{Member, Snapshot, apply::Applier, lease::Due, snapshot::ServiceEntry};

/// Instances that are looked at in one go, which takes about a millisecond; of a larger service
/// all.
pub(in crate::registry) const SLICE: usize = 2_048;

/// How many times as long as a slice took there is none after it.
const REST: u32 = 3;

/// There is none for so long at least: the step of timers.
const REST_MIN: Duration = Duration::from_millis(1);

/// What has yet to be looked at.
#[derive(Debug, Default)]
pub(super) struct Unlooked {
    /// When the next slice is due.
    next_at: Duration,
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

/// What is looked at in one go: of these what is there now. What has come since was looked at when
/// it came, and so was what has gone.
struct Slice {
    services: Vec<Arc<ServiceEntry>>,
    nodes: Vec<Arc<Member>>,
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
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.now.is_empty()
    }

    /// When there is something to look at.
    pub(super) fn next_at(&self) -> Option<Duration> {
        (!self.is_empty()).then_some(self.next_at)
    }

    fn next_slice(&mut self) -> Slice {
        let is_anew = !self.before.is_empty();
        let walk = if is_anew { &mut self.before } else { &mut self.now };
        let (services, nodes) = walk.next();
        Slice { services, nodes, is_anew }
    }

    /// Rests after a slice.
    fn rest(&mut self, began: Duration, ended: Duration) {
        self.next_at = ended + REST_MIN.max(ended.saturating_sub(began) * REST);
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

    fn next(&mut self) -> (Vec<Arc<ServiceEntry>>, Vec<Arc<Member>>) {
        let (mut services, mut count) = (Vec::new(), 0);
        while count < SLICE
            && let Some(entry) = self.services.pop()
        {
            count += entry.members.len();
            services.push(entry);
        }
        let rest = self.nodes.len().saturating_sub(SLICE.saturating_sub(count));
        (services, self.nodes.drain(rest..).collect())
    }
}

// === impl Slice ===

impl Slice {
    /// What is there now.
    fn members<'s>(&self, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s Arc<Member>> {
        let services =
            self.services.iter().filter_map(|entry| snapshot.service(entry.name.as_str()));
        let nodes = self.nodes.iter().filter_map(|node| snapshot.member_like(&node.instance));
        services.flat_map(|entry| &entry.members).chain(nodes)
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
        let now = self.clock.elapsed();
        if sharing.unlooked.next_at().is_none_or(|at| at > now) {
            return;
        }
        let snapshot = self.registry.snapshot();
        let slice = sharing.unlooked.next_slice();
        for member in slice.members(&snapshot) {
            let key = member.key();
            if slice.is_anew {
                self.leases.follow(&key, None, now);
            }
            let kept = Some(&**member).filter(|_| sharing.keeps(&key));
            self.leases.follow(&key, kept, now);
        }
        sharing.unlooked.rest(now, self.clock.elapsed());
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
    use std::{collections::HashSet, time::Duration};

    use super::{REST, REST_MIN, SLICE, Slice, Unlooked};
    use crate::{
        model::{Command, InstanceKey},
        registry::{Registry, testing},
    };

    async fn registry() -> Registry {
        let registry = testing::registry();
        let names = (0..3 * SLICE).map(|number| format!("s{}/i{number}", number % 1_000));
        let all = names.map(|name| testing::instance(&name, "10.0.0.1").into()).collect();
        registry.submit(Command::Register(all)).await.unwrap();
        registry
    }

    fn keys(slice: &Slice, registry: &Registry) -> Vec<InstanceKey> {
        slice.members(&registry.snapshot()).map(|member| member.key()).collect()
    }

    #[tokio::test]
    async fn slices_are_bounded_and_have_everything_once() {
        let registry = registry().await;
        let mut unlooked = Unlooked::default();
        unlooked.again(&registry.snapshot());
        let mut seen = HashSet::new();
        while !unlooked.is_empty() {
            let slice = unlooked.next_slice();
            let keys = keys(&slice, &registry);
            assert!((1..SLICE + 10).contains(&keys.len()), "{}", keys.len());
            assert!(!slice.is_anew);
            for key in keys {
                assert!(seen.insert(key.clone()), "{key} twice");
            }
        }
        assert_eq!(seen.len(), 3 * SLICE);
    }

    #[tokio::test]
    async fn after_a_slice_it_rests_until_nothing_is_left() {
        let registry = registry().await;
        let mut unlooked = Unlooked::default();
        assert_eq!(unlooked.next_at(), None);
        unlooked.again(&registry.snapshot());
        let millis = Duration::from_millis;
        let mut took_and_rest =
            [(millis(2), millis(2) * REST), (millis(0), REST_MIN)].into_iter().cycle();
        let mut now = Duration::from_secs(7);
        while unlooked.next_at().is_some_and(|at| at <= now) {
            unlooked.next_slice();
            let (took, rest) = took_and_rest.next().unwrap();
            unlooked.rest(now, now + took);
            now += took;
            if let Some(at) = unlooked.next_at() {
                assert_eq!(at, now + rest);
                now = at;
            }
        }
        assert!(unlooked.is_empty());
    }

    /// What was lost and came back meanwhile had the deadline from before: its heartbeats went to
    /// the one who had it in between.
    #[tokio::test]
    async fn what_was_not_looked_at_when_servers_change_again_is_begun_anew() {
        let registry = registry().await;
        for slices in 0..2 {
            let mut unlooked = Unlooked::default();
            unlooked.again(&registry.snapshot());
            let seen: usize =
                (0..slices).map(|_| keys(&unlooked.next_slice(), &registry).len()).sum();
            unlooked.again(&registry.snapshot());
            let (mut anew, mut all) = (HashSet::new(), HashSet::new());
            while !unlooked.is_empty() {
                let slice = unlooked.next_slice();
                if slice.is_anew { &mut anew } else { &mut all }.extend(keys(&slice, &registry));
            }
            assert_eq!((anew.len(), all.len()), (3 * SLICE - seen, 3 * SLICE));
        }
    }
}
