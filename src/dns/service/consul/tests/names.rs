//! Which names there are.

use hickory_proto::{
    op::ResponseCode,
    rr::{RData, RecordType},
};

use super::{A, AAAA, ANY, SRV, TXT, is_nodata, is_nxdomain, with_consul, world};
use crate::dns::{
    Settings,
    testing::{Ask, spec},
};

#[test]
fn every_form_of_a_service_s_name_answers() {
    let mut world = world();
    for (name, rtype, expected) in [
        ("web.service.consul.", A, &["10.0.0.1", "10.0.0.2"][..]),
        ("web.service.dc1.consul.", A, &["10.0.0.1", "10.0.0.2"]),
        ("web.service.dc1.dc.consul.", A, &["10.0.0.1", "10.0.0.2"]),
        ("WEB.Service.CoNsUl.", A, &["10.0.0.1", "10.0.0.2"]),
        ("web.service.consul.", ANY, &["10.0.0.1", "10.0.0.2"]),
        ("v1.web.service.consul.", A, &["10.0.0.1", "10.0.0.2"]),
        ("primary.web.service.consul.", A, &["10.0.0.1"]),
        ("v1.2.web.service.consul.", A, &["10.0.0.1"]),
        ("V1.2.web.service.dc1.consul.", A, &["10.0.0.1"]),
        ("a_b.web.service.consul.", A, &["10.0.0.1"]),
        ("_web._tcp.service.consul.", A, &["10.0.0.1", "10.0.0.2"]),
        ("_web._primary.service.consul.", A, &["10.0.0.1"]),
        ("my_service.service.consul.", A, &["10.0.0.3"]),
        ("My_Service.service.consul.", A, &["10.0.0.3"]),
        ("six.service.consul.", AAAA, &["fd00::6"]),
        ("six.service.consul.", ANY, &["fd00::6"]),
        ("named.service.consul.", A, &["db.example.com."]),
        ("named.service.consul.", AAAA, &["db.example.com."]),
        ("named.service.consul.", RecordType::CNAME, &["db.example.com."]),
        ("named.service.consul.", ANY, &["db.example.com."]),
        ("warn.service.consul.", A, &["10.0.0.5"]),
        ("native.service.consul.", A, &["10.0.0.8"]),
        ("native.service.consul.", ANY, &["10.0.0.8", "fd00::8"]),
        ("native.service.consul.", TXT, &["k=v"]),
        ("native.service.internal.", A, &["10.0.0.8"]),
        ("athost.service.consul.", A, &["192.0.2.77"]),
        ("consul.service.consul.", A, &["192.0.2.77"]),
        ("agent-1.node.consul.", A, &["192.0.2.77"]),
        ("Agent-1.node.dc1.consul.", A, &["192.0.2.77"]),
        ("agent-1.node.dc1.dc.consul.", ANY, &["192.0.2.77"]),
        ("ext.node.node.consul.", A, &["10.2.0.1"]),
        ("ext.node.node.consul.", TXT, &["rack=7"]),
        ("ext.node.node.consul.", ANY, &["10.2.0.1", "rack=7"]),
        ("far.node.consul.", A, &["far.example.com."]),
        ("0a000001.addr.consul.", A, &["10.0.0.1"]),
        ("0A000001.addr.dc1.consul.", A, &["10.0.0.1"]),
        ("fd000000000000000000000000000006.addr.dc1.consul.", AAAA, &["fd00::6"]),
        ("fd000000000000000000000000000006.addr.dc1.consul.", ANY, &["fd00::6"]),
        ("ns.consul.", A, &["192.0.2.1", "192.0.2.2"]),
        ("ns.consul.", AAAA, &["2001:db8::1"]),
        ("consul.", RecordType::NS, &["ns.consul."]),
    ] {
        let told = world.ask(name, rtype);
        assert_eq!(told.sorted(), expected, "{name} {rtype}");
        assert_eq!(told.rcode(), ResponseCode::NoError, "{name} {rtype}");
        assert!(told.message.metadata.authoritative, "{name} {rtype}");
        let ttl = if name.starts_with("ns.") || rtype == RecordType::NS { 300 } else { 0 };
        let is_for_native = name.ends_with("internal.");
        let ttls = told.message.answers.iter().map(|record| record.ttl);
        assert!(is_for_native || ttls.into_iter().all(|own| own == ttl), "{name} {rtype}");
    }
}

#[test]
fn a_name_that_nothing_has_is_not_there() {
    let mut world = world();
    for (name, rtype) in [
        ("nobody.service.consul.", A),
        ("my_other.service.consul.", A),
        ("nope.web.service.consul.", A),
        ("1.2.web.service.consul.", A),
        ("_web._udp.service.consul.", SRV),
        ("_nobody._tcp.consul.", SRV),
        ("web.service.dc2.consul.", A),
        ("web.service.dc1.extra.consul.", A),
        ("web.service.a.b.c.consul.", A),
        ("sick.service.consul.", A),
        ("sick.service.consul.", SRV),
        ("t.sick.service.consul.", A),
        ("t.1.sick.service.consul.", A),
        ("nobody.node.consul.", A),
        ("agent-1.node.dc2.consul.", A),
        ("0a00001.addr.consul.", A),
        ("zz000001.addr.consul.", A),
        ("x.0a000001.addr.consul.", A),
        ("web.connect.consul.", A),
        ("web.virtual.consul.", A),
        ("web.ingress.consul.", A),
        ("web.query.consul.", A),
        ("query.consul.", A),
        ("dc2.consul.", A),
    ] {
        assert!(is_nxdomain(&world.ask(name, rtype)), "{name} {rtype}");
    }
    assert_eq!(world.ask("consulx.", A).rcode(), ResponseCode::Refused);
}

#[test]
fn a_name_that_is_there_without_the_type_says_so() {
    let mut world = world();
    let names = [
        ("web.service.consul.", AAAA),
        ("web.service.consul.", RecordType::MX),
        ("web.service.consul.", RecordType::SOA),
        ("six.service.consul.", A),
        ("agent-1.node.consul.", AAAA),
        ("agent-1.node.consul.", SRV),
        ("0a000001.addr.dc1.consul.", AAAA),
        ("consul.service.consul.", AAAA),
        ("2.web.service.consul.", A),
    ];
    for (name, rtype) in names {
        assert!(is_nodata(&world.ask(name, rtype)), "{name} {rtype}");
    }
    // What Consul denies, though there are names below (RFC 8020).
    let empty = [
        "consul.",
        "service.consul.",
        "node.consul.",
        "addr.dc1.consul.",
        "dc1.consul.",
        "dc1.dc.consul.",
        "dc.consul.",
        "service.dc1.consul.",
        "_tcp.consul.",
        "_tcp.service.consul.",
        "_v1.service.consul.",
        "_web._tcp.consul.",
        "_consul._tcp.consul.",
    ];
    for name in empty {
        assert!(is_nodata(&world.ask(name, A)), "{name}");
    }
    let mut world = with_consul(|consul| consul.nxdomain_for_empty_names = true);
    for name in empty {
        assert!(is_nxdomain(&world.ask(name, A)), "{name}");
    }
    assert_eq!(world.ask("consul.", RecordType::NS).answers(), ["ns.consul."]);
}

/// `node` would be said not to be there, although `ext.node` is.
#[test]
fn what_stands_behind_the_dots_of_a_node_s_name_is_there() {
    let mut world = with_consul(|consul| consul.node = "own.example.org".into());
    for name in ["node.node.consul.", "example.org.node.dc1.consul.", "org.node.consul."] {
        assert!(is_nodata(&world.ask(name, A)), "{name}");
    }
    for name in ["ample.org.node.consul.", "own.node.consul.", "ext.node.consul."] {
        assert!(is_nxdomain(&world.ask(name, A)), "{name}");
    }
    assert_eq!(world.ask("own.example.org.node.consul.", A).answers(), ["192.0.2.77"]);
    let mut world = with_consul(|consul| consul.nxdomain_for_empty_names = true);
    assert!(is_nxdomain(&world.ask("node.node.consul.", A)));
}

#[test]
fn a_domain_has_a_top_whose_server_is_there() {
    let mut world = world();
    let told = world.ask("consul.", RecordType::SOA);
    let RData::SOA(soa) = &told.message.answers[0].data else { panic!("{told:?}") };
    assert_eq!(soa.mname.to_string(), "ns.consul.");
    assert_eq!(soa.rname.to_string(), "hostmaster.consul.");
    assert_eq!((soa.refresh, soa.retry, soa.expire, soa.minimum), (3_600, 600, 86_400, 0));
    let told = world.ask("consul.", RecordType::NS);
    let glue = ["ns.consul. A 192.0.2.1", "ns.consul. A 192.0.2.2", "ns.consul. AAAA 2001:db8::1"];
    assert_eq!(told.additionals(), glue);
    // Without an address that clients could use, the node's stands in.
    let mut spec = spec();
    spec.nameservers = vec![Vec::new()];
    world.settings = Settings::new(&spec).unwrap();
    assert_eq!(world.ask("ns.consul.", A).answers(), ["192.0.2.77"]);
}

#[test]
fn the_usual_names_are_answered_by_the_fast_path() {
    let mut world = world();
    let mut is_fast = |name: &str, rtype| {
        world.put(&Ask { may_allocate: false, ..Ask::new(name, rtype) }).is_some()
    };
    for (name, rtype) in [
        ("web.service.consul.", A),
        ("web.service.dc1.consul.", SRV),
        ("v1.web.service.consul.", A),
        ("_web._tcp.consul.", SRV),
        ("athost.service.consul.", SRV),
        ("nobody.service.consul.", A),
        ("0a000001.addr.dc1.consul.", A),
        ("consul.", RecordType::SOA),
    ] {
        assert!(is_fast(name, rtype), "{name} {rtype}");
    }
    for name in ["v1.2.web.service.consul.", "my_service.service.consul.", "agent-1.node.consul."] {
        assert!(!is_fast(name, A), "{name}");
    }
}
