//! Which instances are silent, and which have been down for too long. Pure: time comes in.
//!
//! A heartbeat only puts a deadline off; the timer in the wheel finds out when it fires. A silence
//! is decided half a second after it began, so that many that begin together are seen together:
//! then it is likelier that this server is deaf than that all of them are dead, and their expiry
//! is held (self-preservation). Eureka's rule looks at the rate of renewals over minutes and so
//! also trips on a planned scale-down; here only silences count, never a failed active check and
//! never a deregistration.

mod beats;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hashbrown::HashMap;

use self::beats::{Beat, BeatId, Beats, Phase};
use super::{Member, SelfPreservation};
use crate::{
    model::{CheckSpec, Instance, InstanceKey, Timestamp},
    util::{SlotId, Wheel},
};

/// The step of the wheel. A tenth of the shortest ttl.
const TICK: Duration = Duration::from_millis(10);
/// From the end of a ttl to the decision what its silence means. With the tick it stays well
/// within the second that a dead instance may outlive its ttl.
const DECISION_DELAY: Duration = Duration::from_millis(500);
/// What is put off is put off for so long at least, whatever its own time: it may have none.
const WAIT_MIN: Duration = Duration::from_secs(1);

/// How often a new output text alone is taken, for each check: as often as of an active one.
const OUTPUT_PACE: Duration = Duration::from_secs(60);

/// All deadlines of the registry.
#[derive(Debug)]
pub(super) struct Leases {
    settings: SelfPreservation,
    wheel: Wheel<Timer>,
    /// The `ttl` checks, each kept alive by heartbeats.
    beats: Beats,
    /// As many checks as an instance with a `ttl` check has had at the most: usually one, and no
    /// others need to be looked for.
    checks: u8,
    /// Those that are to be removed when they are critical for long, from the first time that they
    /// are: each has one timer in the wheel.
    reaps: HashMap<InstanceKey, Reap>,
    /// Silences that last, that no active check explains, and that began within the window; by
    /// their beginning.
    silences: BTreeSet<(Duration, BeatId)>,
    /// How many of the instances that were removed because they fell silent began to be so when:
    /// what is removed at once would else be no sign of what is wrong with all. One entry for each
    /// tick of the window at the most.
    gone: BTreeMap<Duration, usize>,
    /// How many instances have a lease that has not lapsed.
    kept: usize,
    /// How many of these have one that is held.
    held: usize,
}

/// What an instance counts as: a client that is silent is one, whatever the number of its checks.
#[derive(Debug, Clone, Copy, Default)]
struct Standing {
    is_kept: bool,
    is_held: bool,
}

/// What is to be done because time passed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Due {
    /// The instance, or one of its checks, was critical for its `deregister_after`: remove it.
    Expire(InstanceKey),
    /// The check was not renewed, together with many others: keep its instance in the answers as
    /// suspect.
    Hold(InstanceKey, u8),
    /// The check was not renewed: turn it critical, or end the lease that it is.
    Lapse(InstanceKey, u8),
}

/// The removal of an instance.
#[derive(Debug)]
struct Reap {
    /// What is critical of it and ends it; none while nothing is, or it is gone.
    downs: Box<[Down]>,
    /// When its timer fires, or the earliest of them.
    timer_at: Duration,
}

/// An instance or a check that is critical, and may not be for ever.
#[derive(Debug, Clone, Copy)]
struct Down {
    /// A check, by the wall clock's time at which it turned: that stays when its place among the
    /// checks does not. `None` for the instance as a whole.
    check: Option<Timestamp>,
    /// Since when it is critical.
    since: Duration,
    /// How long it may be.
    after: Duration,
}

#[derive(Debug)]
enum Timer {
    Beat(BeatId),
    Decide(BeatId),
    /// With the instance, which has the key in fewer octets.
    Reap(Arc<Instance>),
    Release(BeatId),
}

// === impl Leases ===

impl Leases {
    pub(super) fn new(settings: SelfPreservation) -> Self {
        Self {
            settings,
            wheel: Wheel::new(TICK),
            beats: Beats::default(),
            checks: 0,
            reaps: HashMap::new(),
            silences: BTreeSet::new(),
            gone: BTreeMap::new(),
            kept: 0,
            held: 0,
        }
    }

    /// From now on. Turned off, it lets go of those that it holds.
    pub(super) fn set_settings(&mut self, settings: SelfPreservation) {
        self.settings = settings;
        if settings.enabled {
            return;
        }
        let is_held =
            |(id, beat): (BeatId, &Beat)| matches!(beat.phase, Phase::Held(_)).then_some(id);
        let held: Vec<BeatId> = self.beats.iter().filter_map(is_held).collect();
        for id in held {
            if let Some(beat) = self.beats.get_mut(id) {
                beat.phase = Phase::Held(Duration::ZERO);
            }
            self.wheel.insert(Duration::ZERO, Timer::Release(id));
        }
    }

    /// How many instances are held in the answers.
    pub(super) fn held(&self) -> usize {
        self.held
    }

    /// When [`Leases::advance`] has something to do next.
    pub(super) fn next_at(&mut self) -> Option<Duration> {
        self.wheel.next_at()
    }

    /// Whether a check may say something new in the same state: a client that does with each of its
    /// heartbeats must not cost a write each time.
    pub(super) fn may_speak(&mut self, key: &InstanceKey, check: usize, now: Duration) -> bool {
        let id = u8::try_from(check).ok().and_then(|check| self.beats.find(key, check));
        let Some(beat) = id.and_then(|id| self.beats.get_mut(id)) else { return true };
        let seconds = |time: Duration| u32::try_from(time.as_secs()).unwrap_or(u32::MAX);
        let may = beat.quiet_until <= seconds(now);
        if may {
            beat.quiet_until = seconds(now + OUTPUT_PACE);
        }
        may
    }

    /// Takes a sign of life: of one `ttl` check, or of all that the instance has.
    pub(super) fn beat(&mut self, key: &InstanceKey, only: Option<usize>, now: Duration) {
        for check in 0..self.checks {
            if only.is_none_or(|only| only == usize::from(check)) {
                self.beat_one(key, check, now);
            }
        }
    }

    fn beat_one(&mut self, key: &InstanceKey, check: u8, now: Duration) {
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

    /// Lets leases go on with a registration in place of the one that they are of: `from` says for
    /// each of its checks which one it was. All others of the instance are forgotten.
    pub(super) fn carry(&mut self, member: &Member, from: &[Option<usize>]) {
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

    /// Follows a change of an instance: `None` when it is gone.
    pub(super) fn follow(&mut self, key: &InstanceKey, member: Option<&Member>, now: Duration) {
        if let Some(member) = member {
            self.make_room(member);
        }
        let before = self.standing_of(key);
        match member {
            None => (0..self.checks).for_each(|check| self.forget_beat(key, check)),
            Some(member) => self.follow_beats(key, member, now),
        }
        self.count(before, self.standing_of(key));
        match member {
            None => self.spare(key),
            Some(member) => self.follow_downs(key, member, now),
        }
    }

    /// Looks for as many checks from now on as this instance has.
    fn make_room(&mut self, member: &Member) {
        let last = member.instance.checks.iter().rposition(|spec| spec.ttl().is_some());
        let last = last.and_then(|last| u8::try_from(last).ok());
        self.checks = self.checks.max(last.map_or(0, |last| last + 1));
    }

    fn follow_beats(&mut self, key: &InstanceKey, member: &Member, now: Duration) {
        for check in 0..self.checks {
            match member.instance.checks.get(usize::from(check)).and_then(CheckSpec::ttl) {
                None => self.forget_beat(key, check),
                Some(ttl) => self.follow_beat((key, check), member, ttl, now),
            }
        }
    }

    /// Moves time on to `now` while heartbeats may go to others: no silence counts, and nothing is
    /// removed. What is due begins anew.
    pub(super) fn wait(&mut self, now: Duration) {
        let mut timers = Vec::new();
        self.wheel.advance(now, &mut timers);
        for timer in timers {
            match timer {
                Timer::Beat(id) => self.wait_for(id, Phase::Alive, now),
                Timer::Decide(id) => self.wait_for(id, Phase::Silent, now),
                Timer::Release(id) => self.hold_on(id, now),
                Timer::Reap(instance) => self.spare_for_now(instance, now),
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
                Timer::Beat(id) => self.on_beat(id, now, &is_down),
                Timer::Decide(id) => undecided.push(id),
                Timer::Release(id) => self.release(id, now, &mut due),
                Timer::Reap(instance) => self.on_reap(instance, now, &mut due),
            }
        }
        if !undecided.is_empty() && self.too_many_are_silent(now) {
            self.hold_all_of_the_window(now, &mut due);
        }
        for id in undecided {
            self.lapse_if_silent(id, &mut due);
        }
        due
    }

    /// Counts from when it went down, also if it is registered with another time meanwhile. A node
    /// is never removed for being down: with it, what is known of it would be, and those on it
    /// would come back.
    fn follow_downs(&mut self, key: &InstanceKey, member: &Member, now: Duration) {
        if member.status.is_up() || key.service.is_nodes() {
            self.spare(key);
            return;
        }
        let known = self.reaps.get(key).map_or(&[][..], |reap| &reap.downs);
        let downs: Box<[Down]> = downs(member)
            .map(|(check, after)| {
                let before = known.iter().find(|down| down.check == check);
                Down { check, since: before.map_or(now, |down| down.since), after }
            })
            .collect();
        let Some(at) = earliest(&downs) else {
            self.spare(key);
            return;
        };
        let reap = self.reaps.entry_ref(key).or_insert_with(|| {
            let timer_at = Duration::MAX; // none yet
            Reap { downs: Box::default(), timer_at }
        });
        reap.downs = downs;
        if at < reap.timer_at {
            reap.timer_at = at;
            self.wheel.insert(at, Timer::Reap(Arc::clone(&member.instance)));
        }
    }

    /// It is up, or gone. Its timer finds out: one for each time that it goes down would fill the
    /// wheel.
    fn spare(&mut self, key: &InstanceKey) {
        if let Some(reap) = self.reaps.get_mut(key) {
            reap.downs = Box::default();
        }
    }

    fn on_reap(&mut self, instance: Arc<Instance>, now: Duration, due: &mut Vec<Due>) {
        let key = instance.key();
        let Some(reap) = self.reaps.get_mut(&key) else { return };
        match earliest(&reap.downs) {
            Some(at) if at > now => {
                // Of two timers the later one has nothing to do.
                if reap.timer_at <= now {
                    reap.timer_at = at;
                    self.wheel.insert(at, Timer::Reap(instance));
                }
                return;
            }
            Some(_) => {
                self.remember_silence(&key);
                due.push(Due::Expire(key.clone()));
            }
            None => {}
        }
        self.reaps.remove(&key);
    }

    /// Follows one `ttl` check; whoever calls counts the instance anew.
    fn follow_beat(
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
    fn forget_beat(&mut self, key: &InstanceKey, check: u8) {
        let Some(id) = self.beats.find(key, check) else { return };
        let Some(beat) = self.beats.remove(id) else { return };
        if let Some(since) = beat.silent_since {
            self.silences.remove(&(since, id));
        }
    }

    /// Changes the phase of one lease, and what its instance counts as.
    fn set_phase(&mut self, id: BeatId, phase: Phase) {
        let before = self.standing(id);
        if let Some(beat) = self.beats.get_mut(id) {
            beat.phase = phase;
        }
        self.count(before, self.standing(id));
    }

    /// What the instance of a lease counts as.
    fn standing(&self, id: BeatId) -> Standing {
        match self.beats.get(id) {
            None => Standing::default(),
            Some(beat) if beat.is_alone() => Standing::of([beat]),
            Some(beat) => Standing::of(self.beats.of(&beat.instance)),
        }
    }

    /// What an instance counts as, also while its checks are being exchanged.
    fn standing_of(&self, key: &InstanceKey) -> Standing {
        let beats = (0..self.checks).filter_map(|check| self.beats.find(key, check));
        Standing::of(beats.filter_map(|id| self.beats.get(id)))
    }

    fn count(&mut self, before: Standing, after: Standing) {
        self.kept += usize::from(after.is_kept);
        self.kept -= usize::from(before.is_kept);
        self.held += usize::from(after.is_held);
        self.held -= usize::from(before.is_held);
    }

    /// Has the silence of an instance count for as long as it would if that were not removed.
    fn remember_silence(&mut self, key: &InstanceKey) {
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

    fn on_beat(&mut self, id: BeatId, now: Duration, is_down: impl Fn(&InstanceKey) -> bool) {
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

    /// Gives a lease that is in this phase a full ttl if it is over.
    fn wait_for(&mut self, id: BeatId, phase: Phase, now: Duration) {
        let Some(beat) = self.beats.get_mut(id).filter(|beat| beat.phase == phase) else { return };
        if beat.deadline <= now {
            beat.deadline = now + beat.ttl();
        }
        beat.phase = Phase::Alive; // as silent, it counts as one that is kept
        if let Some(since) = beat.silent_since.take() {
            self.silences.remove(&(since, id));
        }
        self.wheel.insert(beat.deadline, Timer::Beat(id));
    }

    /// Holds on to one that would be released.
    fn hold_on(&mut self, id: BeatId, now: Duration) {
        let next = now + self.settings.max_hold.max(WAIT_MIN);
        if let Some(beat) = self.beats.get_mut(id)
            && let Phase::Held(until) = beat.phase
            && until <= now
        {
            beat.phase = Phase::Held(next);
            self.wheel.insert(next, Timer::Release(id));
        }
    }

    /// Counts anew from now for how long the instance is down.
    fn spare_for_now(&mut self, instance: Arc<Instance>, now: Duration) {
        let key = instance.key();
        let Some(reap) = self.reaps.get_mut(&key).filter(|reap| reap.timer_at <= now) else {
            return; // of two timers, the later one is left
        };
        reap.downs.iter_mut().for_each(|down| down.since = now);
        match earliest(&reap.downs) {
            Some(at) => {
                reap.timer_at = at.max(now + WAIT_MIN);
                self.wheel.insert(reap.timer_at, Timer::Reap(instance));
            }
            None => drop(self.reaps.remove(&key)),
        }
    }

    fn lapse_if_silent(&mut self, id: BeatId, due: &mut Vec<Due>) {
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

    /// Whether the silences of the window are more than can be believed.
    fn too_many_are_silent(&mut self, now: Duration) -> bool {
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
    fn is_first_silence(&self, id: BeatId, opened: Duration) -> bool {
        let Some(beat) = self.beats.get(id) else { return false };
        let is_counted = |beat: &Beat| beat.silent_since.is_some_and(|since| since >= opened);
        beat.is_alone()
            || !self.beats.of(&beat.instance).any(|b| b.check < beat.check && is_counted(b))
    }

    fn hold_all_of_the_window(&mut self, now: Duration, due: &mut Vec<Due>) {
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

    fn release(&mut self, id: BeatId, now: Duration, due: &mut Vec<Due>) {
        let Some(beat) = self.beats.get(id) else { return };
        if let Phase::Held(until) = beat.phase
            && until <= now
        {
            due.push(Due::Lapse(beat.key(), beat.check));
            self.set_phase(id, Phase::Lapsed);
        }
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

/// What of `member` is critical, and for how long it may be.
fn downs(member: &Member) -> impl Iterator<Item = (Option<Timestamp>, Duration)> {
    let whole = member.instance.deregister_after.map(|after| (None, after));
    let checks = member.instance.checks.iter().zip(&member.checks);
    let checks = checks.filter(|(spec, state)| !state.status.is_up() && !spec.is_lease());
    let checks =
        checks.filter_map(|(spec, state)| Some((Some(state.since), spec.deregister_after?)));
    whole.into_iter().chain(checks)
}

fn earliest(downs: &[Down]) -> Option<Duration> {
    downs.iter().map(|down| down.since + down.after).min()
}

#[cfg(test)]
mod tests;
