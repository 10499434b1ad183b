//! What a zone has to say to a name and a type: the algorithm of RFC 1034 §4.3.2 with its
//! corrections (RFC 4592 for wildcards, RFC 6672 for DNAME).
//!
//! From the apex down, one look per label, and no further than the zone is deep: the first cut or
//! DNAME on the way decides, else the name is there, or the last name that was is the closest
//! encloser, whose wildcard is the only one that counts.

use super::{
    data::{Node, RrSet, Zone},
    name::NameBuf,
};
use crate::dns::code::rtype;

/// Labels of the longest name, the root's not counted: 127 of one octet each.
pub(super) const LABELS_MAX: usize = 127;

/// The answer of one zone to one name. Offsets say where in the name asked for an owner begins.
#[derive(Debug)]
pub(super) enum Found<'z> {
    /// The records.
    Answer(&'z RrSet),
    /// The name is an alias.
    Cname(&'z RrSet),
    /// The name is below an alias for a whole tree, which is the name at this offset.
    Dname(&'z RrSet, usize),
    /// The name is there, but not with this type (RFC 2308 §2.2).
    NoData,
    /// The name is not there.
    NxDomain,
    /// The name at this offset is delegated to others.
    Referral(&'z Node, usize),
}

/// Where each label of a name begins.
struct Labels {
    starts: [u8; LABELS_MAX + 1],
    count: usize,
}

// === impl Labels ===

impl Labels {
    /// Splits a whole wire name.
    fn of(name: &[u8]) -> Self {
        let mut labels = Self { starts: [0; LABELS_MAX + 1], count: 0 };
        let mut at = 0u8;
        while let Some(&length @ 1..) = name.get(usize::from(at)) {
            labels.starts[labels.count] = at;
            labels.count += 1;
            at = at.saturating_add(length).saturating_add(1);
        }
        labels
    }
}

// === impl Zone ===

impl Zone {
    /// Looks up a name (lower-case wire labels) that is in the zone.
    pub(super) fn lookup(&self, name: &[u8], qtype: u16) -> Found<'_> {
        let labels = Labels::of(name);
        let apex = labels.starts[..labels.count]
            .iter()
            .rposition(|&start| name.len() - usize::from(start) > self.origin.as_wire().len())
            .map_or(0, |below| below + 1);
        // The starts from the apex down to the name itself.
        let mut encloser = name.len() - self.origin.as_wire().len();
        debug_assert_eq!(&name[encloser..], self.origin.as_wire(), "the name is in the zone");
        let mut starts = labels.starts[..apex].iter().rev();
        let mut node = self.node(self.origin.as_wire());
        while let Some(here) = node {
            let is_last = encloser == 0;
            if here.is_cut && !(is_last && qtype == rtype::DS) {
                return Found::Referral(here, encloser);
            }
            if is_last {
                return at_name(here, qtype);
            }
            if let Some(dname) = here.set(rtype::DNAME) {
                return Found::Dname(dname, encloser);
            }
            let Some(&next) = starts.next() else { break };
            node = self.node(&name[usize::from(next)..]);
            if node.is_some() {
                encloser = usize::from(next);
            }
        }
        self.by_wildcard(&name[encloser..], qtype)
    }

    /// What the wildcard right below the closest encloser says (RFC 4592 §3.3.1).
    fn by_wildcard(&self, encloser: &[u8], qtype: u16) -> Found<'_> {
        let wildcard = NameBuf::join(b"\x01*", encloser);
        match wildcard.and_then(|wildcard| self.node(wildcard.as_wire())) {
            Some(node) => at_name(node, qtype),
            None => Found::NxDomain,
        }
    }
}

fn at_name(node: &Node, qtype: u16) -> Found<'_> {
    // One set is enough for who asks for all (RFC 8482 §4.1).
    if qtype == rtype::ANY {
        return node.sets.first().map_or(Found::NoData, Found::Answer);
    }
    match (node.set(qtype), node.set(rtype::CNAME)) {
        (Some(set), _) => Found::Answer(set),
        (None, Some(alias)) => Found::Cname(alias),
        (None, None) => Found::NoData,
    }
}
