//! Who takes its state from whom: the instances with an `alias` check, by whom it names.
//!
//! Most are followed by one or two: those are short lists. Who is followed by many, as a node can
//! be by all that is on it, has a set, so that one more does not copy all that there are.

use std::sync::Arc;

use super::{Member, Shards};
use crate::model::{AliasCheck, InstanceKey, Scope};

/// Cloning is cheap, as with [`Shards`].
#[derive(Debug, Clone, Default)]
pub struct Followers(Shards<(Scope, Arc<str>), Keys>);

/// Those who follow one.
#[derive(Debug, Clone)]
enum Keys {
    Few(Arc<[InstanceKey]>),
    Many(Shards<InstanceKey, ()>),
}

/// From so many on they are a set, and stay one until it is empty: to copy the list takes about as
/// long as the arrays of a set by then.
const MANY: usize = 128;

// === impl Followers ===

impl Followers {
    /// Those who take their state from whom is called `id` in a scope, in no order.
    pub(super) fn of(&self, scope: &Scope, id: &Arc<str>) -> Vec<InstanceKey> {
        match self.0.get(&(scope.clone(), Arc::clone(id))) {
            None => Vec::new(),
            Some(Keys::Few(list)) => list.to_vec(),
            Some(Keys::Many(set)) => set.iter().map(|(key, ())| key.clone()).collect(),
        }
    }

    /// Follows a change of an instance.
    pub(super) fn update(&mut self, before: Option<&Member>, after: Option<&Member>) {
        if aliases(before).eq(aliases(after)) {
            return; // as nearly always: its checks are the same, or it has none that follow
        }
        for (key, alias) in before.into_iter().flat_map(keyed) {
            let place = (alias.scope.clone(), Arc::clone(&alias.id));
            match self.0.get(&place).and_then(|keys| keys.without(&key)) {
                Some(left) => self.0.insert(place, left),
                None => self.0.remove(&place),
            }
        }
        for (key, alias) in after.into_iter().flat_map(keyed) {
            let place = (alias.scope.clone(), Arc::clone(&alias.id));
            let all = match self.0.get(&place) {
                Some(keys) => keys.with(key),
                None => Keys::Few([key].into()),
            };
            self.0.insert(place, all);
        }
    }
}

// === impl Keys ===

impl Keys {
    fn with(&self, key: InstanceKey) -> Self {
        match self {
            Self::Few(list) if list.contains(&key) => self.clone(),
            Self::Few(list) if list.len() + 1 < MANY => {
                Self::Few(list.iter().cloned().chain([key]).collect())
            }
            Self::Few(list) => {
                let mut set = Shards::default();
                list.iter().cloned().chain([key]).for_each(|key| set.insert(key, ()));
                Self::Many(set)
            }
            Self::Many(set) => {
                let mut set = set.clone();
                set.insert(key, ());
                Self::Many(set)
            }
        }
    }

    /// `None` when nobody is left.
    fn without(&self, key: &InstanceKey) -> Option<Self> {
        match self {
            Self::Few(list) => {
                let left: Arc<[_]> = list.iter().filter(|other| *other != key).cloned().collect();
                (!left.is_empty()).then_some(Self::Few(left))
            }
            Self::Many(set) => {
                let mut set = set.clone();
                set.remove(key);
                (!set.is_empty()).then_some(Self::Many(set))
            }
        }
    }
}

/// The `alias` checks of an instance.
fn aliases(member: Option<&Member>) -> impl Iterator<Item = &AliasCheck> {
    member
        .into_iter()
        .flat_map(|member| member.instance.checks.iter().filter_map(|spec| spec.alias()))
}

fn keyed(member: &Member) -> impl Iterator<Item = (InstanceKey, &AliasCheck)> {
    aliases(Some(member)).map(|alias| (member.key(), alias))
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, sync::Arc};

    use super::{Followers, Keys, MANY};
    use crate::{
        model::{AliasCheck, CheckKind, CheckSpec, Instance, Revision, Scope, Timestamp},
        registry::{Member, testing},
    };

    fn follower(index: usize, target: Option<&str>) -> Member {
        let alias = |id| AliasCheck::new(Scope::node("n"), id).unwrap();
        let spec = |id| CheckSpec::new(CheckKind::Alias(Box::new(alias(id))));
        let checks = target.map(spec).into_iter().collect();
        let instance = testing::instance(&format!("web/i{index}"), "10.0.0.1");
        Member::new(Arc::new(Instance { checks, ..instance }), Revision(1), Timestamp(0))
    }

    #[test]
    fn those_who_follow_are_known_however_many_they_are() {
        let mut followers = Followers::default();
        let scope = Scope::node("n");
        let keys = |followers: &Followers, id: &str| {
            followers.of(&scope, &id.into()).into_iter().collect::<BTreeSet<_>>()
        };
        let count = 3 * MANY;
        for index in 0..count {
            followers.update(None, Some(&follower(index, Some("a"))));
        }
        let frozen = followers.clone();
        let all: BTreeSet<_> = (0..count).map(|index| follower(index, None).key()).collect();
        assert_eq!(keys(&followers, "a"), all);
        assert!(matches!(followers.0.iter().next(), Some((_, Keys::Many(_)))));
        for index in 0..count {
            let before = follower(index, Some("a"));
            followers.update(Some(&before), Some(&follower(index, (index > 0).then_some("b"))));
        }
        assert_eq!((keys(&followers, "a").len(), keys(&followers, "b").len()), (0, count - 1));
        assert_eq!(keys(&frozen, "a"), all, "a copy stands still");
        followers.update(Some(&follower(1, Some("b"))), None);
        assert!(!keys(&followers, "b").contains(&follower(1, None).key()));
    }
}
