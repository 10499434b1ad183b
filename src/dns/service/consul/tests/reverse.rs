//! Addresses, which lead back to names.

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::{A, NXDOMAIN, members, node, world};
use crate::dns::{
    Settings,
    testing::{Ask, World, member, spec},
};

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
