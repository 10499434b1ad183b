//! Changes by those who have read an instance before, and decide from what they read.
//!
//! A door whose clients change parts of a registration (one check more, a tag, maintenance) reads
//! it, makes the whole anew and asks for it in place of the one it has read. What somebody else has
//! replaced meanwhile is not overwritten: the door reads again.

use std::{collections::HashSet, sync::Arc};

use super::{Carried, Draft, health::no_longer_held, unchanged};
use crate::{
    model::{
        Amendment, Carry, CheckState, EventKind, Instance, InstanceKey, Invalid, RemovalReason,
        Replacement, Revision, Timestamp,
    },
    registry::{Applied, Member, RegistryError},
};

impl Draft<'_> {
    /// Carries out amendments, all or none.
    pub(super) fn amend(&mut self, amendments: &[Amendment]) -> Result<Applied, RegistryError> {
        if self.accepted.is_some() {
            return Ok(self.amend_again(amendments));
        }
        for amendment in amendments {
            self.check_amendment(amendment, amendments)?;
        }
        let put = amendments.iter().filter_map(|a| a.to.as_ref().map(|to| &to.instance));
        check_origins(put.clone())?;
        self.check_limits(&put.cloned().collect::<Vec<_>>())?;
        let created: Vec<_> = amendments.iter().map(|a| self.created_elsewhere(a)).collect();
        let mut applied = unchanged(Revision::default());
        // What is removed first may make room for an origin that moves to another name.
        for Amendment { key, .. } in amendments.iter().filter(|a| a.to.is_none()) {
            let removed = self.remove(key, RemovalReason::Asked)?;
            (applied.revision, applied.changed) = (removed.revision, true);
        }
        self.put_all(amendments, created, &mut applied);
        Ok(applied)
    }

    /// Carries out amendments that were accepted and are stored, whatever was seen meanwhile: also
    /// of an instance that was removed, because it had been critical or silent for too long.
    fn amend_again(&mut self, amendments: &[Amendment]) -> Applied {
        let created: Vec<_> = amendments.iter().map(|a| self.created_elsewhere(a)).collect();
        let mut applied = unchanged(self.revision);
        for Amendment { key, .. } in amendments.iter().filter(|a| a.to.is_none()) {
            // One that is gone already needs no removal.
            if let Ok(removed) = self.remove(key, RemovalReason::Asked) {
                (applied.revision, applied.changed) = (removed.revision, true);
            }
        }
        self.put_all(amendments, created, &mut applied);
        applied
    }

    fn put_all(
        &mut self,
        amendments: &[Amendment],
        created: Vec<Option<Revision>>,
        applied: &mut Applied,
    ) {
        for (amendment, created) in amendments.iter().zip(created) {
            let Some(to) = &amendment.to else { continue };
            let next = self.replace(to, created, applied.changed);
            applied.revision = applied.revision.max(next.revision);
            applied.changed |= next.changed;
            applied.created += next.created;
        }
    }

    /// Refuses what was decided from something that is no longer so.
    fn check_amendment(
        &mut self,
        amendment: &Amendment,
        all: &[Amendment],
    ) -> Result<(), RegistryError> {
        let Amendment { key, seen, to } = amendment;
        let conflict = || Err(RegistryError::Conflict(key.clone()));
        let current = self.member(key).ok().map(|member| member.registered);
        // Who removes what is gone already has what was wanted; but not who saw none.
        if current != *seen || (to.is_none() && seen.is_none()) {
            return conflict();
        }
        let Some(Replacement { instance, .. }) = to else { return Ok(()) };
        let Some(origin) = &instance.origin else { return Ok(()) };
        match self.origins.get(&origin.scope, &origin.id).map(|other| other.key()) {
            Some(other) if other != *key => {
                let is_removed = all.iter().any(|a| a.key == other && a.to.is_none());
                if is_removed { Ok(()) } else { conflict() }
            }
            _ => Ok(()),
        }
    }

    /// When what has the same origin was created, if that is under another name so far.
    fn created_elsewhere(&self, amendment: &Amendment) -> Option<Revision> {
        let origin = amendment.to.as_ref()?.instance.origin.as_ref()?;
        let other = self.origins.get(&origin.scope, &origin.id)?.key();
        self.look_up(&other).map(|member| member.created)
    }

    /// Puts an instance in the place of what is there, with what was known of its checks.
    /// An instance that is new here, and that stands for what was `created` under another name, is
    /// as old as that.
    fn replace(
        &mut self,
        to: &Replacement,
        created: Option<Revision>,
        has_changed: bool,
    ) -> Applied {
        let Replacement { instance, checks, drained } = to;
        let key = instance.key();
        let before = self.member(&key).ok();
        let revision = if has_changed { self.revision } else { self.next_revision() };
        let mut next = Member::new(Arc::clone(instance), revision, self.at);
        let was_drained = before.as_ref().is_some_and(|before| before.drained);
        let drained = drained.unwrap_or(was_drained);
        (next.drained, next.created) = (drained, created.unwrap_or(revision));
        for (state, carry) in next.checks.iter_mut().zip(checks) {
            carry_over(state, carry, before.as_deref(), self.at);
        }
        if let (None, Some(stored)) =
            (&before, self.accepted.and_then(|stored| stored.member(&key)))
            && stored.instance == *instance
        {
            // It was removed meanwhile, with all that was to be carried over.
            (next.checks, next.drained) = (stored.checks.clone(), stored.drained);
            next.created = stored.created;
        }
        self.settle_on_node(&mut next);
        if let Some(before) = &before {
            go_on(before, &mut next, checks);
            if is_alike(before, &next) {
                return unchanged(before.modified);
            }
        }
        self.revision = revision;
        self.tell_of(&key, before.as_deref(), &next, revision);
        if before.is_some() {
            self.carried.extend(Carried::new(&next, checks));
        }
        let created = usize::from(before.is_none());
        self.put(before.as_deref(), next, revision);
        Applied { revision, created, changed: true }
    }

    fn tell_of(
        &mut self,
        key: &InstanceKey,
        before: Option<&Member>,
        next: &Member,
        revision: Revision,
    ) {
        if before.is_none_or(|before| before.registered != next.registered) {
            let replaced = before.is_some();
            let kind = EventKind::Registered { key: key.clone(), replaced };
            self.event(revision, &key.service, kind);
        }
        let Some(before) = before else { return };
        if before.drained != next.drained {
            let kind = EventKind::Drained { key: key.clone(), on: next.drained };
            self.event(revision, &key.service, kind);
        }
        self.tell_of_status(before, next, revision, "registered".into());
    }
}

/// Refuses instances of which two are to stand for the same.
fn check_origins<'i>(
    instances: impl Iterator<Item = &'i Arc<Instance>>,
) -> Result<(), RegistryError> {
    let mut seen = HashSet::new();
    for instance in instances {
        if let Some(origin) = instance.origin.as_deref()
            && !seen.insert((&origin.scope, &origin.id))
        {
            let refusal = Invalid::new("origin.id", &origin.id, "is there twice");
            return Err(RegistryError::Invalid(refusal));
        }
    }
    Ok(())
}

/// Has the time, and the registration if it is the same one, go on where `next` takes the place of
/// `before`.
fn go_on(before: &Member, next: &mut Member, checks: &[Carry]) {
    next.created = before.created;
    if before.instance == next.instance && !begins_anew(&next.instance, checks) {
        // What is under way for it, a probe or a reply, is for this registration.
        next.registered = before.registered;
        next.registered_at = before.registered_at;
    }
    settle_suspicion(before, next, checks);
    if next.status == before.status {
        next.since = before.since;
    }
}

/// Whether nobody could tell the two apart.
fn is_alike(before: &Member, next: &Member) -> bool {
    before.instance == next.instance
        && before.checks == next.checks
        && (before.drained, before.suspect) == (next.drained, next.suspect)
}

/// Somebody who is held as silent stays so until a sign of life comes, with whatever registration.
fn settle_suspicion(before: &Member, next: &mut Member, checks: &[Carry]) {
    next.suspect = before.suspect && next.instance.has_ttl_check() && !next.is_found_dead();
    let specs = next.instance.checks.iter().zip(checks).enumerate();
    let renewed =
        specs.filter(|(_, (spec, carry))| spec.ttl().is_some() && !matches!(carry, Carry::From(_)));
    for index in renewed.map(|(index, _)| index).collect::<Vec<_>>() {
        no_longer_held(next, Some(index), &"registered again".into());
    }
}

/// Whether a lease of the instance begins with what is said of its check.
fn begins_anew(instance: &Instance, checks: &[Carry]) -> bool {
    let mut checks = instance.checks.iter().zip(checks);
    checks.any(|(spec, carry)| spec.ttl().is_some() && matches!(carry, Carry::Anew(..)))
}

fn carry_over(state: &mut CheckState, carry: &Carry, before: Option<&Member>, at: Timestamp) {
    match carry {
        Carry::From(index) | Carry::Renewed(index) => {
            if let Some(known) = before.and_then(|member| member.checks.get(*index)) {
                *state = known.clone();
            }
        }
        Carry::Anew(status, output) => {
            *state = CheckState { status: *status, output: Arc::clone(output), since: at };
        }
    }
}

#[cfg(test)]
mod tests;
