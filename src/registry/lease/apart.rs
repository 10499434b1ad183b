//! Silences that may be this server's own deafness, because others share its store.
//!
//! Heartbeats come from other servers, too, directly or by the store. Which of the ways are open is
//! not known; but a server that does not reach the store is often one that hears nothing of
//! anybody. So a silence is decided only if the store answers a question that was asked after the
//! ttl was over, and there was no break in the ttl (`shared/contact`). Else the lease begins anew.
//!
//! ## Cut off from the store
//!
//! Heartbeats may go to others then, which have taken over and hand nothing on. So a silence counts
//! only when it is known that all heartbeats come here all the same, from before its ttl began
//! until after that was over: all other servers have said that they are cut off too, and hand on as
//! ever. Any other begins anew, with a full ttl, and nothing is removed.

use std::{sync::Arc, time::Duration};

use super::{
    Due, Leases, Timer, WAIT_MIN,
    beats::{BeatId, Phase},
    downs::earliest,
};
use crate::model::{Instance, InstanceKey};

/// How long after the end of a ttl others are heard of at least: what has reached them before it is
/// here by then. They say one word each second, and collect for a fifth of one.
const ON_ITS_WAY: Duration = Duration::from_secs(1);

/// How soon it is looked again whether they were.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How soon it is looked again whether the store has answered: within the second that a dead
/// instance may outlive its ttl.
pub(super) const ASK_AGAIN: Duration = Duration::from_millis(50);

/// The time in which all heartbeats that there were have come here.
#[derive(Debug, Clone, Copy)]
pub(in crate::registry) struct Heard {
    pub since: Duration,
    pub until: Duration,
}

// === impl Leases ===

impl Leases {
    /// Moves time on to `now` while this server is cut off: see the top of this file. `heard` is
    /// `None` when heartbeats may go to others unheard.
    pub(in crate::registry) fn advance_apart(
        &mut self,
        now: Duration,
        heard: Option<Heard>,
        is_down: impl Fn(&InstanceKey) -> bool,
    ) -> Vec<Due> {
        let (mut timers, mut due, mut undecided) = (Vec::new(), Vec::new(), Vec::new());
        self.wheel.advance(now, &mut timers);
        for timer in timers {
            match timer {
                Timer::Beat(id) => match self.sounds(id, heard, now) {
                    Sound::Silent => self.on_beat(id, now, &is_down),
                    Sound::Soon => self.wheel.insert(now + LOOK_AGAIN, Timer::Beat(id)),
                    Sound::Unknown => self.wait_for(id, Phase::Alive, now),
                },
                Timer::Decide(id) => match self.sounds(id, heard, now) {
                    Sound::Silent => undecided.push(id),
                    Sound::Soon | Sound::Unknown => self.wait_for(id, Phase::Silent, now),
                },
                Timer::Release(id) => self.hold_on(id, now),
                Timer::Reap(instance) => self.spare_for_now(instance, now),
            }
        }
        self.decide(undecided, now, &mut due);
        due.into_iter().map(Due::without_removal).collect()
    }

    /// What `sound` says of a ttl that is over.
    pub(super) fn ended(
        &self,
        id: BeatId,
        now: Duration,
        sound: impl Fn(Duration, Duration) -> Sound,
    ) -> Sound {
        let ended = self.beats.get(id).filter(|beat| beat.deadline <= now);
        ended.map_or(Sound::Silent, |beat| sound(beat.deadline, beat.ttl()))
    }

    /// What is known of a lease whose time may be over.
    fn sounds(&self, id: BeatId, heard: Option<Heard>, now: Duration) -> Sound {
        let (Some(beat), Some(heard)) = (self.beats.get(id), heard) else { return Sound::Unknown };
        let end = beat.deadline + ON_ITS_WAY;
        let is_put_off = beat.deadline > now;
        if is_put_off || heard.since + beat.ttl() > beat.deadline {
            Sound::Unknown
        } else if heard.until < end {
            Sound::Soon
        } else {
            Sound::Silent
        }
    }

    /// Gives a lease that is in this phase a full ttl if it is over.
    pub(super) fn wait_for(&mut self, id: BeatId, phase: Phase, now: Duration) {
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
}

/// What is known of a lease whose time may be over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sound {
    /// Nothing came, and would have.
    Silent,
    /// It is known soon.
    Soon,
    /// Something may have come elsewhere: it begins anew.
    Unknown,
}

// === impl Due ===

impl Due {
    fn without_removal(self) -> Self {
        match self {
            Self::Lapse(key, check) => Self::Miss(key, check),
            other => other,
        }
    }
}
