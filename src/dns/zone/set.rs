//! All static zones at one moment: immutable, replaced as a whole when a file changes.

use std::sync::Arc;

use hashbrown::HashMap;

use super::{
    data::{RrSet, Zone},
    lookup::Found,
};
use crate::{dns::code::rtype, model::DnsName};

/// All static zones, by name.
#[derive(Debug, Clone, Default)]
pub struct Zones {
    by_origin: HashMap<Box<[u8]>, Arc<Zone>>,
    /// Labels of the longest origin: suffixes with more need not be looked for.
    labels_max: usize,
    /// The origins that the registry answers for: aliases into them leave the static zones.
    reserved: Arc<[DnsName]>,
    /// The origins of zones whose files were never read without a mistake.
    awaited: Box<[DnsName]>,
}

// === impl Zones ===

impl Zones {
    /// Puts zones together; of two with one origin the last stays.
    pub(super) fn new(
        zones: impl IntoIterator<Item = Arc<Zone>>,
        reserved: Arc<[DnsName]>,
    ) -> Self {
        let mut set =
            Self { by_origin: HashMap::new(), labels_max: 0, reserved, awaited: [].into() };
        for zone in zones {
            set.labels_max = set.labels_max.max(zone.origin().labels().count());
            set.by_origin.insert(zone.origin().as_wire().into(), zone);
        }
        set
    }

    /// The zone that is closest above `name` (lower-case wire labels), or is it.
    pub fn find(&self, name: &[u8]) -> Option<&Zone> {
        if self.by_origin.is_empty() {
            return None;
        }
        let mut labels = 0;
        let mut rest = name;
        while let Some(&length @ 1..) = rest.first() {
            labels += 1;
            rest = rest.get(1 + usize::from(length)..)?;
        }
        rest = name;
        loop {
            if labels <= self.labels_max
                && let Some(zone) = self.by_origin.get(rest)
            {
                return Some(zone);
            }
            let length = usize::from(*rest.first()?);
            rest = rest.get(1 + length..)?;
            labels = labels.checked_sub(1)?;
        }
    }

    /// As [`Zones::find`], but for DS at the top of a zone the one above it, if it is ours too: the
    /// parent's side of the cut has the DS records (RFC 4035 §3.1.4.1).
    pub(super) fn find_for(&self, name: &[u8], qtype: u16) -> Option<&Zone> {
        let zone = self.find(name)?;
        if qtype == rtype::DS && zone.origin().as_wire() == name && name.len() > 1 {
            let parent = self.find(&name[1 + usize::from(name[0])..]);
            return Some(parent.unwrap_or(zone));
        }
        Some(zone)
    }

    /// Whether a name (lower-case wire labels) stands in a zone; those of wildcards do not.
    pub fn has(&self, name: &[u8]) -> bool {
        self.find(name).is_some_and(|zone| zone.node(name).is_some())
    }

    /// Whether the zone that is closest above a name (lower-case wire labels) delegates it, or one
    /// in between.
    pub fn leaves(&self, name: &[u8]) -> bool {
        let zone = self.find(name);
        zone.is_some_and(|zone| matches!(zone.lookup(name, rtype::A), Found::Referral(..)))
    }

    /// Whether one of the zones delegates a name (lower-case wire labels), to whomever.
    pub fn delegates(&self, name: &[u8]) -> bool {
        let above = name.split_first().and_then(|(&length, rest)| rest.get(usize::from(length)..));
        let parent = above.and_then(|above| self.find(above));
        parent.and_then(|parent| parent.node(name)).is_some_and(|node| node.is_cut)
    }

    /// Of these names, those that nobody else is ever asked for because the zones themselves
    /// answer them and all below them, each with the zone that is closest. Whatever is delegated
    /// makes a difference, be it above a name or below.
    pub fn own_whole<'n>(
        &self,
        names: impl Iterator<Item = &'n DnsName>,
    ) -> Vec<(&'n DnsName, &Zone)> {
        let names = names.filter(|name| !self.leaves(name.as_wire()));
        let mut own: Vec<_> =
            names.filter_map(|name| Some((name, self.find(name.as_wire())?))).collect();
        if !own.is_empty() {
            for cut in self.iter().flat_map(|zone| self.cuts(zone)) {
                own.retain(|(name, _)| !is_within(cut, name.as_wire()));
            }
        }
        own
    }

    /// The names that a zone delegates to others than this server.
    fn cuts<'z>(&'z self, zone: &'z Zone) -> impl Iterator<Item = &'z [u8]> {
        let cuts = zone.nodes.iter().filter(|(_, node)| node.is_cut).map(|(name, _)| &**name);
        cuts.filter(move |cut| {
            let is_closest = self.find(cut).is_some_and(|closest| std::ptr::eq(closest, zone));
            is_closest && !self.is_reserved(cut)
        })
    }

    /// The zones in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Zone> {
        self.by_origin.values().map(|zone| &**zone)
    }

    /// The same set that knows of zones which should be there and are not. What the registry
    /// answers for, and a zone that another file has, is not missed.
    pub(super) fn awaiting(mut self, awaited: impl Iterator<Item = DnsName>) -> Self {
        let is_missed = |zone: &DnsName| {
            !self.is_reserved(zone.as_wire()) && !self.by_origin.contains_key(zone.as_wire())
        };
        self.awaited = awaited.filter(is_missed).collect();
        self
    }

    /// Octets of the name of the closest zone above a name (lower-case wire labels), whether it is
    /// there or only should be; zero when there is none.
    pub fn closest(&self, name: &[u8]) -> usize {
        let known = self.find(name).map_or(0, |zone| zone.origin().as_wire().len());
        known.max(self.closest_awaited(name))
    }

    fn closest_awaited(&self, name: &[u8]) -> usize {
        let awaited = self.awaited.iter().map(DnsName::as_wire);
        awaited.filter(|zone| is_within(name, zone)).map(<[u8]>::len).max().unwrap_or_default()
    }

    /// Whether a name (lower-case wire labels) is in a zone that should be there and is not: then
    /// nothing is known of it, which is not the same as that it is not there.
    #[inline]
    pub fn awaits(&self, name: &[u8]) -> bool {
        !self.awaited.is_empty()
            && self.closest_awaited(name)
                > self.find(name).map_or(0, |zone| zone.origin().as_wire().len())
    }

    /// Whether the registry answers for a name (lower-case wire labels).
    pub(super) fn is_reserved(&self, name: &[u8]) -> bool {
        self.reserved.iter().any(|origin| is_within(name, origin.as_wire()))
    }

    /// The addresses of a name (lower-case wire labels) that is in one of the zones: its own, those
    /// of its wildcard, or glue.
    pub(super) fn addresses(&self, name: &[u8]) -> impl Iterator<Item = &RrSet> {
        [rtype::A, rtype::AAAA].into_iter().filter_map(|rtype| self.known(name, rtype))
    }

    /// The records of a name (lower-case wire labels) that is in one of the zones: its own, those
    /// of its wildcard, or glue.
    pub(super) fn known(&self, name: &[u8], rtype: u16) -> Option<&RrSet> {
        self.find(name).filter(|_| !self.is_reserved(name))?.known(name, rtype)
    }
}

// === impl Zone ===

impl Zone {
    fn known(&self, name: &[u8], rtype: u16) -> Option<&RrSet> {
        match (self.node(name), self.lookup(name, rtype)) {
            (Some(node), _) => node.set(rtype),
            (None, Found::Answer(set)) => Some(set),
            (None, _) => None,
        }
    }
}

/// Whether a wire name is another or below it; both in lower case.
pub(in crate::dns) fn is_within(name: &[u8], above: &[u8]) -> bool {
    let mut rest = name;
    while rest.len() > above.len() {
        rest = &rest[1 + usize::from(rest[0])..];
    }
    rest == above
}

#[cfg(test)]
mod tests {
    use super::Zones;
    use crate::model::DnsName;

    #[test]
    fn names_with_nothing_delegated_above_or_below_are_the_zones_own() {
        let top = "@ SOA ns m 1 2 3 4 5\n@ NS ns\nns A 192.0.2.53\n";
        let corp =
            format!("{top}lab NS ns.lab\nns.lab A 192.0.2.7\nours NS ns\nsvc NS ns\nt DNAME @");
        let texts = [("corp", corp.as_str()), ("ours.corp", top), ("b.example", top)];
        let zones = Zones::of_texts(&texts, &["svc.corp"]);
        for (name, zone) in [
            ("corp", None),
            ("lab.corp", None),
            ("a.b.lab.corp", None),
            ("ns.lab.corp", None),
            // It is delegated to this server, as is what services have.
            ("ours.corp", Some("ours.corp")),
            ("x.ours.corp", Some("ours.corp")),
            ("www.corp", Some("corp")),
            ("ns.corp", Some("corp")),
            ("x.t.corp", Some("corp")),
            ("b.example", Some("b.example")),
            ("example", None),
            ("elsewhere", None),
        ] {
            let name = DnsName::parse(name).unwrap();
            let own = zones.own_whole([&name].into_iter());
            let own = own.first().map(|(_, zone)| zone.origin().to_string());
            assert_eq!(own.as_deref(), zone, "{name}");
        }
    }
}
