//! Who has an address: mostly one, and behind a gateway or on one large machine ten thousand.

use std::{borrow::Borrow, hash::Hash, net::IpAddr, sync::Arc};

use super::Shards;

/// Those who have one address; there is at least one. Cheap to change in a copy.
#[derive(Debug, Clone)]
pub enum Holders<T> {
    /// Sorted.
    Few(Arc<[T]>),
    /// So many that a change does not copy them all.
    Many(Shards<T, ()>),
}

/// From so many on they are a map.
pub(super) const MANY: usize = 64;

/// Notes that somebody has an address.
pub(super) fn insert<T: Hash + Ord + Clone>(
    all: &mut Shards<IpAddr, Holders<T>>,
    ip: IpAddr,
    one: &T,
) {
    let holders = all.get(&ip).map_or_else(|| Holders::of(one), |holders| holders.with(one));
    all.insert(ip, holders);
}

/// Notes that somebody has an address no more.
pub(super) fn remove<T: Hash + Ord + Clone>(
    all: &mut Shards<IpAddr, Holders<T>>,
    ip: &IpAddr,
    one: &T,
) {
    match all.get(ip).and_then(|holders| holders.without(one)) {
        Some(holders) => all.insert(*ip, holders),
        None => all.remove(ip),
    }
}

// === impl Holders ===

impl<T: Hash + Ord + Clone> Holders<T> {
    /// How many there are.
    pub fn count(&self) -> usize {
        match self {
            Self::Few(list) => list.len(),
            Self::Many(map) => map.len(),
        }
    }

    /// Whether it is one of them.
    pub fn contains<Q: Hash + Ord + ?Sized>(&self, one: &Q) -> bool
    where
        T: Borrow<Q>,
    {
        match self {
            Self::Few(list) => list.binary_search_by(|own| own.borrow().cmp(one)).is_ok(),
            Self::Many(map) => map.get(one).is_some(),
        }
    }

    /// All of them, in no order.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        let (list, map): (&[_], _) = match self {
            Self::Few(list) => (list, None),
            Self::Many(map) => (&[], Some(map)),
        };
        list.iter().chain(map.into_iter().flat_map(|map| map.iter().map(|(one, ())| one)))
    }

    /// Somebody alone.
    pub(crate) fn of(one: &T) -> Self {
        Self::Few([one.clone()].into())
    }

    /// Those and one more.
    pub(crate) fn with(&self, one: &T) -> Self {
        match self {
            Self::Many(map) => {
                let mut map = map.clone();
                map.insert(one.clone(), ());
                Self::Many(map)
            }
            Self::Few(list) => match list.binary_search(one) {
                Ok(_) => self.clone(),
                Err(at) if list.len() + 1 < MANY => {
                    let (front, behind) = list.split_at(at);
                    Self::Few([front, std::slice::from_ref(one), behind].concat().into())
                }
                Err(_) => {
                    let mut map = Shards::default();
                    list.iter().chain([one]).for_each(|one| map.insert(one.clone(), ()));
                    Self::Many(map)
                }
            },
        }
    }

    /// `None` when nobody is left.
    fn without(&self, one: &T) -> Option<Self> {
        match self {
            Self::Many(map) => {
                let mut map = map.clone();
                map.remove(one);
                (!map.is_empty()).then_some(Self::Many(map))
            }
            Self::Few(list) => {
                let left: Arc<[_]> = list.iter().filter(|own| *own != one).cloned().collect();
                (!left.is_empty()).then_some(Self::Few(left))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::IpAddr};

    use proptest::{collection::vec, prelude::*};

    use super::{Holders, MANY, insert, remove};
    use crate::registry::Shards;

    proptest! {
        #[test]
        fn are_a_set_for_each_address(
            steps in vec((0..2_u8, 0..2 * MANY, prop::bool::weighted(0.7)), 0..600)
        ) {
            let (mut ours, mut model) = (Shards::default(), [BTreeSet::new(), BTreeSet::new()]);
            for (at, one, is_there) in steps {
                let (ip, here) = (IpAddr::from([10, 0, 0, at]), &mut model[usize::from(at)]);
                let before = ours.clone();
                let was_there = here.clone();
                if is_there {
                    insert(&mut ours, ip, &one);
                    here.insert(one);
                } else {
                    remove(&mut ours, &ip, &one);
                    here.remove(&one);
                }
                for (all, expected) in [(&ours, &*here), (&before, &was_there)] {
                    let found = all.get(&ip);
                    let numbers: BTreeSet<_> = found.into_iter().flat_map(Holders::iter).collect();
                    prop_assert!(numbers.into_iter().eq(expected));
                    prop_assert_eq!(found.map_or(0, Holders::count), expected.len());
                    prop_assert_eq!(found.is_some_and(|all| all.contains(&one)),
                        expected.contains(&one));
                }
            }
        }
    }
}
