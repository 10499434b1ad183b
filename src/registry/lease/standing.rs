//! What an instance counts as among those that are kept alive by heartbeats.

use super::{
    Leases,
    beats::{Beat, BeatId, Phase},
};
use crate::model::InstanceKey;

/// What an instance counts as: a client that is silent is one, whatever the number of its checks.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Standing {
    pub(super) is_kept: bool,
    pub(super) is_held: bool,
}

// === impl Leases ===

impl Leases {
    /// Changes the phase of one lease, and what its instance counts as.
    pub(super) fn set_phase(&mut self, id: BeatId, phase: Phase) {
        let before = self.standing(id);
        if let Some(beat) = self.beats.get_mut(id) {
            beat.phase = phase;
        }
        self.count(before, self.standing(id));
    }

    /// What the instance of a lease counts as.
    pub(super) fn standing(&self, id: BeatId) -> Standing {
        match self.beats.get(id) {
            None => Standing::default(),
            Some(beat) if beat.is_alone() => Standing::of([beat]),
            Some(beat) => Standing::of(self.beats.of(&beat.instance)),
        }
    }

    /// What an instance counts as, also while its checks are being exchanged.
    pub(super) fn standing_of(&self, key: &InstanceKey) -> Standing {
        let beats = (0..self.checks).filter_map(|check| self.beats.find(key, check));
        Standing::of(beats.filter_map(|id| self.beats.get(id)))
    }

    pub(super) fn count(&mut self, before: Standing, after: Standing) {
        self.kept += usize::from(after.is_kept);
        self.kept -= usize::from(before.is_kept);
        self.held += usize::from(after.is_held);
        self.held -= usize::from(before.is_held);
    }
}

// === impl Standing ===

impl Standing {
    fn of<'b>(beats: impl IntoIterator<Item = &'b Beat>) -> Self {
        let mut standing = Self::default();
        for beat in beats {
            standing.is_kept |= beat.phase != Phase::Lapsed;
            standing.is_held |= matches!(beat.phase, Phase::Held(_));
        }
        standing
    }
}
