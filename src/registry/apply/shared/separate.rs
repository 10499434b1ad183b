//! What was proposed together, and is to be proposed separately: what others were faster with does
//! not hold up the rest, and neither does what is too large; what a store without room takes is not
//! refused with what it does not.

use std::{collections::VecDeque, time::Duration};

use super::{Parked, Sharing};
use crate::{
    model::{Command, InstanceKey},
    registry::handle::Request,
};

/// Requests, each with how often it was proposed in vain.
pub(super) type Requests = Vec<(Request, u8)>;

/// What is proposed next, each group by itself.
#[derive(Default)]
pub(super) struct Separate(VecDeque<Requests>);

// === impl Separate ===

impl Separate {
    /// The next group.
    pub(super) fn next(&mut self) -> Option<Requests> {
        self.0.pop_front()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many requests wait.
    pub(super) fn len(&self) -> usize {
        self.0.iter().map(Vec::len).sum()
    }

    /// Takes out those of which that holds, in their order.
    pub(super) fn extract(&mut self, holds: impl Fn(&Request) -> bool) -> Vec<Request> {
        let mut out = Vec::new();
        for group in &mut self.0 {
            out.extend(group.extract_if(.., |(request, _)| holds(request)));
        }
        self.0.retain(|group| !group.is_empty());
        out.into_iter().map(|(request, _)| request).collect()
    }

    /// Both halves of what was too much together. Each time less is, so that it comes to an end.
    pub(super) fn halve(&mut self, mut requests: Requests) {
        let second = requests.split_off(requests.len() / 2);
        self.0.push_front(second);
        self.0.push_front(requests);
    }

    /// Takes out of what was refused for want of room what only removes something, unless that is
    /// all of it.
    pub(super) fn keep_removals(&mut self, requests: &mut Requests) {
        if requests.iter().all(|(request, _)| only_removes(&request.command)) {
            return;
        }
        let removals = requests.extract_if(.., |(request, _)| only_removes(&request.command));
        let removals: Requests = removals.collect();
        if !removals.is_empty() {
            self.0.push_front(removals);
        }
    }
}

// === impl Sharing ===

impl Sharing {
    /// Others were faster with some of what was proposed together: that is drafted again when
    /// their changes are seen; the rest is proposed again at once, by itself.
    pub(super) fn separate(
        &mut self,
        requests: Requests,
        keys: &[InstanceKey],
        at: u64,
        until: Duration,
    ) {
        let is_policy = |(request, _): &(Request, u8)| {
            matches!(request.command, Command::SetPolicy(..) | Command::RemovePolicy(_))
        };
        let lost_in = |(request, _): &(Request, u8)| {
            keys.iter().find(|key| concerns(&request.command, key)).cloned()
        };
        // A conflict about a policy names no instance.
        let has_lost = |request: &(Request, u8)| match keys.is_empty() {
            true => is_policy(request),
            false => lost_in(request).is_some(),
        };
        let (mut lost, mut rest): (Requests, Requests) = requests.into_iter().partition(has_lost);
        if lost.is_empty() {
            std::mem::swap(&mut lost, &mut rest); // none is known to be without it
        }
        for request in lost {
            let lost = lost_in(&request);
            let (request, tries) = request;
            self.parked.push(Parked { request, at, tries: tries + 1, until, lost });
        }
        if !rest.is_empty() {
            self.separate.0.push_front(rest);
        }
    }
}

/// Whether nothing is put into the store for it.
fn only_removes(command: &Command) -> bool {
    match command {
        Command::Amend(amendments) => amendments.iter().all(|amendment| amendment.to.is_none()),
        Command::Deregister(_) | Command::RemovePolicy(_) | Command::Drain { on: false, .. } => {
            true
        }
        _ => false,
    }
}

fn concerns(command: &Command, key: &InstanceKey) -> bool {
    match command {
        Command::Register(instances) => instances.iter().any(|i| i.key() == *key),
        Command::Amend(amendments) => amendments.iter().any(|amendment| amendment.key == *key),
        Command::Deregister(own) | Command::Drain { key: own, .. } => own == key,
        _ => false,
    }
}
