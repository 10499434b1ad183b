//! Where this server shows another thing than the store has.
//!
//! What is seen is shown before it is written. Until the store gives it back, the overlay keeps
//! what the store has, so that each row that comes meanwhile finds what it is a change of.

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{
    SharedRow,
    fold::{are_the_same, folded},
};
use crate::{
    model::{InstanceKey, Revision, ServiceName},
    registry::{Member, Shards, Steps},
};

/// The instances that differ, with what the store has of them.
#[derive(Debug, Default)]
pub(in crate::registry) struct Overlay {
    differing: HashMap<InstanceKey, Differing>,
    /// Those of them that this server has to write.
    owed: HashSet<InstanceKey>,
    /// How many of a service differ.
    services: Shards<ServiceName, u32>,
    /// Those that differ, oldest first, each with the revision before it did; among them some that
    /// do no longer.
    order: VecDeque<(Revision, InstanceKey)>,
}

/// An instance of which another thing is shown than the store has.
#[derive(Debug)]
struct Differing {
    /// What the store has.
    shared: Arc<Member>,
    /// The revision here before it was shown.
    after: Revision,
    /// Until when the difference stays if it is not this server's to write.
    until: Duration,
    /// Whether others may know better: it was found while nothing was heard of them, or before
    /// they had the instance to look after.
    is_stale: bool,
    /// When it was found last.
    found: Duration,
    /// Whether it was this server's task then, and has been since.
    is_own: bool,
    /// Whether it was removed here.
    is_removed: bool,
    /// Whether it counts although it was found while this server was cut off: until there is a row
    /// of its health.
    is_trusted: bool,
}

/// How something is noted that is shown from now on.
#[derive(Debug, Clone, Copy)]
pub(in crate::registry) struct Noted {
    /// Whether this server writes what is found of the instance.
    pub is_mine: bool,
    /// Whether it does, or will as soon as it is known to the others again.
    pub is_own: bool,
    /// Whether nothing is heard of others.
    pub is_alone: bool,
    /// When it was found.
    pub found: Duration,
    /// Until when it stays if this server does not write it.
    pub until: Duration,
    /// The revision here before it is shown.
    pub after: Revision,
}

/// By what it is divided anew what differs.
#[derive(Debug)]
pub(in crate::registry) struct Division {
    /// Whether this server's tasks are its own anew: others have done its work meanwhile, also if
    /// it has seen nothing of that.
    pub is_anew: bool,
    /// Until when this server has found what nobody can know better, although it was cut off: so
    /// were all the others, and to each of them the instance was this server's task from before.
    /// `None` if that is not so, or over.
    pub trusted: Option<Duration>,
    /// Whether what was trusted is not to be any more: others have done its work after all.
    pub is_void: bool,
    /// Until when that stays which is not this server's to write.
    pub until: Duration,
}

/// What the store had of an instance that was shown otherwise, and the revision here before it was.
pub(in crate::registry) type Told = (Arc<Member>, Revision);

// === impl Division ===

impl Division {
    fn trusts(&self, found: Duration) -> bool {
        self.trusted.is_some_and(|until| found <= until)
    }
}

// === impl Overlay ===

impl Overlay {
    /// Notes what is shown of an instance from now on: `before` was shown until now, and is what
    /// the store has if nothing else is known.
    pub(in crate::registry) fn note(
        &mut self,
        key: &InstanceKey,
        before: Option<&Arc<Member>>,
        now: Option<&Arc<Member>>,
        noted: Noted,
    ) {
        let Some(shared) = self.get(key).or(before) else { return };
        if now.is_some_and(|now| are_the_same(now, shared)) {
            self.forget(key);
            return;
        }
        let Noted { is_mine, is_own, is_alone, found, until, after } = noted;
        let (shared, known) = (Arc::clone(shared), self.differing.get(key));
        let is_stale = !is_mine && (is_alone || known.is_some_and(|it| it.is_stale));
        let after = known.map_or(after, |known| known.after);
        if known.is_none() {
            self.order.push_back((after, key.clone()));
            let count = self.services.get(key.service.as_str()).copied().unwrap_or_default();
            self.services.insert(key.service.clone(), count + 1);
        }
        let differing = Differing {
            shared,
            after,
            until,
            is_stale,
            found,
            is_own,
            is_removed: now.is_none(),
            is_trusted: false,
        };
        self.differing.insert(key.clone(), differing);
        if is_mine {
            self.owed.insert(key.clone());
        }
    }

    /// Takes a row of revision `at` that the store gave, and says what is to be shown of its
    /// instance, of which `shown` is shown.
    pub(in crate::registry) fn take(
        &mut self,
        key: &InstanceKey,
        row: &SharedRow,
        at: Revision,
        shown: Option<&Arc<Member>>,
    ) -> Option<Arc<Member>> {
        let Some(before) = self.get(key).cloned() else {
            return folded(shown.cloned(), row, at);
        };
        let next = folded(Some(Arc::clone(&before)), row, at);
        let Some(shared) = next.as_ref().filter(|next| next.registered == before.registered) else {
            // What was seen was seen of another registration.
            self.forget(key);
            return next;
        };
        if shown.is_none() && is_sign_of_life(row, (&before, shared)) {
            // What this server has removed meanwhile was decided before.
            self.forget(key);
            return next;
        }
        if matches!(row, SharedRow::Registration { .. }) && Arc::ptr_eq(shared, &before) {
            return shown.cloned();
        }
        let is_trusted = self.differing.get(key).is_some_and(|differing| differing.is_trusted);
        let is_owed = self.owed.contains(key) && !is_trusted;
        if !is_owed && !matches!(row, SharedRow::Drained { .. }) {
            self.forget(key);
            return next;
        }
        let shown = shown.map(|shown| {
            let mut shown = Member::clone(shown);
            shown.drained = shared.drained;
            shown
        });
        if shown.as_ref().is_some_and(|shown| are_the_same(shown, shared)) {
            self.forget(key);
            return next;
        }
        if let Some(differing) = self.differing.get_mut(key) {
            differing.shared = Arc::clone(shared);
        }
        shown.map(Arc::new)
    }

    /// The instance as a whole list has it, of which `shown` is shown; what is to be shown of it.
    pub(in crate::registry) fn replace(
        &mut self,
        key: &InstanceKey,
        shared: Option<Arc<Member>>,
        shown: Option<&Arc<Member>>,
    ) -> Option<Arc<Member>> {
        let before = self.get(key).or(shown);
        let is_known = |shared: &&Arc<Member>| {
            before.is_some_and(|before| {
                are_the_same(before, shared) && before.created == shared.created
            })
        };
        // What is not shown any more somebody may have written again meanwhile, as it is: it goes
        // again after its time.
        if shown.is_some() && shared.as_ref().filter(is_known).is_some() {
            return shown.cloned(); // with whatever is owed
        }
        self.forget(key);
        shared
    }

    /// Whether nothing else is shown of any instance than the store has.
    pub(in crate::registry) fn is_empty(&self) -> bool {
        self.differing.is_empty()
    }

    /// Whether nothing else is shown of the instance than the store has.
    pub(in crate::registry) fn is_clean(&self, key: &InstanceKey) -> bool {
        !self.differing.contains_key(key)
    }

    /// What the store has of an instance of which `shown` is shown.
    pub(in crate::registry) fn shared<'m>(
        &'m self,
        key: &InstanceKey,
        shown: &'m Arc<Member>,
    ) -> &'m Arc<Member> {
        self.get(key).unwrap_or(shown)
    }

    /// What the store has of an instance that differs.
    pub(in crate::registry) fn get(&self, key: &InstanceKey) -> Option<&Arc<Member>> {
        self.differing.get(key).map(|differing| &differing.shared)
    }

    /// What the store has of an instance of which others know better than this server.
    pub(in crate::registry) fn lone(&self, key: &InstanceKey) -> Option<&Arc<Member>> {
        let differing = self.differing.get(key)?;
        (differing.is_stale && !self.owed.contains(key)).then_some(&differing.shared)
    }

    /// This server has to write an instance, if it differs.
    pub(in crate::registry) fn owe(&mut self, key: &InstanceKey) {
        if self.differing.contains_key(key) {
            self.owed.insert(key.clone());
        }
    }

    /// This server has not to write an instance: it shows the difference until then.
    pub(in crate::registry) fn disown(&mut self, key: &InstanceKey, until: Duration) {
        self.owed.remove(key);
        if let Some(differing) = self.differing.get_mut(key) {
            differing.until = until;
        }
    }

    /// The instances that differ.
    pub(in crate::registry) fn keys(&self) -> impl Iterator<Item = &InstanceKey> {
        self.differing.keys()
    }

    /// Those that this server has to write.
    pub(in crate::registry) fn owed(&self) -> &HashSet<InstanceKey> {
        &self.owed
    }

    /// Divides what differs anew: into what this server has to write, and what it has not, which
    /// stays for a while. What has become its task, or has anew, is taken out if others may know
    /// better, each with what the store has of it: it counts when it is found again. So is
    /// what was removed here: its client may have been heard of since, and told that it is there.
    pub(in crate::registry) fn divide(
        &mut self,
        by: &Division,
        is_mine: impl Fn(&InstanceKey) -> bool,
        will_be_mine: impl Fn(&InstanceKey) -> bool,
        is_awaited: impl Fn(&InstanceKey) -> bool,
    ) -> Vec<(InstanceKey, Arc<Member>)> {
        let owed = &mut self.owed;
        let is_over = |key: &InstanceKey, differing: &mut Differing| {
            if !is_mine(key) {
                differing.is_own &= will_be_mine(key);
                if owed.remove(key) {
                    (differing.is_stale, differing.until) = (true, by.until);
                }
                return false;
            }
            let is_void = differing.is_trusted && by.is_void;
            let is_stale = differing.is_stale && !owed.contains(key);
            if (by.is_anew || is_stale || is_void) && !is_awaited(key) {
                let is_own = differing.is_own && !differing.is_removed;
                differing.is_trusted = is_own && by.trusts(differing.found);
                if !differing.is_trusted {
                    owed.remove(key);
                    return true;
                }
            }
            owed.insert(key.clone());
            false
        };
        let over = self.differing.extract_if(is_over);
        let over: Vec<_> = over.map(|(key, differing)| (key, differing.shared)).collect();
        over.iter().for_each(|(key, _)| self.uncount(key));
        over
    }

    /// What this server has not to write stays until then.
    pub(in crate::registry) fn keep_others_until(&mut self, until: Duration) {
        for differing in self.differing.values_mut() {
            differing.until = until;
        }
    }

    /// Nothing is heard of others any more: of what this server has not to write they may know
    /// better from now on.
    pub(in crate::registry) fn be_alone(&mut self) {
        let others = self.differing.iter_mut().filter(|(key, _)| !self.owed.contains(*key));
        others.for_each(|(_, differing)| differing.is_stale = true);
    }

    /// What was seen here of instances of others, who may not have heard of it, with what the store
    /// has of them.
    pub(in crate::registry) fn unheard(
        &self,
    ) -> impl Iterator<Item = (&InstanceKey, &Arc<Member>)> {
        let others = self.differing.iter().filter(|(key, _)| !self.owed.contains(*key));
        others.filter(|(_, it)| !it.is_stale).map(|(key, differing)| (key, &differing.shared))
    }

    /// Whether anything differs that this server has not to write.
    pub(in crate::registry) fn has_others(&self) -> bool {
        self.owed.len() < self.differing.len()
    }

    /// When the next of what this server has not to write is dropped.
    pub(in crate::registry) fn next_drop(&self) -> Option<Duration> {
        let others = self.differing.iter().filter(|(key, _)| !self.owed.contains(*key));
        others.map(|(_, differing)| differing.until).min()
    }

    /// Takes out what this server has not to write and what has stayed long enough: each with what
    /// the store has of it.
    pub(in crate::registry) fn drop_others(
        &mut self,
        now: Duration,
    ) -> Vec<(InstanceKey, Arc<Member>)> {
        let owed = &self.owed;
        let is_over = |key: &InstanceKey, differing: &mut Differing| {
            differing.until <= now && !owed.contains(key)
        };
        let over = self.differing.extract_if(is_over);
        let over: Vec<_> = over.map(|(key, differing)| (key, differing.shared)).collect();
        over.iter().for_each(|(key, _)| self.uncount(key));
        over
    }

    /// What the store has of an instance that differs, and the revision here before it did.
    pub(in crate::registry) fn told(&self, key: &InstanceKey) -> Option<Told> {
        let differing = self.differing.get(key)?;
        Some((Arc::clone(&differing.shared), differing.after))
    }

    /// Says what differs.
    pub(in crate::registry) fn count(&mut self, steps: &mut Steps) {
        while let Some((after, key)) = self.order.front()
            && self.differing.get(key).is_none_or(|differing| differing.after != *after)
        {
            self.order.pop_front();
        }
        // What no longer differs stays until it comes to the front: behind something that differs
        // for long it would be kept without end.
        if self.order.len() > 2 * self.differing.len() + 64 {
            let is_there = |(after, key): &(Revision, InstanceKey)| {
                self.differing.get(key).is_some_and(|differing| differing.after == *after)
            };
            self.order.retain(is_there);
        }
        steps.unshared = self.services.clone();
        steps.unshared_after = self.order.front().map(|(after, _)| *after);
    }

    fn forget(&mut self, key: &InstanceKey) {
        if self.differing.remove(key).is_some() {
            self.uncount(key);
        }
        self.owed.remove(key);
    }

    fn uncount(&mut self, key: &InstanceKey) {
        match self.services.get(key.service.as_str()).copied() {
            Some(count) if count > 1 => self.services.insert(key.service.clone(), count - 1),
            _ => self.services.remove(key.service.as_str()),
        }
    }
}

/// Whether somebody has seen an instance alive, by a row that makes it what it `is`: it was written
/// again as it is, or it is said to be well, or at least not silent.
fn is_sign_of_life(row: &SharedRow, (was, is): (&Arc<Member>, &Arc<Member>)) -> bool {
    match row {
        SharedRow::Registration { .. } => true,
        SharedRow::Health { .. } if !Arc::ptr_eq(was, is) => {
            let mut checks = is.instance.checks.iter().zip(&is.checks);
            is.status.is_up() || checks.any(|(spec, it)| spec.is_lease() && it.status.is_up())
        }
        SharedRow::Health { .. }
        | SharedRow::Drained { .. }
        | SharedRow::Opinion { .. }
        | SharedRow::Policy { .. } => false,
    }
}
