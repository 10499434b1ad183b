//! Those that are kept alive by heartbeats, by key and by a short name that timers keep.

use std::{hash::BuildHasher, sync::Arc, time::Duration};

use hashbrown::{DefaultHashBuilder, HashTable, hash_table::Entry};

use crate::{
    model::{CheckSpec, Instance, InstanceKey, Revision},
    util::{SlotId, Slots},
};

/// The lease of one `ttl` check.
#[derive(Debug)]
pub(super) struct Beat {
    /// The instance, shared with the snapshot: the key is read from it.
    pub instance: Arc<Instance>,
    /// Which of its checks.
    pub check: u8,
    /// Until which second of the clock a new word of it alone is not taken; 0 for one that is.
    pub quiet_until: u32,
    /// Of which registration.
    pub registered: Revision,
    pub deadline: Duration,
    pub phase: Phase,
    /// When its silence began, if that is counted.
    pub silent_since: Option<Duration>,
}

/// What is known of an instance that should send heartbeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    Alive,
    /// Silent, not yet decided.
    Silent,
    /// Silent and held until the given time.
    Held(Duration),
    /// Silent and believed dead.
    Lapsed,
}

/// Names one lease: not that of an earlier registration of the same key.
pub(super) type BeatId = SlotId;

/// All leases.
#[derive(Debug, Default)]
pub(super) struct Beats {
    slots: Slots<Beat>,
    /// The names only: keys are in the instances.
    by_key: HashTable<BeatId>,
    hasher: DefaultHashBuilder,
}

/// The memory of a lease is part of the promise of a million instances.
const _: () = assert!(Slots::<Beat>::SLOT_OCTETS <= 88, "a lease stays within 88 octets");

// === impl Beats ===

impl Beats {
    pub(super) fn find(&self, key: &InstanceKey, check: u8) -> Option<BeatId> {
        let is_it = |id: &BeatId| self.get(*id).is_some_and(|beat| beat.is_of(key, check));
        self.by_key.find(hash(&self.hasher, &key.service, &key.id, check), is_it).copied()
    }

    /// The leases of an instance, which has as many as it has `ttl` checks.
    pub(super) fn of<'b>(&'b self, instance: &'b Instance) -> impl Iterator<Item = &'b Beat> {
        let checks = (0_u8..).zip(instance.checks.iter()).filter(|(_, spec)| spec.ttl().is_some());
        checks.filter_map(|(check, _)| {
            let is_it = |id: &BeatId| self.get(*id).is_some_and(|b| b.is_like(instance, check));
            let hash = hash(&self.hasher, &instance.service, &instance.id, check);
            self.get(*self.by_key.find(hash, is_it)?)
        })
    }

    pub(super) fn get(&self, id: BeatId) -> Option<&Beat> {
        self.slots.get(id)
    }

    pub(super) fn get_mut(&mut self, id: BeatId) -> Option<&mut Beat> {
        self.slots.get_mut(id)
    }

    /// Takes a lease in place of the one with the same key, which should have been removed.
    pub(super) fn insert(&mut self, beat: Beat) -> BeatId {
        let (instance, check) = (Arc::clone(&beat.instance), beat.check);
        let id = self.slots.insert(beat);
        let Self { slots, by_key, hasher } = self;
        let hash_of = |id: &BeatId| slots.get(*id).map_or(0, |beat| beat.hash(hasher));
        let is_it = |other: &BeatId| slots.get(*other).is_some_and(|b| b.is_like(&instance, check));
        match by_key.entry(hash(hasher, &instance.service, &instance.id, check), is_it, hash_of) {
            Entry::Occupied(mut slot) => *slot.get_mut() = id,
            Entry::Vacant(slot) => drop(slot.insert(id)),
        }
        id
    }

    pub(super) fn remove(&mut self, id: BeatId) -> Option<Beat> {
        self.unname(id);
        self.slots.remove(id)
    }

    /// Makes leases those of other checks of another registration. No others of the same instance
    /// may be left.
    pub(super) fn move_to(
        &mut self,
        moved: &[(BeatId, u8)],
        instance: &Arc<Instance>,
        registered: Revision,
    ) {
        for (id, _) in moved {
            self.unname(*id);
        }
        for (id, check) in moved {
            let Some(beat) = self.slots.get_mut(*id) else { continue };
            (beat.instance, beat.check) = (Arc::clone(instance), *check);
            beat.registered = registered;
            let Self { slots, by_key, hasher } = self;
            let hash_of = |id: &BeatId| slots.get(*id).map_or(0, |beat| beat.hash(hasher));
            by_key.insert_unique(hash_of(id), *id, hash_of);
        }
    }

    /// Takes a lease out of the names.
    fn unname(&mut self, id: BeatId) {
        let Some(hash) = self.get(id).map(|beat| beat.hash(&self.hasher)) else { return };
        if let Ok(slot) = self.by_key.find_entry(hash, |other| *other == id) {
            slot.remove();
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (BeatId, &Beat)> {
        self.slots.iter()
    }
}

// === impl Beat ===

impl Beat {
    pub(super) fn key(&self) -> InstanceKey {
        self.instance.key()
    }

    /// The longest silence that is believed.
    pub(super) fn ttl(&self) -> Duration {
        let spec = self.instance.checks.get(usize::from(self.check));
        spec.and_then(CheckSpec::ttl).unwrap_or_default()
    }

    /// Whether its end is the instance's.
    pub(super) fn is_lease(&self) -> bool {
        let spec = self.instance.checks.get(usize::from(self.check));
        spec.is_some_and(CheckSpec::is_lease)
    }

    /// Whether its instance has no other `ttl` check.
    pub(super) fn is_alone(&self) -> bool {
        self.instance.checks.iter().filter(|spec| spec.ttl().is_some()).count() == 1
    }

    fn is_of(&self, key: &InstanceKey, check: u8) -> bool {
        let Self { instance, check: own, .. } = self;
        *own == check && instance.id == key.id && instance.service == key.service
    }

    fn is_like(&self, other: &Instance, check: u8) -> bool {
        let Self { instance, check: own, .. } = self;
        *own == check && instance.id == other.id && instance.service == other.service
    }

    fn hash(&self, hasher: &DefaultHashBuilder) -> u64 {
        hash(hasher, &self.instance.service, &self.instance.id, self.check)
    }
}

fn hash(
    hasher: &DefaultHashBuilder,
    service: &impl std::hash::Hash,
    id: &impl std::hash::Hash,
    check: u8,
) -> u64 {
    hasher.hash_one((service, id, check))
}
