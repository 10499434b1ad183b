//! The main promise on the real thing: weights, health and deregistration as a client sees them.

use std::{
    collections::HashMap,
    net::IpAddr,
    thread,
    time::{Duration, Instant},
};

use hickory_proto::rr::{RData, RecordType};
use serde_json::json;

use crate::support::{
    Backend, Node,
    api::Api,
    dns::{self, Resolver},
    eventually,
};

const WEIGHTS: [u16; 3] = [1, 2, 7];
const QUERIES: u32 = 20_000;

/// Three real HTTP servers on addresses of their own, registered with weights 1, 2 and 7.
fn three_servers(node: &Node) -> Vec<Backend> {
    let api = node.api();
    let servers: Vec<Backend> = (2..5).map(|n| Backend::start(&format!("127.0.0.{n}"))).collect();
    for (index, (server, weight)) in servers.iter().zip(WEIGHTS).enumerate() {
        let ip = server.address.ip();
        let body = json!({
            "addresses": [ip, format!("fd00::{}", index + 2)],
            "port": server.address.port(),
            "weight": weight,
            "checks": [{
                "type": "http", "path": "/health",
                "interval": "200ms", "timeout": "150ms", "fall": 2,
            }],
        });
        api.register("payment", &format!("payment-{}", index + 1), &body);
    }
    eventually("all three are passing", || {
        (node.resolver().service("payment").len() == 3).then_some(())
    });
    servers
}

/// Pearson's statistic for the counts of first records against the weights; with two degrees of
/// freedom 13.82 is exceeded by chance once in a thousand.
fn chi_square(counts: &HashMap<String, u32>, keys: [&str; 3]) -> f64 {
    let total: f64 = WEIGHTS.iter().map(|weight| f64::from(*weight)).sum();
    let term = |(key, weight): (&str, u16)| {
        let expected = f64::from(QUERIES) * f64::from(weight) / total;
        let seen = f64::from(counts.get(key).copied().unwrap_or(0));
        (seen - expected).powi(2) / expected
    };
    keys.into_iter().zip(WEIGHTS).map(term).sum()
}

#[test]
fn first_records_follow_the_weights_for_a_aaaa_and_srv() {
    let node = Node::start();
    let _servers = three_servers(&node);
    let resolver = node.resolver();
    let instance = |n| format!("payment-{n}.instance.payment.service.internal.");
    let targets = [instance(1), instance(2), instance(3)];
    let table = [
        (RecordType::A, ["127.0.0.2", "127.0.0.3", "127.0.0.4"]),
        (RecordType::AAAA, ["fd00::2", "fd00::3", "fd00::4"]),
        (RecordType::SRV, [&*targets[0], &*targets[1], &*targets[2]]),
    ];
    for (rtype, keys) in table {
        let mut first: HashMap<String, u32> = HashMap::new();
        for _ in 0..QUERIES {
            let reply = resolver.ask("payment.service.internal.", rtype);
            assert_eq!(reply.answers.len(), 3, "{rtype}");
            let key = match &reply.answers[0].data {
                RData::SRV(srv) => srv.target.to_string(),
                data => dns::address(data).unwrap().to_string(),
            };
            *first.entry(key).or_default() += 1;
        }
        let statistic = chi_square(&first, keys);
        assert!(statistic < 13.82, "{rtype}: {first:?}, chi-square {statistic}");
    }
}

#[test]
fn a_killed_server_leaves_the_answers_in_time_and_does_not_come_back() {
    let node = Node::start();
    let mut servers = three_servers(&node);
    let resolver = node.resolver();
    let dead = servers.remove(2).address.ip(); // dropping it closes its port
    let killed = Instant::now();
    // interval × fall + timeout, with the jitter of the interval and a loaded machine's delay.
    let bound = Duration::from_millis(200 * 2 + 150) + Duration::from_millis(450);
    let gone = eventually("the dead one leaves", || {
        (!resolver.service("payment").contains(&dead)).then(|| killed.elapsed())
    });
    assert!(gone < bound, "left after {gone:?}, the bound is {bound:?}");
    for _ in 0..5_000 {
        let answer = resolver.service("payment");
        assert!(answer.len() == 2 && !answer.contains(&dead), "a wrong answer: {answer:?}");
    }
    let status = node.api().get("/api/v1/services/payment/instances/payment-3").body;
    let output = status["checks"][0]["output"].as_str().unwrap();
    assert!(output.contains("refused"), "the check says why: {output}");
}

/// Ten thousand times, by clients who share the store's commits and the snapshots that come of
/// them: each must see its own change, whoever else's came with it.
#[test]
fn no_answer_is_older_than_an_acknowledged_change() {
    const CLIENTS: usize = 8;
    let node = Node::start();
    let body = json!({ "addresses": ["10.0.0.1"], "port": 80 });
    let flip = |service: &str, api: &Api, resolver: &Resolver| {
        for round in 0..10_000 / CLIENTS {
            api.register(service, "flip-1", &body);
            assert_eq!(resolver.service(service).len(), 1, "registered, round {round}");
            api.deregister(service, "flip-1");
            assert_eq!(resolver.service(service), [] as [IpAddr; 0], "gone, round {round}");
        }
    };
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (flip, api, resolver) = (&flip, node.api(), node.resolver());
            scope.spawn(move || flip(&format!("flip-{client}"), &api, &resolver));
        }
    });
}

#[test]
fn a_drain_is_seen_by_the_next_query_and_survives_a_crash() {
    let mut node = Node::start();
    let body = json!({ "addresses": ["10.0.0.1"], "port": 80 });
    node.api().register("web", "web-1", &body);
    let drain = "/api/v1/services/web/instances/web-1/drain";
    for _ in 0..100 {
        assert_eq!(node.api().put(drain, &serde_json::Value::Null).status, 200);
        assert_eq!(node.resolver().service("web").len(), 0);
        assert_eq!(node.api().delete(drain).status, 200);
        assert_eq!(node.resolver().service("web").len(), 1);
    }
    node.api().put(drain, &serde_json::Value::Null);
    node = node.kill_and_restart();
    assert_eq!(node.resolver().service("web").len(), 0);
    assert_eq!(node.api().delete(drain).status, 200);
    assert_eq!(node.resolver().service("web").len(), 1);
}
