//! Every bullet of DESIGN's "Answer rules" about who is answered, in which order, for how long.

use std::{collections::BTreeSet, net::IpAddr};

use hickory_proto::{
    op::ResponseCode,
    rr::{RData, RecordType},
};
use serde_json::{Value, json};

use super::{
    A, AAAA, SRV, TXT, full, negative_ttl, node, register_ill, register_many, said, set_health,
    set_policy,
};
use crate::support::{Node, api::instance_path, dns::lines, eventually};

/// What a service without a healthy instance answers, by its policy.
const NONE_HEALTHY: [(&str, ResponseCode); 4] = [
    ("nodata", ResponseCode::NoError),
    ("nxdomain", ResponseCode::NXDomain),
    ("servfail", ResponseCode::ServFail),
    ("all", ResponseCode::NoError),
];

/// Names of the service `web`, each with the type that it has records of, and how many.
const WAYS: [(&str, RecordType, usize); 6] = [
    ("web", A, 2),
    ("web", SRV, 2),
    ("v1.web", A, 1),
    ("v1.eu.web", A, 1),
    ("_web._tcp", SRV, 2),
    ("_web._v1", SRV, 1),
];

#[test]
fn a_service_without_a_healthy_instance_answers_as_its_policy_says() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    register_ill(&api, "web", "a", &json!({ "addresses": ["10.0.0.1"], "tags": ["v1", "eu"] }));
    register_ill(&api, "web", "b", &json!({ "addresses": ["10.0.0.2"] }));
    for (when, rcode) in NONE_HEALTHY {
        set_policy(&api, "web", &json!({ "when_none_healthy": when }));
        let (fails_open, fails) = (when == "all", when == "servfail");
        for (name, rtype, count) in WAYS {
            for other in [rtype, AAAA, RecordType::HTTPS] {
                let reply = resolver.ask(&full(name), other);
                assert_eq!(reply.metadata.response_code, rcode, "{when} {name} {other}");
                assert_eq!(reply.metadata.authoritative, !fails, "{when} {name} {other}");
                let is_answered = fails_open && other == rtype;
                let expected = if is_answered { count } else { 0 };
                assert_eq!(reply.answers.len(), expected, "{when} {name} {other}");
                match is_answered || fails {
                    true => assert!(reply.authorities.is_empty(), "{when} {name} {other}"),
                    false => assert_eq!(negative_ttl(&reply, "service.internal."), 5),
                }
            }
        }
        // Who knows the name of an instance has made the choice already.
        assert_eq!(said(&resolver.ask(&full("a.instance.web"), A)), "A 10.0.0.1", "{when}");
    }
    // A drained one was taken out on purpose: failing open does not bring it back.
    for instance in ["a", "b"] {
        api.put(&format!("{}/drain", instance_path("web", instance)), &Value::Null);
    }
    assert_eq!(said(&resolver.ask(&full("web"), A)), "NODATA");
}

#[test]
fn failing_open_is_logged_once_counted_and_shown() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    register_ill(&api, "web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    set_policy(&api, "web", &json!({ "when_none_healthy": "all" }));
    for _ in 0..20 {
        assert_eq!(resolver.service("web").len(), 1);
    }
    let service = api.get("/api/v1/services/web").body;
    assert_eq!(service["failing_open"], "none_healthy", "{service}");
    let metrics = api.text("/metrics");
    assert!(metrics.contains("rollcall_fail_open_total 1\n"), "{metrics}");
    eventually("the answers are counted", || {
        api.text("/metrics").contains("rollcall_dns_failing_open_total 20\n").then_some(())
    });
    set_health(&api, "web", "a", "passing");
    node.wait_for_log("no longer failing open");
    assert_eq!(node.count_log("failing open: all"), 1);
    assert_eq!(api.get("/api/v1/services/web").body["failing_open"], Value::Null);
}

#[test]
fn below_its_share_of_healthy_weight_all_are_answered() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    let checks = json!([{ "type": "ttl", "ttl": "1h" }]);
    for (n, weight) in [(1, 6), (2, 2), (3, 2)] {
        let body = json!({ "addresses": [format!("10.0.0.{n}")], "weight": weight,
            "checks": checks });
        api.register("web", &format!("i{n}"), &body);
    }
    set_policy(&api, "web", &json!({ "min_healthy": 0.5 }));
    set_health(&api, "web", "i2", "critical");
    assert_eq!(resolver.service("web").len(), 2, "8 of 10 are healthy");
    set_health(&api, "web", "i3", "critical");
    assert_eq!(resolver.service("web").len(), 1, "6 of 10 are healthy");
    set_health(&api, "web", "i1", "critical");
    assert_eq!(resolver.service("web").len(), 0, "none is: that is `when_none_healthy`");
    set_health(&api, "web", "i2", "passing");
    assert_eq!(resolver.service("web").len(), 3, "2 of 10 would drown");
    assert_eq!(resolver.ask(&full("web"), SRV).answers.len(), 3);
    set_health(&api, "web", "i1", "warning");
    assert_eq!(resolver.service("web").len(), 2, "a warning is healthy enough");
}

#[test]
fn priorities_are_tiers_of_which_addresses_show_the_first_that_is_up() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    for (n, priority) in [(1, 0), (2, 10), (3, 10), (4, 65_535)] {
        let body = json!({ "addresses": [format!("10.0.0.{n}"), format!("fd00::{n}")],
            "port": n, "priority": priority, "checks": [{ "type": "ttl", "ttl": "1h" }] });
        api.register("web", &format!("i{n}"), &body);
    }
    let shown = |rtype| said(&resolver.ask(&full("web"), rtype));
    let ports = || -> Vec<(u16, u16)> {
        let reply = resolver.ask(&full("web"), SRV);
        let port = |data: &RData| match data {
            RData::SRV(srv) => (srv.priority, srv.port),
            other => panic!("{other}"),
        };
        let mut ports: Vec<_> = reply.answers.iter().map(|r| port(&r.data)).collect();
        assert!(ports.is_sorted_by_key(|(priority, _)| *priority), "in order: {ports:?}");
        ports.sort_unstable();
        ports
    };
    assert_eq!(shown(A), "A 10.0.0.1");
    assert_eq!(shown(AAAA), "AAAA fd00::1");
    assert_eq!(ports(), [(0, 1), (10, 2), (10, 3), (65_535, 4)], "SRV carries all tiers");
    set_health(&api, "web", "i1", "critical");
    assert_eq!(shown(A), "A 10.0.0.2, A 10.0.0.3");
    assert_eq!(ports(), [(10, 2), (10, 3), (65_535, 4)]);
    for instance in ["i2", "i3"] {
        api.put(&format!("{}/drain", instance_path("web", instance)), &Value::Null);
    }
    assert_eq!(shown(A), "A 10.0.0.4");
    assert_eq!(shown(AAAA), "AAAA fd00::4");
    set_health(&api, "web", "i1", "passing");
    assert_eq!(shown(A), "A 10.0.0.1");
}

#[test]
fn weight_zero_is_a_stand_by() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    for (n, weight) in [(1, 0), (2, 1), (3, 65_535), (4, 0)] {
        let body = json!({ "addresses": [format!("10.0.0.{n}")], "weight": weight, "port": n });
        api.register("web", &format!("i{n}"), &body);
    }
    let standbys: BTreeSet<IpAddr> = ["10.0.0.1", "10.0.0.4"].map(|ip| ip.parse().unwrap()).into();
    let (mut firsts, mut order) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..100 {
        let answer = resolver.service("web");
        assert_eq!(answer[2..].iter().copied().collect::<BTreeSet<_>>(), standbys);
        order.insert(answer[2]);
        let srv = resolver.ask(&full("web"), SRV);
        let RData::SRV(last) = &srv.answers[3].data else { panic!("{srv}") };
        assert_eq!(last.weight, 0, "in SRV as well");
    }
    assert_eq!(order, standbys, "they share what is left to them");
    api.deregister("web", "i2");
    api.deregister("web", "i3");
    for _ in 0..100 {
        let answer = resolver.service("web");
        firsts.insert(answer[0]);
        assert_eq!(answer.len(), 2);
    }
    assert_eq!(firsts, standbys, "first only when all others are gone");
}

#[test]
fn an_answer_limit_is_no_truncation() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    register_many(&api, "web", 20);
    for (limit, expected) in [(None, 8), (Some(1), 1), (Some(19), 19), (Some(1000), 20)] {
        if let Some(limit) = limit {
            set_policy(&api, "web", &json!({ "answer_limit": limit }));
        }
        let mut seen = BTreeSet::new();
        for _ in 0..200 {
            let reply = resolver.ask(&full("web"), A);
            assert!(!reply.metadata.truncation, "a deliberate subset is a whole answer");
            let one: BTreeSet<_> = lines(&reply.answers).into_iter().collect();
            assert_eq!((one.len(), reply.answers.len()), (expected, expected), "{limit:?}");
            seen.extend(one);
        }
        assert_eq!(seen.len(), 20, "everybody has a turn at {limit:?}");
    }
    // SRV, with its weights, is for clients that choose for themselves.
    let reply = resolver.ask_tcp(&full("web"), SRV);
    assert_eq!(reply.answers.len(), 20);
}

#[test]
fn ttls_are_the_services_own_and_may_be_zero() {
    let node = node();
    let (api, resolver) = (node.api(), node.resolver());
    let body = json!({ "addresses": ["10.0.0.1", "fd00::1"], "port": 80, "meta": { "k": "v" } });
    api.register("web", "a", &body);
    api.register("mail", "a", &json!({ "addresses": ["mx.example.com"] }));
    for ttl in [None, Some("0s"), Some("24h")] {
        for service in ["web", "mail"] {
            if let Some(ttl) = ttl {
                set_policy(&api, service, &json!({ "ttl": ttl }));
            }
        }
        let expected = match ttl {
            None => 5,
            Some("0s") => 0,
            Some(_) => 86_400,
        };
        for (name, rtype) in [
            ("web", A),
            ("web", AAAA),
            ("web", SRV),
            ("web", TXT),
            ("_web._tcp", SRV),
            ("a.instance.web", A),
            ("mail", A),
            ("1.0.0.10.in-addr.arpa.", RecordType::PTR),
        ] {
            let reply = resolver.ask(&full(name), rtype);
            assert!(!reply.answers.is_empty(), "{name} {rtype}");
            for record in reply.answers.iter().chain(&reply.additionals) {
                assert_eq!(record.ttl, expected, "{name} {rtype}: {record}");
            }
        }
        // "Not yet" does not outlive a start, however long the service's own TTL.
        let reply = resolver.ask(&full("web"), RecordType::MX);
        assert_eq!(negative_ttl(&reply, "service.internal."), 5);
    }
}

#[test]
fn a_negative_answer_lives_as_long_as_the_operator_says() {
    let node = Node::builder().config("[dns]\nnegative_ttl = \"1s\"").start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    for (name, rtype) in [("web", AAAA), ("nobody", A)] {
        let reply = node.resolver().ask(&full(name), rtype);
        assert_eq!(negative_ttl(&reply, "service.internal."), 1);
    }
    for refused in ["0s", "6s"] {
        let builder = Node::builder().config(&format!("[dns]\nnegative_ttl = \"{refused}\""));
        let output = builder.command().output().unwrap();
        assert_eq!(output.status.code(), Some(78), "{refused} is outside 1 to 5 s");
    }
}

#[test]
fn an_instance_may_have_many_addresses_and_share_them() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    let a = json!({ "addresses": ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2"], "port": 1 });
    let b = json!({ "addresses": ["10.0.0.2", "10.0.0.3"], "port": 2 });
    api.register("web", "a", &a);
    api.register("web", "b", &b);
    let mut firsts = BTreeSet::new();
    for _ in 0..100 {
        let reply = resolver.ask(&full("web"), A);
        firsts.insert(reply.answers[0].data.to_string());
        // An RRset holds no record twice (RFC 2181 §5).
        assert_eq!(said(&reply), "A 10.0.0.1, A 10.0.0.2, A 10.0.0.3");
        let reply = resolver.ask(&full("web"), AAAA);
        assert_eq!(said(&reply), "AAAA fd00::1, AAAA fd00::2");
    }
    assert_eq!(firsts.len(), 3, "each of them is first at times");
    let reply = resolver.ask(&full("web"), SRV);
    assert_eq!(reply.answers.len(), 2, "one record for an instance, not for an address");
    assert_eq!(
        lines(&reply.additionals),
        [
            "a.instance.web.service.internal. 5 A 10.0.0.1",
            "a.instance.web.service.internal. 5 A 10.0.0.2",
            "a.instance.web.service.internal. 5 AAAA fd00::1",
            "a.instance.web.service.internal. 5 AAAA fd00::2",
            "b.instance.web.service.internal. 5 A 10.0.0.2",
            "b.instance.web.service.internal. 5 A 10.0.0.3",
        ]
    );
    api.deregister("web", "a");
    assert_eq!(said(&resolver.ask(&full("web"), A)), "A 10.0.0.2, A 10.0.0.3");
}
