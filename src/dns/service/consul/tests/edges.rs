//! The edges of what Consul's names answer: what is rare, long, double, or this server itself.

use std::sync::Arc;

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::{
    A, AAAA, ANY, SRV, TXT, is_nodata, is_nxdomain, members, node, of_agent, with_consul,
    with_port, world,
};
use crate::{
    dns::{
        AccessRule, Settings,
        guard::Access,
        testing::{Ask, World, member, spec},
    },
    model::{DnsName, Origin, Policy, Scope, WhenNoneHealthy},
    registry::Member,
};

fn alone() -> World {
    World::new(Vec::new())
}

#[test]
fn this_server_is_a_node_and_a_service_without_anything_registered() {
    let mut world = alone();
    for (name, rtype, expected) in [
        ("agent-1.node.consul.", A, &["192.0.2.77"][..]),
        ("consul.service.consul.", A, &["192.0.2.77"]),
        ("_consul._tcp.consul.", SRV, &["1 1 8500 agent-1.node.dc1.consul."]),
    ] {
        assert_eq!(world.ask(name, rtype).sorted(), expected, "{name} {rtype}");
    }
    assert!(is_nxdomain(&world.ask("v1.consul.service.consul.", A)));
    assert!(is_nodata(&world.ask("_consul._tcp.consul.", A)));
    let mut spec = spec();
    let own = "192.0.2.1".parse().unwrap();
    spec.nameservers = vec![vec![own], vec![own]];
    world.settings = Settings::new(&spec).unwrap();
    assert_eq!(world.ask("ns.consul.", A).answers(), ["192.0.2.1"], "each address once");
    assert!(is_nodata(&world.ask("ns.consul.", AAAA)));
}

#[test]
fn a_node_answers_what_it_has_and_nothing_else() {
    let mut world =
        World::new(vec![node("bare", "10.2.0.1"), node("far", "10.2.0.9").host("far.example")]);
    assert!(is_nodata(&world.ask("bare.node.consul.", TXT)), "it has no metadata");
    assert_eq!(world.ask("bare.node.consul.", ANY).answers(), ["10.2.0.1"]);
    for rtype in [A, ANY, RecordType::CNAME] {
        assert_eq!(world.ask("far.node.consul.", rtype).answers(), ["far.example."], "{rtype}");
    }
}

#[test]
fn a_node_whose_name_is_too_long_is_no_target() {
    let long = format!("{}a", "a234567.".repeat(30));
    let lent = member("web/w", "192.0.2.9").on_node(&long, "192.0.2.9", &[]);
    let told = World::new(vec![lent]).ask("web.service.consul.", SRV);
    assert_eq!(told.answers(), ["1 1 8080 c0000209.addr.dc1.consul."]);
}

#[test]
fn an_instance_of_eureka_s_is_not_called_as_consul_calls_its_own() {
    let eureka = member("web/w", "10.0.0.1").with(|instance| {
        let (scope, id) = (Scope::application("WEB"), "w".into());
        let (document, other_tags) = ("{}".into(), Box::default());
        instance.origin =
            Some(Arc::new(Origin { scope, id, document, other_tags, service: None, node: None }));
    });
    let told = World::new(vec![eureka]).ask("1.0.0.10.in-addr.arpa.", RecordType::PTR);
    assert_eq!(told.answers(), ["w.instance.web.service.internal."]);
}

#[test]
fn what_is_called_by_no_label_has_the_rules_of_the_label_that_it_has() {
    let mut world = world();
    let rule = AccessRule {
        zone: DnsName::parse("my-service-cf3d5dd8.service.internal").unwrap(),
        allow: Vec::new(),
        deny: vec!["192.0.2.0/24".parse().unwrap()],
    };
    world.settings.access = Access::new(&[rule]).unwrap();
    let rcode = world.ask("my_service.service.consul.", A).rcode();
    assert_eq!(rcode, ResponseCode::Refused);
    assert_eq!(world.ask("web.service.consul.", A).rcode(), ResponseCode::NoError);
}

#[test]
fn what_takes_long_is_not_looked_for_on_the_fast_path() {
    let many = |count: u16| -> Vec<Member> {
        let name = |n| (format!("many/m-{n}"), format!("10.1.{}.{}", n / 250, n % 250));
        (0..count).map(name).map(|(name, ip)| of_agent(&name, &ip, &[])).collect()
    };
    let mut spec = spec();
    spec.consul.as_mut().unwrap().only_passing = true;
    for (count, is_fast) in [(200, true), (300, false)] {
        let mut world = World::new(many(count));
        let fast = |name: &str| Ask { may_allocate: false, ..Ask::new(name, A) };
        let told = world.put(&fast("nobody.many.service.consul."));
        assert_eq!(told.is_some(), is_fast, "a tag that nobody has, {count}");
        assert!(world.put(&fast("many.service.consul.")).is_some(), "{count}");
        world.settings = Settings::new(&spec).unwrap();
        let told = world.put(&fast("many.service.consul."));
        assert_eq!(told.is_some(), is_fast, "those that pass, {count}");
    }
}

#[test]
fn failing_open_stands_over_what_is_not_wanted() {
    let mut spec = spec();
    spec.consul.as_mut().unwrap().only_passing = true;
    let policy = Policy { when_none_healthy: WhenNoneHealthy::All, ..Policy::default() };
    let mut world = World::with_policies(members(), &[("sick", policy)]);
    world.settings = Settings::new(&spec).unwrap();
    assert_eq!(world.ask("sick.service.consul.", A).answers(), ["10.0.0.4"]);
}

#[test]
fn a_limit_counts_the_addresses_of_both_families() {
    for (limit, expected) in [(1, 1), (2, 2), (0, 2)] {
        let mut world = with_consul(|consul| consul.a_record_limit = limit);
        let told = world.ask("native.service.consul.", ANY);
        assert_eq!(told.answers().len(), expected, "{limit}");
    }
}

#[test]
fn two_instances_of_one_address_and_port_are_one_record() {
    let at = |name: &str, port| with_port(of_agent(name, "10.0.0.1", &[]), port);
    let mut world = World::new(vec![at("web/a", 80), at("web/b", 80), at("web/c", 81)]);
    let target = "0a000001.addr.dc1.consul.";
    let told = world.ask("web.service.consul.", SRV);
    assert_eq!(told.sorted(), [format!("1 1 80 {target}"), format!("1 1 81 {target}")]);
    assert_eq!(told.additionals(), [format!("{target} A 10.0.0.1")]);
    assert_eq!(world.ask("web.service.consul.", A).answers(), ["10.0.0.1"]);
}

#[test]
fn an_address_is_named_in_the_domain_that_was_configured_first() {
    let name = |text: &str| DnsName::parse(text).unwrap();
    for (domains, first) in
        [(["consul", "far.example"], "consul"), (["far.example", "consul"], "far.example")]
    {
        let mut world = with_consul(|consul| consul.domains = domains.map(name).to_vec());
        let told = world.ask("1.0.0.10.in-addr.arpa.", RecordType::PTR).sorted();
        assert!(told.contains(&format!("web.service.dc1.{first}.")), "{domains:?}: {told:?}");
    }
}

/// A CNAME to itself sent resolvers round in a circle.
#[test]
fn a_node_at_its_own_name_has_no_address() {
    for host in ["n1.node.consul", "N1.node.dc1.consul", "n1.node.dc1.dc.consul"] {
        let mut world = World::new(vec![node("n1", "10.2.0.1").host(host)]);
        for name in ["n1.node.consul.", "n1.node.dc1.consul."] {
            let told = world.ask(name, A);
            assert_eq!(
                (told.rcode(), told.message.answers.len()),
                (ResponseCode::NoError, 0),
                "{name} {host}"
            );
        }
    }
    let mut world = World::new(vec![node("n1", "10.2.0.1").host("n2.node.consul")]);
    assert!(world.ask("n1.node.consul.", A).is_alias());
}
