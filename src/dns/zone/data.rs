//! A zone in memory: every name of it in one table, with its records ready to be copied out.
//!
//! Empty non-terminals are nodes like all others (RFC 4592 §2.2.2), so that "does this name exist"
//! is one look. Keys are lower-case wire names; a lookup borrows its key from the query and
//! allocates nothing.

use std::sync::Arc;

use hashbrown::HashMap;

use super::binding::Binding;
use crate::{dns::code::rtype, model::DnsName};

/// One static zone, as it was read.
#[derive(Debug)]
pub struct Zone {
    pub(super) origin: DnsName,
    pub(super) file: String,
    pub(super) serial: u32,
    /// min(TTL of the SOA, its MINIMUM), seconds (RFC 2308 §3).
    pub(super) negative_ttl: u32,
    pub(super) soa: RrSet,
    pub(super) records: usize,
    pub(super) nodes: HashMap<Box<[u8]>, Node>,
}

/// One name and what it owns; nothing, if it is there only because of names below it.
#[derive(Debug, Clone, Default)]
pub(super) struct Node {
    /// Sorted by type.
    pub sets: Box<[RrSet]>,
    /// Whether the zone ends here: NS records below the apex (RFC 1034 §4.2).
    pub is_cut: bool,
}

/// All records of one name and type.
#[derive(Debug, Clone)]
pub(super) struct RrSet {
    pub rtype: u16,
    /// Seconds.
    pub ttl: u32,
    /// Each record's data behind its length in two octets.
    data: Arc<[u8]>,
    /// Where the data points to, without repetition and without the root, which stands for "none".
    pub targets: Arc<[DnsName]>,
}

// === impl Zone ===

impl Zone {
    /// The zone's name.
    pub fn origin(&self) -> &DnsName {
        &self.origin
    }

    /// The name of the file that it was read from, within the zone folder.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The serial of its SOA.
    pub fn serial(&self) -> u32 {
        self.serial
    }

    /// How many records it has.
    pub fn record_count(&self) -> usize {
        self.records
    }

    pub(super) fn node(&self, name: &[u8]) -> Option<&Node> {
        self.nodes.get(name)
    }

    /// The addresses that stand at a name, whoever answers for it.
    pub(super) fn glue(&self, name: &[u8]) -> impl Iterator<Item = &RrSet> {
        let node = self.node(name);
        [rtype::A, rtype::AAAA].into_iter().filter_map(move |rtype| node?.set(rtype))
    }
}

// === impl Node ===

impl Node {
    /// The records of a type.
    pub(super) fn set(&self, rtype: u16) -> Option<&RrSet> {
        // A handful of types at the most: a walk is faster than a search.
        self.sets.iter().find(|set| set.rtype == rtype)
    }
}

// === impl RrSet ===

impl RrSet {
    /// Prepares records; each of `rdata` is at most 65535 octets.
    pub(super) fn new(rtype: u16, ttl: u32, rdata: &[Vec<u8>]) -> Self {
        let mut data = Vec::new();
        let mut targets: Vec<DnsName> = Vec::new();
        for record in rdata {
            let length = u16::try_from(record.len()).expect("the reader held it to 65535 octets");
            data.extend(length.to_be_bytes());
            data.extend(record);
            let target = target(rtype, record).and_then(|(_, wire)| DnsName::from_wire(wire).ok());
            targets.extend(target.filter(|target| !targets.contains(target)));
        }
        Self { rtype, ttl, data: data.into(), targets: targets.into() }
    }

    /// Whether the records are aliases of the kind that SVCB and HTTPS have (RFC 9460 §2.4.2).
    pub(super) fn is_binding_alias(&self) -> bool {
        self.rdata().filter_map(Binding::read).any(Binding::is_alias)
    }

    /// Whether one of the records binds a service to its own owner (RFC 9460 §2.5.2).
    pub(super) fn is_bound_to_owner(&self) -> bool {
        self.rdata().filter_map(Binding::read).any(Binding::is_at_owner)
    }

    /// The data of each record, beginning with any of them: who only takes the first would
    /// otherwise always take the same. By chance and not in turn, as a shared position would be a
    /// line of memory that all cores write to.
    pub(super) fn rotated(&self, rng: &mut fastrand::Rng) -> impl Iterator<Item = &[u8]> {
        let count = self.rdata().count();
        let first = if count > 1 { rng.usize(..count) } else { 0 };
        self.rdata().skip(first).chain(self.rdata().take(first))
    }

    /// The data of each record.
    pub(super) fn rdata(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &*self.data;
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk::<2>()?;
            let (data, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
            rest = tail;
            Some(data)
        })
    }
}

/// Where data of this type leads to: the offset of a name in it, and its octets. `None` where it
/// leads nowhere, which the root stands for (RFC 2782, RFC 7505, RFC 9460 §2.5).
pub(in crate::dns) fn target(rtype: u16, data: &[u8]) -> Option<(usize, &[u8])> {
    let found = match rtype {
        rtype::HTTPS | rtype::SVCB => (2, Binding::read(data)?.target),
        _ => {
            let at = target_offset(rtype)?;
            (at, data.get(at..)?)
        }
    };
    // An alias to the root is one, though nobody has it.
    let may_be_root = matches!(rtype, rtype::CNAME | rtype::DNAME | rtype::NS);
    Some(found).filter(|(_, name)| may_be_root || *name != [0])
}

/// Where the name that data of this type ends with begins, for those types that refer to another
/// name of the DNS by it.
pub(super) fn target_offset(rtype: u16) -> Option<usize> {
    match rtype {
        rtype::CNAME | rtype::DNAME | rtype::NS => Some(0),
        rtype::MX => Some(2),
        rtype::SRV => Some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::RrSet;
    use crate::dns::code::rtype;

    #[test]
    fn each_record_of_a_set_is_as_often_the_first() {
        let records: Vec<Vec<u8>> = (0..5).map(|n| vec![10, 0, 0, n]).collect();
        let set = RrSet::new(rtype::A, 60, &records);
        let (mut rng, mut first) = (fastrand::Rng::with_seed(7), [0; 5]);
        for _ in 0..10_000 {
            let rotated: Vec<&[u8]> = set.rotated(&mut rng).collect();
            first[usize::from(rotated[0][3])] += 1;
            let mut sorted = rotated;
            sorted.sort_unstable();
            assert_eq!(sorted, records, "all of them, each once");
        }
        // 2,000 each, give or take five standard deviations of 40.
        assert!(first.iter().all(|count| (1_800..2_200).contains(count)), "{first:?}");
    }
}
