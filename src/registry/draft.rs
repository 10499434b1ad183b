//! The next snapshot while it is being written: commands in, a snapshot and its rows out. Pure.
//!
//! The authoritative state is the newest snapshot itself; there is no second structure that could
//! disagree with it or take its memory again. A draft copies the services that a batch touches,
//! changes the copies, and becomes the next snapshot only when the store has taken its rows.
//! Undoing a batch is dropping its draft.

mod aliases;
mod amend;
mod limits;
mod nodes;
mod policy;
mod service;
mod shared;

use std::{sync::Arc, time::Duration};

use hashbrown::HashMap;

pub(super) use self::nodes::state as node_state;
use self::{aliases::Unsettled, service::ServiceDraft};
use super::{
    Applied, Change, Counts, Followers, Member, Options, Origins, RegistryError, ServiceEntry,
    Snapshot, index,
};
use crate::model::{
    Carry, CheckSpec, CheckState, Command, Event, EventKind, Heartbeat, Instance, InstanceId,
    InstanceKey, Interface, RemovalReason, Revision, ServiceName, Status, Timestamp, limit,
};

/// What one that was not renewed says, with its ttl behind it.
const LAPSED: &str = "no heartbeat for";

/// What the `ttl` checks of a held instance say.
const HELD: &str = "silent, held by self-preservation";

/// How long a heartbeat may be on its way from the server that it reached: one is sent within
/// three seconds or never, and takes two by either way; and as much again for machines that are
/// busy. What a server hears that is behind for longer, because it is cut off, counts again.
const ON_ITS_WAY_MAX: Duration = Duration::from_secs(10);

/// A batch of changes on top of a snapshot.
#[derive(Debug)]
pub(super) struct Draft<'s> {
    base: &'s Snapshot,
    /// The world that a store has, when commands are carried out a second time that were accepted
    /// for it.
    accepted: Option<&'s Snapshot>,
    /// The revision that all changes have; `None` for one after the other.
    fixed: Option<Revision>,
    options: &'s Options,
    at: Timestamp,
    revision: Revision,
    counts: Counts,
    /// Services that the registry would have, for the limit.
    service_count: usize,
    services: HashMap<ServiceName, ServiceDraft>,
    /// The nodes that the batch touches; `None` is one that goes.
    nodes: HashMap<InstanceId, Option<Arc<Member>>>,
    /// Nodes that the registry would have, for the limit.
    node_count: usize,
    origins: Origins,
    followers: Followers,
    /// Those whose `alias` checks are to be looked at.
    unsettled: Unsettled,
    nodes_changed: Revision,
    carried: Vec<Carried>,
    pub(super) events: Vec<Event>,
}

/// What a draft comes to.
#[derive(Debug)]
pub(super) struct Finished {
    /// The world with the changes in it.
    pub next: Snapshot,
    /// The rows to keep, sorted.
    pub changes: Vec<Change>,
    /// What happened, in order.
    pub events: Vec<Event>,
    /// The instances that are different from before, or gone.
    pub touched: Vec<InstanceKey>,
    /// Registrations with which leases go on.
    pub carried: Vec<Carried>,
}

/// A registration in the place of another, of which heartbeats have to come by when they had to.
#[derive(Debug)]
pub(super) struct Carried {
    /// Of which instance.
    pub key: InstanceKey,
    /// The revision of the registration; a later one of the same batch is another.
    pub registered: Revision,
    /// For each of its checks, which one of before it was, if that one's lease goes on.
    pub from: Vec<Option<usize>>,
}

// === impl Draft ===

impl<'s> Draft<'s> {
    /// A draft without changes, at the wall clock's `at`.
    pub(super) fn new(base: &'s Snapshot, options: &'s Options, at: Timestamp) -> Self {
        Self {
            base,
            accepted: None,
            fixed: None,
            options,
            at,
            revision: base.revision,
            counts: base.counts,
            service_count: base.services.len(),
            services: HashMap::new(),
            nodes: HashMap::new(),
            node_count: base.nodes.len(),
            origins: base.origins.clone(),
            followers: base.followers.clone(),
            unsettled: Unsettled::default(),
            nodes_changed: base.nodes_changed,
            carried: Vec::new(),
            events: Vec::new(),
        }
    }

    /// A draft for commands that were accepted already, on top of a world from which `stored` came.
    pub(super) fn again(self, stored: &'s Snapshot) -> Self {
        Self { accepted: Some(stored), ..self }
    }

    /// Carries out one command, or refuses it and changes nothing.
    pub(super) fn apply(&mut self, command: &Command) -> Result<Applied, RegistryError> {
        match command {
            Command::Amend(amendments) => self.amend(amendments),
            Command::Deregister(key) => self.remove(key, RemovalReason::Asked),
            Command::Drain { key, on } => self.drain(key, *on),
            Command::Heartbeat(beat) => self.beat(beat),
            Command::Register(instances) => self.register(instances),
            Command::RemovePolicy(service) => self.remove_policy(service),
            Command::Report(report) => Ok(self.report(report)),
            Command::SetPolicy(service, policy) => self.set_policy(service, *policy),
        }
    }

    /// Turns a `ttl` check that was not renewed critical, or removes an instance whose lease it is.
    pub(super) fn lapse(&mut self, key: &InstanceKey, check: u8) {
        let check = usize::from(check);
        let Ok(member) = self.member(key) else { return };
        match member.instance.checks.get(check) {
            Some(spec) if spec.is_lease() => self.expire(key),
            Some(spec) => {
                let Some(ttl) = spec.ttl() else { return };
                let output = silence(ttl, &member.checks[check]).into();
                let (key, status) = (key.clone(), Status::Critical);
                let check = Some((check, member.registered));
                self.set_ttl_checks(
                    &member,
                    &Heartbeat { key, check, status, output, heard: None },
                );
            }
            None => {}
        }
    }

    /// Holds a silent instance in the answers as suspect: the check that was not renewed says so,
    /// and passes again if it had lapsed already.
    pub(super) fn hold(&mut self, key: &InstanceKey, check: u8) {
        let Ok(member) = self.member(key) else { return };
        let mut next = Member::clone(&member);
        let check = usize::from(check);
        let is_ttl = member.instance.checks.get(check).is_some_and(|spec| spec.ttl().is_some());
        let Some(state) = next.checks.get_mut(check).filter(|_| is_ttl) else { return };
        // One that has said itself that it is down is believed.
        if !state.status.is_up() && state.output.starts_with(LAPSED) {
            state.status = Status::Passing;
            state.since = self.at;
        }
        if state.status.is_up() {
            state.output = HELD.into();
        }
        next.suspect = true;
        self.put_status(&member, next, HELD.into());
    }

    /// Prepares the services without a policy of their own anew, for a new default.
    pub(super) fn adopt_default_policy(&mut self) {
        let (base, default) = (self.base, self.options.default_policy);
        let follows = |entry: &ServiceEntry| !entry.has_own_policy && entry.policy != default;
        let affected: Vec<_> = base
            .services
            .iter()
            .filter(|(_, entry)| follows(entry))
            .map(|(name, _)| name)
            .collect();
        if affected.is_empty() {
            return;
        }
        let revision = self.step();
        for name in affected {
            let draft = self.draft_of(name);
            draft.modified = revision;
            draft.is_prepared_anew = true;
        }
    }

    /// Removes an instance that was critical for too long.
    pub(super) fn expire(&mut self, key: &InstanceKey) {
        // An instance that is gone already needs no removal.
        let _gone = self.remove(key, RemovalReason::Expired);
    }

    /// Whether the world is as it was.
    pub(super) fn is_unchanged(&self) -> bool {
        self.revision == self.base.revision
    }

    /// The world and the rows with all changes in them.
    pub(super) fn finish(mut self) -> Finished {
        self.settle_aliases();
        let mut next = self.base.clone();
        next.revision = self.revision;
        next.counts = self.counts;
        let (mut changes, mut touched) = (Vec::new(), Vec::new());
        let event = self.events.last().map(|event| event.revision);
        next.changed = event.unwrap_or(next.changed);
        (next.origins, next.nodes_changed) = (self.origins.clone(), self.nodes_changed);
        next.followers = self.followers.clone();
        self.node_rows(&mut changes);
        touched.extend(self.touched_nodes());
        let mut services: Vec<_> = std::mem::take(&mut self.services).into_iter().collect();
        services.sort_unstable_by(|a, b| a.0.cmp(&b.0));
        for (name, draft) in services {
            if draft.is_untouched() {
                continue;
            }
            draft.rows(&name, &mut changes);
            touched
                .extend(draft.touched.iter().map(|id| InstanceKey::new(name.clone(), id.clone())));
            let before = self.base.service(name.as_str()).map(Arc::clone);
            let (modified, has_new_content) = (draft.modified, draft.has_new_content(&before));
            let after = draft.into_entry(&name, self.options);
            if has_new_content {
                if !index::have_the_same_names(before.as_deref(), after.as_ref()) {
                    next.names_changed = next.names_changed.max(modified);
                }
                index::update_tags(&mut next.tags, before.as_deref(), after.as_ref());
                if self.options.index_addresses {
                    let index = &mut next.by_address;
                    index::update_addresses(index, before.as_deref(), after.as_ref());
                }
            }
            match after {
                Some(entry) => next.services.insert(name, Arc::new(entry)),
                None => next.services.remove(&name),
            }
        }
        let (events, carried) =
            (std::mem::take(&mut self.events), std::mem::take(&mut self.carried));
        self.into_nodes(&mut next.nodes);
        Finished { next, changes, events, touched, carried }
    }

    fn register(&mut self, instances: &[Arc<Instance>]) -> Result<Applied, RegistryError> {
        self.check_limits(instances)?;
        let (mut created, mut changed, mut seen) = (0, false, Revision::default());
        for instance in instances {
            // One revision for all that are new: a bulk is seen whole or not at all.
            let revision = if changed { self.revision } else { self.revision.next() };
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

    fn remove(
        &mut self,
        key: &InstanceKey,
        reason: RemovalReason,
    ) -> Result<Applied, RegistryError> {
        let before = self.member(key)?;
        let revision = self.step();
        self.event(revision, &key.service, EventKind::Deregistered { key: key.clone(), reason });
        self.note_origin(Some(&before), None, revision);
        self.note_aliases(Some(&before), None);
        if key.service.is_nodes() {
            self.put_node(Some(&before), None);
            return Ok(Applied { revision, created: 0, changed: true });
        }
        self.counts.remove(&before);
        let draft = self.draft_of(&key.service);
        draft.members.retain(|member| member.instance.id != key.id);
        draft.touched.insert(key.id.clone());
        draft.modified = revision;
        if draft.is_empty() {
            self.service_count -= 1;
        }
        Ok(Applied { revision, created: 0, changed: true })
    }

    fn drain(&mut self, key: &InstanceKey, on: bool) -> Result<Applied, RegistryError> {
        let before = self.member(key)?;
        if before.drained == on {
            return Ok(unchanged(before.modified));
        }
        let revision = self.step();
        let next = Member { drained: on, ..Member::clone(&before) };
        // What a node that goes down does to those on it is told after it.
        self.event(revision, &key.service, EventKind::Drained { key: key.clone(), on });
        self.put(Some(&before), next, revision);
        Ok(Applied { revision, created: 0, changed: true })
    }

    /// A result that is late for a replaced or removed registration changes nothing: whoever sent
    /// it could not know.
    fn report(&mut self, report: &crate::model::CheckReport) -> Applied {
        let current = self.member(&report.key).ok();
        let current = current.filter(|member| member.registered == report.registered);
        let Some(before) = current else { return unchanged(self.revision) };
        let mut next = Member::clone(&before);
        // What an `alias` is in follows from another's state, and from nothing else.
        let is_alias = |spec: &CheckSpec| spec.alias().is_some();
        let Some(check) = next
            .checks
            .get_mut(report.check)
            .filter(|_| !before.instance.checks.get(report.check).is_some_and(is_alias))
        else {
            return unchanged(self.revision);
        };
        if check.status != report.status {
            check.since = self.at;
        }
        check.status = report.status;
        check.output = Arc::clone(&report.output);
        self.put_status(&before, next, Arc::clone(&report.output))
    }

    fn beat(&mut self, beat: &Heartbeat) -> Result<Applied, RegistryError> {
        let member = self.member(&beat.key)?;
        let checks = &member.instance.checks;
        let is_ttl = match beat.check {
            Some((_, registered)) if registered != member.registered => {
                return Err(RegistryError::Conflict(beat.key.clone()));
            }
            Some((check, _)) => checks.get(check).is_some_and(|spec| spec.ttl().is_some()),
            None => member.instance.has_ttl_check(),
        };
        if !is_ttl {
            return Err(RegistryError::NoTtlCheck(beat.key.clone()));
        }
        Ok(self.set_ttl_checks(&member, beat))
    }

    /// The output is taken with a change of status, at the end of a hold, or when nothing was said
    /// before: a heartbeat that says something new each time must not cost a write each time. Of
    /// one check by itself what is new is taken, too: whoever hands it over has paced it. Of
    /// Consul's clients that is nothing as well, which an agent shows; others do not take it back.
    /// What was `heard` before a check's newest word, and comes after it, leaves that one alone.
    fn set_ttl_checks(&mut self, before: &Member, beat: &Heartbeat) -> Applied {
        let Heartbeat { check, status, output, heard, .. } = beat;
        let (only, status) = (check.map(|(check, _)| check), *status);
        let is_older = heard.is_some_and(|heard| before.modified > heard);
        let is_outdated = |state| is_older && is_recent_word(state, self.at);
        let mut next = before.clone();
        no_longer_held(&mut next, only, output);
        let is_word =
            only.is_some() && (!output.is_empty() || before.instance.is_from(Interface::Consul));
        let specs = before.instance.checks.iter();
        for (index, (state, spec)) in next.checks.iter_mut().zip(specs).enumerate() {
            let is_meant = spec.ttl().is_some()
                && only.is_none_or(|only| only == index)
                && !is_outdated(&before.checks[index]);
            if is_meant && state.status != status {
                state.status = status;
                state.since = self.at;
                state.output = Arc::clone(output);
            } else if is_meant && (state.output.is_empty() || is_word) && state.output != *output {
                state.output = Arc::clone(output);
            }
        }
        self.put_status(before, next, Arc::clone(output))
    }

    /// Puts a member whose checks or suspicion may have changed, and tells of it when its own
    /// state did.
    fn put_status(&mut self, before: &Member, mut next: Member, output: Arc<str>) -> Applied {
        let (from, to) = (before.status, next.worst());
        next.status = to;
        if next.suspect && next.is_found_dead() {
            // A death that an active check confirms is no suspicion any more: from here on only a
            // heartbeat brings the instance back.
            next.suspect = false;
            for state in next.checks.iter_mut().filter(|state| is_held(state)) {
                state.status = Status::Critical;
                state.since = self.at;
                state.output = "silent, and an active check failed".into();
            }
        }
        if next == *before {
            return unchanged(before.modified);
        }
        let revision = self.step();
        if from != to {
            next.since = self.at;
        }
        self.tell_of_status(before, &next, revision, output);
        self.put(Some(before), next, revision);
        Applied { revision, created: 0, changed: true }
    }

    fn tell_of_status(
        &mut self,
        before: &Member,
        next: &Member,
        revision: Revision,
        output: Arc<str>,
    ) {
        let (from, to, suspect) = (before.status, next.status, next.suspect);
        if from != to || suspect != before.suspect {
            let key = next.key();
            let service = key.service.clone();
            let kind = EventKind::StatusChanged { key, from, to, suspect, output };
            self.event(revision, &service, kind);
        } else if before.registered == next.registered && !before.has_statuses_of(next) {
            let kind = EventKind::CheckChanged { key: next.key() };
            self.event(revision, &next.instance.service, kind);
        }
    }

    fn put(&mut self, before: Option<&Member>, mut next: Member, revision: Revision) {
        next.modified = revision;
        self.note_origin(before, Some(&next), revision);
        self.note_aliases(before, Some(&next));
        if next.instance.service.is_nodes() {
            self.put_node(before, Some(next));
            return;
        }
        if let Some(before) = before {
            self.counts.remove(before);
        }
        self.counts.add(&next);
        let draft = self.draft_of(&next.instance.service);
        let was_empty = draft.is_empty();
        draft.modified = revision;
        draft.touched.insert(next.instance.id.clone());
        match draft.place(next.instance.id.as_str()) {
            Ok(at) => draft.members[at] = Arc::new(next),
            Err(at) => draft.members.insert(at, Arc::new(next)),
        }
        self.service_count += usize::from(was_empty);
    }

    fn member(&mut self, key: &InstanceKey) -> Result<Arc<Member>, RegistryError> {
        let found = self.look_up(key);
        found.ok_or_else(|| RegistryError::UnknownInstance(key.clone()))
    }

    fn look_up(&self, key: &InstanceKey) -> Option<Arc<Member>> {
        if key.service.is_nodes() {
            return self.node(&key.id).cloned();
        }
        match self.services.get(&key.service) {
            Some(draft) => draft.member(&key.id),
            None => self.base.member(key).cloned(),
        }
    }

    fn draft_of(&mut self, service: &ServiceName) -> &mut ServiceDraft {
        // Looked up twice on a miss only; the entry interface would clone the name on every hit.
        if !self.services.contains_key(service) {
            let draft = ServiceDraft::of(self.base.service(service.as_str()).map(AsRef::as_ref));
            self.services.insert(service.clone(), draft);
        }
        self.services.get_mut(service).expect("inserted just now if it was not there")
    }

    fn step(&mut self) -> Revision {
        self.revision = self.fixed.unwrap_or_else(|| self.revision.next());
        self.revision
    }

    fn event(&mut self, revision: Revision, service: &ServiceName, kind: EventKind) {
        if !service.is_nodes() {
            self.draft_of(service).changed = revision;
        }
        self.events.push(Event { revision, at: self.at, service: service.clone(), kind });
    }
}

// === impl Carried ===

impl Carried {
    /// What goes on of a registration with these checks; `None` when no lease does.
    fn new(next: &Member, checks: &[Carry]) -> Option<Self> {
        let specs = next.instance.checks.iter();
        let from = specs.zip(checks).map(|(spec, carry)| match carry {
            Carry::From(index) if spec.ttl().is_some() => Some(*index),
            _ => None,
        });
        let from: Vec<_> = from.collect();
        let goes_on = from.iter().any(Option::is_some);
        goes_on.then(|| Self { key: next.key(), registered: next.registered, from })
    }
}

// === impl Finished ===

impl Finished {
    /// What a batch without changes comes to.
    pub(super) fn unchanged(base: &Snapshot) -> Self {
        let (next, changes, events) = (base.clone(), vec![], vec![]);
        Self { next, changes, events, touched: vec![], carried: vec![] }
    }
}

/// What is said of a check that was not renewed: for how long, and what it said last, which may be
/// why.
fn silence(ttl: Duration, state: &CheckState) -> String {
    let mut text = format!("{LAPSED} {ttl:?}");
    if let Some(last) = state.last_word().filter(|last| *last != HELD) {
        text.push_str("; the last one said: ");
        text.push_str(last);
        text.truncate(text.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX));
    }
    text
}

/// Takes the word of a hold back, of one check or of all: also of one that a restart has ended,
/// after which the checks still say so although suspicion is not stored. The instance is suspect as
/// long as another of its checks is held.
fn no_longer_held(member: &mut Member, only: Option<usize>, output: &Arc<str>) {
    for (index, state) in member.checks.iter_mut().enumerate() {
        if is_held(state) && only.is_none_or(|only| only == index) {
            state.output = if output.is_empty() { "heartbeat".into() } else { Arc::clone(output) };
        }
    }
    member.suspect &= member.checks.iter().any(is_held);
}

pub(super) fn is_held(state: &CheckState) -> bool {
    &*state.output == HELD
}

/// Whether a `ttl` check is in its state by somebody's word, not for want of one, and so lately
/// that a heartbeat may be on its way still that was sent before it.
fn is_recent_word(state: &CheckState, now: Timestamp) -> bool {
    let is_silence = is_held(state) || !state.status.is_up() && state.output.starts_with(LAPSED);
    // A clock that went back since would make each word a recent one.
    !is_silence && state.since <= now && now.since(state.since) <= ON_ITS_WAY_MAX
}

fn unchanged(revision: Revision) -> Applied {
    Applied { revision, created: 0, changed: false }
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
        // Of several that probe the same, that in the same place, or one with the same thresholds
        // too.
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

#[cfg(test)]
mod tests;
