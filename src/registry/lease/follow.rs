//! How leases follow their instances: begun, renewed, carried on and forgotten.

use std::{sync::Arc, time::Duration};

use super::{
    Leases, Timer,
    beats::{Beat, BeatId, Phase},
};
use crate::{
    model::{CheckSpec, InstanceKey},
    registry::Member,
};

// === impl Leases ===

impl Leases {
    /// Looks for as many checks from now on as this instance has.
    pub(super) fn make_room(&mut self, member: &Member) {
        let last = member.instance.checks.iter().rposition(|spec| spec.ttl().is_some());
        let last = last.and_then(|last| u8::try_from(last).ok());
        self.checks = self.checks.max(last.map_or(0, |last| last + 1));
    }

    /// Lets leases go on with a registration in place of the one that they are of: `from` says for
    /// each of its checks which one it was. All others of the instance are forgotten.
    pub(in crate::registry) fn carry(&mut self, member: &Member, from: &[Option<usize>]) {
        let key = member.key();
        self.make_room(member);
        let before = self.standing_of(&key);
        let mut moved: Vec<(BeatId, u8)> = Vec::with_capacity(from.len());
        for (to, from) in (0..=u8::MAX).zip(from) {
            let from = from.and_then(|from| u8::try_from(from).ok());
            let Some(id) = from.and_then(|from| self.beats.find(&key, from)) else { continue };
            if moved.iter().all(|(other, _)| *other != id) {
                moved.push((id, to));
            }
        }
        for check in 0..self.checks {
            let id = self.beats.find(&key, check);
            if id.is_some_and(|id| moved.iter().all(|(other, _)| *other != id)) {
                self.forget_beat(&key, check);
            }
        }
        self.beats.move_to(&moved, &member.instance, member.registered);
        self.count(before, self.standing_of(&key));
    }

    pub(super) fn follow_beats(&mut self, key: &InstanceKey, member: &Member, now: Duration) {
        for check in 0..self.checks {
            match member.instance.checks.get(usize::from(check)).and_then(CheckSpec::ttl) {
                None => self.forget_beat(key, check),
                Some(ttl) => self.follow_beat((key, check), member, ttl, now),
            }
        }
    }

    /// Follows one `ttl` check; whoever calls counts the instance anew.
    pub(super) fn follow_beat(
        &mut self,
        (key, check): (&InstanceKey, u8),
        member: &Member,
        ttl: Duration,
        now: Duration,
    ) {
        if let Some(id) = self.beats.find(key, check)
            && let Some(beat) = self.beats.get_mut(id)
            && beat.registered == member.registered
        {
            let state = member.checks.get(usize::from(check));
            if matches!(beat.phase, Phase::Held(_)) && member.is_found_dead() {
                // An active check that found it dead ends its hold.
                beat.phase = Phase::Lapsed;
            } else if beat.phase == Phase::Lapsed
                && !member.is_found_dead()
                && state.is_some_and(|state| state.status.is_up())
            {
                // Others say so: without a timer it would be shown for ever.
                (beat.phase, beat.deadline) = (Phase::Alive, now + ttl);
                if let Some(since) = beat.silent_since.take() {
                    self.silences.remove(&(since, id));
                }
                self.wheel.insert(now + ttl, Timer::Beat(id));
            }
            return;
        }
        self.forget_beat(key, check);
        let state = member.checks.get(usize::from(check));
        let lapsed = state.is_some_and(|state| !state.status.is_up());
        // What has ended a lease is no longer there.
        let is_lease =
            member.instance.checks.get(usize::from(check)).is_some_and(CheckSpec::is_lease);
        let lapsed = lapsed && !is_lease;
        let (instance, registered) = (Arc::clone(&member.instance), member.registered);
        let (deadline, phase) = (now + ttl, if lapsed { Phase::Lapsed } else { Phase::Alive });
        let silent_since = None;
        let quiet_until = 0;
        let beat = Beat { instance, check, quiet_until, registered, deadline, phase, silent_since };
        let id = self.beats.insert(beat);
        if !lapsed {
            self.wheel.insert(deadline, Timer::Beat(id));
        }
    }

    /// Forgets one lease; whoever calls counts the instance anew.
    pub(super) fn forget_beat(&mut self, key: &InstanceKey, check: u8) {
        let Some(id) = self.beats.find(key, check) else { return };
        let Some(beat) = self.beats.remove(id) else { return };
        if let Some(since) = beat.silent_since {
            self.silences.remove(&(since, id));
        }
    }

    pub(super) fn beat_one(&mut self, key: &InstanceKey, check: u8, now: Duration) {
        let Some(id) = self.beats.find(key, check) else { return };
        let Some(beat) = self.beats.get_mut(id) else { return };
        let deadline = now + beat.ttl();
        beat.deadline = deadline;
        if beat.phase == Phase::Alive {
            return; // its timer is in the wheel and will find the new deadline
        }
        if let Some(since) = beat.silent_since.take() {
            self.silences.remove(&(since, id));
        }
        self.set_phase(id, Phase::Alive);
        self.wheel.insert(deadline, Timer::Beat(id));
    }
}
