//! Every rule of the answers, at the level of messages.

use hickory_proto::{
    op::ResponseCode,
    rr::{DNSClass, Name, RData, RecordType},
};

use crate::{
    dns::{
        Settings, SettingsSpec, Source, Transport,
        testing::{Ask, World, member},
    },
    model::{DnsName, Policy, Revision, Share, WhenNoneHealthy},
    registry::{FailOpen, Member},
};

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const SRV: RecordType = RecordType::SRV;
const TXT: RecordType = RecordType::TXT;

fn policy(when_none_healthy: WhenNoneHealthy) -> Policy {
    Policy { when_none_healthy, ..Policy::default() }
}

fn world() -> World {
    World::with_policies(
        vec![
            member("web/a", "10.0.0.1").tags(&["v1", "eu"]).meta(&[("version", "1"), ("x", "")]),
            member("web/b", "10.0.0.2").tags(&["v2", "eu"]).at(&["10.0.0.2", "fd00::2"]),
            member("web/sick", "10.0.0.3").tags(&["v3"]).critical(),
            member("v4/a", "10.0.1.1"),
            member("tcp/a", "10.0.2.1").tags(&["blue"]),
        ],
        &[("planned", Policy::default())],
    )
}

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
fn only_the_healthy_are_answered() {
    let mut world = world();
    assert_eq!(world.ask("web", A).sorted(), ["10.0.0.1", "10.0.0.2"]);
    assert_eq!(world.ask("web", AAAA).sorted(), ["fd00::2"]);
    assert_eq!(world.ask("v2.web", A).sorted(), ["10.0.0.2"]);
    assert_eq!(world.ask("v2.eu.web", A).sorted(), ["10.0.0.2"]);
    assert_eq!(world.ask("sick.instance.web", A).sorted(), ["10.0.0.3"]);
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
fn several_tags_are_for_the_full_path() {
    let mut world = world();
    let fast = |name: &str| Ask { may_allocate: false, ..Ask::new(name, A) };
    assert!(world.put(&fast("v1.eu.web")).is_none());
    assert!(world.put(&fast("v1.v2.web")).is_none());
    // What nobody carries, and who is not there, is known at once.
    for name in ["v1.v9.web", "v1.eu.none", "a.instance.web", "v1.web", "web"] {
        assert!(world.put(&fast(name)).is_some(), "{name}");
    }
}

#[test]
fn many_instances_that_are_one_record_are_for_the_full_path() {
    let alike = |count: usize| {
        let one = |n| member(&format!("web/i{n}"), "10.0.0.1").meta(&[("version", "1")]);
        World::new((0..count).map(|n| one(n).host("db.example.com")).collect())
    };
    for rtype in [RecordType::SRV, RecordType::TXT] {
        let fast = Ask { may_allocate: false, ..Ask::new("web", rtype) };
        let told = alike(150).put(&fast).expect("so many are still fast");
        assert_eq!(told.answers().len(), 1, "{rtype}");
        assert!(alike(1_000).put(&fast).is_none(), "{rtype}");
        assert_eq!(alike(1_000).ask("web", rtype).answers().len(), 1, "{rtype}");
    }
}

/// With fewer addresses than an answer may have, each query drew until it met 1,000 doubles.
#[test]
fn many_instances_on_few_hosts_are_fast() {
    let on = |n: usize| member(&format!("web/i{n}"), &format!("10.0.0.{}", n % 4));
    for rtype in [A, AAAA] {
        let at = |n| on(n).at(&[&format!("10.0.0.{}", n % 4), &format!("fd00::{}", n % 4 + 1)]);
        let fast = Ask { may_allocate: false, ..Ask::new("web", rtype) };
        let told = World::new((0..2_000).map(at).collect()).put(&fast).expect("no need to look on");
        assert_eq!(told.answers().len(), 4, "{rtype}");
    }
    // The one on a host of its own comes behind all others.
    let alone = member("web/alone", "10.0.0.9").weight(0);
    let at_one = |n| member(&format!("web/i{n}"), "10.0.0.1");
    let all = |count: usize| World::new((0..count).map(at_one).chain([alone.clone()]).collect());
    let fast = Ask { may_allocate: false, ..Ask::new("web", A) };
    assert_eq!(all(100).put(&fast).expect("so many are still fast").answers().len(), 2);
    assert!(all(500).put(&fast).is_none());
    assert_eq!(all(500).ask("web", A).answers().len(), 2);
}

/// 3,000 distinct records were compared four million times on the fast path, for 10 ms.
#[test]
fn many_records_that_all_differ_are_for_the_full_path() {
    let different = |count: usize| {
        let one = |n: usize| {
            let number = n.to_string();
            let one = member(&format!("web/i{n}"), "10.0.0.1").meta(&[("n", &number)]);
            one.host(&format!("h{n}.example.com"))
        };
        World::new((0..count).map(one).collect())
    };
    for rtype in [RecordType::SRV, RecordType::TXT] {
        let transport = Transport::Tcp;
        let fast = Ask { may_allocate: false, transport, ..Ask::new("web", rtype) };
        let told = different(100).put(&fast).expect("so many are still fast");
        assert_eq!(told.answers().len(), 100, "{rtype}");
        assert!(different(200).put(&fast).is_none(), "{rtype}");
        let full = Ask { may_allocate: true, ..fast };
        assert_eq!(different(200).put(&full).unwrap().answers().len(), 200, "{rtype}");
    }
}

#[test]
fn none_healthy_is_answered_by_the_policy() {
    for (when, rcode) in [
        (WhenNoneHealthy::Nodata, ResponseCode::NoError),
        (WhenNoneHealthy::Nxdomain, ResponseCode::NXDomain),
        (WhenNoneHealthy::Servfail, ResponseCode::ServFail),
        (WhenNoneHealthy::All, ResponseCode::NoError),
    ] {
        let sick = member("web/a", "10.0.0.1").tags(&["v1"]).critical();
        let mut world = World::with_policies(vec![sick], &[("web", policy(when))]);
        for (name, rtype) in [
            ("web", A),
            ("web", AAAA),
            ("web", SRV),
            ("web", RecordType::HTTPS),
            ("v1.web", A),
            ("_web._tcp", SRV),
            ("_web._v1", SRV),
        ] {
            let told = world.ask(name, rtype);
            assert_eq!(told.rcode(), rcode, "{name} {rtype} {when:?}");
            let fails_open = when == WhenNoneHealthy::All && matches!(rtype, A | SRV);
            assert_eq!(told.message.answers.len(), usize::from(fails_open), "{name} {when:?}");
            let expected = fails_open.then_some(FailOpen::NoneHealthy);
            assert_eq!(told.summary.fail_open, expected, "{name} {when:?}");
            let is_negative = !fails_open && rcode != ResponseCode::ServFail;
            assert_eq!(told.has_soa_of("service.internal."), is_negative, "{name} {when:?}");
            let is_ours = rcode != ResponseCode::ServFail;
            assert_eq!(told.message.metadata.authoritative, is_ours, "{name} {when:?}");
        }
    }
    // All drained: there is nobody to fall back on.
    let drained = member("web/a", "10.0.0.1").drained();
    let policies = [("web", policy(WhenNoneHealthy::All))];
    assert!(World::with_policies(vec![drained], &policies).ask("web", A).is_nodata());
}

#[test]
fn too_few_healthy_are_not_left_to_drown() {
    let policy = Policy { min_healthy: Share::new(0.5).unwrap(), ..Policy::default() };
    let members = vec![
        member("web/a", "10.0.0.1"),
        member("web/b", "10.0.0.2").critical(),
        member("web/c", "10.0.0.3").critical(),
        member("web/d", "10.0.0.4").drained(),
    ];
    let told = World::with_policies(members, &[("web", policy)]).ask("web", A);
    assert_eq!(told.sorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.3"]);
    assert_eq!(told.summary.fail_open, Some(FailOpen::MinHealthy));
}

#[test]
fn the_apex_says_who_is_in_charge() {
    let mut world = world();
    let soa = world.ask("", RecordType::SOA);
    let RData::SOA(data) = &soa.message.answers[0].data else { panic!("an SOA") };
    assert_eq!(data.mname, Name::from_ascii("ns1.service.internal.").unwrap());
    assert_eq!(data.rname, Name::from_ascii("hostmaster.service.internal.").unwrap());
    assert_eq!((data.serial, data.minimum, soa.message.answers[0].ttl), (77, 5, 5));
    let ns = world.ask("", RecordType::NS);
    assert_eq!(ns.answers(), ["ns1.service.internal.", "ns2.service.internal."]);
    let glue = [
        "ns1.service.internal. A 192.0.2.1",
        "ns1.service.internal. AAAA 2001:db8::1",
        "ns2.service.internal. A 192.0.2.2",
    ];
    assert_eq!(ns.additionals(), glue);
    // The zone's name is there once; everything else points to it.
    for told in [soa, ns, world.ask("none", A)] {
        let label = b"\x07service";
        assert_eq!(told.octets.windows(label.len()).filter(|octets| octets == label).count(), 1);
    }
}

#[test]
fn many_instances_behind_few_addresses_are_few_records() {
    let members =
        (0..3_000).map(|n| member(&format!("web/i{n}"), &format!("10.0.0.{}", n % 3))).collect();
    let told = World::new(members).ask("web", A);
    assert_eq!(told.sorted(), ["10.0.0.0", "10.0.0.1", "10.0.0.2"]);
}

#[test]
fn the_mailbox_may_be_anywhere() {
    let domain = DnsName::parse("internal").unwrap();
    for mailbox in ["ops.example.com", "a.b.service.internal", "service.internal"] {
        let mut spec = SettingsSpec::new(domain.clone());
        spec.hostmaster = Some(DnsName::parse(mailbox).unwrap());
        spec.reverse = vec!["10.0.0.0/8".parse().unwrap()];
        let mut world = world();
        world.settings = Settings::new(&spec).unwrap();
        for name in ["none", "2.2.2.10.in-addr.arpa."] {
            let told = world.ask(name, A);
            let RData::SOA(data) = &told.message.authorities[0].data else { panic!("an SOA") };
            assert_eq!(data.rname, Name::from_ascii(format!("{mailbox}.")).unwrap(), "{name}");
            assert_eq!(data.mname, Name::from_ascii("ns1.service.internal.").unwrap(), "{name}");
        }
    }
}

#[test]
fn the_serial_is_the_revision_modulo_its_width() {
    let mut world = world();
    world.snapshot.revision.0 = u64::from(u32::MAX) + 3;
    let told = world.ask("none", A);
    let RData::SOA(data) = &told.message.authorities[0].data else { panic!("an SOA") };
    assert_eq!(data.serial, 2);
    // Where servers share their state it is the same on all of them.
    world.snapshot.shared = Some(Revision::shared(77));
    let told = world.ask("none", A);
    let RData::SOA(data) = &told.message.authorities[0].data else { panic!("an SOA") };
    assert_eq!(data.serial, 77);
}

#[test]
fn srv_carries_all_tiers_with_their_addresses() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").at(&["10.0.0.1", "fd00::1"]).weight(10),
        member("web/b", "10.0.0.2").priority(2).weight(0),
        member("web/c", "10.0.0.3").priority(3).host("db.example.com"),
    ]);
    for name in ["web", "_web._tcp", "_web._udp"] {
        let told = world.ask(name, SRV);
        assert_eq!(
            told.answers(),
            [
                "1 10 8080 a.instance.web.service.internal.",
                "2 0 8080 b.instance.web.service.internal.",
                "3 1 8080 db.example.com.",
            ],
            "{name}"
        );
        assert_eq!(
            told.additionals(),
            [
                "a.instance.web.service.internal. A 10.0.0.1",
                "a.instance.web.service.internal. AAAA fd00::1",
                "b.instance.web.service.internal. A 10.0.0.2",
            ],
            "{name}"
        );
        // The lowest priority number alone is in the addresses.
        assert_eq!(world.ask("web", A).answers(), ["10.0.0.1"]);
    }
}

#[test]
fn a_target_elsewhere_gets_no_addresses_of_ours() {
    // Its first label is the name of an instance, but it is another host.
    let told = World::new(vec![
        member("web/a", "10.0.0.1"),
        member("web/b", "10.0.0.2").host("a.example.com"),
        member("web/c", "10.0.0.2").host("a.example.com"),
        member("web/d", "10.0.0.2").host("a.instance.api.service.internal").priority(2),
        member("web/e", "10.0.0.2").host("a.instance.web.example.com").priority(3),
        member("web/f", "10.0.0.2").host("a.instance.web.service.internal"),
    ])
    .ask("web", SRV);
    let expected = [
        "1 1 8080 a.example.com.",
        "1 1 8080 a.instance.web.service.internal.",
        "2 1 8080 a.instance.api.service.internal.",
        "3 1 8080 a.instance.web.example.com.",
    ];
    assert_eq!(told.sorted(), expected, "equal records are one");
    assert_eq!(told.additionals(), ["a.instance.web.service.internal. A 10.0.0.1"]);
}

#[test]
fn a_limited_answer_is_a_whole_answer() {
    let many = |count: u8| -> Vec<Member> {
        (0..count).map(|n| member(&format!("web/i{n}"), &format!("10.0.0.{n}"))).collect()
    };
    let limited = |answer_limit| [("web", Policy { answer_limit, ..Policy::default() })];
    for (answer_limit, count) in [(1, 1), (8, 8), (30, 20)] {
        let mut world = World::with_policies(many(20), &limited(answer_limit));
        let told = world.ask("web", A);
        assert_eq!(told.message.answers.len(), count);
        assert!(!told.message.metadata.truncation);
        assert_eq!(world.ask("web", SRV).message.answers.len(), 20, "no limit for SRV");
    }
    // Cut by the size below the limit: as many as fit, and TC.
    let mut world = World::with_policies(many(200), &limited(100));
    let told = world.put(&Ask { edns: None, ..Ask::new("web", A) }).unwrap();
    assert!(told.message.metadata.truncation && told.summary.truncated);
    assert_eq!(told.message.answers.len(), (512 - 12 - 26) / 16);
    let told = world.put(&Ask { transport: Transport::Tcp, ..Ask::new("web", A) }).unwrap();
    assert!(!told.message.metadata.truncation);
    assert_eq!(told.message.answers.len(), 100);
}

#[test]
fn a_long_srv_answer_is_cut_and_whole_over_tcp() {
    let members =
        (0..500).map(|n| member(&format!("web/i{n}"), &format!("10.0.{}.1", n % 200))).collect();
    let mut world = World::new(members);
    let told = world.ask("web", SRV);
    assert!(told.message.metadata.truncation);
    assert!(told.message.answers.len() > 15 && told.message.additionals.is_empty());
    assert!(told.message.edns.is_some(), "OPT is kept");
    let told = world.put(&Ask { transport: Transport::Tcp, ..Ask::new("web", SRV) }).unwrap();
    assert!(!told.message.metadata.truncation);
    // Behind 16 KiB no pointer reaches the targets; they are written out.
    assert!(told.octets.len() > 0x4000 + 250 * 16);
    assert_eq!((told.message.answers.len(), told.message.additionals.len()), (500, 500));
    let names: std::collections::BTreeSet<String> =
        told.message.additionals.iter().map(|r| r.name.to_string()).collect();
    assert_eq!(names.len(), 500);
    assert!(names.contains("i499.instance.web.service.internal."));
}

#[test]
fn additional_data_that_does_not_fit_is_no_truncation() {
    let ips: Vec<String> = (0..16).map(|n| format!("fd00::{n:x}1")).collect();
    let ips: Vec<&str> = ips.iter().map(String::as_str).collect();
    let members = (0..4).map(|n| member(&format!("web/i{n}"), "10.0.0.1").at(&ips)).collect();
    let told = World::new(members).ask("web", SRV);
    assert!(!told.message.metadata.truncation);
    assert_eq!(told.message.answers.len(), 4);
    // Whole sets only: two of 16 fit, half of a third would.
    assert_eq!(told.message.additionals.len(), 32);
}

#[test]
fn addresses_of_an_instance_stay_together_and_doubles_are_one() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").at(&["10.0.0.1", "10.0.0.2", "10.0.0.3"]),
        member("web/b", "10.0.0.2").at(&["10.0.0.3", "10.0.0.4"]),
    ]);
    let mut orders = std::collections::BTreeSet::new();
    for _ in 0..300 {
        let told = world.ask("web", A);
        assert_eq!(told.sorted(), ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
        let answers = told.answers();
        let place = |ip: &str| answers.iter().position(|other| other == ip).unwrap();
        assert!(place("10.0.0.1").abs_diff(place("10.0.0.2")) <= 2, "{answers:?}");
        orders.insert(answers);
    }
    // Six orders of a with 4 behind, and with b first two of b times two of the rest of a.
    assert_eq!(orders.len(), 6 + 4);
}

#[test]
fn standbys_come_last() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").weight(0),
        member("web/b", "10.0.0.2"),
        member("web/c", "10.0.0.3"),
    ]);
    for _ in 0..50 {
        assert_eq!(world.ask("web", A).answers()[2], "10.0.0.1");
        let srv = world.ask("web", SRV).answers();
        assert_eq!(srv[2], "1 0 8080 a.instance.web.service.internal.");
    }
}

#[test]
fn first_places_follow_the_weights() {
    let members = [("a", 1), ("b", 2), ("c", 7)].map(|(id, weight)| {
        let ips = [format!("10.0.0.{weight}"), format!("fd00::{weight}")];
        member(&format!("web/{id}"), "10.0.0.1").weight(weight).at(&[&ips[0], &ips[1]])
    });
    let mut world = World::new(members.to_vec());
    for rtype in [A, AAAA, SRV] {
        let mut firsts = std::collections::BTreeMap::new();
        for _ in 0..5_000 {
            *firsts.entry(world.ask("web", rtype).answers().swap_remove(0)).or_insert(0_u32) += 1;
        }
        let mut observed: Vec<u32> = firsts.into_values().collect();
        observed.sort_unstable();
        let chi: f64 = observed
            .iter()
            .zip([500.0, 1_000.0, 3_500.0])
            .map(|(&o, e)| (f64::from(o) - e).powi(2) / e)
            .sum();
        assert!(chi < 13.8, "{rtype}: {chi} is beyond p = 0.001 at two degrees of freedom");
    }
}

#[test]
fn metadata_is_text_once() {
    let mut world = World::new(vec![
        member("web/a", "10.0.0.1").meta(&[("version", "1"), ("zone", "a")]),
        member("web/b", "10.0.0.2").meta(&[("version", "1"), ("zone", "a")]),
        member("web/c", "10.0.0.3").meta(&[("version", "2")]).priority(2),
        member("web/d", "10.0.0.4"),
        member("web/e", "10.0.0.4").meta(&[("sick", "yes")]).critical(),
    ]);
    let texts = |told: &crate::dns::testing::Told| -> Vec<Vec<String>> {
        let strings = |record: &hickory_proto::rr::Record| match &record.data {
            RData::TXT(txt) => {
                txt.txt_data.iter().map(|s| String::from_utf8_lossy(s).into_owned()).collect()
            }
            other => panic!("{other}"),
        };
        told.message.answers.iter().map(strings).collect()
    };
    assert_eq!(texts(&world.ask("web", TXT)), [vec!["version=1", "zone=a"], vec!["version=2"]]);
    assert_eq!(texts(&world.ask("e.instance.web", TXT)), [vec!["sick=yes"]]);
}

#[test]
fn ttls_are_the_services() {
    let policies = [("web", Policy { ttl_seconds: 0, ..Policy::default() })];
    let members = vec![
        member("web/a", "10.0.0.1").meta(&[("k", "v")]),
        member("api/a", "10.0.0.2"),
        member("api/b", "10.0.0.1"),
    ];
    let mut world = World::with_policies(members, &policies);
    let cases = [
        ("_services._dns-sd._udp", RecordType::PTR, 5),
        ("web", A, 0),
        ("web", SRV, 0),
        ("web", TXT, 0),
        ("a.instance.web", A, 0),
        ("api", A, 5),
        ("1.0.0.10.in-addr.arpa.", RecordType::PTR, 0),
        ("2.0.0.10.in-addr.arpa.", RecordType::PTR, 5),
    ];
    for (name, rtype, ttl) in cases {
        let told = world.ask(name, rtype);
        let records = told.message.answers.iter().chain(&told.message.additionals);
        assert!(records.clone().count() > 0, "{name} {rtype}");
        assert!(records.into_iter().all(|record| record.ttl == ttl), "{name} {rtype}");
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
