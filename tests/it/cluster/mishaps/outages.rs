//! An etcd that is away, as a whole or the most of it.

use super::Servers;
use crate::support::etcd::Etcd;

/// What `/ready` says while an etcd is away, and that there is a measure of it.
fn is_told(servers: &Servers) {
    servers.all_note("etcd", &["since 20", "Answers come from memory", "changes are refused"]);
    for node in &servers.nodes {
        let metrics = node.api().text("/metrics");
        let silence = metrics
            .lines()
            .find_map(|line| line.strip_prefix("rollcall_cluster_silence_seconds "))
            .map(|seconds| seconds.parse::<f64>().unwrap());
        assert!(silence.is_some_and(|seconds| seconds > 0.0), "{silence:?}");
    }
}

#[test]
fn a_quorum_that_is_lost_is_told_and_waited_for() {
    let mut etcd = Etcd::cluster(3);
    let servers = Servers::start(&etcd, |builder| builder);
    [0, 2].into_iter().for_each(|member| etcd.kill(member));
    servers.all_refuse(503, "store-unreachable");
    is_told(&servers);
    [0, 2].into_iter().for_each(|member| etcd.start(member));
    servers.end_well(&["etcd", "store"]);
}

#[test]
fn an_etcd_that_is_gone_is_told_and_waited_for() {
    let mut etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    etcd.kill(0);
    let said = servers.all_refuse(503, "store-unreachable");
    assert!(said.contains(&etcd.endpoints()[0]), "{said}");
    is_told(&servers);
    etcd.start(0);
    servers.end_well(&["etcd", "store"]);
}

#[test]
fn an_etcd_that_stands_still_is_told_and_waited_for() {
    let etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    let paused = etcd.pause(0);
    is_told(&servers);
    servers.all_refuse(503, "store-unreachable");
    drop(paused);
    servers.end_well(&["etcd", "store"]);
}
