//! Which instances are silent, and which have been down for too long. Pure: time comes in.
//!
//! A heartbeat only puts a deadline off; the timer in the wheel finds out when it fires. A silence
//! is decided half a second after it began, so that many that begin together are seen together:
//! then it is likelier that this server is deaf than that all of them are dead, and their expiry
//! is held (self-preservation). Eureka's rule looks at the rate of renewals over minutes and so
//! also trips on a planned scale-down; here only silences count, never a failed active check and
//! never a deregistration.

use std::{collections::BTreeMap, time::Duration};

use hashbrown::HashMap;

use super::{Member, SelfPreservation};
use crate::{
    model::{CheckSpec, InstanceKey, Revision},
    util::Wheel,
};

/// The step of the wheel. A tenth of the shortest ttl.
const TICK: Duration = Duration::from_millis(10);
/// From the end of a ttl to the decision what its silence means. With the tick it stays well
/// within the second that a dead instance may outlive its ttl.
const DECISION_DELAY: Duration = Duration::from_millis(500);

/// All deadlines of the registry.
#[derive(Debug)]
pub(super) struct Leases {
    settings: SelfPreservation,
    wheel: Wheel<Timer>,
    /// Those kept alive by heartbeats.
    beats: HashMap<InstanceKey, Beat>,
    /// Those that are critical and are to be removed, with the time of it.
    reaps: HashMap<InstanceKey, Duration>,
    /// Silences that last, that no active check explains, and that began within the window; by
    /// their beginning and the generation of their beat.
    silences: BTreeMap<(Duration, u64), InstanceKey>,
    /// How many are neither lapsed nor held.
    alive: usize,
    held: usize,
    next_generation: u64,
}

/// What is to be done because time passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// The instance was critical for its `deregister_after`: remove it.
    Expire(InstanceKey),
    /// The instance is silent together with many others: keep it in the answers as suspect.
    Hold(InstanceKey),
    /// The instance is silent: turn its `ttl` checks critical.
    Lapse(InstanceKey),
}

#[derive(Debug)]
struct Beat {
    /// Of which registration.
    registered: Revision,
    ttl: Duration,
    deadline: Duration,
    phase: Phase,
    /// When its silence began, if that is counted.
    silent_since: Option<Duration>,
    /// Tells this entry's timers from those of an earlier one of the same name.
    generation: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Alive,
    /// Silent, not yet decided.
    Silent,
    /// Silent and held until the given time.
    Held(Duration),
    /// Silent and believed dead.
    Lapsed,
}

#[derive(Debug)]
enum Timer {
    Beat(InstanceKey, u64),
    Decide(InstanceKey, u64),
    Reap(InstanceKey),
    Release(InstanceKey, u64),
}

// === impl Leases ===

impl Leases {
    pub(super) fn new(settings: SelfPreservation) -> Self {
        Self {
            settings,
            wheel: Wheel::new(TICK),
            beats: HashMap::new(),
            reaps: HashMap::new(),
            silences: BTreeMap::new(),
            alive: 0,
            held: 0,
            next_generation: 0,
        }
    }

    /// From now on. Turned off, it lets go of those that it holds.
    pub(super) fn set_settings(&mut self, settings: SelfPreservation) {
        self.settings = settings;
        if settings.enabled {
            return;
        }
        for (key, beat) in &mut self.beats {
            if matches!(beat.phase, Phase::Held(_)) {
                beat.phase = Phase::Held(Duration::ZERO);
                self.wheel.insert(Duration::ZERO, Timer::Release(key.clone(), beat.generation));
            }
        }
    }

    /// How many instances are held in the answers.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// When [`Leases::advance`] has something to do next.
    pub(super) fn next_at(&self) -> Option<Duration> {
        self.wheel.next_at()
    }

    /// Takes a sign of life.
    pub(super) fn beat(&mut self, key: &InstanceKey, now: Duration) {
        let Some(beat) = self.beats.get_mut(key) else { return };
        beat.deadline = now + beat.ttl;
        match beat.phase {
            Phase::Alive => return, // its timer is in the wheel and will find the new deadline
            Phase::Held(_) => self.held -= 1,
            Phase::Lapsed | Phase::Silent => {}
        }
        if beat.phase != Phase::Silent {
            self.alive += 1;
        }
        beat.phase = Phase::Alive;
        if let Some(since) = beat.silent_since.take() {
            self.silences.remove(&(since, beat.generation));
        }
        let timer = Timer::Beat(key.clone(), beat.generation);
        self.wheel.insert(beat.deadline, timer);
    }

    /// Follows a change of an instance: `None` when it is gone.
    pub(super) fn follow(&mut self, key: &InstanceKey, member: Option<&Member>, now: Duration) {
        let Some(member) = member else {
            self.forget_beat(key);
            self.reaps.remove(key);
            return;
        };
        match member.instance.checks.iter().filter_map(CheckSpec::ttl).min() {
            None => self.forget_beat(key),
            Some(ttl) => self.follow_beat(key, member, ttl, now),
        }
        match member.instance.deregister_after {
            Some(after) if !member.status.is_up() => {
                if !self.reaps.contains_key(key) {
                    self.reaps.insert(key.clone(), now + after);
                    self.wheel.insert(now + after, Timer::Reap(key.clone()));
                }
            }
            _ => {
                self.reaps.remove(key);
            }
        }
    }

    /// Moves time on to `now`. `is_down` tells whether an active check has found an instance dead
    /// already: then its silence is no surprise and is not counted.
    pub(super) fn advance(
        &mut self,
        now: Duration,
        is_down: impl Fn(&InstanceKey) -> bool,
    ) -> Vec<Due> {
        let (mut timers, mut due, mut undecided) = (Vec::new(), Vec::new(), Vec::new());
        self.wheel.advance(now, &mut timers);
        for timer in timers {
            match timer {
                Timer::Beat(key, generation) => self.on_beat(key, generation, now, &is_down),
                Timer::Decide(key, generation) => undecided.push((key, generation)),
                Timer::Release(key, generation) => self.release(key, generation, now, &mut due),
                Timer::Reap(key) => {
                    if self.reaps.get(&key).is_some_and(|at| *at <= now) {
                        self.reaps.remove(&key);
                        due.push(Due::Expire(key));
                    }
                }
            }
        }
        if !undecided.is_empty() && self.too_many_are_silent(now) {
            self.hold_all_of_the_window(now, &mut due);
        }
        for (key, generation) in undecided {
            self.lapse_if_silent(key, generation, &mut due);
        }
        due
    }

    fn follow_beat(&mut self, key: &InstanceKey, member: &Member, ttl: Duration, now: Duration) {
        let known = self.beats.get(key).is_some_and(|beat| beat.registered == member.registered);
        if known {
            self.confirm_death(key, member);
            return;
        }
        self.forget_beat(key);
        let lapsed = member
            .checks
            .iter()
            .zip(member.instance.checks.iter())
            .any(|(state, spec)| spec.ttl().is_some() && !state.status.is_up());
        let generation = self.next_generation;
        self.next_generation += 1;
        let deadline = now + ttl;
        let phase = if lapsed { Phase::Lapsed } else { Phase::Alive };
        if !lapsed {
            self.alive += 1;
            self.wheel.insert(deadline, Timer::Beat(key.clone(), generation));
        }
        let registered = member.registered;
        let beat = Beat { registered, ttl, deadline, phase, silent_since: None, generation };
        self.beats.insert(key.clone(), beat);
    }

    /// Ends the hold of an instance that an active check found dead.
    fn confirm_death(&mut self, key: &InstanceKey, member: &Member) {
        if let Some(beat) = self.beats.get_mut(key)
            && matches!(beat.phase, Phase::Held(_))
            && !member.status.is_up()
        {
            beat.phase = Phase::Lapsed;
            self.held -= 1;
        }
    }

    fn forget_beat(&mut self, key: &InstanceKey) {
        let Some(beat) = self.beats.remove(key) else { return };
        if let Some(since) = beat.silent_since {
            self.silences.remove(&(since, beat.generation));
        }
        match beat.phase {
            Phase::Alive | Phase::Silent => self.alive -= 1,
            Phase::Held(_) => self.held -= 1,
            Phase::Lapsed => {}
        }
    }

    fn on_beat(
        &mut self,
        key: InstanceKey,
        generation: u64,
        now: Duration,
        is_down: impl Fn(&InstanceKey) -> bool,
    ) {
        let Some(beat) = self.beats.get_mut(&key).filter(|b| b.generation == generation) else {
            return;
        };
        if beat.deadline > now {
            self.wheel.insert(beat.deadline, Timer::Beat(key, generation));
            return;
        }
        beat.phase = Phase::Silent;
        if !is_down(&key) {
            beat.silent_since = Some(now);
            self.silences.insert((now, generation), key.clone());
        }
        self.wheel.insert(now + DECISION_DELAY, Timer::Decide(key, generation));
    }

    fn lapse_if_silent(&mut self, key: InstanceKey, generation: u64, due: &mut Vec<Due>) {
        let Some(beat) = self.beats.get_mut(&key).filter(|b| b.generation == generation) else {
            return;
        };
        if beat.phase == Phase::Silent {
            beat.phase = Phase::Lapsed;
            self.alive -= 1;
            due.push(Due::Lapse(key));
        }
    }

    /// Whether the silences of the window are more than can be believed.
    fn too_many_are_silent(&mut self, now: Duration) -> bool {
        let SelfPreservation { enabled, window, min_silent, share_silent, .. } = self.settings;
        let opened = now.saturating_sub(window);
        // Older silences have been decided long since; only the count of the window forgets them.
        self.silences = self.silences.split_off(&(opened, 0));
        let lapsed = self.silences.values().filter(|key| self.beats[*key].phase == Phase::Lapsed);
        let all = self.alive + self.held + lapsed.count();
        #[expect(clippy::cast_precision_loss, reason = "at most two million")]
        let (silent, all, least) = (self.silences.len() as f64, all as f64, min_silent as f64);
        enabled && silent > (share_silent * all).max(least)
    }

    fn hold_all_of_the_window(&mut self, now: Duration, due: &mut Vec<Due>) {
        for key in self.silences.values() {
            let known = self.beats.get_mut(key);
            let beat = known.expect("a silence is dropped with its beat");
            match beat.phase {
                Phase::Silent => self.alive -= 1,
                Phase::Lapsed => {}
                Phase::Alive | Phase::Held(_) => continue,
            }
            let until = now + self.settings.max_hold;
            beat.phase = Phase::Held(until);
            self.held += 1;
            self.wheel.insert(until, Timer::Release(key.clone(), beat.generation));
            due.push(Due::Hold(key.clone()));
        }
    }

    fn release(&mut self, key: InstanceKey, generation: u64, now: Duration, due: &mut Vec<Due>) {
        let Some(beat) = self.beats.get_mut(&key).filter(|b| b.generation == generation) else {
            return;
        };
        if let Phase::Held(until) = beat.phase
            && until <= now
        {
            beat.phase = Phase::Lapsed;
            self.held -= 1;
            due.push(Due::Lapse(key));
        }
    }
}

#[cfg(test)]
mod tests;
