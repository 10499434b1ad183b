//! The next snapshot while it is being written: commands in, a snapshot and its rows out. Pure.
//!
//! The authoritative state is the newest snapshot itself; there is no second structure that could
//! disagree with it or take its memory again. A draft copies the services that a batch touches,
//! changes the copies, and becomes the next snapshot only when the store has taken its rows.
//! Undoing a batch is dropping its draft.

mod aliases;
mod amend;
mod health;
mod limits;
mod nodes;
mod policy;
mod register;
mod service;
mod shared;

use std::sync::Arc;

use hashbrown::HashMap;

use self::{aliases::Unsettled, service::ServiceDraft};
pub(super) use self::{
    health::{is_held, is_later_word},
    nodes::state as node_state,
};
use super::{
    Applied, Change, Counts, Followers, Member, Options, Origins, RegistryError, ServiceEntry,
    Snapshot, index,
};
use crate::model::{
    Carry, Command, Event, EventKind, InstanceId, InstanceKey, RemovalReason, Revision,
    ServiceName, Timestamp,
};

/// A batch of changes on top of a snapshot.
#[derive(Debug)]
pub(super) struct Draft<'s> {
    base: &'s Snapshot,
    /// The world that a store has, when commands are carried out a second time that were accepted
    /// for it.
    accepted: Option<&'s Snapshot>,
    /// The revision that all changes have; `None` for one after the other.
    fixed: Option<Revision>,
    /// Whether a change has a number, which may be that of the one before.
    has_stepped: bool,
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
            has_stepped: false,
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

    /// Removes an instance whose origin a younger one has.
    pub(super) fn give_way(&mut self, key: &InstanceKey) {
        if self.remove(key, RemovalReason::Asked).is_ok() {
            let why = "two servers have registered it at once; the younger registration stays";
            tracing::info!(%key, "{why}");
        }
    }

    /// Whether the world is as it was.
    pub(super) fn is_unchanged(&self) -> bool {
        self.revision == self.base.revision && !self.has_stepped
    }

    /// The world and the rows with all changes in them.
    pub(super) fn finish(mut self) -> Finished {
        self.settle_aliases();
        let mut next = self.base.clone();
        if self.has_stepped && self.revision == self.base.revision {
            next.steps.era += 1; // no number was left
        }
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

    fn put(&mut self, before: Option<&Member>, next: Member, revision: Revision) {
        self.put_modified(before, next, (revision, revision));
    }

    /// Puts a member that was modified at another revision than that of the change.
    fn put_modified(
        &mut self,
        before: Option<&Member>,
        mut next: Member,
        (revision, modified): (Revision, Revision),
    ) {
        next.modified = modified;
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
        self.has_stepped = true;
        self.revision = self.fixed.unwrap_or_else(|| self.next_revision());
        self.revision
    }

    /// The number of the next change here.
    fn next_revision(&self) -> Revision {
        self.base.after(self.revision)
    }

    fn event(&mut self, revision: Revision, service: &ServiceName, kind: EventKind) {
        if !service.is_nodes() {
            self.draft_of(service).changed = revision;
        }
        let (at, service, told_after) = (self.at, service.clone(), None);
        self.events.push(Event { revision, at, service, kind, place: revision, told_after });
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

    /// Gives what is shared a place of this server's own while it shows more than that: whether it
    /// did not before, and does not now.
    pub(super) fn place(&mut self, was_all_shared: bool, is_all_shared: bool) {
        let last = self.events.last().map(|event| event.revision);
        for event in &mut self.events {
            let is_plain = is_all_shared && (was_all_shared || Some(event.revision) == last);
            if !is_plain {
                event.place = self.next.place(event.revision);
            }
        }
        if !is_all_shared {
            self.next.revision = self.next.place(self.next.revision);
        }
    }
}

fn unchanged(revision: Revision) -> Applied {
    Applied { revision, created: 0, changed: false }
}

#[cfg(test)]
mod tests;
