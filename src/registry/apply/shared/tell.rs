//! What is told to other servers while all are cut off from the store.
//!
//! Whose task an instance is judges its silences, and the others, where its client may have come
//! to, hear of it here: by the way that heartbeats take, because there is no other.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Sharing;
use crate::{
    model::{Arrival, CheckSpec, Revision, Status},
    registry::{
        Beat, Company, Member, Return, Snapshot,
        apply::Applier,
        draft::Finished,
        lease::{Heard, Sound},
        shared::Division,
    },
};

/// How often it is told again, for those that had not noticed yet that they are cut off.
const AGAIN: Duration = Duration::from_secs(3);

/// Instances of which it is told again at a time: when more fall silent in a cluster, they are
/// held, and the rest has been told once.
const AGAIN_MAX: usize = 1_000;

/// For so many leases it is remembered what heartbeats have turned, while the store is there: it
/// takes about two until all servers know that it is not.
const TURNED_LEASES: u32 = 3;

// === impl Sharing ===

impl Sharing {
    /// Since when all heartbeats come here although this server is cut off, and until when that is
    /// known; `None` when they may go to others.
    pub(in crate::registry::apply) fn all_heard(&self, now: Duration) -> Option<Heard> {
        if self.ownership.hears_all() {
            return Some(Heard { since: Duration::ZERO, until: Duration::MAX });
        }
        let Company { since, until } = self.ownership.company()?;
        let of = by_clock(now);
        Some(Heard { since: of(since), until: of(until) })
    }

    /// By what it is divided anew what is shown otherwise than the store has it.
    pub(super) fn division(&self, is_anew: bool, now: Duration) -> Division {
        let (returned, of) = (self.ownership.returned(), by_clock(now));
        let in_time = returned.filter(|it| now < of(it.together) + self.lease);
        let trusted = in_time.map(|Return { at, .. }| of(at));
        let is_void = returned.is_none() && !self.ownership.is_cut_off();
        Division { is_anew, trusted, is_void, until: now + self.settling }
    }

    /// Whether this server would have heard a heartbeat in the ttl that ended at that time.
    pub(in crate::registry::apply) fn sound(&self, ended: Duration, ttl: Duration) -> Sound {
        match self.ownership.has_others() {
            true => self.contact.sound(ended, ttl),
            false => Sound::Silent,
        }
    }

    /// Tells others in which states the `ttl` checks of an instance are that are not as `known`.
    fn tell(&self, known: &Member, now: Option<&Arc<Member>>) {
        self.tell_those(known, now, |was, is| was != is, None);
    }

    /// Remembers that heartbeats have turned an instance, or the want of them.
    fn note_turned(&mut self, before: &Member, after: Option<&Arc<Member>>, now: Duration) {
        if after.is_some_and(|after| are_ttl_checks_otherwise(before, after)) {
            let oldest = now.saturating_sub(self.lease * TURNED_LEASES);
            self.turned.retain(|_, at| self.is_alone || *at >= oldest);
            if self.turned.len() < AGAIN_MAX {
                self.turned.insert(before.key(), now);
            }
        }
    }

    fn tell_again(&self, snapshot: &Snapshot) {
        // What was removed has no time from when that is so, and others may have heard of it since.
        let owed = self.overlay.owed().iter();
        let owed = owed.filter_map(|key| Some((self.overlay.get(key)?, snapshot.member(key)?)));
        let are_otherwise =
            |(shared, is): &(&Arc<Member>, &Arc<Member>)| are_ttl_checks_otherwise(shared, is);
        for (shared, member) in owed.filter(are_otherwise).take(AGAIN_MAX) {
            self.tell(shared, Some(member));
        }
        for member in self.turned.keys().filter_map(|key| snapshot.member(key)) {
            if self.keeps(&member.key()) {
                self.tell_those(member, Some(member), |_, _| true, None);
            }
        }
    }

    /// Tells others in which states those of its `ttl` checks are that are to be told of: as what
    /// this server has found, or as what clients have said who knew of no more than was `seen`.
    fn tell_those(
        &self,
        known: &Member,
        now: Option<&Arc<Member>>,
        is_told: impl Fn(Status, Status) -> bool,
        seen: Option<Revision>,
    ) {
        let now = now.filter(|now| now.registered == known.registered);
        let checks = known.instance.checks.iter().zip(&known.checks).enumerate();
        for (index, (_, was)) in checks.filter(|(_, (spec, _))| CheckSpec::ttl(spec).is_some()) {
            let is = now.and_then(|now| now.checks.get(index));
            let status = is.map_or(Status::Critical, |is| is.status);
            if is_told(was.status, status) {
                let output = is.map(|is| Arc::clone(&is.output)).unwrap_or_default();
                let beat = Beat::of(known.instance.key());
                let check = Some((index, known.registered));
                let at = is.map(|is| is.since);
                let is_finding = seen.is_none();
                let told = self.beats.try_send(Beat {
                    check,
                    status: Some(status),
                    output: Some(output),
                    is_finding,
                    heard: Some(Arrival { seen, at }),
                    ..beat
                });
                // When the queue is full: what was found is told again.
                if told.is_err() && !is_finding {
                    self.beats_left_out.inc();
                }
            }
        }
    }
}

/// Whether heartbeats, or the want of them, have made it another instance than it was.
fn are_ttl_checks_otherwise(was: &Member, is: &Member) -> bool {
    let mut both = was.instance.checks.iter().zip(was.checks.iter().zip(&is.checks));
    both.any(|(spec, (was, is))| spec.ttl().is_some() && was.status != is.status)
}

/// Turns instants into times of the registry's clock, by which it is `now`.
fn by_clock(now: Duration) -> impl Fn(Instant) -> Duration {
    let at = Instant::now();
    move |instant| now.saturating_sub(at.saturating_duration_since(instant))
}

// === impl Applier ===

impl Applier {
    /// Tells others what heartbeats, or the want of them, have changed of what is this server's
    /// task.
    pub(in crate::registry::apply) fn tell_found(&mut self, base: &Snapshot, finished: &Finished) {
        let now = self.clock.elapsed();
        let Some(sharing) = &mut self.sharing else { return };
        for key in &finished.touched {
            let Some(before) = base.member(key).filter(|_| sharing.keeps(key)) else { continue };
            let after = finished.next.member(key);
            sharing.note_turned(before, after, now);
            if sharing.is_apart() {
                sharing.tell(before, after);
            }
        }
    }

    /// Hands on again what was said here of instances of others when servers come or go: it may be
    /// with one that is gone, and its client says it once.
    pub(in crate::registry::apply) fn hand_on_again(&mut self) {
        let snapshot = self.registry.snapshot();
        let Some(sharing) = &self.sharing else { return };
        let others = sharing.overlay.unheard().filter(|(key, _)| !sharing.keeps(key));
        let others = others.filter_map(|(key, shared)| Some((shared, snapshot.member(key)?)));
        let is_said = |(shared, member): &(&Arc<Member>, &Arc<Member>)| {
            member.registered == shared.registered && are_ttl_checks_otherwise(shared, member)
        };
        for (shared, member) in others.filter(is_said).take(AGAIN_MAX) {
            let seen = Some(shared.modified);
            sharing.tell_those(shared, Some(member), |was, is| was != is, seen);
        }
    }

    /// Tells others again what differs from what the store has, and what has come back to that of
    /// late: who was told of the one, by its client, need not have heard of the other.
    pub(in crate::registry::apply) fn tell_others_again(&mut self) {
        let (snapshot, now) = (self.registry.snapshot(), self.clock.elapsed());
        let Some(sharing) = &mut self.sharing else { return };
        if !sharing.is_apart() {
            sharing.tells_at = None;
        } else if sharing.tells_at.is_none_or(|at| at <= now) {
            sharing.tells_at = Some(now + AGAIN);
            sharing.tell_again(&snapshot);
        }
    }
}
