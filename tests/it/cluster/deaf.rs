//! A server that hears neither etcd nor the others for less than a lease: nobody takes it for dead,
//! and it must not take for dead whose heartbeats come to the others meanwhile.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{
    api::{Api, instance_path},
    eventually,
    fleet::{Fleet, LEASE},
    lab::alone,
};

const TTL: Duration = Duration::from_secs(1);

/// Fewer in all than self-preservation takes for its own deafness.
const INSTANCES: usize = 9;

/// The server that hears nothing; the clients go to the first.
const DEAF: usize = 1;

fn path(instance: usize) -> String {
    instance_path("web", &format!("i{instance}"))
}

/// Instances of which so many, the first ones, send no heartbeats any more; dropped, none does.
struct Dead<'d>(&'d AtomicUsize);

/// Sends heartbeats of all that live, until none does.
fn beat(api: &Api, dead: &AtomicUsize) {
    while dead.load(Ordering::Relaxed) < INSTANCES {
        for instance in dead.load(Ordering::Relaxed)..INSTANCES {
            let reply = api.put(&format!("{}/heartbeat", path(instance)), &json!({}));
            assert_eq!(reply.status, 200, "{reply:?}");
        }
        std::thread::park_timeout(TTL / 5);
    }
}

/// The thread ends also when the test fails.
impl Drop for Dead<'_> {
    fn drop(&mut self) {
        self.0.store(INSTANCES, Ordering::Relaxed);
    }
}

fn all_are(api: &Api, status: &str) -> bool {
    let is = |instance| api.status("web", &format!("i{instance}")).as_deref() == Some(status);
    (0..INSTANCES).all(is)
}

#[test]
fn a_server_that_hears_nobody_for_a_moment_takes_nobody_for_dead() {
    alone(|| {
        let fleet = Fleet::start(1, 3);
        let apis: Vec<Api> = (0..fleet.size()).map(|at| Api::new(fleet.http(at))).collect();
        let checks = json!([{ "type": "ttl", "ttl": "1s", "deregister_after": "1s" }]);
        let body = json!({ "addresses": ["10.0.0.1"], "checks": checks });
        (0..INSTANCES).for_each(|of| drop(apis[0].register("web", &format!("i{of}"), &body)));
        let dead = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| beat(&apis[0], &dead));
            let dead = Dead(&dead);
            eventually("all know all", || {
                apis.iter().all(|it| all_are(it, "passing")).then_some(())
            });
            let others = ["etcd-1", "rollcall-1", "rollcall-3"];
            for _ in 0..3 {
                let cut = fleet.lab.cut_between(&["rollcall-2"], &others);
                watch(&apis, Some(DEAF), LEASE * 2 / 3);
                drop(cut);
                watch(&apis, None, TTL * 3);
            }
            dead.0.store(1, Ordering::Relaxed);
            let is_gone = || apis.iter().all(|it| it.status("web", "i0").is_none());
            eventually("who dies is found as ever", || is_gone().then_some(()));
        });
    });
}

/// Looks for so long how each server shows all; one of them cannot be asked.
fn watch(apis: &[Api], deaf: Option<usize>, time: Duration) {
    let begun = Instant::now();
    while begun.elapsed() < time {
        for (at, api) in apis.iter().enumerate().filter(|(at, _)| Some(*at) != deaf) {
            assert!(all_are(api, "passing"), "at {at}, after {:?}", begun.elapsed());
        }
        std::thread::park_timeout(TTL / 50);
    }
}
