//! Zones: what is in them, and their master files.

use std::{collections::BTreeMap, net::IpAddr};

use super::{
    data::{CNAME, DNAME, DS, NS, SOA, Type},
    name::Name,
};

/// Zones that refer to one another, and to no other world's.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) zones: Vec<Zone>,
    /// What records refer to, to be asked for.
    pub(crate) targets: Vec<Name>,
}

/// One zone.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) origin: Name,
    /// By names in lower case.
    owners: BTreeMap<Name, BTreeMap<Type, Set>>,
}

/// The records of one name and type.
#[derive(Debug)]
struct Set {
    /// In the letters of the file.
    owner: Name,
    ttl: u32,
    data: Vec<String>,
}

// === impl World ===

impl World {
    /// The zone that is closest above a name.
    pub(crate) fn zone_of(&self, name: &Name) -> Option<&Zone> {
        let above = self.zones.iter().filter(|zone| name.is_within(&zone.origin));
        above.max_by_key(|zone| zone.origin.depth())
    }

    /// The zone that answers for a name and a type: DS are in the zone above (RFC 4035 §3.1.4.1).
    pub(crate) fn zone_for(&self, name: &Name, rtype: Type) -> Option<&Zone> {
        let zone = self.zone_of(name);
        let above = || self.zone_of(&name.parent()?);
        let is_apex = zone.is_some_and(|zone| zone.origin == *name);
        if rtype == DS && is_apex { above().or(zone) } else { zone }
    }

    /// The addresses that the zones have for a name, its own and those of wildcards above it: TTL
    /// and sorted data of each set.
    pub(crate) fn addresses(&self, name: &Name, rtype: Type) -> Vec<(u32, Vec<Vec<u8>>)> {
        let owners = self.zones.iter().flat_map(|zone| &zone.owners);
        let owners = owners.filter(|(owner, _)| {
            let above = owner.parent().filter(|_| owner.is_wildcard());
            *owner == name || above.is_some_and(|above| name.is_within(&above))
        });
        owners.filter_map(|(_, sets)| sets.get(&rtype)).map(Set::addresses).collect()
    }
}

// === impl Zone ===

impl Zone {
    /// A zone without records.
    pub(crate) fn new(origin: Name) -> Self {
        Self { origin, owners: BTreeMap::new() }
    }

    /// The names that own records.
    pub(crate) fn owners(&self) -> impl ExactSizeIterator<Item = &Name> {
        self.owners.keys()
    }

    /// The types that a name owns.
    pub(crate) fn types(&self, owner: &Name) -> Vec<Type> {
        self.owners.get(owner).map(|sets| sets.keys().copied().collect()).unwrap_or_default()
    }

    /// Adds records, under the name in these letters.
    pub(crate) fn add(&mut self, owner: Name, (rtype, ttl): (Type, u32), data: Vec<String>) {
        let sets = self.owners.entry(owner.to_lower()).or_default();
        let set = sets.entry(rtype).or_insert_with(|| Set { owner, ttl, data: Vec::new() });
        set.data.extend(data);
        set.data.sort();
        set.data.dedup();
    }

    /// Whether records of this type may stand there.
    pub(crate) fn admits(&self, owner: &Name, rtype: Type) -> bool {
        let alone = |one: Type| one == CNAME || one == DNAME;
        let is_apex = *owner == self.origin;
        let conflicts = self.types(owner).iter().any(|&other| {
            let cut_and_tree = [(NS, DNAME), (DNAME, NS)].contains(&(rtype, other)) && !is_apex;
            let alias = (rtype == CNAME) != (other == CNAME);
            alias || cut_and_tree || (rtype == other && alone(rtype))
        });
        !conflicts && owner.is_within(&self.origin)
    }

    /// Whether a name is below a DNAME, or there are names below it and it is to be one.
    pub(crate) fn has_beside_tree(&self, owner: &Name, rtype: Type) -> bool {
        let is_below = || owner.ancestors().any(|above| self.types(&above).contains(&DNAME));
        let is_above = || self.owners().any(|other| other != owner && other.is_within(owner));
        is_below() || (rtype == DNAME && is_above())
    }
}

// === impl Set ===

impl Set {
    fn addresses(&self) -> (u32, Vec<Vec<u8>>) {
        let octets = |text: &String| match text.parse().expect("an address") {
            IpAddr::V4(address) => address.octets().to_vec(),
            IpAddr::V6(address) => address.octets().to_vec(),
        };
        let mut data: Vec<_> = self.data.iter().map(octets).collect();
        data.sort();
        (self.ttl, data)
    }
}

/// The master file.
impl std::fmt::Display for Zone {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "$ORIGIN {}", self.origin)?;
        // BIND wants the SOA first.
        let mut sets: Vec<_> = self.owners.values().flatten().collect();
        sets.sort_by_key(|(rtype, _)| **rtype != SOA);
        for (rtype, Set { owner, ttl, data }) in sets {
            for data in data {
                writeln!(f, "{owner} {ttl} IN {rtype} {data}")?;
            }
        }
        Ok(())
    }
}
