//! What the fast path leaves to the full one.

use hickory_proto::rr::RecordType;

use super::{A, AAAA, world};
use crate::dns::{
    Transport,
    testing::{Ask, World, member},
};

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
fn many_instances_behind_few_addresses_are_few_records() {
    let members =
        (0..3_000).map(|n| member(&format!("web/i{n}"), &format!("10.0.0.{}", n % 3))).collect();
    let told = World::new(members).ask("web", A);
    assert_eq!(told.sorted(), ["10.0.0.0", "10.0.0.1", "10.0.0.2"]);
}
