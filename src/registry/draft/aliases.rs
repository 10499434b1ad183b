//! Checks that take their state from another instance, or from a node.
//!
//! Nobody probes them: whenever the other changes, so do they, in the same batch, so that no reader
//! sees the one without the other.

use std::sync::Arc;

use super::{Draft, node_state};
use crate::{
    model::{AliasCheck, Status},
    registry::Member,
};

/// Steps that one batch takes at the most: those who follow each other in a ring need not come to
/// rest.
const STEPS_MAX: usize = 100_000;

impl Draft<'_> {
    /// Notes that an instance or a node changed: those who follow it, and it itself if it follows
    /// somebody, have to be looked at again.
    pub(super) fn note_aliases(&mut self, before: Option<&Member>, after: Option<&Member>) {
        self.followers.update(before, after);
        for member in [before, after].into_iter().flatten() {
            if let Some(origin) = &member.instance.origin {
                self.unsettled.extend_from_slice(self.followers.of(&origin.scope, &origin.id));
            }
        }
        if let Some(after) = after
            && after.instance.checks.iter().any(|spec| spec.alias().is_some())
        {
            self.unsettled.push(after.key());
        }
    }

    /// Gives all who follow somebody that one's state.
    pub(super) fn settle_aliases(&mut self) {
        for _ in 0..STEPS_MAX {
            let Some(key) = self.unsettled.pop() else { return };
            let Ok(member) = self.member(&key) else { continue };
            let mut next = Member::clone(&member);
            let mut said: Arc<str> = "".into();
            for (spec, state) in member.instance.checks.iter().zip(next.checks.iter_mut()) {
                let Some(alias) = spec.alias() else { continue };
                let (status, output) = self.state_of(alias);
                if state.status != status {
                    (state.status, state.since) = (status, self.at);
                    said = output.as_str().into();
                }
                if *state.output != *output {
                    state.output = output.into();
                }
            }
            self.put_status(&member, next, said);
        }
        tracing::warn!("aliases that follow each other do not come to rest");
        self.unsettled.clear();
    }

    fn state_of(&self, alias: &AliasCheck) -> (Status, String) {
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
