//! What other servers have changed, as the shared store tells of it.

use std::sync::Arc;

use super::Draft;
use crate::{
    model::{EventKind, InstanceKey, Policy, RemovalReason, Revision, ServiceName},
    registry::{Member, shared::are_the_same},
};

impl Draft<'_> {
    /// From now on all changes are of this revision of the shared store, or of the next one here if
    /// this server is ahead of it.
    pub(in crate::registry) fn at_shared(&mut self, revision: Revision) {
        self.fixed = Some(if revision > self.revision { revision } else { self.revision.next() });
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
        self.put(before, next, revision);
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
