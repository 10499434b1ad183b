//! Which instances are silent, and which have been down for too long. Pure: time comes in.
//!
//! A heartbeat only puts a deadline off; the timer in the wheel finds out when it fires. A silence
//! is decided half a second after it began, so that many that begin together are seen together:
//! then it is likelier that this server is deaf than that all of them are dead, and their expiry
//! is held (self-preservation). Eureka's rule looks at the rate of renewals over minutes and so
//! also trips on a planned scale-down; here only silences count, never a failed active check and
//! never a deregistration.

mod apart;
mod beats;
mod downs;
mod follow;
mod silence;
mod standing;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use hashbrown::HashMap;

pub(super) use self::apart::{Heard, Sound};
use self::{
    beats::{Beat, BeatId, Beats, Phase},
    downs::Reap,
};
use super::{Member, SelfPreservation};
use crate::{
    model::{Instance, InstanceKey},
    util::Wheel,
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
    /// The same while nothing may be removed: turn it critical, also if it is a lease.
    Miss(InstanceKey, u8),
}

#[derive(Debug)]
enum Timer {
    Beat(BeatId),
    Decide(BeatId),
    /// With the instance, which has the key in fewer octets.
    Reap(Arc<Instance>),
    Release(BeatId),
}

// === impl Due ===

impl Due {
    /// The instance that it is about.
    pub(super) fn key(&self) -> &InstanceKey {
        match self {
            Self::Expire(key) | Self::Hold(key, _) | Self::Lapse(key, _) | Self::Miss(key, _) => {
                key
            }
        }
    }
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

    /// Moves time on to `now`. Of when a ttl was over, and of that, `sound` says whether this
    /// server would have heard a heartbeat. `is_down` tells whether an active check has found an
    /// instance dead already: then its silence is no surprise and is not counted.
    pub(super) fn advance(
        &mut self,
        now: Duration,
        sound: impl Fn(Duration, Duration) -> Sound,
        is_down: impl Fn(&InstanceKey) -> bool,
    ) -> Vec<Due> {
        let (mut timers, mut due, mut undecided) = (Vec::new(), Vec::new(), Vec::new());
        self.wheel.advance(now, &mut timers);
        for timer in timers {
            match timer {
                Timer::Beat(id) => match self.ended(id, now, &sound) {
                    Sound::Silent => self.on_beat(id, now, &is_down),
                    Sound::Soon => self.wheel.insert(now + apart::ASK_AGAIN, Timer::Beat(id)),
                    Sound::Unknown => self.wait_for(id, Phase::Alive, now),
                },
                Timer::Decide(id) => undecided.push(id),
                Timer::Release(id) => self.release(id, now, &mut due),
                Timer::Reap(instance) => self.on_reap(instance, now, &mut due),
            }
        }
        self.decide(undecided, now, &mut due);
        due
    }
}

#[cfg(test)]
mod tests;
