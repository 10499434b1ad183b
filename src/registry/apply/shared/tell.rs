//! What is told to other servers while all are cut off from the store.
//!
//! Whose task an instance is judges its silences, and the others, where its client may have come
//! to, hear of it here: by the way that heartbeats take, because there is no other.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::Sharing;
use crate::{
    model::{CheckSpec, InstanceKey, Status},
    registry::{
        Beat, Member, Snapshot,
        apply::Applier,
        draft::Finished,
        lease::{Heard, Sound},
    },
};

/// How often it is told again, for those that had not noticed yet that they are cut off.
const AGAIN: Duration = Duration::from_secs(3);

/// Instances of which it is told again at a time: when more fall silent in a cluster, they are
/// held, and the rest has been told once.
const AGAIN_MAX: usize = 1_000;

// === impl Sharing ===

impl Sharing {
    /// Since when all heartbeats come here although this server is cut off, and until when that is
    /// known; `None` when they may go to others.
    pub(in crate::registry::apply) fn all_heard(&self, now: Duration) -> Option<Heard> {
        if self.ownership.hears_all() {
            return Some(Heard { since: Duration::ZERO, until: Duration::MAX });
        }
        let (company, at) = (self.ownership.company()?, Instant::now());
        let of = |instant| now.saturating_sub(at.saturating_duration_since(instant));
        Some(Heard { since: of(company.since), until: of(company.until) })
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
        let now = now.filter(|now| now.registered == known.registered);
        let checks = known.instance.checks.iter().zip(&known.checks).enumerate();
        for (index, (_, was)) in checks.filter(|(_, (spec, _))| CheckSpec::ttl(spec).is_some()) {
            let is = now.and_then(|now| now.checks.get(index));
            let status = is.map_or(Status::Critical, |is| is.status);
            if status != was.status {
                let output = is.map(|is| Arc::clone(&is.output)).unwrap_or_default();
                let beat = Beat::of(known.instance.key());
                let check = Some((index, known.registered));
                // When the queue is full, it is told again.
                let _full = self.beats.try_send(Beat {
                    check,
                    status: Some(status),
                    output: Some(output),
                    is_finding: true,
                    ..beat
                });
            }
        }
    }
}

// === impl Applier ===

impl Applier {
    /// Tells others what heartbeats, or the want of them, have changed of what is this server's
    /// task.
    pub(in crate::registry::apply) fn tell_found(&self, base: &Snapshot, finished: &Finished) {
        let Some(sharing) = self.sharing.as_ref().filter(|it| it.is_apart()) else { return };
        for key in finished.touched.iter().filter(|key| sharing.keeps(key)) {
            if let Some(before) = base.member(key) {
                sharing.tell(before, finished.next.member(key));
            }
        }
    }

    /// Tells others again what differs from what the store has.
    pub(in crate::registry::apply) fn tell_others_again(&mut self) {
        let (snapshot, now) = (self.registry.snapshot(), self.clock.elapsed());
        let Some(sharing) = &mut self.sharing else { return };
        if !sharing.is_apart() {
            sharing.tells_at = None;
        } else if sharing.tells_at.is_none_or(|at| at <= now) {
            sharing.tells_at = Some(now + AGAIN);
            let owed: Vec<&InstanceKey> = sharing.overlay.owed().iter().take(AGAIN_MAX).collect();
            for key in owed {
                if let Some(shared) = sharing.overlay.get(key) {
                    sharing.tell(shared, snapshot.member(key));
                }
            }
        }
    }
}
