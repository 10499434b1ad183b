//! One compact record per check, in a table whose places are used again.

use std::{iter, num::NonZeroU32, sync::Arc, time::Duration};

use crate::model::{CheckSpec, Instance, Revision, Streak, Thresholds};

/// All that is kept of one check between two probes. Times are on the clock's monotonic scale.
#[derive(Debug)]
pub(super) struct Record {
    /// The instance, shared with the registry.
    pub instance: Arc<Instance>,
    /// The registration that the check belongs to.
    pub registered: Revision,
    /// When it is to start next.
    pub due: Duration,
    /// Until then a new output text alone is not reported.
    pub output_from: Duration,
    /// Which results were seen in a row.
    pub streak: Streak,
    /// Which of the instance's checks it is; there are at most sixteen.
    pub index: u8,
    /// The next check of the same instance.
    pub next: Option<CheckId>,
    /// Whether it never ran yet.
    pub is_first: bool,
    /// Whether its probe is in flight.
    pub is_running: bool,
    /// Whether any of its probes came back.
    pub has_result: bool,
}

/// Names a check for as long as it exists: a place in the table, and which of its tenants is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct CheckId {
    place: u32,
    tenancy: NonZeroU32,
}

/// The table of checks.
#[derive(Debug, Default)]
pub(super) struct Records {
    places: Vec<Place>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Place {
    tenancy: NonZeroU32,
    record: Option<Record>,
}

// === impl Record ===

impl Record {
    /// What is checked.
    pub(super) fn spec(&self) -> &CheckSpec {
        &self.instance.checks[usize::from(self.index)]
    }

    /// When it is checked and how many results are believed.
    pub(super) fn thresholds(&self) -> &Thresholds {
        self.spec().thresholds().expect("only active checks become records")
    }
}

// === impl Records ===

impl Records {
    /// Adds a check.
    pub(super) fn insert(&mut self, record: Record) -> CheckId {
        if let Some(place) = self.free.pop() {
            let slot = &mut self.places[place as usize];
            slot.record = Some(record);
            return CheckId { place, tenancy: slot.tenancy };
        }
        let place = u32::try_from(self.places.len()).expect("16 checks of 2,000,000 instances");
        let tenancy = NonZeroU32::MIN;
        self.places.push(Place { tenancy, record: Some(record) });
        CheckId { place, tenancy }
    }

    /// Takes a check out; its name means nothing from then on.
    pub(super) fn remove(&mut self, id: CheckId) -> Option<Record> {
        let slot = self.places.get_mut(id.place as usize)?;
        if slot.tenancy != id.tenancy {
            return None;
        }
        let record = slot.record.take()?;
        slot.tenancy = slot.tenancy.checked_add(1).unwrap_or(NonZeroU32::MIN);
        self.free.push(id.place);
        Some(record)
    }

    /// The check, if it still exists.
    pub(super) fn get(&self, id: CheckId) -> Option<&Record> {
        let slot = self.places.get(id.place as usize)?;
        slot.record.as_ref().filter(|_| slot.tenancy == id.tenancy)
    }

    /// The check, if it still exists.
    pub(super) fn get_mut(&mut self, id: CheckId) -> Option<&mut Record> {
        let slot = self.places.get_mut(id.place as usize)?;
        slot.record.as_mut().filter(|_| slot.tenancy == id.tenancy)
    }

    /// A check and those after it of the same instance.
    pub(super) fn chain(&self, first: Option<CheckId>) -> impl Iterator<Item = CheckId> {
        iter::successors(first, |id| self.get(*id)?.next)
    }

    /// How many checks there are.
    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

/// The memory of an idle check is part of the promise of 100,000 checks.
const _: () = assert!(size_of::<Place>() <= 72, "a record stays within 72 octets");
