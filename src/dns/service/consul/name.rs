//! What Consul's names mean.
//!
//! From the right: the domain; then, if anything, a datacenter (`dc1`, or `dc1.dc`); then the kind
//! of thing (`service`, `node`, `addr`), and in front of it what it is called. The first kind from
//! the right is the one, so that a service or a tag may be called like one. RFC 2782 names need no
//! kind: `_web._tcp.consul`.

use arrayvec::ArrayVec;

use super::spec::{Consul, Domain};

/// Labels of the longest name.
const LABELS_MAX: usize = 127;

/// What a name asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Meaning<'q> {
    /// `HEX.addr`: the address that the digits say.
    Address(&'q [u8]),
    /// The domain itself.
    Apex,
    /// Nothing, but there are names below it.
    Empty,
    /// `ns`: this server.
    NameServer,
    /// `N.node`: a machine, as wire labels without a zero behind.
    Node(&'q [u8]),
    /// Nothing that could be there.
    Nothing,
    /// A service.
    Service(Service<'q>),
}

/// What is asked of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Service<'q> {
    /// What it is called.
    pub label: &'q [u8],
    /// The tag that its instances have to carry.
    pub tag: Option<Tag<'q>>,
    /// Whether the name has SRV records only, because it says no kind: `_web._tcp`.
    pub is_for_srv: bool,
}

/// A tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tag<'q> {
    /// One that is one label.
    Label(&'q [u8]),
    /// One with dots in it: several wire labels, without a zero behind.
    Labels(&'q [u8]),
}

/// A name in front of the domain, label by label.
struct Front<'q> {
    octets: &'q [u8],
    starts: ArrayVec<u8, LABELS_MAX>,
}

/// The kinds that are there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Address,
    Node,
    Service,
}

/// The meaning of `name` (lower-case wire labels), and the domain that it is in; `None` when it is
/// in none.
#[inline]
pub(super) fn meaning<'c, 'q>(
    consul: &'c Consul,
    name: &'q [u8],
) -> Option<(&'c Domain, Meaning<'q>)> {
    let domain = consul.domain_of(name)?;
    let front = Front::read(&name[..name.len() - domain.name.as_wire().len()])?;
    Some((domain, front.meaning(&consul.datacenter)))
}

/// The name itself (lower-case wire labels), or the end of it that it shares with others of which
/// there is no end: every address has a name.
pub(in crate::dns) fn finite<'q>(consul: &Consul, name: &'q [u8]) -> &'q [u8] {
    match meaning(consul, name) {
        Some((_, Meaning::Address(label))) => &name[1 + label.len()..],
        _ => name,
    }
}

// === impl Front ===

impl<'q> Front<'q> {
    /// `None` when the end does not lie between two labels.
    fn read(octets: &'q [u8]) -> Option<Self> {
        let (mut starts, mut at) = (ArrayVec::new(), 0);
        while at < octets.len() {
            starts.try_push(u8::try_from(at).ok()?).ok()?;
            at += 1 + usize::from(octets[at]);
        }
        (at == octets.len()).then_some(Self { octets, starts })
    }

    fn label(&self, index: usize) -> &'q [u8] {
        let start = usize::from(self.starts[index]);
        &self.octets[start + 1..=start + usize::from(self.octets[start])]
    }

    /// The first `count` labels.
    fn first(&self, count: usize) -> &'q [u8] {
        let end = self.starts.get(count).map_or(self.octets.len(), |start| usize::from(*start));
        &self.octets[..end]
    }

    fn meaning(&self, datacenter: &[u8]) -> Meaning<'q> {
        let count = self.starts.len();
        for index in (0..count).rev() {
            let kind = match self.label(index) {
                b"addr" => Kind::Address,
                b"node" => Kind::Node,
                b"service" => Kind::Service,
                b"connect" | b"ingress" | b"query" | b"virtual" => return Meaning::Nothing,
                [b'_', ..] if self.is_local(index + 1, datacenter) => {
                    return self.without_kind(index + 1);
                }
                _ => continue,
            };
            if !self.is_local(index + 1, datacenter) {
                return Meaning::Nothing;
            }
            return match (kind, index) {
                (_, 0) => Meaning::Empty,
                (Kind::Service, parts) => self.service(parts),
                (Kind::Node, parts) => Meaning::Node(self.first(parts)),
                (Kind::Address, 1) => Meaning::Address(self.label(0)),
                (Kind::Address, _) => Meaning::Nothing,
            };
        }
        match count {
            0 => Meaning::Apex,
            1 if self.label(0) == b"ns" => Meaning::NameServer,
            1 if self.label(0) == b"dc" => Meaning::Empty,
            _ if self.is_local(0, datacenter) => Meaning::Empty,
            _ => Meaning::Nothing,
        }
    }

    /// Whether the labels from `index` on say this datacenter, or none.
    fn is_local(&self, index: usize, datacenter: &[u8]) -> bool {
        match self.starts.len() - index {
            0 => true,
            1 => self.label(index) == datacenter,
            2 => self.label(index) == datacenter && self.label(index + 1) == b"dc",
            _ => false,
        }
    }

    /// `_S._T`, and what is above it.
    fn without_kind(&self, count: usize) -> Meaning<'q> {
        match (count, self.label(0), self.service(count)) {
            (1 | 2, [b'_', ..], Meaning::Service(service)) => {
                Meaning::Service(Service { is_for_srv: true, ..service })
            }
            _ => Meaning::Nothing,
        }
    }

    /// A service that the first `count` labels name.
    fn service(&self, count: usize) -> Meaning<'q> {
        let last = self.label(count - 1);
        let found = |label, tag| Meaning::Service(Service { label, tag, is_for_srv: false });
        match (count, self.label(0), last) {
            (1, ..) => found(last, None),
            (2, [b'_', service @ ..], b"_tcp") => found(service, None),
            (2, [b'_', service @ ..], [b'_', tag @ ..]) => found(service, Some(Tag::Label(tag))),
            (2, tag, _) => found(last, Some(Tag::Label(tag))),
            _ => found(last, Some(Tag::Labels(self.first(count - 1)))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Meaning, Service, Tag, finite, meaning};
    use crate::{
        dns::service::consul::{Consul, ConsulSpec},
        model::DnsName,
    };

    fn consul() -> Consul {
        let name = |text: &str| DnsName::parse(text).unwrap();
        let domains = vec![name("consul"), name("internal"), name("far.internal")];
        let spec = ConsulSpec { domains, ..ConsulSpec::new(name("consul")) };
        Consul::new(&spec, &[]).unwrap().unwrap()
    }

    #[test]
    fn each_form_of_name_has_its_meaning() {
        use Meaning::{Address, Apex, Empty, NameServer, Node, Nothing};
        let of = |label: &'static str, tag: Option<&'static str>| {
            let (label, tag) = (label.as_bytes(), tag.map(|tag| Tag::Label(tag.as_bytes())));
            Meaning::Service(Service { label, tag, is_for_srv: false })
        };
        let for_srv = |meaning| match meaning {
            Meaning::Service(service) => Meaning::Service(Service { is_for_srv: true, ..service }),
            other => other,
        };
        let dotted = Tag::Labels(b"\x02v1\x012");
        let dotted = Service { label: b"web", tag: Some(dotted), is_for_srv: false };
        let cases = [
            ("", Apex),
            ("ns.", NameServer),
            ("dc1.", Empty),
            ("dc1.dc.", Empty),
            ("dc.", Empty),
            ("dc2.", Nothing),
            ("dc2.dc.", Nothing),
            ("other.", Nothing),
            ("service.", Empty),
            ("service.dc1.", Empty),
            ("node.dc1.dc.", Empty),
            ("addr.", Empty),
            ("query.", Nothing),
            ("web.service.", of("web", None)),
            ("web.service.dc1.", of("web", None)),
            ("web.service.dc1.dc.", of("web", None)),
            ("web.service.dc2.", Nothing),
            ("web.service.dc1.extra.", Nothing),
            ("web.service.dc1.peer.", Nothing),
            ("web.service.a.dc1.dc.", Nothing),
            ("node.service.", of("node", None)),
            ("service.service.", of("service", None)),
            ("v1.web.service.", of("web", Some("v1"))),
            ("v1.2.web.service.", Meaning::Service(dotted)),
            ("_web._tcp.service.", of("web", None)),
            ("_web._udp.service.", of("web", Some("udp"))),
            ("_web._v1.service.dc1.", of("web", Some("v1"))),
            ("_web._tcp.", for_srv(of("web", None))),
            ("_web._tcp.dc1.", for_srv(of("web", None))),
            ("_web._v1.dc1.dc.", for_srv(of("web", Some("v1")))),
            ("_tcp.", for_srv(of("_tcp", None))),
            ("x._tcp.", Nothing),
            ("_a._b._c.", Nothing),
            ("_web._tcp.dc2.", Nothing),
            ("_tcp.service.", of("_tcp", None)),
            ("my_web.service.", of("my_web", None)),
            ("a.node.", Node(b"\x01a")),
            ("a.b.node.dc1.", Node(b"\x01a\x01b")),
            ("node.node.", Node(b"\x04node")),
            ("a.node.dc2.", Nothing),
            ("0a000001.addr.dc1.", Address(b"0a000001")),
            ("x.0a000001.addr.", Nothing),
            ("web.connect.", Nothing),
            ("web.virtual.", Nothing),
            ("web.ingress.", Nothing),
            ("web.query.", Nothing),
        ];
        let consul = consul();
        for (prefix, expected) in cases {
            let name = DnsName::parse(&format!("{prefix}consul")).unwrap();
            let (domain, found) = meaning(&consul, name.as_wire()).unwrap();
            assert_eq!((domain.name.to_string(), found), ("consul".into(), expected), "{prefix}");
        }
    }

    #[test]
    fn of_two_domains_the_closer_one_has_the_name() {
        let consul = consul();
        for (name, domain) in [
            ("web.service.internal", Some("internal")),
            ("web.service.far.internal", Some("far.internal")),
            ("internal", Some("internal")),
            ("xinternal", None),
            ("consul.example", None),
        ] {
            let name = DnsName::parse(name).unwrap();
            let found = meaning(&consul, name.as_wire()).map(|(domain, _)| domain.name.to_string());
            assert_eq!(found.as_deref(), domain, "{name}");
        }
        // One label whose octets end as the domain does, length octet and all.
        assert!(meaning(&consul, b"\x09xx\x06consul\x00").is_none());
    }

    #[test]
    fn names_of_which_there_is_no_end_are_one() {
        let consul = consul();
        let wire = |text: &str| DnsName::parse(text).unwrap();
        let (one, rest) = (wire("0a000001.addr.dc1.consul"), wire("addr.dc1.consul"));
        assert_eq!(finite(&consul, one.as_wire()), rest.as_wire());
        assert_eq!(finite(&consul, wire("a.service.consul").as_wire()).len(), 18);
    }
}
