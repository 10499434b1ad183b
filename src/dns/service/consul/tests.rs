//! What Consul's names answer: as an agent does (1.8.7, asked the same), but where it says why not.

use hickory_proto::{
    op::ResponseCode,
    rr::{RData, RecordType},
};

use crate::{
    dns::{
        AccessRule, ConsulSpec, Settings, Transport,
        guard::Access,
        testing::{Ask, Told, World, member, spec},
    },
    model::{DnsName, Instance, InstanceId, Policy, ServiceName, Status, WhenNoneHealthy},
    registry::Member,
};

mod edges;

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const ANY: RecordType = RecordType::ANY;
const NXDOMAIN: ResponseCode = ResponseCode::NXDomain;
const SRV: RecordType = RecordType::SRV;
const TXT: RecordType = RecordType::TXT;

/// A service of an agent's, at an address of its own.
fn of_agent(name: &str, ip: &str, other_tags: &[&str]) -> Member {
    member(name, ip).on_node("Agent-1", "192.0.2.77", other_tags)
}

fn with_port(member: Member, port: u16) -> Member {
    member.with(|instance| instance.port = port)
}

fn warning(member: Member, weight: u16) -> Member {
    let member = member.with(|instance| instance.warning_weight = Some(weight));
    Member { status: Status::Warning, ..member }
}

/// A node with a registration of its own.
fn node(name: &str, ip: &str) -> Member {
    member("x/x", ip).on_node(name, ip, &[]).with(|instance: &mut Instance| {
        instance.service = ServiceName::nodes();
        instance.id = InstanceId::derived(name);
        let origin = std::sync::Arc::make_mut(instance.origin.as_mut().unwrap());
        origin.id = "".into();
    })
}

fn members() -> Vec<Member> {
    vec![
        with_port(of_agent("web/web-1", "10.0.0.1", &["a_b", "v1.2"]), 8080)
            .tags(&["v1", "primary"]),
        with_port(of_agent("web/web-2", "10.0.0.2", &[]), 8081).tags(&["v1"]).weight(5),
        with_port(of_agent("athost/a", "192.0.2.77", &[]), 9000),
        with_port(of_agent("athost/b", "192.0.2.77", &[]), 9001),
        of_agent("my-service-cf3d5dd8/ms", "10.0.0.3", &[]),
        of_agent("six/six", "10.0.0.9", &[]).at(&["fd00::6"]),
        of_agent("named/named", "10.0.0.9", &[]).host("db.example.com"),
        of_agent("sick/sick", "10.0.0.4", &["t.1"]).tags(&["t"]).critical(),
        warning(of_agent("warn/warn", "10.0.0.5", &[]).weight(7), 3),
        warning(member("mixed/a", "10.0.0.6"), 1),
        member("mixed/b", "10.0.0.7"),
        member("native/a", "10.0.0.8").at(&["fd00::8", "10.0.0.8"]).meta(&[("k", "v")]),
        member("outside/o", "10.2.0.1").on_node("Ext.Node", "10.2.0.1", &[]),
        node("Ext.Node", "10.2.0.1").meta(&[("rack", "7")]),
        node("far", "10.2.0.9").host("far.example.com"),
    ]
}

fn world() -> World {
    World::new(members())
}

fn with_consul(change: impl FnOnce(&mut ConsulSpec)) -> World {
    let mut spec = spec();
    change(spec.consul.as_mut().unwrap());
    World { settings: Settings::new(&spec).unwrap(), ..world() }
}

fn is_nxdomain(told: &Told) -> bool {
    told.rcode() == NXDOMAIN && told.has_soa_of("consul.") && told.message.metadata.authoritative
}

fn is_nodata(told: &Told) -> bool {
    told.rcode() == ResponseCode::NoError
        && told.message.answers.is_empty()
        && told.has_soa_of("consul.")
        && told.message.metadata.authoritative
}

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

#[test]
fn srv_leads_to_the_address_or_to_the_node_that_lends_it() {
    let mut world = world();
    let six = "fd000000000000000000000000000006.addr.dc1.consul.";
    for (name, expected, beside) in [
        (
            "web.service.consul.",
            &["1 1 8080 0a000001.addr.dc1.consul.", "1 5 8081 0a000002.addr.dc1.consul."][..],
            &["0a000001.addr.dc1.consul. A 10.0.0.1", "0a000002.addr.dc1.consul. A 10.0.0.2"][..],
        ),
        (
            "_web._primary.consul.",
            &["1 1 8080 0a000001.addr.dc1.consul."],
            &["0a000001.addr.dc1.consul. A 10.0.0.1"],
        ),
        ("_web._v1.2.service.consul.", &[], &[]),
        (
            "athost.service.dc1.consul.",
            &["1 1 9000 agent-1.node.dc1.consul.", "1 1 9001 agent-1.node.dc1.consul."],
            &["agent-1.node.dc1.consul. A 192.0.2.77"],
        ),
        (
            "outside.service.consul.",
            &["1 1 8080 ext.node.node.dc1.consul."],
            &["ext.node.node.dc1.consul. A 10.2.0.1"],
        ),
        ("six.service.consul.", &[&*format!("1 1 8080 {six}")], &[&*format!("{six} AAAA fd00::6")]),
        ("named.service.consul.", &["1 1 8080 db.example.com."], &[]),
        (
            "warn.service.consul.",
            &["1 3 8080 0a000005.addr.dc1.consul."],
            &["0a000005.addr.dc1.consul. A 10.0.0.5"],
        ),
        (
            "native.service.consul.",
            &["1 1 8080 0a000008.addr.dc1.consul."],
            &["0a000008.addr.dc1.consul. A 10.0.0.8"],
        ),
        (
            "consul.service.consul.",
            &["1 1 8500 agent-1.node.dc1.consul."],
            &["agent-1.node.dc1.consul. A 192.0.2.77"],
        ),
    ] {
        let told = world.ask(name, SRV);
        let mut additionals = told.additionals();
        additionals.sort();
        assert_eq!((told.sorted(), additionals), (owned(expected), owned(beside)), "{name}");
    }
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

/// Of a name of more than 255 octets (RFC 1035 §2.3.4) no client could read the reply.
#[test]
fn a_server_whose_node_is_too_long_for_a_name_is_named_by_its_address() {
    for (octets, is_named) in [(237, true), (238, false), (254, false), (512, false)] {
        let dotted = (1..=octets).map(|at| if at % 50 == 0 { '.' } else { 'a' });
        let node: String = dotted.collect();
        let mut world = with_consul(|consul| consul.node.clone_from(&node));
        let target = if is_named { node + ".node" } else { "c000024d.addr".into() };
        let told = world.ask("consul.service.consul.", SRV);
        assert_eq!(told.answers(), [format!("1 1 8500 {target}.dc1.consul.")], "{octets}");
        assert_eq!(told.additionals(), [format!("{target}.dc1.consul. A 192.0.2.77")]);
    }
}

#[test]
fn what_an_answer_leads_to_is_in_the_domain_that_was_asked() {
    let name = |text: &str| DnsName::parse(text).unwrap();
    let mut world = with_consul(|consul| consul.domains = vec![name("consul"), name("internal")]);
    let told = world.ask("_web._primary.dc1.internal.", SRV);
    assert_eq!(told.answers(), ["1 1 8080 0a000001.addr.dc1.internal."]);
    assert_eq!(world.ask("0a000001.addr.dc1.internal.", A).answers(), ["10.0.0.1"]);
    assert_eq!(world.ask("internal.", RecordType::NS).answers(), ["ns.internal."]);
    // The native zone stays what it is.
    let told = world.ask("_web._primary.service.internal.", SRV);
    assert_eq!(told.answers(), ["1 1 8080 web-1.instance.web.service.internal."]);
    assert!(world.ask("sick.service.internal.", A).is_nodata());
    assert_eq!(world.ask("sick.service.dc1.internal.", A).rcode(), NXDOMAIN);
}

#[test]
fn warning_is_answered_unless_it_is_not_wanted() {
    let asked = |world: &mut World, name: &str| world.ask(name, A).sorted();
    let mut usual = world();
    assert_eq!(asked(&mut usual, "mixed.service.consul."), ["10.0.0.6", "10.0.0.7"]);
    let mut strict = with_consul(|consul| consul.only_passing = true);
    assert_eq!(asked(&mut strict, "mixed.service.consul."), ["10.0.0.7"]);
    assert_eq!(asked(&mut strict, "mixed.service.internal."), ["10.0.0.6", "10.0.0.7"]);
    assert_eq!(asked(&mut strict, "primary.web.service.consul."), ["10.0.0.1"]);
    assert!(is_nxdomain(&strict.ask("warn.service.consul.", A)));
}

#[test]
fn what_is_said_of_no_healthy_instance_is_the_operator_s_choice() {
    let mut world = with_consul(|consul| consul.nxdomain_when_none_healthy = false);
    assert!(is_nodata(&world.ask("sick.service.consul.", A)));
    assert!(is_nxdomain(&world.ask("nobody.service.consul.", A)));
    for (choice, expected) in [
        (WhenNoneHealthy::Nodata, NXDOMAIN),
        (WhenNoneHealthy::Nxdomain, NXDOMAIN),
        (WhenNoneHealthy::Servfail, ResponseCode::ServFail),
        (WhenNoneHealthy::All, ResponseCode::NoError),
    ] {
        let policy = Policy { when_none_healthy: choice, ..Policy::default() };
        let mut world = World::with_policies(members(), &[("sick", policy)]);
        assert_eq!(world.ask("sick.service.consul.", A).rcode(), expected, "{choice:?}");
    }
}

#[test]
fn answers_are_held_to_their_limits_and_say_nothing_of_it() {
    let many = |count: u16| -> World {
        let members =
            (1..=count).map(|n| of_agent(&format!("many/m-{n}"), &format!("10.1.0.{n}"), &[]));
        World::new(members.collect())
    };
    let ask = |rtype| Ask::new("many.service.consul.", rtype);
    let without_edns = |rtype| Ask { edns: None, ..ask(rtype) };
    let over_tcp = |rtype| Ask { transport: Transport::Tcp, edns: None, ..ask(rtype) };
    let count = |world: &mut World, ask: &Ask| {
        let told = world.put(ask).unwrap();
        assert!(!told.message.metadata.truncation, "{ask:?}");
        told.message.answers.len()
    };
    let mut world = many(20);
    for rtype in [A, ANY, SRV] {
        assert_eq!(count(&mut world, &without_edns(rtype)), 3, "{rtype}");
        assert_eq!(count(&mut world, &ask(rtype)), 20, "{rtype}");
        assert_eq!(count(&mut world, &over_tcp(rtype)), 20, "{rtype}");
    }
    let told = world.put(&without_edns(SRV)).unwrap();
    assert_eq!(told.message.additionals.len(), 3, "a subset is a whole answer");
    let mut spec = spec();
    let consul = spec.consul.as_mut().unwrap();
    (consul.udp_answer_limit, consul.a_record_limit) = (5, 7);
    world.settings = Settings::new(&spec).unwrap();
    for (ask, expected) in [
        (without_edns(A), 5),
        (without_edns(SRV), 5),
        (ask(A), 7),
        (ask(ANY), 7),
        (over_tcp(A), 7),
        (ask(SRV), 20),
    ] {
        assert_eq!(count(&mut world, &ask), expected, "{ask:?}");
    }
    // What does not fit is cut, and says so: nobody has decided to leave it out.
    let told = many(200).put(&ask(A)).unwrap();
    assert!(told.message.metadata.truncation);
}

#[test]
fn ttls_are_those_of_the_service_or_of_nodes() {
    let mut world = with_consul(|consul| {
        consul.service_ttl = vec![("web".into(), 7), ("my_service".into(), 8), ("*".into(), 9)];
        consul.node_ttl = 11;
    });
    for (name, rtype, ttl) in [
        ("web.service.consul.", A, 7),
        ("web.service.consul.", SRV, 7),
        ("my_service.service.consul.", A, 8),
        ("six.service.consul.", AAAA, 9),
        ("named.service.consul.", A, 9),
        ("agent-1.node.consul.", A, 11),
        ("0a000001.addr.consul.", A, 11),
        ("web.service.internal.", A, 5),
    ] {
        let told = world.ask(name, rtype);
        let records = told.message.answers.iter().chain(&told.message.additionals);
        assert!(records.clone().count() > 0 && records.clone().all(|it| it.ttl == ttl), "{name}");
    }
}

#[test]
fn an_address_is_named_by_what_has_it() {
    let mut world = world();
    for (name, expected) in [
        (
            "1.0.0.10.in-addr.arpa.",
            &["web-1.instance.web.service.internal.", "web.service.dc1.consul."][..],
        ),
        ("8.0.0.10.in-addr.arpa.", &["a.instance.native.service.internal."]),
        (
            "1.0.2.10.in-addr.arpa.",
            &["ext.node.node.dc1.consul.", "o.instance.outside.service.internal."],
        ),
    ] {
        assert_eq!(world.ask(name, RecordType::PTR).sorted(), expected, "{name}");
    }
}

/// Only instances were found by their addresses.
#[test]
fn the_address_of_a_node_is_named_by_the_node() {
    let mut members = members();
    members.push(node("bare", "10.3.0.1"));
    members.push(node("twin", "10.3.0.1"));
    // No registration of its own, and what is on it has another address.
    members.push(member("x/x", "10.3.0.8").on_node("lender", "10.3.0.7", &[]));
    members.push(member("y/y", "10.3.0.1").on_node("far", "10.2.0.9", &[]));
    let mut spec = spec();
    spec.consul.as_mut().unwrap().node_address = "10.3.0.9".parse().unwrap();
    spec.consul.as_mut().unwrap().node_ttl = 9;
    let mut world = World { settings: Settings::new(&spec).unwrap(), ..World::new(members) };
    for (name, expected, ttl) in [
        (
            "1.0.3.10.in-addr.arpa.",
            &[
                "bare.node.dc1.consul.",
                "twin.node.dc1.consul.",
                "y.instance.y.service.internal.",
                "y.service.dc1.consul.",
            ][..],
            5,
        ),
        ("7.0.3.10.in-addr.arpa.", &["lender.node.dc1.consul."], 9),
        ("8.0.3.10.in-addr.arpa.", &["x.instance.x.service.internal.", "x.service.dc1.consul."], 5),
        ("9.0.3.10.in-addr.arpa.", &["agent-1.node.dc1.consul."], 9),
    ] {
        let ask = Ask { may_allocate: false, ..Ask::new(name, RecordType::PTR) };
        let told = world.put(&ask).expect("a few names are written by the fast path");
        assert_eq!(told.sorted(), expected, "{name}");
        assert!(told.message.answers.iter().all(|record| record.ttl == ttl), "{name}");
    }
    assert!(world.ask("7.0.3.10.in-addr.arpa.", A).answers().is_empty());
    assert_eq!(world.ask("7.0.3.10.in-addr.arpa.", A).rcode(), ResponseCode::NoError);
    assert_eq!(world.ask("6.0.3.10.in-addr.arpa.", RecordType::PTR).rcode(), NXDOMAIN);
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
fn a_rule_for_a_service_is_for_all_its_names() {
    let mut world = world();
    let rule = |zone: &str| AccessRule {
        zone: DnsName::parse(zone).unwrap(),
        allow: Vec::new(),
        deny: vec!["192.0.2.0/24".parse().unwrap()],
    };
    let names = [
        "web.service.consul.",
        "v1.2.web.service.dc1.consul.",
        "_web._tcp.consul.",
        "nope.web.service.consul.",
    ];
    for zone in ["web.service.internal", "web.service.consul", "service.internal", "consul"] {
        world.settings.access = Access::new(&[rule(zone)]).unwrap();
        for name in names {
            assert_eq!(world.ask(name, SRV).rcode(), ResponseCode::Refused, "{name} by {zone}");
        }
        let is_all = !zone.starts_with("web");
        let refused = world.ask("six.service.consul.", AAAA).rcode() == ResponseCode::Refused;
        assert_eq!(refused, is_all, "{zone}");
    }
}

/// A rule for a name of Consul's held for the spelling that it was written in, and for no other.
#[test]
fn a_rule_for_one_of_consul_s_names_is_for_all_spellings_and_hides_the_address() {
    let rule = |zone: &str| AccessRule {
        zone: DnsName::parse(zone).unwrap(),
        allow: Vec::new(),
        deny: vec!["192.0.2.0/24".parse().unwrap()],
    };
    let mut world = with_consul(|consul| consul.domains.push(DnsName::parse("internal").unwrap()));
    let services = [
        "web.service.consul.",
        "web.service.dc1.consul.",
        "v1.web.service.dc1.dc.consul.",
        "_web._tcp.dc1.consul.",
        "web.service.dc1.internal.",
        "web.service.internal.",
        "_web._tcp.service.internal.",
    ];
    for zone in ["web.service.consul", "web.service.dc1.consul", "dc.internal", "dc1.consul"] {
        world.settings.access = Access::new(&[rule(zone)]).unwrap();
        for name in services {
            assert_eq!(world.ask(name, SRV).rcode(), ResponseCode::Refused, "{name} by {zone}");
        }
        // Of all types: NODATA for another one would say that there is something.
        for kind in [RecordType::PTR, A] {
            let told = world.ask("1.0.0.10.in-addr.arpa.", kind);
            assert_eq!(told.rcode(), NXDOMAIN, "{kind}");
        }
    }
    let nodes =
        ["ext.node.node.consul.", "ext.node.node.dc1.consul.", "ext.node.node.dc1.internal."];
    for zone in ["ext.node.node.consul", "ext.node.node.dc1.internal", "node.dc1.dc.consul"] {
        world.settings.access = Access::new(&[rule(zone)]).unwrap();
        for name in nodes {
            assert_eq!(world.ask(name, A).rcode(), ResponseCode::Refused, "{name} by {zone}");
        }
        let told = world.ask("1.0.2.10.in-addr.arpa.", RecordType::PTR);
        assert_eq!(told.answers(), ["o.instance.outside.service.internal."], "by {zone}");
        assert_eq!(world.ask("web.service.consul.", A).rcode(), ResponseCode::NoError);
    }
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
