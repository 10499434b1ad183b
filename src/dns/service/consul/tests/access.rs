//! Who may ask for which names.

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::{A, AAAA, NXDOMAIN, SRV, with_consul, world};
use crate::{
    dns::{AccessRule, guard::Access},
    model::DnsName,
};

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
