//! What the names of the service zone mean.

use arrayvec::ArrayVec;

use super::consul;
use crate::dns::{
    encode::{Data, Full},
    settings::Settings,
};

/// What a name asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning<'q> {
    /// The zone itself.
    Apex,
    /// `b._dns-sd._udp`, `db…` and `lb…`: where to browse for services (RFC 6763 §11).
    BrowseDomain,
    /// `I._S._tcp`, `I._S._udp`: one instance, as browsers name it (RFC 6763 §4.1).
    Browsed {
        /// The service.
        service: &'q str,
        /// The instance.
        id: &'q str,
    },
    /// `_dns-sd._udp`: nothing, but there are names below it.
    BrowseParent,
    /// `I.instance.S`: one instance.
    Instance {
        /// The service.
        service: &'q str,
        /// The instance.
        id: &'q str,
    },
    /// `instance.S`: nothing, but there are names below it.
    InstanceParent(&'q str),
    /// Nothing that could be there.
    Nothing,
    /// `_tcp`, `_udp`, `_T`: nothing, but there are names below it; without the underscore.
    ProtocolParent(&'q str),
    /// `_S._tcp`, `_S._T`: as RFC 2782 has it; both without the underscore.
    Rfc2782 {
        /// The service.
        service: &'q str,
        /// `tcp`, `udp`, or a tag.
        protocol: &'q str,
    },
    /// `S`: a service, or a name server.
    Service(&'q str),
    /// `_services._dns-sd._udp`: which services there are (RFC 6763 §9).
    ServiceTypes,
    /// `_T._sub._S._tcp`, `_T._sub._S._udp`: the instances of a service that carry a tag, for
    /// browsers (RFC 6763 §7.1).
    Subtype {
        /// The service.
        service: &'q str,
        /// The tag, without the underscore.
        tag: &'q str,
    },
    /// `_sub._S._tcp`, `_sub._S._udp`: nothing, but there may be names below it.
    SubtypeParent(&'q str),
    /// `T.S`: the instances of a service that carry a tag.
    Tagged {
        /// The service.
        service: &'q str,
        /// The tag.
        tag: &'q str,
    },
    /// `T1.T2.S`: the instances of a service that carry all the tags.
    TaggedAll {
        /// The service.
        service: &'q str,
        /// The tags as wire labels, without a zero behind.
        tags: Tags<'q>,
    },
}

/// Several tags in front of a service, as wire labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tags<'q>(&'q [u8]);

/// The label between an instance and its service.
const INSTANCE: &str = "instance";

/// The label of DNS-SD's own names (RFC 6763 §9, §11), without the underscore; no service's.
const BROWSE: &str = "dns-sd";

/// `instance` with its length octet.
pub(super) const INSTANCE_LABEL: &[u8] = b"\x08instance";

/// Writes `I.instance.S` into the data of a PTR record; the zone's name goes behind.
///
/// # Errors
/// When it does not fit.
pub(in crate::dns) fn put_instance(
    data: &mut Data<'_, '_>,
    id: &[u8],
    service: &[u8],
) -> Result<(), Full> {
    data.put_label(id)?;
    data.put(INSTANCE_LABEL)?;
    data.put_label(service)
}

/// The name itself (lower-case wire labels), or the end of it that it shares with others of which
/// there is no end: the service, if in front of it is a combination of tags.
pub(in crate::dns) fn finite<'q>(name: &'q [u8], settings: &Settings) -> &'q [u8] {
    let origin = settings.origin().as_wire();
    match (meaning(name, origin), &settings.consul) {
        (Some(Meaning::TaggedAll { service, .. }), _) => {
            &name[name.len() - origin.len() - service.len() - 1..]
        }
        (None, Some(consul)) => consul::finite(consul, name),
        _ => name,
    }
}

/// What `name` means in the zone `origin` (both lower-case wire labels); `None` when it is not in
/// the zone.
pub(super) fn meaning<'q>(name: &'q [u8], origin: &[u8]) -> Option<Meaning<'q>> {
    let (prefix, end) = name.split_at_checked(name.len().checked_sub(origin.len())?)?;
    if end != origin {
        return None;
    }
    // Ending in the same octets is not enough: the boundary has to lie between two labels.
    let (mut labels, mut count, mut at, mut last) = ([&[][..]; 3], 0, 0, 0);
    while at < prefix.len() {
        let label = prefix.get(at + 1..=at + usize::from(prefix[at]))?;
        if let Some(slot) = labels.get_mut(count) {
            *slot = label;
        }
        count += 1;
        last = at;
        at += 1 + label.len();
    }
    // An octet that is no UTF-8 is in no name of ours.
    let text = |label: &'q [u8]| std::str::from_utf8(label).ok();
    let found = match count {
        0 => Some(Meaning::Apex),
        1 => text(labels[0]).map(one),
        2 => text(labels[0]).zip(text(labels[1])).map(|(first, last)| two(first, last)),
        _ if count == 3 && labels[1] == INSTANCE.as_bytes() => text(labels[0])
            .zip(text(labels[2]))
            .map(|(id, service)| Meaning::Instance { service, id }),
        _ if prefix[last + 1] == b'_' => below_protocol(Tags(prefix)),
        _ => text(&prefix[last + 1..])
            .map(|service| Meaning::TaggedAll { service, tags: Tags(&prefix[..last]) }),
    };
    Some(found.unwrap_or(Meaning::Nothing))
}

fn one(label: &str) -> Meaning<'_> {
    match label.strip_prefix('_') {
        Some(protocol) => Meaning::ProtocolParent(protocol),
        None => Meaning::Service(label),
    }
}

fn two<'q>(first: &'q str, last: &'q str) -> Meaning<'q> {
    match (first.strip_prefix('_'), last.strip_prefix('_')) {
        (Some(BROWSE), Some("udp")) => Meaning::BrowseParent,
        (Some(service), Some(protocol)) => Meaning::Rfc2782 { service, protocol },
        (None, None) if first == INSTANCE => Meaning::InstanceParent(last),
        (None, None) => Meaning::Tagged { service: last, tag: first },
        _ => Meaning::Nothing,
    }
}

/// What a name of three labels or more means whose last one begins with an underscore.
#[inline(never)]
fn below_protocol(labels: Tags<'_>) -> Option<Meaning<'_>> {
    // The longest such name has four.
    let mut words: ArrayVec<&str, 4> = ArrayVec::new();
    for label in labels.iter() {
        words.try_push(label?).ok()?;
    }
    let protocol = words.pop()?.strip_prefix('_').filter(|label| is_protocol(label))?;
    let service = words.pop()?.strip_prefix('_')?;
    match (service, words.as_slice()) {
        (BROWSE, ["_services"]) if protocol == "udp" => Some(Meaning::ServiceTypes),
        (BROWSE, ["b" | "db" | "lb"]) if protocol == "udp" => Some(Meaning::BrowseDomain),
        (service, ["_sub"]) => Some(Meaning::SubtypeParent(service)),
        (service, [id]) => Some(Meaning::Browsed { service, id }),
        (service, [tag, "_sub"]) => {
            tag.strip_prefix('_').map(|tag| Meaning::Subtype { service, tag })
        }
        _ => None,
    }
}

/// Whether the label after `_S.` is a protocol, which filters nothing, rather than a tag.
pub(super) fn is_protocol(label: &str) -> bool {
    matches!(label, "tcp" | "udp")
}

// === impl Tags ===

impl<'q> Tags<'q> {
    /// The tags from the left; `None` in place of one that no tag is spelled like.
    pub(super) fn iter(self) -> impl Iterator<Item = Option<&'q str>> {
        let mut rest = self.0;
        std::iter::from_fn(move || {
            let (&length, tail) = rest.split_first()?;
            let (label, tail) = tail.split_at_checked(usize::from(length))?;
            rest = tail;
            Some(std::str::from_utf8(label).ok())
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, meaning};
    use crate::model::DnsName;

    fn wire(text: &str) -> DnsName {
        DnsName::parse(text).unwrap()
    }

    #[test]
    fn each_form_of_name_has_its_meaning() {
        use Meaning::{
            Apex, Instance, InstanceParent, Nothing, ProtocolParent, Rfc2782, Service, Tagged,
        };
        let service = "web";
        let cases = [
            ("", Apex),
            ("web.", Service("web")),
            ("_tcp.", ProtocolParent("tcp")),
            ("v1.web.", Tagged { service, tag: "v1" }),
            ("_web._tcp.", Rfc2782 { service, protocol: "tcp" }),
            ("_web.tcp.", Nothing),
            ("web._tcp.", Nothing),
            ("instance.web.", InstanceParent("web")),
            ("i.instance.web.", Instance { service, id: "i" }),
        ];
        let origin = wire("service.internal");
        for (prefix, expected) in cases {
            let name = wire(&format!("{prefix}service.internal"));
            assert_eq!(meaning(name.as_wire(), origin.as_wire()), Some(expected), "{prefix}");
        }
        let several = wire("a.b.c.web.service.internal");
        let Some(Meaning::TaggedAll { service, tags }) =
            meaning(several.as_wire(), origin.as_wire())
        else {
            panic!("several tags")
        };
        assert_eq!(service, "web");
        assert_eq!(tags.iter().collect::<Vec<_>>(), [Some("a"), Some("b"), Some("c")]);
    }

    #[test]
    fn a_name_outside_has_none() {
        let origin = wire("service.internal");
        let outside = ["internal", "web.internal", "aservice.internal", "service.external"];
        for name in outside {
            assert_eq!(meaning(wire(name).as_wire(), origin.as_wire()), None, "{name}");
        }
        // One label whose octets end as the zone does, length octets and all.
        let trap = b"\x13xx\x07service\x08internal\x00";
        assert_eq!(meaning(trap, origin.as_wire()), None);
        assert_eq!(meaning(b"\x00", origin.as_wire()), None);
    }
}
