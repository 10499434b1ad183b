//! Reverse zones: from an address back to the instances that have it (PTR, RFC 1035 §3.5 and
//! RFC 3596 §2.5), and to the nodes that Consul's clients know it by.
//!
//! Every name in a zone that is shorter than an address answers NODATA, whether or not an address
//! below it is in use: to know would take a tree of all addresses beside the index, and the answer
//! would say nothing that a client acts on, for nobody walks these names. A whole address that is
//! not in use is NXDOMAIN.

mod owners;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::IpNet;

use self::owners::Owners;
use super::{
    answer::Sources, apex::Apex, asked::Asked, caller::Caller, code::rtype, encode::Reply,
    verdict::Verdict,
};
use crate::model::{Invalid, limit};

/// Instances and nodes of one address whose names the fast path writes: to find the TTL, the
/// service of each is looked up, and so many take some 20 µs, what the full path costs anyway.
const FAST_NAMES_MAX: usize = 256;

/// The parents of all reverse names.
const V4_PARENT: &[u8] = b"\x07in-addr\x04arpa\x00";
const V6_PARENT: &[u8] = b"\x03ip6\x04arpa\x00";

/// A prefix whose reverse names are answered.
///
/// A name under `in-addr.arpa` has whole octets for labels, one under `ip6.arpa` whole nibbles, so
/// a prefix that ends in between is several zones side by side (as RFC 6303 does it for
/// 172.16.0.0/12): cut at the next label boundary, they hold the prefix and nothing beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReverseZone {
    prefix: IpNet,
}

/// What a name under `in-addr.arpa` or `ip6.arpa` says of an address.
struct Stem {
    /// The address; what the name does not say is zero.
    address: IpAddr,
    /// How many labels say it, counted from the parent.
    known: usize,
    /// How many labels an address has: 4 or 32.
    whole: usize,
    /// How many labels the name has in front of the parent.
    labels: usize,
    /// Where each label begins, from the left.
    starts: [u8; limit::NAME_OCTETS_MAX / 2],
}

/// Answers if the asked name is in a reverse zone; the top of the zone comes back with the verdict,
/// for the SOA of a negative one.
#[inline]
pub(super) fn answer<'s>(
    sources: &Sources<'s>,
    asked: Asked<'_>,
    caller: Caller,
    reply: &mut Reply<'_>,
) -> Option<(Verdict, Apex<'s>)> {
    if sources.settings.reverse.is_empty() {
        return None;
    }
    let stem = Stem::read(asked.name)?;
    let zones = sources.settings.reverse.iter().filter(|zone| zone.holds(&stem));
    let zone = zones.max_by_key(|zone| zone.prefix.prefix_len())?;
    let octets = asked.name.len() - usize::from(stem.starts[stem.labels - zone.labels()]);
    // A static zone inside is closer to the name.
    if sources.zones.closest(asked.name) > octets {
        return None;
    }
    let apex = Apex::of_reverse(sources, &asked, octets);
    let verdict = if stem.labels == zone.labels() {
        apex.answer(asked.qtype, reply)
    } else if stem.labels > stem.known {
        Verdict::Nxdomain
    } else if stem.known < stem.whole {
        Verdict::Nodata
    } else {
        names(sources, &asked, stem.address, caller, reply)
    };
    Some((verdict, apex))
}

/// Answers with the names of who has the address.
fn names(
    sources: &Sources<'_>,
    asked: &Asked<'_>,
    ip: IpAddr,
    caller: Caller,
    reply: &mut Reply<'_>,
) -> Verdict {
    let owners = Owners::of(sources, ip, caller.client);
    match owners.count() {
        0 => Verdict::Nxdomain,
        count if count > FAST_NAMES_MAX && !caller.may_allocate => Verdict::NeedsFull,
        // Who may see none of them is told the same of all types: that there is nothing.
        _ if asked.qtype != rtype::PTR && owners.has_visible() => Verdict::Nodata,
        _ if asked.qtype != rtype::PTR => Verdict::Nxdomain,
        _ => {
            let first = reply.position();
            let written = owners.write(asked, reply);
            let has_any = written.is_err() || reply.position() > first;
            if has_any { Verdict::Answered(None) } else { Verdict::Nxdomain }
        }
    }
}

// === impl ReverseZone ===

impl ReverseZone {
    /// A zone, or several, for a prefix.
    ///
    /// # Errors
    /// When the prefix is empty, or so long that each zone would be a single address.
    pub(super) fn new(prefix: IpNet) -> Result<Self, Invalid> {
        let longest = match prefix {
            IpNet::V4(_) => 24,
            IpNet::V6(_) => 124,
        };
        if prefix.prefix_len() > longest {
            let problem = format!("is above the limit of /{longest}: a zone holds whole labels");
            return Err(Invalid::new("", prefix, problem));
        }
        if prefix.prefix_len() == 0 {
            return Err(Invalid::new(
                "",
                prefix,
                "is everything; name the prefixes that are yours",
            ));
        }
        Ok(Self { prefix: prefix.trunc() })
    }

    /// How many labels each of its zones has in front of the parent.
    fn labels(&self) -> usize {
        let bits = if matches!(self.prefix, IpNet::V4(_)) { 8 } else { 4 };
        usize::from(self.prefix.prefix_len().div_ceil(bits))
    }

    /// Whether the name is in one of its zones.
    fn holds(&self, stem: &Stem) -> bool {
        stem.known >= self.labels() && self.prefix.contains(&stem.address)
    }
}

// === impl Stem ===

impl Stem {
    /// Reads a name; `None` when it is not under one of the two parents.
    fn read(name: &[u8]) -> Option<Self> {
        let (front, is_v4) = match name.strip_suffix(V4_PARENT) {
            Some(front) => (front, true),
            None => (name.strip_suffix(V6_PARENT)?, false),
        };
        let (mut starts, mut labels, mut at) = ([0; limit::NAME_OCTETS_MAX / 2], 0, 0);
        while at < front.len() {
            *starts.get_mut(labels)? = u8::try_from(at).ok()?;
            labels += 1;
            at += 1 + usize::from(front[at]);
        }
        // The boundary has to lie between two labels.
        if at != front.len() {
            return None;
        }
        let whole = if is_v4 { 4 } else { 32 };
        let label_at = |start: u8| {
            let start = usize::from(start);
            &front[start + 1..=start + usize::from(front[start])]
        };
        let said = starts[..labels].iter().rev().take(whole).map(|&start| label_at(start));
        let (address, known) = if is_v4 { v4_address(said) } else { v6_address(said) };
        Some(Self { address, known, whole, labels, starts })
    }
}

/// The address that labels of decimal octets say, from the first octet on, and how many do.
fn v4_address<'l>(labels: impl Iterator<Item = &'l [u8]>) -> (IpAddr, usize) {
    let mut octets = [0; 4];
    let said = labels.map_while(|label| {
        let text = std::str::from_utf8(label).ok()?;
        // Only the shortest form is the octet's name: no sign, no leading zero.
        let is_plain =
            text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || label[0] != b'0');
        text.parse::<u8>().ok().filter(|_| is_plain)
    });
    let known = octets.iter_mut().zip(said).map(|(octet, said)| *octet = said).count();
    (Ipv4Addr::from(octets).into(), known)
}

/// The address that labels of one hexadecimal digit say, from the first on, and how many do.
fn v6_address<'l>(labels: impl Iterator<Item = &'l [u8]>) -> (IpAddr, usize) {
    let mut octets = [0_u8; 16];
    let said = labels.map_while(|label| match *label {
        [digit @ b'0'..=b'9'] => Some(digit - b'0'),
        [digit @ b'a'..=b'f'] => Some(digit - b'a' + 10),
        _ => None,
    });
    let mut known = 0;
    for nibble in said {
        octets[known / 2] |= if known % 2 == 0 { nibble << 4 } else { nibble };
        known += 1;
    }
    (Ipv6Addr::from(octets).into(), known)
}

#[cfg(test)]
mod tests;
