//! What records say, and in which order they come.

use hickory_proto::rr::{RData, RecordType};

use super::{A, AAAA, SRV, TXT};
use crate::{
    dns::testing::{World, member},
    model::Policy,
};

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
