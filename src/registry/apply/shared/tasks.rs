//! Whose task which instance is, after servers have come or gone: looked at some at a time.
//!
//! The writer has changes to show and heartbeats to hear meanwhile. An instance that has become
//! this server's task has a full ttl from its slice on; heartbeats of one that is no longer go to
//! its new owner at once, whatever is still counted here.
//!
//! All at once is only what has to be: where this server's own leases count for nothing, since
//! others have done its work meanwhile, none of them may run out before it was begun anew.

use std::{sync::Arc, time::Duration};

use crate::registry::{Member, Snapshot, Walk, apply::Applier, lease::Due, rested};

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

/// What is looked at in one go.
struct Slice<'s> {
    members: Vec<&'s Arc<Member>>,
    /// Whether their leases begin anew.
    is_anew: bool,
}

// === impl Unlooked ===

impl Unlooked {
    /// Everything again, because the servers are others than before.
    pub(super) fn again(&mut self) {
        match self.before.is_over() {
            true => self.before = self.now.clone(),
            // `now` was everything.
            false => self.before.again(),
        }
        self.now.again();
    }

    /// Whether nothing is left.
    fn is_empty(&self) -> bool {
        self.before.is_over() && self.now.is_over()
    }

    /// When there is something to look at.
    pub(super) fn next_at(&self) -> Option<Duration> {
        (!self.is_empty()).then_some(self.next_at)
    }

    fn next_slice<'s>(&mut self, snapshot: &'s Snapshot) -> Slice<'s> {
        let is_anew = !self.before.is_over();
        let walk = if is_anew { &mut self.before } else { &mut self.now };
        Slice { members: walk.next(snapshot), is_anew }
    }

    /// Rests after a slice.
    fn rest(&mut self, began: Duration, ended: Duration) {
        self.next_at = rested(began, ended);
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
        let slice = sharing.unlooked.next_slice(&snapshot);
        for member in slice.members {
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

    use super::Unlooked;
    use crate::registry::{SLICE, testing::registry_of};

    const MILLI: Duration = Duration::from_millis(1);

    /// What was lost and came back meanwhile had the deadline from before: its heartbeats went to
    /// the one who had it in between.
    #[tokio::test]
    async fn what_was_not_looked_at_when_servers_change_again_is_begun_anew() {
        let registry = registry_of(3 * SLICE).await;
        let (snapshot, now) = (registry.snapshot(), Duration::from_secs(7));
        for slices in 0..2 {
            let mut unlooked = Unlooked::default();
            assert_eq!(unlooked.next_at(), None);
            unlooked.again();
            let seen: usize =
                (0..slices).map(|_| unlooked.next_slice(&snapshot).members.len()).sum();
            unlooked.again();
            let (mut anew, mut all) = (HashSet::new(), HashSet::new());
            while unlooked.next_at().is_some() {
                let slice = unlooked.next_slice(&snapshot);
                unlooked.rest(now, now + MILLI);
                assert!(unlooked.next_at().is_none_or(|at| at > now + MILLI));
                let met = if slice.is_anew { &mut anew } else { &mut all };
                met.extend(slice.members.into_iter().map(|member| member.key()));
            }
            assert_eq!((anew.len(), all.len()), (3 * SLICE + 1 - seen, 3 * SLICE + 1));
        }
    }
}
