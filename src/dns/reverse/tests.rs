//! Where reverse zones begin and end, and what stands in them.

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::{FAST_NAMES_MAX, ReverseZone};
use crate::{
    dns::{
        Settings, SettingsSpec, Source, Transport,
        testing::{Ask, World, member},
    },
    model::DnsName,
};

const PTR: RecordType = RecordType::PTR;

/// These instances, and these prefixes in reverse.
fn world(prefixes: &[&str], instances: &[(&str, &str)]) -> World {
    let members = instances.iter().map(|&(name, ip)| member(name, "10.0.0.1").at(&[ip]));
    let mut world = World::new(members.collect());
    let mut spec = SettingsSpec::new(DnsName::parse("internal").unwrap());
    spec.reverse = prefixes.iter().map(|prefix| prefix.parse().unwrap()).collect();
    world.settings = Settings::new(&spec).unwrap();
    world
}

#[test]
fn a_prefix_that_makes_no_zone_is_refused() {
    for text in ["10.0.0.0/8", "172.16.0.0/12", "10.1.2.0/24", "fd00::/8", "fd00::/124"] {
        assert!(ReverseZone::new(text.parse().unwrap()).is_ok(), "{text}");
    }
    for text in ["0.0.0.0/0", "::/0", "10.1.2.0/25", "10.1.2.3/32", "fd00::1/128"] {
        assert!(ReverseZone::new(text.parse().unwrap()).is_err(), "{text}");
    }
}

/// RFC 6303 §4.1 has 16.172.in-addr.arpa to 31.172.in-addr.arpa for 172.16.0.0/12.
#[test]
fn a_prefix_between_two_octets_is_several_zones() {
    let mut world =
        world(&["172.16.0.0/12"], &[("web/a", "172.16.0.1"), ("web/b", "172.31.255.254")]);
    let a = world.ask("1.0.16.172.in-addr.arpa.", PTR);
    assert_eq!(a.answers(), ["a.instance.web.service.internal."]);
    let b = world.ask("254.255.31.172.in-addr.arpa.", PTR);
    assert_eq!(b.answers(), ["b.instance.web.service.internal."]);
    for zone in ["16.172.in-addr.arpa.", "31.172.in-addr.arpa."] {
        let soa = world.ask(zone, RecordType::SOA);
        assert_eq!(soa.message.answers[0].name.to_string(), zone);
        assert_eq!(world.ask(zone, RecordType::NS).answers(), ["ns1.service.internal."]);
        assert!(world.ask(&format!("9.9.{zone}"), PTR).has_soa_of(zone), "{zone}");
    }
    for name in ["172.in-addr.arpa.", "15.172.in-addr.arpa.", "1.0.32.172.in-addr.arpa."] {
        assert_eq!(world.ask(name, PTR).rcode(), ResponseCode::Refused, "{name}");
    }
}

/// Names under ip6.arpa have a nibble for each label (RFC 3596 §2.5).
#[test]
fn a_prefix_between_two_nibbles_is_several_zones() {
    let mut world = world(&["fd00::/10"], &[("web/a", "fd3f::1")]);
    let name = format!("1.{}f.3.d.f.ip6.arpa.", "0.".repeat(27));
    assert_eq!(world.ask(&name, PTR).answers(), ["a.instance.web.service.internal."]);
    for nibble in ["0", "1", "2", "3"] {
        let zone = format!("{nibble}.d.f.ip6.arpa.");
        assert_eq!(world.ask(&zone, RecordType::SOA).message.answers.len(), 1, "{zone}");
    }
    for name in ["d.f.ip6.arpa.", "4.d.f.ip6.arpa.", "f.4.d.f.ip6.arpa."] {
        assert_eq!(world.ask(name, PTR).rcode(), ResponseCode::Refused, "{name}");
    }
}

#[test]
fn of_two_prefixes_the_longer_one_answers() {
    let mut world = world(&["10.0.0.0/8", "10.1.0.0/16"], &[("web/a", "10.1.2.3")]);
    for (name, zone) in [
        ("9.2.1.10.in-addr.arpa.", "1.10.in-addr.arpa."),
        ("9.2.2.10.in-addr.arpa.", "10.in-addr.arpa."),
    ] {
        let told = world.ask(name, PTR);
        assert_eq!(told.rcode(), ResponseCode::NXDomain, "{name}");
        assert!(told.has_soa_of(zone), "{name}");
    }
    assert_eq!(world.ask("3.2.1.10.in-addr.arpa.", PTR).answers().len(), 1);
}

/// An address is an instance's whatever its health: a log has to name who is ill, too.
#[test]
fn an_instance_is_named_whatever_its_health() {
    let ill = member("web/ill", "10.0.0.1").critical();
    let out = member("web/out", "10.0.0.1").drained();
    let mut world = World::new(vec![ill, out, member("web/well", "10.0.0.2")]);
    let names = ["ill.instance.web.service.internal.", "out.instance.web.service.internal."];
    assert_eq!(world.ask("1.0.0.10.in-addr.arpa.", PTR).sorted(), names);
}

#[test]
fn more_names_than_fit_are_cut() {
    let one = |n| member(&format!("web/i{n}"), "10.0.0.1");
    let mut world = World::new((0..200).map(one).collect());
    let ask = Ask { may_allocate: false, ..Ask::new("1.0.0.10.in-addr.arpa.", PTR) };
    assert!(world.put(&ask).unwrap().message.metadata.truncation);
    let told = world.put(&Ask { transport: Transport::Tcp, ..ask }).unwrap();
    assert_eq!((told.message.metadata.truncation, told.answers().len()), (false, 200));
}

/// To find the TTL of 10,000 instances behind one address kept the fast path for a millisecond.
#[test]
fn very_many_names_of_one_address_are_for_the_full_path() {
    let one = |n| member(&format!("s{n}/i"), "10.0.0.1");
    let ask = Ask { may_allocate: false, ..Ask::new("1.0.0.10.in-addr.arpa.", PTR) };
    let mut few = World::new((0..FAST_NAMES_MAX).map(one).collect());
    assert!(few.put(&ask).is_some());
    let mut many = World::new((0..=FAST_NAMES_MAX).map(one).collect());
    assert!(many.put(&ask).is_none());
    let told = many.put(&Ask { may_allocate: true, ..ask }).unwrap();
    assert_eq!(told.summary.source, Source::Reverse);
}
