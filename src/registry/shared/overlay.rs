//! Where this server shows another thing than the store has.
//!
//! What is seen is shown before it is written. Until the store gives it back, the overlay keeps
//! what the store has, so that each row that comes meanwhile finds what it is a change of.

use std::{collections::hash_map::Entry, sync::Arc};

use std::collections::{HashMap, HashSet};

use super::{
    SharedRow,
    fold::{are_the_same, folded},
};
use crate::{
    model::{InstanceKey, Revision},
    registry::Member,
};

/// The instances that differ, with what the store has of them.
#[derive(Debug, Default)]
pub(in crate::registry) struct Overlay {
    shared: HashMap<InstanceKey, Arc<Member>>,
    /// Those of them that this server has to write.
    owed: HashSet<InstanceKey>,
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
        is_mine: bool,
    ) {
        let Some(shared) = self.shared.get(key).or(before) else { return };
        if now.is_some_and(|now| are_the_same(now, shared)) {
            self.forget(key);
            return;
        }
        let shared = Arc::clone(shared);
        self.shared.insert(key.clone(), shared);
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
        let Some(before) = self.shared.get(key).cloned() else {
            return folded(shown.cloned(), row, at);
        };
        let next = folded(Some(Arc::clone(&before)), row, at);
        let Some(shared) = next.as_ref().filter(|next| next.registered == before.registered) else {
            // What was seen was seen of another registration.
            self.forget(key);
            return next;
        };
        let stays = self.owed.contains(key) || matches!(row, SharedRow::Drained { .. });
        if !stays {
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
        self.shared.insert(key.clone(), Arc::clone(shared));
        shown.map(Arc::new)
    }

    /// The instance as a whole list has it, of which `shown` is shown; what is to be shown of it.
    pub(in crate::registry) fn replace(
        &mut self,
        key: &InstanceKey,
        shared: Option<Arc<Member>>,
        shown: Option<&Arc<Member>>,
    ) -> Option<Arc<Member>> {
        let before = self.shared.get(key).or(shown);
        let is_known = |shared: &&Arc<Member>| {
            before.is_some_and(|before| {
                are_the_same(before, shared) && before.created == shared.created
            })
        };
        if shared.as_ref().filter(is_known).is_some() {
            return shown.cloned(); // with whatever is owed
        }
        self.forget(key);
        shared
    }

    /// Whether nothing else is shown of the instance than the store has.
    pub(in crate::registry) fn is_clean(&self, key: &InstanceKey) -> bool {
        !self.shared.contains_key(key)
    }

    /// What the store has of an instance of which `shown` is shown.
    pub(in crate::registry) fn shared<'m>(
        &'m self,
        key: &InstanceKey,
        shown: &'m Arc<Member>,
    ) -> &'m Arc<Member> {
        self.shared.get(key).unwrap_or(shown)
    }

    /// What the store has of an instance that differs.
    pub(in crate::registry) fn get(&self, key: &InstanceKey) -> Option<&Arc<Member>> {
        self.shared.get(key)
    }

    /// This server has to write an instance, if it differs, or has not.
    pub(in crate::registry) fn set_owed(&mut self, key: &InstanceKey, is_owed: bool) {
        if !is_owed {
            self.owed.remove(key);
        } else if self.shared.contains_key(key) {
            self.owed.insert(key.clone());
        }
    }

    /// The instances that differ.
    pub(in crate::registry) fn keys(&self) -> impl Iterator<Item = &InstanceKey> {
        self.shared.keys()
    }

    /// Those that this server has to write.
    pub(in crate::registry) fn owed(&self) -> &HashSet<InstanceKey> {
        &self.owed
    }

    /// Divides what differs anew: into what this server has to write, and what it has not. Says
    /// whether there is any of the latter.
    pub(in crate::registry) fn divide(&mut self, is_mine: impl Fn(&InstanceKey) -> bool) -> bool {
        self.owed = self.shared.keys().filter(|key| is_mine(key)).cloned().collect();
        self.owed.len() < self.shared.len()
    }

    /// Takes out what this server has not to write: each with what the store has of it.
    pub(in crate::registry) fn drop_others(&mut self) -> Vec<(InstanceKey, Arc<Member>)> {
        let owed = &self.owed;
        self.shared.extract_if(|key, _| !owed.contains(key)).collect()
    }

    fn forget(&mut self, key: &InstanceKey) {
        if let Entry::Occupied(entry) = self.shared.entry(key.clone()) {
            entry.remove();
            self.owed.remove(key);
        }
    }
}
