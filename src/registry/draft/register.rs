//! Registrations by the native interface, which say what is to be.

use std::sync::Arc;

use super::{Draft, health::no_longer_held};
use crate::{
    model::{EventKind, Instance, Revision, Timestamp},
    registry::{Applied, Member, RegistryError},
};

// === impl Draft ===

impl Draft<'_> {
    pub(super) fn register(
        &mut self,
        instances: &[Arc<Instance>],
    ) -> Result<Applied, RegistryError> {
        self.check_limits(instances)?;
        let (mut created, mut changed, mut seen) = (0, false, Revision::default());
        for instance in instances {
            // One revision for all that are new: a bulk is seen whole or not at all.
            let revision = if changed { self.revision } else { self.next_revision() };
            let before = self.draft_of(&instance.service).member(&instance.id);
            let next = match &before {
                Some(old) if old.instance == *instance => {
                    // Registering again is a sign of life, and changes nothing else.
                    let mut alive = Member::clone(old);
                    let output: Arc<str> = "registered again".into();
                    no_longer_held(&mut alive, None, &output);
                    let applied = self.put_status(old, alive, output);
                    seen = seen.max(applied.revision);
                    continue;
                }
                Some(old) => replacement(old, instance, revision, self.at),
                None => Member::new(Arc::clone(instance), revision, self.at),
            };
            debug_assert!(next.instance.origin.is_none(), "what is on a node is amended");
            created += usize::from(before.is_none());
            (self.revision, changed, seen) = (revision, true, revision);
            let kind = EventKind::Registered { key: next.key(), replaced: before.is_some() };
            self.put(before.as_deref(), next, revision);
            self.event(revision, &instance.service, kind);
        }
        Ok(Applied { revision: seen, created, changed })
    }
}

/// A registration with other content in place of `old`. What is not changed by it keeps its state:
/// neither a new weight nor a new interval must send a healthy instance back to the start. A check
/// that does or expects something else has found nothing yet and starts anew, and so does a `ttl`
/// check: a heartbeat just came with the registration. What was last said of a `manual` one holds.
fn replacement(
    old: &Member,
    instance: &Arc<Instance>,
    revision: Revision,
    at: Timestamp,
) -> Member {
    let mut next = Member::new(Arc::clone(instance), revision, at);
    (next.drained, next.created) = (old.drained, old.created);
    let moved = old.instance.addresses != instance.addresses || old.instance.port != instance.port;
    for (index, spec) in instance.checks.iter().enumerate() {
        if moved || spec.ttl().is_some() {
            continue;
        }
        let before = &old.instance.checks;
        // A check keeps what it has found when its place or its thresholds change. Of several that
        // probe the same, the likest one is it.
        let in_place = before.get(index).is_some_and(|other| other == spec).then_some(index);
        let found = in_place.or_else(|| before.iter().position(|other| other == spec));
        let found = found.or_else(|| before.iter().position(|other| other.probes_the_same(spec)));
        if let Some(found) = found {
            next.checks[index] = old.checks[found].clone();
        }
    }
    next.status = next.worst();
    if next.status == old.status {
        next.since = old.since;
    }
    next
}
