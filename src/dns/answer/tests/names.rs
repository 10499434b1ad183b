//! Which names there are, and which are none of ours.

use hickory_proto::{
    op::ResponseCode,
    rr::{DNSClass, RecordType},
};

use super::{A, AAAA, SRV, TXT, world};
use crate::dns::{
    Source, Transport,
    testing::{Ask, World, member},
};

/// What a name says to a type.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Is {
    Answer,
    Nodata,
    Nxdomain,
}

/// Names, types, and what [`world`] says to them.
const NAMES: &[(&str, RecordType, Is)] = &[
    // A service.
    ("web", A, Is::Answer),
    ("WEB", A, Is::Answer),
    ("web", AAAA, Is::Answer),
    ("web", SRV, Is::Answer),
    ("web", TXT, Is::Answer),
    ("web", RecordType::HTTPS, Is::Nodata),
    ("web", RecordType::ANY, Is::Answer),
    ("web", RecordType::MX, Is::Nodata),
    ("web", RecordType::NS, Is::Nodata),
    ("web", RecordType::SOA, Is::Nodata),
    ("web", RecordType::CNAME, Is::Nodata),
    ("web", RecordType::Unknown(65_280), Is::Nodata),
    ("v4", AAAA, Is::Nodata),
    ("v4", TXT, Is::Nodata),
    ("planned", A, Is::Nodata),
    ("none", A, Is::Nxdomain),
    ("none", AAAA, Is::Nxdomain),
    // Tags.
    ("v1.web", A, Is::Answer),
    ("v1.web", AAAA, Is::Nodata),
    ("v3.web", A, Is::Nodata), // carried, but by nobody who is well
    ("v9.web", A, Is::Nxdomain),
    ("v1.none", A, Is::Nxdomain),
    ("eu.v1.web", A, Is::Answer),
    ("v1.eu.web", SRV, Is::Answer),
    ("v1.v2.web", A, Is::Nxdomain), // each is carried, both are not
    ("v1.v9.web", A, Is::Nxdomain),
    ("v1.v3.eu.web", A, Is::Nxdomain),
    ("a.b.c.d.none", A, Is::Nxdomain),
    // RFC 2782.
    ("_web._tcp", SRV, Is::Answer),
    ("_web._udp", SRV, Is::Answer),
    ("_web._v1", SRV, Is::Answer),
    ("_web._v1", A, Is::Nodata),
    ("_web._tcp", A, Is::Nodata),
    ("_web._tcp", TXT, Is::Nodata),
    ("_web._v3", SRV, Is::Nodata),
    ("_web._v9", SRV, Is::Nxdomain),
    ("_none._tcp", SRV, Is::Nxdomain),
    ("_planned._tcp", SRV, Is::Nodata),
    ("web._tcp", SRV, Is::Nxdomain),
    ("_web.tcp", SRV, Is::Nxdomain),
    ("x._web._tcp", SRV, Is::Nxdomain),
    // One instance, whatever its health.
    ("a.instance.web", A, Is::Answer),
    ("a.instance.web", AAAA, Is::Nodata),
    ("a.instance.web", TXT, Is::Answer),
    ("a.instance.web", SRV, Is::Nodata),
    ("b.instance.web", TXT, Is::Nodata),
    ("sick.instance.web", A, Is::Answer),
    ("x.instance.web", A, Is::Nxdomain),
    ("a.instance.none", A, Is::Nxdomain),
    ("v1.a.instance.web", A, Is::Nxdomain),
    // Empty non-terminals.
    ("instance.web", A, Is::Nodata),
    ("instance.planned", A, Is::Nxdomain),
    ("instance.none", A, Is::Nxdomain),
    ("instance", A, Is::Nxdomain),
    ("_tcp", A, Is::Nodata),
    ("_udp", SRV, Is::Nodata),
    ("_v3", A, Is::Nodata),
    ("_blue", A, Is::Nodata),
    ("_v9", A, Is::Nxdomain),
    ("_", A, Is::Nxdomain),
    // The top and its servers.
    ("", A, Is::Nodata),
    ("", TXT, Is::Nodata),
    ("", RecordType::ANY, Is::Answer),
    ("", RecordType::SOA, Is::Answer),
    ("", RecordType::NS, Is::Answer),
    ("ns1", A, Is::Answer),
    ("ns1", AAAA, Is::Answer),
    ("ns2", A, Is::Answer),
    ("ns2", AAAA, Is::Nodata),
    ("ns1", TXT, Is::Nodata),
    ("ns3", A, Is::Nxdomain),
    ("x.ns1", A, Is::Nxdomain),
];

#[test]
fn names_are_there_or_not() {
    let mut world = world();
    for &(name, rtype, expected) in NAMES {
        let told = world.ask(name, rtype);
        let found = if told.is_nodata() {
            Is::Nodata
        } else if told.is_nxdomain() {
            Is::Nxdomain
        } else {
            assert_eq!(told.rcode(), ResponseCode::NoError, "{name} {rtype}");
            assert!(told.message.metadata.authoritative, "{name} {rtype}");
            assert!(!told.message.answers.is_empty(), "{name} {rtype}");
            assert!(told.message.authorities.is_empty(), "{name} {rtype}");
            Is::Answer
        };
        assert_eq!(found, expected, "{name} {rtype}");
        assert_eq!(told.summary.source, Source::Service, "{name} {rtype}");
        assert!(!told.message.metadata.recursion_available, "{name} {rtype}");
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let mut world = world();
    for name in
        ["internal.", "example.com.", ".", "web.service.external.", "1.0.0.11.in-addr.arpa."]
    {
        let told = world.ask(name, A);
        assert_eq!(told.rcode(), ResponseCode::Refused, "{name}");
        assert_eq!(told.summary.source, Source::Refused, "{name}");
        assert!(told.message.authorities.is_empty(), "{name}");
    }
    for class in [DNSClass::CH, DNSClass::HS, DNSClass::ANY, DNSClass::NONE] {
        let told = world.put(&Ask { class, ..Ask::new("web", A) }).unwrap();
        assert_eq!(told.rcode(), ResponseCode::Refused, "{class}");
    }
    for transport in [Transport::Udp, Transport::Tcp] {
        for rtype in [RecordType::AXFR, RecordType::IXFR] {
            let told = world.put(&Ask { transport, ..Ask::new("", rtype) }).unwrap();
            assert_eq!(told.rcode(), ResponseCode::Refused, "{rtype} {transport:?}");
        }
    }
}

#[test]
fn addresses_lead_back_to_instances() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").at(&["10.0.0.1", "fd00::1"]),
        member("api/b", "10.0.0.1"),
    ]);
    let ptr = RecordType::PTR;
    let told = world.ask("1.0.0.10.in-addr.arpa.", ptr);
    let names = ["a.instance.web.service.internal.", "b.instance.api.service.internal."];
    assert_eq!(told.sorted(), names);
    assert!(told.message.metadata.authoritative);
    assert_eq!(told.summary.source, Source::Reverse);
    let v6 = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.F.ip6.arpa.";
    assert_eq!(world.ask(v6, ptr).answers(), ["a.instance.web.service.internal."]);
    let nodata = ["0.0.10.in-addr.arpa.", "10.in-addr.arpa.", "0.0.d.f.ip6.arpa."];
    for name in nodata {
        let told = world.ask(name, ptr);
        assert_eq!((told.rcode(), told.answers().len()), (ResponseCode::NoError, 0), "{name}");
    }
    assert_eq!(world.ask("1.0.0.10.in-addr.arpa.", A).rcode(), ResponseCode::NoError);
    for name in [
        "2.0.0.10.in-addr.arpa.",
        "01.0.0.10.in-addr.arpa.",
        "256.0.0.10.in-addr.arpa.",
        "1a.0.0.10.in-addr.arpa.",
        "x.1.0.0.10.in-addr.arpa.",
        "x.10.in-addr.arpa.",
    ] {
        let told = world.ask(name, ptr);
        assert_eq!(told.rcode(), ResponseCode::NXDomain, "{name}");
        assert!(told.has_soa_of("10.in-addr.arpa."), "{name}");
    }
    // The top of the zone has an SOA and name servers with addresses, who are named elsewhere.
    let soa = world.ask("d.f.ip6.arpa.", RecordType::SOA);
    assert_eq!(soa.message.answers.len(), 1);
    let ns = world.ask("10.in-addr.arpa.", RecordType::NS);
    assert_eq!(ns.answers(), ["ns1.service.internal.", "ns2.service.internal."]);
    assert_eq!(ns.message.additionals.len(), 3);
    for name in ["in-addr.arpa.", "11.in-addr.arpa.", "c.f.ip6.arpa.", "f.ip6.arpa.", "arpa."] {
        assert_eq!(world.ask(name, ptr).rcode(), ResponseCode::Refused, "{name}");
    }
}
