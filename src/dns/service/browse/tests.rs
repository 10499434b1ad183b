//! What browsers ask, and the chain from a domain to an address (RFC 6763 §4).

use hickory_proto::{
    op::ResponseCode,
    rr::{RData, RecordType},
};

use crate::{
    dns::{
        Transport,
        testing::{Ask, Told, World, member},
    },
    model::{Policy, WhenNoneHealthy},
};

const PTR: RecordType = RecordType::PTR;
const SRV: RecordType = RecordType::SRV;
const TXT: RecordType = RecordType::TXT;

fn world() -> World {
    World::with_policies(
        vec![
            member("web/a", "10.0.0.1").tags(&["v1", "eu"]).meta(&[("path", "/"), ("v", "1")]),
            member("web/b", "10.0.0.2").tags(&["eu"]).at(&["10.0.0.2", "fd00::2"]).priority(2),
            member("web/sick", "10.0.0.3").tags(&["v3"]).critical(),
            member("db/main", "10.0.0.9").host("db.example.com"),
            member("down/d", "10.0.0.4").critical(),
        ],
        &[("planned", Policy::default())],
    )
}

/// The strings of each TXT record.
fn strings(told: &Told) -> Vec<Vec<String>> {
    let texts = told.message.answers.iter().map(|record| match &record.data {
        RData::TXT(txt) => {
            let texts = txt.txt_data.iter().map(|octets| String::from_utf8_lossy(octets));
            texts.map(Into::into).collect()
        }
        other => panic!("{other}"),
    });
    texts.collect()
}

#[test]
fn a_browser_walks_from_the_domain_to_the_addresses() {
    let mut world = world();
    for name in ["b._dns-sd._udp", "db._dns-sd._udp", "lb._dns-sd._udp"] {
        assert_eq!(world.ask(name, PTR).answers(), ["service.internal."], "{name}");
    }
    let types = world.ask("_services._dns-sd._udp", PTR).sorted();
    // What is only planned has nobody to browse.
    let expected = ["_db", "_down", "_web"];
    assert_eq!(types, expected.map(|name| format!("{name}._tcp.service.internal.")));
    let told = world.ask("_web._tcp", PTR);
    let instances = ["a._web._tcp.service.internal.", "b._web._tcp.service.internal."];
    assert_eq!(told.answers(), instances, "tier by tier");
    let srv = world.ask("b._web._tcp", SRV);
    assert_eq!(srv.answers(), ["2 1 8080 b.instance.web.service.internal."]);
    let addresses = [
        "b.instance.web.service.internal. A 10.0.0.2",
        "b.instance.web.service.internal. AAAA fd00::2",
    ];
    assert_eq!(srv.additionals(), addresses);
    assert_eq!(strings(&world.ask("a._web._tcp", TXT)), [["path=/", "v=1"]]);
    assert_eq!(world.ask("b.instance.web", RecordType::AAAA).answers(), ["fd00::2"]);
}

#[test]
fn what_is_asked_next_is_there_already() {
    let told = world().ask("_web._tcp", PTR);
    let expected = [
        "a._web._tcp.service.internal. SRV 1 1 8080 a.instance.web.service.internal.",
        "a._web._tcp.service.internal. TXT path=/v=1",
        "a.instance.web.service.internal. A 10.0.0.1",
        "b._web._tcp.service.internal. SRV 2 1 8080 b.instance.web.service.internal.",
        "b._web._tcp.service.internal. TXT ",
        "b.instance.web.service.internal. A 10.0.0.2",
        "b.instance.web.service.internal. AAAA fd00::2",
    ];
    assert_eq!(told.additionals(), expected);
    let elsewhere = world().ask("_db._tcp", PTR);
    assert_eq!(elsewhere.answers(), ["main._db._tcp.service.internal."]);
    assert_eq!(
        elsewhere.additionals(),
        [
            "main._db._tcp.service.internal. SRV 1 1 8080 db.example.com.",
            "main._db._tcp.service.internal. TXT ",
        ]
    );
}

/// RFC 6763 §6.1: there is always a TXT record, and one that says nothing has one zero octet.
#[test]
fn an_instance_without_metadata_has_an_empty_string() {
    let told = world().ask("b._web._tcp", TXT);
    assert_eq!(strings(&told), [[""]]);
    assert!(told.octets.windows(3).any(|octets| octets == [0, 1, 0]), "one octet of data");
}

#[test]
fn an_instance_is_found_by_its_name_whatever_its_health() {
    let told = world().ask("sick._web._tcp", SRV);
    assert_eq!(told.answers(), ["1 1 8080 sick.instance.web.service.internal."]);
    assert_eq!(told.additionals(), ["sick.instance.web.service.internal. A 10.0.0.3"]);
    assert_eq!(strings(&world().ask("sick._web._udp", TXT)), [[""]]);
    let mut world = world();
    assert!(!world.ask("_web._tcp", PTR).answers().iter().any(|name| name.contains("sick")));
}

#[test]
fn subtypes_are_tags() {
    let mut world = world();
    let told = world.ask("_v1._sub._web._tcp", PTR);
    assert_eq!(told.answers(), ["a._web._tcp.service.internal."]);
    assert_eq!(told.additionals().len(), 3);
    assert_eq!(world.ask("_eu._sub._web._udp", PTR).answers().len(), 2);
}

#[test]
fn names_of_browsing_are_there_or_not() {
    const NODATA: &[(&str, RecordType)] = &[
        ("_dns-sd._udp", PTR),
        ("_dns-sd._udp", SRV),
        ("_services._dns-sd._udp", SRV),
        ("b._dns-sd._udp", RecordType::A),
        ("_web._tcp", RecordType::A),
        ("_web._v1", PTR),
        ("_down._tcp", PTR),
        ("_planned._tcp", PTR),
        ("a._web._tcp", RecordType::A),
        ("a._web._tcp", PTR),
        ("_sub._web._tcp", PTR),
        ("_v3._sub._web._tcp", PTR), // carried, but by nobody who is well
        ("_v1._sub._web._tcp", SRV),
        ("web", PTR),
    ];
    const NXDOMAIN: &[&str] = &[
        "_none._tcp",
        "_dns-sd._tcp",
        "r._dns-sd._udp",
        "dr._dns-sd._udp",
        "b._dns-sd._tcp",
        "_services._dns-sd._tcp",
        "x._services._dns-sd._udp",
        "_services._tcp",
        "x._web._tcp",
        "a._web._v1",
        "a._none._tcp",
        "x.a._web._tcp",
        "_sub._db._tcp",
        "_sub._planned._tcp",
        "_sub._none._tcp",
        "_v9._sub._web._tcp",
        "v1._sub._web._tcp",
        "a._v1._sub._web._tcp",
        "x.y.z._web._tcp",
    ];
    let mut world = world();
    for &(name, rtype) in NODATA {
        assert!(world.ask(name, rtype).is_nodata(), "{name} {rtype}");
    }
    for name in NXDOMAIN {
        for rtype in [PTR, SRV, TXT] {
            assert!(world.ask(name, rtype).is_nxdomain(), "{name} {rtype}");
        }
    }
    let mut empty = World::new(vec![]);
    assert!(empty.ask("_services._dns-sd._udp", PTR).is_nodata());
}

#[test]
fn none_healthy_is_answered_by_the_policy() {
    for (when, rcode, listed) in [
        (WhenNoneHealthy::Nodata, ResponseCode::NoError, 0),
        (WhenNoneHealthy::Nxdomain, ResponseCode::NXDomain, 0),
        (WhenNoneHealthy::Servfail, ResponseCode::ServFail, 0),
        (WhenNoneHealthy::All, ResponseCode::NoError, 1),
    ] {
        let policy = Policy { when_none_healthy: when, ..Policy::default() };
        let sick = member("web/a", "10.0.0.1").tags(&["v1"]).critical();
        let mut world = World::with_policies(vec![sick], &[("web", policy)]);
        for name in ["_web._tcp", "_v1._sub._web._tcp"] {
            let told = world.ask(name, PTR);
            assert_eq!((told.rcode(), told.answers().len()), (rcode, listed), "{name} {when:?}");
        }
        assert_eq!(world.ask("a._web._tcp", SRV).answers().len(), 1, "{when:?}");
    }
}

#[test]
fn a_long_list_is_cut_and_whole_over_tcp() {
    let one = |n| member(&format!("web/i{n}"), "10.0.0.1");
    let mut world = World::new((0..1_500).map(one).collect());
    let ask = Ask { may_allocate: false, ..Ask::new("_web._tcp", PTR) };
    let told = world.put(&ask).expect("the fast path does it");
    assert!(told.message.metadata.truncation && told.message.additionals.is_empty());
    assert!(told.octets.len() > 1_200 && told.answers().len() > 60, "as many as fit");
    let told = world.put(&Ask { transport: Transport::Tcp, ..ask }).unwrap();
    assert!(!told.message.metadata.truncation);
    assert_eq!(told.answers().len(), 1_500);
    assert!(told.octets.len() > 65_400 && told.additionals().len() > 400, "as far as they fit");
}

/// Names in front of records are beyond the reach of compression pointers in a long reply.
#[test]
fn what_stands_far_down_is_described_under_its_own_name() {
    let one = |n| member(&format!("web/i{n}"), &format!("10.0.{}.{}", n / 250, n % 250 + 1));
    let mut world = World::new((0..400).map(one).collect());
    let ask = Ask { transport: Transport::Tcp, ..Ask::new("_web._tcp", PTR) };
    let told = world.put(&ask).unwrap();
    assert_eq!((told.answers().len(), told.additionals().len()), (400, 1_200));
    for (name, described) in told.answers().iter().zip(told.additionals().chunks(3)) {
        let id = name.split('.').next().unwrap();
        assert!(described[0].starts_with(&format!("{name} SRV 1 1 8080 {id}.instance.")));
        assert!(described[1].starts_with(&format!("{name} TXT ")), "{described:?}");
        assert!(described[2].starts_with(&format!("{id}.instance.web.service.internal. A ")));
    }
}

#[test]
fn the_list_of_services_is_for_the_full_path_and_cut_where_it_is_full() {
    let one = |n| member(&format!("s{n:04}/i"), "10.0.0.1");
    let mut world = World::new((0..4_000).map(one).collect());
    let ask = Ask { may_allocate: false, ..Ask::new("_services._dns-sd._udp", PTR) };
    assert!(world.put(&ask).is_none());
    let udp = world.put(&Ask { may_allocate: true, ..ask.clone() }).unwrap();
    assert!(udp.message.metadata.truncation && udp.answers().len() > 40);
    let transport = Transport::Tcp;
    let tcp = world.put(&Ask { may_allocate: true, transport, ..ask }).unwrap();
    assert!(tcp.message.metadata.truncation && tcp.answers().len() > 2_500);
}

#[test]
fn a_service_whose_name_leaves_no_room_for_the_underscore_is_not_listed() {
    let (longest, long) = ("l".repeat(63), "l".repeat(62));
    let members = [&longest, &long].map(|name| member(&format!("{name}/i"), "10.0.0.1"));
    let told = World::new(members.into()).ask("_services._dns-sd._udp", PTR);
    assert_eq!(told.answers(), [format!("_{long}._tcp.service.internal.")]);
}
