//! Checks that take their state from another instance, or from a node.
//!
//! Nobody probes them: whenever the other changes, so do they, in the same batch, so that no reader
//! sees the one without the other.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};

use super::{Draft, node_state};
use crate::{
    model::{AliasCheck, InstanceKey, Status, limit},
    registry::Member,
};

/// How often one that follows others may change in one batch: each time that one of them does, and
/// they come one after the other. Those who follow each other in a ring need not come to rest.
const TURNS_MAX: usize = 32;

/// Those whose `alias` checks are to be looked at, each once, in turn: those nearer to what changed
/// come before those who follow them.
#[derive(Debug, Default)]
pub(super) struct Unsettled {
    queue: VecDeque<InstanceKey>,
    waiting: HashSet<InstanceKey>,
}

// === impl Draft ===

impl Draft<'_> {
    /// Notes that an instance or a node changed: those who follow it, and it itself if it follows
    /// somebody, have to be looked at again. A new output or weight is nothing to them.
    pub(super) fn note_aliases(&mut self, before: Option<&Member>, after: Option<&Member>) {
        self.followers.update(before, after);
        let name = |member: &Member| {
            let origin = member.instance.origin.as_ref()?;
            Some((origin.scope.clone(), Arc::clone(&origin.id)))
        };
        let (was, is) = (before.and_then(name), after.and_then(name));
        if was != is || before.map(node_state) != after.map(node_state) {
            for (scope, id) in [was, is].into_iter().flatten() {
                self.unsettled.extend(self.followers.of(&scope, &id));
            }
        }
        if let Some(after) = after
            && before.is_none_or(|before| {
                before.instance.checks != after.instance.checks || before.checks != after.checks
            })
            && after.instance.checks.iter().any(|spec| spec.alias().is_some())
        {
            self.unsettled.extend([after.key()]);
        }
    }

    /// Gives all who follow somebody that one's state.
    pub(super) fn settle_aliases(&mut self) {
        let mut turns: HashMap<InstanceKey, usize> = HashMap::new();
        let mut is_restless = false;
        while let Some(key) = self.unsettled.next() {
            let Ok(member) = self.member(&key) else { continue };
            let mut next = Member::clone(&member);
            let mut said: Arc<str> = "".into();
            let mut has_changed = false;
            for (spec, state) in member.instance.checks.iter().zip(next.checks.iter_mut()) {
                let Some(alias) = spec.alias() else { continue };
                let (status, output) = self.state_of(alias);
                if state.status != status {
                    (state.status, state.since) = (status, self.at);
                    said = output.as_str().into();
                    has_changed = true;
                }
                if *state.output != *output {
                    state.output = output.into();
                    has_changed = true;
                }
            }
            if !has_changed {
                continue;
            }
            let turn = turns.entry(key).or_default();
            *turn += 1;
            if *turn <= TURNS_MAX {
                self.put_status(&member, next, said);
            } else if !std::mem::replace(&mut is_restless, true) {
                let key = member.key();
                tracing::warn!(%key, "aliases that follow each other do not come to rest");
            }
        }
    }

    fn state_of(&self, alias: &AliasCheck) -> (Status, String) {
        let (status, mut output) = self.found(alias);
        output.truncate(output.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX));
        (status, output)
    }

    fn found(&self, alias: &AliasCheck) -> (Status, String) {
        let AliasCheck { scope, id } = alias;
        let other = self.origins.get(scope, id).and_then(|other| self.look_up(&other.key()));
        let Some(other) = other else {
            // A node without a state of its own is there as long as it is named.
            return if id.is_empty() {
                (Status::Passing, "No checks found.".to_owned())
            } else {
                let text = format!("Service {id} could not be found on node {}", scope.name);
                (Status::Critical, text)
            };
        };
        match node_state(&other) {
            Status::Passing => (Status::Passing, "All checks passing.".to_owned()),
            status if id.is_empty() => (status, format!("the node {} is {status}", scope.name)),
            status => (status, format!("the service {id} on node {} is {status}", scope.name)),
        }
    }
}

// === impl Unsettled ===

impl Unsettled {
    fn extend(&mut self, keys: impl IntoIterator<Item = InstanceKey>) {
        for key in keys {
            if self.waiting.insert(key.clone()) {
                self.queue.push_back(key);
            }
        }
    }

    pub(super) fn next(&mut self) -> Option<InstanceKey> {
        let key = self.queue.pop_front()?;
        self.waiting.remove(&key);
        Some(key)
    }
}
