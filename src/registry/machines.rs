//! The nodes that there are, other than by their names: by their addresses, for reverse zones, and
//! by how their names end, as a name that has others below it is there (RFC 8020 §2).

use std::{net::IpAddr, sync::Arc};

use super::{
    Shards,
    holders::{self, Holders},
};
use crate::model::{Addresses, limit};

/// Cheap to clone, as with [`Shards`].
#[derive(Debug, Clone, Default)]
pub(super) struct Machines {
    /// How many nodes are called so, with something and a dot in front: `b` for `a.b`.
    ends: Shards<Arc<str>, u32>,
    /// The nodes at an address; `None` where nobody asks for them.
    at: Option<Shards<IpAddr, NodesAt>>,
}

/// The nodes at one address, by name in lower case.
pub type NodesAt = Holders<Arc<str>>;

/// Octets of the longest name that DNS has: of longer ones nobody asks for the end.
const NAME_MAX: usize = limit::NAME_OCTETS_MAX - 2;

// === impl Machines ===

impl Machines {
    /// None yet; whether they can be found by their addresses is settled for good.
    pub(super) fn new(index_addresses: bool) -> Self {
        Self { at: index_addresses.then(Shards::default), ..Self::default() }
    }

    /// Notes that a node is there, or is gone.
    pub(super) fn note(&mut self, name: &str, is_there: bool) {
        if name.len() > NAME_MAX {
            return;
        }
        for (dot, _) in name.match_indices('.') {
            let end = &name[dot + 1..];
            let count = self.ends.get(end).copied().unwrap_or(0);
            match if is_there { count + 1 } else { count.saturating_sub(1) } {
                0 => self.ends.remove(end),
                count => self.ends.insert(end.into(), count),
            }
        }
    }

    /// Notes where a node is, in place of where it was.
    pub(super) fn move_to(
        &mut self,
        name: &Arc<str>,
        before: Option<&Addresses>,
        after: Option<&Addresses>,
    ) {
        let Some(at) = self.at.as_mut().filter(|_| before != after) else { return };
        for ip in before.into_iter().flat_map(Addresses::as_ips) {
            holders::remove(at, ip, name);
        }
        for ip in after.into_iter().flat_map(Addresses::as_ips) {
            holders::insert(at, *ip, name);
        }
    }

    /// Whether they can be found by their addresses.
    pub(super) fn has_addresses(&self) -> bool {
        self.at.is_some()
    }

    /// The nodes that have an address.
    pub(super) fn at(&self, ip: &IpAddr) -> Option<&NodesAt> {
        self.at.as_ref()?.get(ip)
    }

    /// Whether there is a node `N.end`.
    pub(super) fn has_below(&self, end: &str) -> bool {
        self.ends.get(end).is_some()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        net::IpAddr,
        sync::Arc,
    };

    use proptest::{collection::vec, prelude::*};

    use super::{Machines, NodesAt};
    use crate::{model::Addresses, registry::holders::MANY};

    fn at(number: u8) -> Option<Addresses> {
        (number > 0).then(|| Addresses::Ip(IpAddr::from([10, 0, 0, number])))
    }

    proptest! {
        #[test]
        fn nodes_are_found_where_they_are(
            steps in vec((0..2 * u16::try_from(MANY).unwrap(), 0..4_u8), 0..400)
        ) {
            let (mut ours, mut model) = (Machines::new(true), BTreeMap::new());
            for (node, to) in steps {
                let name: Arc<str> = format!("n{node}").into();
                let before = model.insert(Arc::clone(&name), to).unwrap_or(0);
                ours.move_to(&name, at(before).as_ref(), at(to).as_ref());
                for number in 1..4 {
                    let here = model.iter().filter(|(_, at)| **at == number);
                    let here: BTreeSet<_> = here.map(|(name, _)| name).collect();
                    let found = ours.at(&at(number).unwrap().as_ips()[0]);
                    prop_assert_eq!(found.map_or(0, NodesAt::count), here.len());
                    let names: BTreeSet<_> = found.into_iter().flat_map(NodesAt::iter).collect();
                    prop_assert_eq!(names, here);
                    let is_here = found.is_some_and(|nodes| nodes.contains(&name));
                    prop_assert_eq!(is_here, to == number);
                }
            }
        }
    }

    #[test]
    fn what_a_name_ends_with_is_there_as_long_as_the_name() {
        let mut machines = Machines::default();
        let has = |machines: &Machines, end| machines.has_below(end);
        for name in ["a.b.c", "x.c", "plain"] {
            machines.note(name, true);
        }
        assert!(["b.c", "c"].iter().all(|end| has(&machines, end)));
        assert!(["a.b.c", "x.c", "plain", "b", ""].iter().all(|end| !has(&machines, end)));
        machines.note("a.b.c", false);
        assert_eq!((has(&machines, "b.c"), has(&machines, "c")), (false, true));
        machines.note("x.c", false);
        assert!(!has(&machines, "c"));
        machines.note(&"a.".repeat(200), true);
        assert!(machines.ends.is_empty(), "it is no name of DNS");
    }

    #[test]
    fn where_nobody_asks_for_addresses_none_are_kept() {
        let mut machines = Machines::new(false);
        machines.move_to(&"a".into(), None, at(1).as_ref());
        assert!(machines.at(&at(1).unwrap().as_ips()[0]).is_none());
    }
}
