//! A wall clock that jumps while a server runs: dates are by it, and nothing else is.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;

use super::Servers;
use crate::support::{api::instance_path, etcd::Etcd, eventually, skew::Skew};

/// Longer than the test, in words of the interface.
const LONG: &str = "10m";

const DAY: i64 = 86_400;

/// By how much the date that a server gives to a registration is before the right one.
fn ahead(servers: &Servers, service: &str) -> i64 {
    let shown = servers.api(0).get(&instance_path(service, "i")).body;
    let at: Timestamp = shown["registered_at"].as_str().unwrap().parse().unwrap();
    at.as_second() - Timestamp::now().as_second()
}

#[test]
fn a_clock_that_jumps_changes_dates_and_nothing_else() {
    let etcd = Etcd::single();
    let (jumps, stays) = (Skew::new(), Skew::new());
    let clocks = std::cell::RefCell::new(vec![&stays, &jumps]);
    let servers = Servers::start(&etcd, |builder| {
        clocks.borrow_mut().pop().expect("there are two").apply(builder)
    });
    let register = |service: &str, ttl: &str| {
        let check = json!({ "type": "ttl", "ttl": ttl });
        servers.api(0).register(service, "i", &json!({ "port": 80, "checks": [check] }));
    };
    // Of so many, each server keeps some.
    let beating = |n: usize| format!("beating-{n}");
    (0..8).for_each(|n| register(&beating(n), LONG));

    for (n, jump) in [DAY, -2 * DAY].into_iter().enumerate() {
        jumps.jump(jump);
        let silent = format!("silent-{n}");
        let begun = std::time::Instant::now();
        register(&silent, "2s");
        assert!((ahead(&servers, &silent) - jump).abs() < 60, "the clock has not jumped");
        for at in 0..2 {
            let status = || servers.api(at).status(&silent, "i");
            eventually("silence is noticed", || (status()? == "critical").then_some(()));
            assert!(begun.elapsed() > Duration::from_secs(1), "and not before its time");
            for n in 0..8 {
                let status = servers.api(at).status(&beating(n), "i");
                assert_eq!(status.as_deref(), Some("passing"), "{n} at server {at}, by {jump} s");
            }
            let metrics = servers.api(at).text("/metrics");
            assert!(metrics.contains("rollcall_cluster_servers 2\n"), "both are alive");
        }
    }
    servers.end_well(&["etcd", "store", "server id"]);
}
