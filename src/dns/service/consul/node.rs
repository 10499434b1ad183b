//! Nodes, and addresses that are named by their digits: what SRV points to.
//!
//! A node answers with its address whatever its health, for who knows its name has made a choice
//! already. `HEX.addr` answers with what its digits say, be it in use or not: it is a way to write
//! an address as a name, and nothing is looked up.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use arrayvec::ArrayVec;

use super::{
    name::{Meaning, meaning},
    spec::{Consul, Domain},
    zone::Asking,
};
use crate::{
    dns::{
        code::rtype,
        encode::{Data, Full, Section},
        service::txt,
        verdict::Verdict,
    },
    model::{Addresses, DnsName, Interface, Meta, Scope, limit::NAME_OCTETS_MAX},
    registry::Member,
};

/// Wire labels without a zero behind.
pub(in crate::dns) type Labels = ArrayVec<u8, NAME_OCTETS_MAX>;

// === impl Asking ===

impl Asking<'_, '_> {
    /// `HEX.addr`.
    pub(super) fn address(&mut self, digits: &[u8]) -> Verdict {
        let Some(ip) = address_of(digits) else { return Verdict::Nxdomain };
        self.addresses(&[ip], self.consul.node_ttl)
    }

    /// `N.node`. Making a key of the name allocates.
    pub(super) fn node(&mut self, labels: &[u8]) -> Verdict {
        let Some(name) = dotted(labels) else { return Verdict::Nxdomain };
        let Ok(name) = std::str::from_utf8(&name) else { return Verdict::Nxdomain };
        if !self.caller.may_allocate {
            return Verdict::NeedsFull;
        }
        if !self.sources.settings.shows_node(self.caller.client, labels) {
            return Verdict::Denied;
        }
        let (consul, scope) = (self.consul, Scope::node(name));
        let origins = &self.sources.snapshot.origins;
        let meta = origins.get(&scope, "").map(|node| &node.meta);
        match origins.address_of(&scope) {
            // Whoever follows a node's own name, in whichever form, comes back to it.
            Some(Addresses::Host(host)) if self.is_name_of(labels, host) => Verdict::Nodata,
            Some(Addresses::Host(host)) => self.alias(host.as_wire()),
            Some(ips) => self.machine(ips.as_ips(), meta),
            None if *name == *consul.node => self.machine(&[consul.node_address], None),
            None if consul.has_own_node_below(name) || origins.has_nodes_below(name) => {
                self.empty()
            }
            None => Verdict::Nxdomain,
        }
    }

    fn is_name_of(&self, labels: &[u8], host: &DnsName) -> bool {
        let meaning = meaning(self.consul, host.as_wire());
        matches!(meaning, Some((_, Meaning::Node(own))) if own == labels)
    }

    fn machine(&mut self, ips: &[IpAddr], meta: Option<&Meta>) -> Verdict {
        let (ttl, qtype) = (self.consul.node_ttl, self.asked.qtype);
        let meta = meta.filter(|meta| !meta.pairs().is_empty());
        let text = match meta.filter(|_| matches!(qtype, rtype::ANY | rtype::TXT)) {
            Some(meta) => {
                let (owner, kind) = (self.asked.owner(), (rtype::TXT, ttl));
                let pairs = |data: &mut Data<'_, '_>| txt::put_pairs(data, meta);
                // What does not fit marks the reply as cut by itself.
                let _ = self.reply.record_with(Section::Answer, owner, kind, pairs);
                Verdict::Answered(None)
            }
            None => Verdict::Nodata,
        };
        match self.addresses(ips, ttl) {
            Verdict::Nodata => text,
            verdict => verdict,
        }
    }

    /// Writes those of the asked family, or of both.
    pub(super) fn addresses(&mut self, ips: &[IpAddr], ttl: u32) -> Verdict {
        let (at, qtype) = (self.asked.at, self.asked.qtype);
        let mut has_any = false;
        for ip in ips {
            // What does not fit marks the reply as cut by itself.
            let _ = match (ip, qtype) {
                (IpAddr::V4(ip), rtype::A | rtype::ANY) => {
                    self.reply.address(Section::Answer, at, (rtype::A, ttl), &ip.octets())
                }
                (IpAddr::V6(ip), rtype::AAAA | rtype::ANY) => {
                    self.reply.address(Section::Answer, at, (rtype::AAAA, ttl), &ip.octets())
                }
                _ => continue,
            };
            has_any = true;
        }
        if has_any { Verdict::Answered(None) } else { Verdict::Nodata }
    }

    fn alias(&mut self, host: &[u8]) -> Verdict {
        let kind = (rtype::CNAME, self.consul.node_ttl);
        let written = self.reply.record(Section::Answer, self.asked.owner(), kind, &[host]);
        match self.asked.qtype {
            rtype::ANY | rtype::CNAME => Verdict::Answered(None),
            _ => Verdict::Alias(written.ok()),
        }
    }
}

/// The labels of a node's name; `None` for one that with what stands behind it in the domain is no
/// name of DNS (RFC 1035 §2.3.4).
pub(super) fn labels_in(name: &str, domain: &Domain) -> Option<Labels> {
    let labels = labels_of(name)?;
    let octets = labels.len() + domain.of_nodes().as_wire().len();
    (octets <= NAME_OCTETS_MAX).then_some(labels)
}

/// The labels of a name; `None` when one of them is none.
fn labels_of(name: &str) -> Option<Labels> {
    let mut labels = Labels::new();
    for label in name.split('.') {
        let octets = u8::try_from(label.len()).ok().filter(|octets| (1..=63).contains(octets))?;
        labels.try_push(octets).ok()?;
        labels.try_extend_from_slice(label.as_bytes()).ok()?;
    }
    Some(labels)
}

/// The labels with dots between them.
pub(super) fn dotted(mut labels: &[u8]) -> Option<Labels> {
    let mut text = Labels::new();
    while let Some((&length, rest)) = labels.split_first() {
        let (label, rest) = rest.split_at_checked(usize::from(length))?;
        if !text.is_empty() {
            text.try_push(b'.').ok()?;
        }
        text.try_extend_from_slice(label).ok()?;
        labels = rest;
    }
    Some(text)
}

/// The label of an address, with its length octet.
pub(super) fn label_of(ip: IpAddr) -> ArrayVec<u8, 33> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let (v4, v6);
    let octets: &[u8] = match ip {
        IpAddr::V4(ip) => {
            v4 = ip.octets();
            &v4
        }
        IpAddr::V6(ip) => {
            v6 = ip.octets();
            &v6
        }
    };
    let mut label = ArrayVec::new();
    label.push(if octets.len() == 4 { 8 } else { 32 });
    for octet in octets {
        label.push(DIGITS[usize::from(octet >> 4)]);
        label.push(DIGITS[usize::from(octet & 15)]);
    }
    label
}

fn address_of(digits: &[u8]) -> Option<IpAddr> {
    let mut number = 0_u128;
    for digit in digits {
        let digit = char::from(*digit).to_digit(16)?;
        number = number << 4 | u128::from(digit);
    }
    match digits.len() {
        8 => Some(Ipv4Addr::from_bits(u32::try_from(number).ok()?).into()),
        32 => Some(Ipv6Addr::from_bits(number).into()),
        _ => None,
    }
}

/// The node of an instance that has no address but that of its node, if the node has a name in the
/// domain.
pub(super) fn lending_node(member: &Member, domain: &Domain) -> Option<Labels> {
    let origin = member.instance.origin.as_deref()?;
    let is_lent = origin.node.as_ref().is_some_and(|node| node.lends_address);
    if is_lent { labels_in(&origin.scope.name, domain) } else { None }
}

/// Whether an instance came by Consul's interface, so that the name of its address is Consul's as
/// well.
pub(in crate::dns) fn is_of_consul(member: &Member) -> bool {
    member
        .instance
        .origin
        .as_ref()
        .is_some_and(|origin| origin.scope.interface == Interface::Consul)
}

/// Whether an instance has no address but that of its node, which has a name: then the address is
/// the node's, and its name is.
pub(in crate::dns) fn is_at_its_node(consul: &Consul, member: &Member) -> bool {
    lending_node(member, consul.first()).is_some()
}

/// Writes what Consul calls an instance that has an address of its own: its service.
///
/// # Errors
/// When it does not fit.
pub(in crate::dns) fn put_service(
    consul: &Consul,
    member: &Member,
    data: &mut Data<'_, '_>,
) -> Result<(), Full> {
    data.put_label(member.instance.service.as_bytes())?;
    data.put(consul.first().of_services().as_wire())
}

/// Writes the name of a node; its labels are those of [`labels_of_node`].
///
/// # Errors
/// When it does not fit.
pub(in crate::dns) fn put_node(
    consul: &Consul,
    labels: &[u8],
    data: &mut Data<'_, '_>,
) -> Result<(), Full> {
    data.put(labels)?;
    data.put(consul.first().of_nodes().as_wire())
}

/// The labels of a node's name, if it has one in DNS.
pub(in crate::dns) fn labels_of_node(consul: &Consul, name: &str) -> Option<Labels> {
    labels_in(name, consul.first())
}

#[cfg(test)]
mod tests {
    use super::{address_of, dotted, label_of, labels_of};

    #[test]
    fn an_address_is_the_digits_of_its_label_and_back() {
        for (ip, label) in [
            ("10.0.0.255", &b"\x080a0000ff"[..]),
            ("fd00::6", b"\x20fd000000000000000000000000000006"),
        ] {
            let ip = ip.parse().unwrap();
            assert_eq!(*label_of(ip), *label);
            assert_eq!(address_of(&label[1..]), Some(ip));
        }
        for digits in [&b"0a00001"[..], b"zz000001", b"", b"+a000001", b"0a00000100"] {
            assert_eq!(address_of(digits), None, "{digits:?}");
        }
    }

    #[test]
    fn the_dots_of_a_node_s_name_part_its_labels() {
        assert_eq!(&labels_of("a.b-1").unwrap()[..], b"\x01a\x03b-1");
        assert_eq!(&dotted(b"\x01a\x03b-1").unwrap()[..], b"a.b-1");
        for name in ["", "a..b", ".a", &"a".repeat(64), &"a.".repeat(200)] {
            assert!(labels_of(name).is_none(), "{name}");
        }
    }
}
