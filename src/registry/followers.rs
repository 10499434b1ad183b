//! Who takes its state from whom: the instances with an `alias` check, by whom it names.

use std::sync::Arc;

use super::{Member, Shards};
use crate::model::{AliasCheck, InstanceKey, Scope};

/// Cloning is cheap, as with [`Shards`].
#[derive(Debug, Clone, Default)]
pub struct Followers(Shards<(Scope, Arc<str>), Arc<[InstanceKey]>>);

// === impl Followers ===

impl Followers {
    /// Those who take their state from whom is called `id` in a scope.
    pub(super) fn of(&self, scope: &Scope, id: &Arc<str>) -> &[InstanceKey] {
        let keys = self.0.get(&(scope.clone(), Arc::clone(id)));
        keys.map(AsRef::as_ref).unwrap_or_default()
    }

    /// Follows a change of an instance.
    pub(super) fn update(&mut self, before: Option<&Member>, after: Option<&Member>) {
        for (key, alias) in aliases(before) {
            let place = (alias.scope.clone(), Arc::clone(&alias.id));
            let left = self.0.get(&place).map(AsRef::as_ref).unwrap_or_default();
            let left: Arc<[_]> = left.iter().filter(|other| **other != key).cloned().collect();
            if left.is_empty() {
                self.0.remove(&place);
            } else {
                self.0.insert(place, left);
            }
        }
        for (key, alias) in aliases(after) {
            let place = (alias.scope.clone(), Arc::clone(&alias.id));
            let known = self.0.get(&place).map(AsRef::as_ref).unwrap_or_default();
            if !known.contains(&key) {
                let all: Arc<[_]> = known.iter().cloned().chain([key]).collect();
                self.0.insert(place, all);
            }
        }
    }
}

fn aliases(member: Option<&Member>) -> impl Iterator<Item = (InstanceKey, &AliasCheck)> {
    member.into_iter().flat_map(|member| {
        member.instance.checks.iter().filter_map(|spec| Some((member.key(), spec.alias()?)))
    })
}
