//! Keeps the set of checks in step with the registry.
//!
//! It starts from a snapshot and goes on with the events after it. What an event says is not
//! trusted beyond the key: the current snapshot is asked what is there now, so that any number of
//! events about one instance come to the same end, in whatever order they are read. When the
//! events are no longer kept, the difference to a snapshot does the same for all instances.

use std::{hash::BuildHasher, iter, sync::Arc, time::Duration};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use super::record::{CheckId, Record, Records};
use crate::{
    model::{CheckSpec, CheckState, EventKind, Instance, InstanceKey, Revision, Streak},
    registry::{Gone, Member, Ownership, Registry, Snapshot, Walk, rested},
};

/// Events that are followed in one go, so that a bulk registration does not hold up results.
const EVENTS_MAX: usize = 4_096;

/// All checks, as of some revision of the registry.
#[derive(Debug)]
pub(super) struct Roster {
    records: Records,
    /// The first check of each instance that has an active one; the others hang on it. Neither keys
    /// nor lists are kept: the records have it all.
    by_key: HashTable<CheckId>,
    hasher: DefaultHashBuilder,
    /// The set is complete up to here.
    since: Revision,
    /// Which instances are checked here, and which by other servers.
    ownership: Ownership,
    /// What has yet to be looked at since servers have come or gone.
    unlooked: Walk,
    /// When that goes on.
    looks_at: Duration,
}

/// What changed in the set.
#[derive(Debug, Default)]
pub(super) struct Turnover {
    /// Checks that are new.
    pub come: Vec<(CheckId, FirstRun)>,
    /// Checks that are no more.
    pub gone: Vec<(CheckId, Record)>,
}

/// When a new check runs for the first time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FirstRun {
    /// Nothing is known of it yet, and somebody waits for it.
    AtOnce,
    /// Its last state is known; it is checked again soon, but not together with all others.
    Soon,
}

// === impl Roster ===

impl Roster {
    /// No checks yet.
    pub(super) fn new(ownership: Ownership) -> Self {
        Self {
            records: Records::default(),
            by_key: HashTable::new(),
            hasher: DefaultHashBuilder::default(),
            since: Revision::default(),
            ownership,
            unlooked: Walk::default(),
            looks_at: Duration::ZERO,
        }
    }

    /// The check, if it is still there.
    pub(super) fn get(&self, id: CheckId) -> Option<&Record> {
        self.records.get(id)
    }

    /// The check, if it is still there.
    pub(super) fn get_mut(&mut self, id: CheckId) -> Option<&mut Record> {
        self.records.get_mut(id)
    }

    /// How many checks there are.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// Makes the set that of `snapshot`, by difference.
    pub(super) fn resync(&mut self, snapshot: &Snapshot, now: Duration) -> Turnover {
        let mut turnover = Turnover::default();
        let keys = self.by_key.iter().filter_map(|id| Some(self.get(*id)?.instance.key()));
        let is_here = |key: &InstanceKey| snapshot.member(key).is_some();
        let left = keys.filter(|key| !is_here(key) || !self.ownership.checks(key));
        let left: Vec<_> = left.collect();
        for key in left {
            self.drop_checks(&key, &mut turnover);
        }
        for member in snapshot.members().filter(|member| is_checked(member)) {
            self.sync(&member.key(), Some(member), now, &mut turnover);
        }
        self.since = snapshot.revision;
        self.unlooked = Walk::default();
        turnover
    }

    /// Notes that servers have come or gone, so that all is to be looked at. What was lost and has
    /// come back before it was come upon goes on with its count, which is seconds old.
    pub(super) fn look_again(&mut self) {
        self.unlooked.again();
    }

    /// When there is something to look at; `None` if there is nothing.
    pub(super) fn looks_at(&self) -> Option<Duration> {
        (!self.unlooked.is_over()).then_some(self.looks_at)
    }

    /// Takes what has become this server's task, and drops what no longer is, of a slice. What is
    /// gone from the registry is seen in its event.
    pub(super) fn look_at_some(&mut self, snapshot: &Snapshot, now: Duration) -> Turnover {
        let mut turnover = Turnover::default();
        for member in self.unlooked.next(snapshot).into_iter().filter(|it| is_checked(it)) {
            self.sync(&member.key(), Some(member), now, &mut turnover);
        }
        turnover
    }

    /// Rests after a slice, and what it has led to.
    pub(super) fn rest(&mut self, began: Duration, ended: Duration) {
        self.looks_at = rested(began, ended);
    }

    /// Drops the checks of an instance that is another server's task now, and was not looked at
    /// yet; `None` if it is this server's.
    pub(super) fn give_up(&mut self, id: CheckId) -> Option<Turnover> {
        let key = self.get(id)?.instance.key();
        let mut turnover = Turnover::default();
        (!self.ownership.checks(&key)).then(|| {
            self.drop_checks(&key, &mut turnover);
            turnover
        })
    }

    /// Follows some of the events since the last time, and says whether that was all.
    pub(super) fn catch_up(&mut self, registry: &Registry, now: Duration) -> (Turnover, bool) {
        let (events, until) = match registry.events().after(self.since, EVENTS_MAX) {
            Ok(found) => found,
            Err(Gone { oldest }) => {
                tracing::debug!(since = %self.since, %oldest, "fell behind; comparing snapshots");
                return (self.resync(&registry.snapshot(), now), true);
            }
        };
        let snapshot = registry.snapshot();
        let mut turnover = Turnover::default();
        for event in &events {
            if let EventKind::Registered { key, .. } | EventKind::Deregistered { key, .. } =
                &event.kind
            {
                let member = snapshot.member(key).map(AsRef::as_ref);
                let first = turnover.come.len();
                self.sync(key, member, now, &mut turnover);
                // Registered just now: also with a state taken over from the registration before.
                for (_, run) in &mut turnover.come[first..] {
                    *run = FirstRun::AtOnce;
                }
            }
        }
        self.since = until;
        (turnover, events.len() < EVENTS_MAX)
    }

    /// Makes the checks of one instance those of `member`.
    fn sync(
        &mut self,
        key: &InstanceKey,
        member: Option<&Member>,
        now: Duration,
        turnover: &mut Turnover,
    ) {
        let member = member.filter(|member| is_checked(member) && self.ownership.checks(key));
        let current = member.map(|member| member.registered);
        let first = self.first_of(key);
        let known = first.and_then(|id| self.get(id)).map(|record| record.registered);
        if current.is_some() && known == current {
            return;
        }
        let Some(member) = member else {
            self.drop_checks(key, turnover);
            return;
        };
        let mut before: Vec<CheckId> = self.chain(first).collect();
        let mut checks = Vec::new();
        for (index, (spec, state)) in (0..).zip(member.instance.checks.iter().zip(&member.checks)) {
            if spec.thresholds().is_none() {
                continue;
            }
            if let Some(id) = self.take_over(&mut before, (member, index), state) {
                checks.push(id);
                continue;
            }
            let id = self.records.insert(Record {
                instance: member.instance.clone(),
                registered: member.registered,
                due: now,
                output_from: now,
                streak: self.streak_so_far(&before, spec, member, state),
                index,
                next: None,
                is_first: true,
                is_running: false,
                has_result: false,
            });
            let run = if state.awaits_first_result() { FirstRun::AtOnce } else { FirstRun::Soon };
            checks.push(id);
            turnover.come.push((id, run));
        }
        self.link(key, &checks);
        for id in before {
            turnover.gone.extend(self.records.remove(id).map(|record| (id, record)));
        }
    }

    /// The first of an instance's checks.
    fn first_of(&self, key: &InstanceKey) -> Option<CheckId> {
        let is_it = |id: &CheckId| self.get(*id).is_some_and(|record| is_of(&record.instance, key));
        self.by_key
            .find(hash_of(&self.hasher, key.service.as_str(), key.id.as_str()), is_it)
            .copied()
    }

    /// A check and those after it of the same instance.
    fn chain(&self, first: Option<CheckId>) -> impl Iterator<Item = CheckId> {
        iter::successors(first, |id| self.get(*id)?.next)
    }

    /// Hangs the checks of an instance on its key, in their order.
    fn link(&mut self, key: &InstanceKey, checks: &[CheckId]) {
        let nexts = checks.iter().skip(1).copied().map(Some).chain(iter::once(None));
        for (id, next) in checks.iter().zip(nexts) {
            if let Some(record) = self.records.get_mut(*id) {
                record.next = next;
            }
        }
        let Some(&first) = checks.first() else { return };
        let Self { records, by_key, hasher, .. } = self;
        let instance_of = |id: &CheckId| records.get(*id).map(|record| &record.instance);
        let entry = by_key.entry(
            hash_of(hasher, key.service.as_str(), key.id.as_str()),
            |id| instance_of(id).is_some_and(|instance| is_of(instance, key)),
            |id| instance_of(id).map_or(0, |i| hash_of(hasher, i.service.as_str(), i.id.as_str())),
        );
        match entry {
            Entry::Occupied(mut slot) => *slot.get_mut() = first,
            Entry::Vacant(slot) => drop(slot.insert(first)),
        }
    }

    /// Goes on with a check of the registration before that is the same in this one: its turn, its
    /// probe in flight and what was counted stay. Otherwise an instance whose weight is set anew
    /// more often than it takes to count to `fall` would never be found dead.
    fn take_over(
        &mut self,
        before: &mut Vec<CheckId>,
        (member, index): (&Member, u8),
        state: &CheckState,
    ) -> Option<CheckId> {
        let new = &*member.instance;
        let at = before.iter().position(|id| {
            self.records.get(*id).is_some_and(|record| {
                let old = &*record.instance;
                let is_same = *record.spec() == new.checks[usize::from(index)]
                    && old.addresses == new.addresses
                    && old.port == new.port;
                // Gone and registered anew in the meantime: it is checked at once.
                is_same && !(record.has_result && state.awaits_first_result())
            })
        })?;
        let id = before.remove(at);
        let record = self.records.get_mut(id)?;
        record.instance = Arc::clone(&member.instance);
        record.registered = member.registered;
        record.index = index;
        Some(id)
    }

    /// The count that a new check begins with: that of one that did the same with other thresholds,
    /// so that thresholds that are set anew all the time hide no death either.
    fn streak_so_far(
        &self,
        before: &[CheckId],
        spec: &CheckSpec,
        member: &Member,
        state: &CheckState,
    ) -> Streak {
        let new = &*member.instance;
        before
            .iter()
            .filter_map(|id| self.records.get(*id))
            .find(|record| {
                let old = &*record.instance;
                record.spec().probes_the_same(spec)
                    && old.addresses == new.addresses
                    && old.port == new.port
                    // Otherwise the registry knows something else, and that is what counts.
                    && record.streak.believed() == state.status
            })
            .map_or_else(|| Streak::new(state.status), |record| record.streak)
    }

    fn drop_checks(&mut self, key: &InstanceKey, turnover: &mut Turnover) {
        let Some(first) = self.first_of(key) else { return };
        let hash = hash_of(&self.hasher, key.service.as_str(), key.id.as_str());
        if let Ok(slot) = self.by_key.find_entry(hash, |id| *id == first) {
            slot.remove();
        }
        let checks: Vec<CheckId> = self.chain(Some(first)).collect();
        for id in checks {
            turnover.gone.extend(self.records.remove(id).map(|record| (id, record)));
        }
    }
}

fn hash_of(hasher: &DefaultHashBuilder, service: &str, id: &str) -> u64 {
    hasher.hash_one((service, id))
}

fn is_of(instance: &Instance, key: &InstanceKey) -> bool {
    instance.id == key.id && instance.service == key.service
}

/// Whether any of its checks is an active one.
fn is_checked(member: &Member) -> bool {
    member.instance.checks.iter().any(|check| check.thresholds().is_some())
}

#[cfg(test)]
mod tests;
