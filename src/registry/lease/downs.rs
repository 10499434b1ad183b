//! How long an instance, or a check of it, has been critical, and when that ends it.

use std::{sync::Arc, time::Duration};

use super::{Due, Leases, Timer};
use crate::{
    model::{Instance, InstanceKey, Timestamp},
    registry::Member,
};

/// The removal of an instance.
#[derive(Debug)]
pub(super) struct Reap {
    /// What is critical of it and ends it; none while nothing is, or it is gone.
    pub(super) downs: Box<[Down]>,
    /// When its timer fires, or the earliest of them.
    pub(super) timer_at: Duration,
}

/// An instance or a check that is critical, and may not be for ever.
#[derive(Debug, Clone, Copy)]
pub(super) struct Down {
    /// A check, by the wall clock's time at which it turned: that stays when its place among the
    /// checks does not. `None` for the instance as a whole.
    pub(super) check: Option<Timestamp>,
    /// Since when it is critical.
    pub(super) since: Duration,
    /// How long it may be.
    pub(super) after: Duration,
}

// === impl Leases ===

impl Leases {
    /// Counts from when it went down, also if it is registered with another time meanwhile. A node
    /// is never removed for being down: with it, what is known of it would be, and those on it
    /// would come back.
    pub(super) fn follow_downs(&mut self, key: &InstanceKey, member: &Member, now: Duration) {
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
    pub(super) fn spare(&mut self, key: &InstanceKey) {
        if let Some(reap) = self.reaps.get_mut(key) {
            reap.downs = Box::default();
        }
    }

    pub(super) fn on_reap(&mut self, instance: Arc<Instance>, now: Duration, due: &mut Vec<Due>) {
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

pub(super) fn earliest(downs: &[Down]) -> Option<Duration> {
    downs.iter().map(|down| down.since + down.after).min()
}
