//! What is answered, and how much of it.

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::{
    A, AAAA, ANY, NXDOMAIN, SRV, is_nodata, is_nxdomain, members, of_agent, with_consul, world,
};
use crate::{
    dns::{
        Settings, Transport,
        testing::{Ask, World, spec},
    },
    model::{DnsName, Policy, WhenNoneHealthy},
};

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
