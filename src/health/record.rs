//! One compact record per check, in a table whose places are used again.

use std::{sync::Arc, time::Duration};

use crate::{
    model::{CheckSpec, Instance, Revision, Streak, Thresholds},
    util::{SlotId, Slots},
};

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

/// Names a check for as long as it exists.
pub(super) type CheckId = SlotId;

/// The table of checks.
pub(super) type Records = Slots<Record>;

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

/// The memory of an idle check is part of the promise of 100,000 checks.
const _: () = assert!(Records::SLOT_OCTETS <= 72, "a record stays within 72 octets");
