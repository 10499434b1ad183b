//! What a silence means: a death, or that this server hears nothing.

use std::time::Duration;

use super::{
    DECISION_DELAY, Due, Leases, Timer,
    beats::{Beat, BeatId, Phase},
};
use crate::{model::InstanceKey, registry::SelfPreservation, util::SlotId};

// === impl Leases ===

impl Leases {
    /// Decides what silences mean that have lasted for long enough.
    pub(super) fn decide(&mut self, undecided: Vec<BeatId>, now: Duration, due: &mut Vec<Due>) {
        if !undecided.is_empty() && self.too_many_are_silent(now) {
            self.hold_all_of_the_window(now, due);
        }
        for id in undecided {
            self.lapse_if_silent(id, due);
        }
    }

    pub(super) fn on_beat(
        &mut self,
        id: BeatId,
        now: Duration,
        is_down: impl Fn(&InstanceKey) -> bool,
    ) {
        let Some(beat) = self.beats.get_mut(id) else { return };
        if beat.deadline > now {
            self.wheel.insert(beat.deadline, Timer::Beat(id));
            return;
        }
        beat.phase = Phase::Silent;
        if !is_down(&beat.key()) {
            beat.silent_since = Some(now);
            self.silences.insert((now, id));
        }
        self.wheel.insert(now + DECISION_DELAY, Timer::Decide(id));
    }

    pub(super) fn lapse_if_silent(&mut self, id: BeatId, due: &mut Vec<Due>) {
        let Some(beat) = self.beats.get(id).filter(|beat| beat.phase == Phase::Silent) else {
            return;
        };
        let (key, check, is_lease) = (beat.key(), beat.check, beat.is_lease());
        self.set_phase(id, Phase::Lapsed);
        if is_lease {
            self.remember_silence(&key);
        }
        due.push(Due::Lapse(key, check));
    }

    /// Has the silence of an instance count for as long as it would if that were not removed.
    pub(super) fn remember_silence(&mut self, key: &InstanceKey) {
        let mut latest = None;
        for check in 0..self.checks {
            let Some(id) = self.beats.find(key, check) else { continue };
            let Some(beat) = self.beats.get_mut(id) else { continue };
            if let Some(since) = beat.silent_since.take() {
                self.silences.remove(&(since, id));
                latest = latest.max(Some(since));
            }
        }
        if let Some(since) = latest {
            *self.gone.entry(since).or_default() += 1;
        }
    }

    /// Whether the silences of the window are more than can be believed.
    pub(super) fn too_many_are_silent(&mut self, now: Duration) -> bool {
        let SelfPreservation { enabled, window, min_silent, share_silent, .. } = self.settings;
        let opened = now.saturating_sub(window);
        // Older silences have been decided long since; only the count of the window forgets them.
        self.silences = self.silences.split_off(&(opened, SlotId::MIN));
        self.gone = self.gone.split_off(&opened);
        let gone: usize = self.gone.values().sum();
        let (mut silent, mut lapsed) = (gone, gone);
        for &(_, id) in self.silences.iter().filter(|(_, id)| self.is_first_silence(*id, opened)) {
            silent += 1;
            lapsed += usize::from(!self.standing(id).is_kept);
        }
        let all = self.kept + lapsed;
        #[expect(clippy::cast_precision_loss, reason = "at most two million")]
        let (silent, all, least) = (silent as f64, all as f64, min_silent as f64);
        enabled && silent > (share_silent * all).max(least)
    }

    /// Whether no check before this one of the same instance is silent within the window, too.
    pub(super) fn is_first_silence(&self, id: BeatId, opened: Duration) -> bool {
        let Some(beat) = self.beats.get(id) else { return false };
        let is_counted = |beat: &Beat| beat.silent_since.is_some_and(|since| since >= opened);
        beat.is_alone()
            || !self.beats.of(&beat.instance).any(|b| b.check < beat.check && is_counted(b))
    }

    pub(super) fn hold_all_of_the_window(&mut self, now: Duration, due: &mut Vec<Due>) {
        let until = now + self.settings.max_hold;
        let silences: Vec<BeatId> = self.silences.iter().map(|&(_, id)| id).collect();
        for id in silences {
            let beat = self.beats.get(id).expect("a silence is dropped with its beat");
            if matches!(beat.phase, Phase::Alive | Phase::Held(_)) {
                continue;
            }
            due.push(Due::Hold(beat.key(), beat.check));
            self.set_phase(id, Phase::Held(until));
            self.wheel.insert(until, Timer::Release(id));
        }
    }

    pub(super) fn release(&mut self, id: BeatId, now: Duration, due: &mut Vec<Due>) {
        let Some(beat) = self.beats.get(id) else { return };
        if let Phase::Held(until) = beat.phase
            && until <= now
        {
            due.push(Due::Lapse(beat.key(), beat.check));
            self.set_phase(id, Phase::Lapsed);
        }
    }
}
