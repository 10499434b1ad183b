//! Clients that die while all of etcd is away: servers tell one another what they hear.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use serde_json::json;

use super::{Servers, note};
use crate::support::{
    api::{Api, instance_path},
    backend::Backend,
    etcd::Etcd,
    eventually,
};

const TTL: Duration = Duration::from_secs(2);

/// Longer than servers wait at the most until they ask etcd again: all are back within it.
const LEASE: Duration = Duration::from_secs(6);

/// From the end of a ttl until its servers have found it, while etcd is away: half a second to
/// decide and some two to hear of the others, and room for a machine that is busy.
const FOUND: Duration = Duration::from_secs(6);

/// Sends heartbeats of instances at one server each, until it is dropped.
struct Clients {
    alive: Arc<Mutex<BTreeSet<String>>>,
}

impl Clients {
    /// One at each server, for each of these services.
    fn start(servers: &Servers, services: &[&str]) -> Self {
        let body = json!({ "addresses": ["10.0.0.9"], "port": 80,
            "checks": [{ "type": "ttl", "ttl": format!("{}s", TTL.as_secs()) }] });
        let alive: Arc<Mutex<BTreeSet<String>>> = Arc::default();
        for service in services {
            for (at, node) in servers.nodes.iter().enumerate() {
                let path = instance_path(service, &format!("at-{at}"));
                let registered = node.api().put(&path, &body);
                assert_eq!(registered.status, 201, "{registered:?}");
                alive.lock().insert(path.clone());
                let (alive, http) = (alive.clone(), node.http[0]);
                std::thread::spawn(move || {
                    let api = Api::new(http);
                    while alive.lock().contains(&path) {
                        let beat = api.put(&format!("{path}/heartbeat"), &json!({}));
                        assert_eq!(beat.status, 200, "{beat:?}");
                        std::thread::park_timeout(TTL / 8);
                    }
                });
            }
        }
        Self { alive }
    }

    fn end(&self, of: &str) {
        self.alive.lock().retain(|path| !path.starts_with(&instance_path(of, "")));
    }
}

/// The threads end before their servers do.
impl Drop for Clients {
    fn drop(&mut self) {
        self.alive.lock().clear();
    }
}

/// Registers as many instances that are checked, all at one backend, and waits until they are seen.
fn check(servers: &Servers, service: &str) -> Backend {
    let backend = Backend::start("127.0.0.1");
    let checks = json!([{ "type": "http", "interval": "3s", "timeout": "1s", "fall": 1 }]);
    for (at, node) in servers.nodes.iter().enumerate() {
        let body = json!({ "addresses": [backend.address.ip()], "port": backend.address.port(),
            "checks": checks });
        let registered = node.api().put(&instance_path(service, &format!("at-{at}")), &body);
        assert_eq!(registered.status, 201, "{registered:?}");
    }
    let is_seen = |server: usize, at: usize| {
        servers.api(server).status(service, &format!("at-{at}")).as_deref() == Some("passing")
    };
    eventually("the checked are seen by all", || {
        (0..3).all(|server| (0..3).all(|at| is_seen(server, at))).then_some(())
    });
    backend
}

/// How the instances of a service are shown by each server.
fn shown(servers: &Servers, service: &str) -> Vec<Vec<String>> {
    let of = |at: usize| {
        let instances = (0..servers.nodes.len()).map(|n| format!("at-{n}"));
        instances.map(|it| servers.api(at).status(service, &it).unwrap()).collect()
    };
    (0..servers.nodes.len()).map(of).collect()
}

fn all_are(shown: &[Vec<String>], status: &str) -> bool {
    shown.iter().flatten().all(|it| it == status)
}

/// They were answered for until etcd was back.
#[test]
fn clients_that_die_while_all_of_etcd_is_gone_are_found_and_no_others() {
    let away = |etcd: &mut Etcd| (0..3).for_each(|member| etcd.kill(member));
    clients_die_while(away, |etcd, ()| (0..3).for_each(|member| etcd.start(member)));
}

/// When it goes on all its leases are over, so that all servers join anew: then those clients were
/// shown once more for a ttl.
#[test]
fn clients_that_die_while_all_of_etcd_stands_still_are_found_and_stay_dead() {
    let away = |etcd: &mut Etcd| [0, 1, 2].map(|member| etcd.pause(member));
    clients_die_while(away, |_, paused| drop(paused));
}

fn clients_die_while<T>(away: impl FnOnce(&mut Etcd) -> T, back: impl FnOnce(&mut Etcd, T)) {
    let mut etcd = Etcd::cluster(3);
    let servers = Servers::leased(&etcd, &["a", "b", "c"], (LEASE, ""), |builder| builder);
    let clients = Clients::start(&servers, &["living", "dying"]);
    let backend = check(&servers, "checked");
    eventually("all know all", || {
        let known = |at: &usize| {
            let listed = servers.api(*at).get("/api/v1/services").body.to_string();
            listed.contains("dying").then_some(())
        };
        (0..3).all(|at| known(&at).is_some()).then_some(())
    });
    let outage = away(&mut etcd);
    // Found by its owner before anybody knows that etcd is away.
    backend.set_status(500);
    let live = |what: &str, is_over: &dyn Fn() -> bool| {
        eventually(what, || {
            let shown = shown(&servers, "living");
            assert!(all_are(&shown, "passing"), "{what}: {shown:?}");
            is_over().then_some(())
        });
    };
    let is_cut = |at: usize| servers.nodes[at].count_log("it checks everything itself") > 0;
    live("all are cut off", &|| (0..3).all(is_cut));
    let cut = Instant::now();
    live("nobody dies of that", &|| {
        let shown = shown(&servers, "dying");
        assert!(all_are(&shown, "passing"), "{shown:?}");
        cut.elapsed() > 3 * TTL
    });
    clients.end("dying");
    let ended = Instant::now();
    live("the deaths are found", &|| all_are(&shown(&servers, "dying"), "critical"));
    println!("found after {:?}", ended.elapsed());
    assert!(ended.elapsed() < TTL + FOUND, "{:?}", ended.elapsed());
    live("each finds what it checks", &|| all_are(&shown(&servers, "checked"), "critical"));
    back(&mut etcd, outage);
    let stay_dead = || {
        for service in ["dying", "checked"] {
            let shown = shown(&servers, service);
            assert!(all_are(&shown, "critical"), "{service} is shown again: {shown:?}");
        }
    };
    live("etcd is back", &|| {
        stay_dead();
        (0..3).all(|at| note(&servers.api(at).get("/ready").body, "etcd").is_none())
    });
    let back = Instant::now();
    live("nobody flaps", &|| {
        stay_dead();
        back.elapsed() > LEASE + 2 * TTL
    });
    drop(clients);
    servers.end_well(&["etcd", "store"]);
}
