//! What other servers have changed, as the shared store tells of it.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::Arc,
};

use super::{Draft, node_state};
use crate::{
    model::{EventKind, InstanceKey, Policy, RemovalReason, Revision, ServiceName, Status},
    registry::{Member, shared::are_the_same},
};

impl Draft<'_> {
    /// From now on all changes are of this revision of the shared store, or of the next one here if
    /// this server is ahead of it.
    pub(in crate::registry) fn at_shared(&mut self, revision: Revision) {
        // Those who follow others do so at the revision of these, as on every server.
        self.settle_aliases();
        let is_next = revision > self.revision;
        self.fixed = Some(if is_next { revision } else { self.next_revision() });
    }

    /// The instance as the draft has it.
    pub(in crate::registry) fn shown(&self, key: &InstanceKey) -> Option<Arc<Member>> {
        self.look_up(key)
    }

    /// Shows an instance as `next`, or no longer, and tells of what is different.
    pub(in crate::registry) fn show(&mut self, key: &InstanceKey, next: Option<Arc<Member>>) {
        match (self.look_up(key), next) {
            (None, None) => {}
            (Some(_), None) => drop(self.remove(key, RemovalReason::Asked)),
            (before, Some(next)) => {
                // What is shown already is not touched: neither what nobody has changed, nor what
                // this server has told of before the store did.
                if before.as_ref().is_none_or(|before| !are_the_same(before, &next)) {
                    self.show_changed(key, before.as_deref(), Arc::unwrap_or_clone(next));
                }
            }
        }
    }

    fn show_changed(&mut self, key: &InstanceKey, before: Option<&Member>, mut next: Member) {
        if let Some(before) = before.filter(|before| before.registered == next.registered) {
            let specs = next.instance.checks.iter();
            for ((spec, state), known) in specs.zip(next.checks.iter_mut()).zip(&before.checks) {
                if spec.alias().is_some() {
                    state.clone_from(known);
                }
            }
        }
        self.settle_on_node(&mut next);
        if let Some(before) = before.filter(|before| before.status == next.status) {
            next.since = before.since;
        }
        let revision = self.step();
        // At a revision of the store it is as all servers have it, whether they follow or list.
        let modified = if self.fixed.is_some() { next.modified } else { revision };
        match before {
            Some(before) if before.registered == next.registered => {
                if before.drained != next.drained {
                    let kind = EventKind::Drained { key: key.clone(), on: next.drained };
                    self.event(revision, &key.service, kind);
                }
            }
            _ => {
                let replaced = before.is_some();
                let kind = EventKind::Registered { key: key.clone(), replaced };
                self.event(revision, &key.service, kind);
            }
        }
        // Of what takes the place of another by the native interface that is all that is told, as
        // by a store of a server's own; a door that amends tells of the state as well.
        let is_told = |before: &&Member| {
            before.registered == next.registered || next.instance.origin.is_some()
        };
        if let Some(before) = before.filter(is_told) {
            let mut pairs = next.checks.iter().zip(&before.checks);
            let turned = pairs.find(|(is, was)| is.status != was.status);
            let output = turned.map(|(is, _)| Arc::clone(&is.output)).unwrap_or_default();
            self.tell_of_status(before, &next, revision, output);
        }
        self.put_modified(before, next, (revision, modified));
    }

    /// Tells at a revision of the store, as all servers do, what is shared now in place of what
    /// was, of an instance that was shown so before: `after` that revision here.
    pub(in crate::registry) fn tell_again(
        &mut self,
        (was, is): (&Member, Option<&Member>),
        after: Revision,
    ) {
        let key = was.key();
        let Some(is) = is else {
            let reason = RemovalReason::Asked;
            self.repeat(&key, EventKind::Deregistered { key: key.clone(), reason }, after);
            return self.tell_followers_again(was, after);
        };
        let Some(shown) = self.look_up(&key) else { return };
        let was_own = |member: &Member| Status::of_checks(&member.checks);
        if was.drained != is.drained {
            let kind = EventKind::Drained { key: key.clone(), on: shown.drained };
            self.repeat(&key, kind, after);
        }
        if was_own(was) != was_own(is) || was.suspect != is.suspect {
            let from = was_own(was).max(shown.node_status);
            let mut pairs = is.checks.iter().zip(&was.checks);
            let turned = pairs.find(|(is, was)| is.status != was.status);
            let output = turned.map(|(is, _)| Arc::clone(&is.output)).unwrap_or_default();
            let (to, suspect) = (shown.status, shown.suspect);
            let kind = EventKind::StatusChanged { key: key.clone(), from, to, suspect, output };
            self.repeat(&key, kind, after);
        } else if !was.has_statuses_of(is) {
            self.repeat(&key, EventKind::CheckChanged { key: key.clone() }, after);
        }
        if !are_the_same(was, is) {
            // It is as all servers have it, if nothing else is shown of it still.
            let revision = self.step();
            let modified = if are_the_same(&shown, is) { is.modified } else { revision };
            self.put_modified(Some(&shown), Member::clone(&shown), (revision, modified));
        }
        if node_state(was) != node_state(is) {
            self.tell_followers_again(was, after);
        }
    }

    /// The same for those whose state follows from that of the instance or node.
    fn tell_followers_again(&mut self, of: &Member, after: Revision) {
        let mut known = BTreeSet::from([of.key()]);
        let mut queue = VecDeque::from([of.instance.clone()]);
        while let Some(instance) = queue.pop_front() {
            let Some(origin) = &instance.origin else { continue };
            let mut keys = self.followers.of(&origin.scope, &origin.id);
            if instance.service.is_nodes() {
                keys.extend(self.origins.of(&origin.scope).map(|other| other.key()));
            }
            for key in keys {
                let Some(shown) = self.look_up(&key).filter(|_| known.insert(key.clone())) else {
                    continue;
                };
                self.repeat_status(&shown, after);
                queue.push_back(Arc::clone(&shown.instance));
            }
        }
    }

    /// Tells again in which state an instance is.
    pub(super) fn repeat_status(&mut self, shown: &Member, after: Revision) {
        let (key, status, suspect) = (shown.key(), shown.status, shown.suspect);
        let (from, to, output) = (status, status, Arc::default());
        let kind = EventKind::StatusChanged { key: key.clone(), from, to, suspect, output };
        self.repeat(&key, kind, after);
    }

    fn repeat(&mut self, key: &InstanceKey, kind: EventKind, after: Revision) {
        let revision = self.step();
        if !key.service.is_nodes() {
            self.draft_of(&key.service).is_prepared_anew = true;
        }
        self.event(revision, &key.service, kind);
        if let Some(event) = self.events.last_mut() {
            event.told_after = Some(after);
        }
    }

    /// Sets or forgets the policy of a service, whatever the limits here.
    pub(in crate::registry) fn show_policy(&mut self, service: &ServiceName, to: Option<Policy>) {
        let draft = self.draft_of(service);
        if draft.own_policy == to {
            return;
        }
        let was_empty = draft.is_empty();
        self.change_policy(service, to);
        let is_empty = self.draft_of(service).is_empty();
        self.service_count += usize::from(was_empty && !is_empty);
        self.service_count -= usize::from(!was_empty && is_empty);
    }
}
