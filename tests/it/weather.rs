//! Bad weather: a full disk, crashes in the middle of checks, everything failing at once, and
//! crowds of idle connections. Answers go on.

use std::{
    collections::BTreeSet,
    io::Write,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Backend, Node,
    api::{Api, instance_path},
    disk::Disk,
    events::Events,
    eventually,
    peer::{Peer, http_reply, read_head},
    raw,
};

fn names(node: &Node) -> BTreeSet<String> {
    let listed = node.api().get("/api/v1/services/web/instances");
    let instances = listed.body["instances"].as_array().cloned().unwrap_or_default();
    instances.iter().map(|i| i["instance"].as_str().unwrap().to_owned()).collect()
}

fn store_note(node: &Node) -> Option<String> {
    let ready = node.api().get("/ready");
    assert_eq!(ready.status, 200, "DNS is as good as ever: {ready:?}");
    let notes = ready.body["notes"].as_array().unwrap().clone();
    let note = notes.iter().find(|note| note["name"] == "store")?;
    Some(note["message"].as_str().unwrap().to_owned())
}

/// Registers until it is refused, each instance a row of about 4 KB; returns what was acknowledged.
fn register_until_full(api: &Api, prefix: &str) -> BTreeSet<String> {
    let meta: serde_json::Map<String, Value> =
        (0..15).map(|n| (format!("k{n}"), "v".repeat(240).into())).collect();
    let mut acknowledged = BTreeSet::new();
    for n in 0..100_000 {
        let name = format!("{prefix}{n}");
        let address = format!("10.2.{}.{}", n / 250, n % 250);
        let reply =
            api.put(&instance_path("web", &name), &json!({ "addresses": [address], "meta": meta }));
        if reply.status == 507 {
            assert_eq!(reply.body["code"], "store-full");
            let detail = reply.body["detail"].as_str().unwrap();
            assert!(detail.contains("rollcall.log") && detail.contains("make room"), "{detail}");
            assert_eq!(api.get(&instance_path("web", &name)).status, 404, "and is not there");
            return acknowledged;
        }
        assert_eq!(reply.status, 201, "{reply:?}");
        acknowledged.insert(name);
    }
    panic!("the disk never became full");
}

#[test]
fn a_full_disk_refuses_writes_loses_nothing_and_answers_on() {
    let builder = Node::builder();
    let disk = Disk::mount(&builder.path("data"), 16);
    let node = builder.disk(&disk).start();
    let (api, resolver) = (node.api(), node.resolver());
    let backend = Backend::start("127.0.0.1");
    api.register(
        "beats",
        "i",
        &json!({ "addresses": ["10.0.0.2"],
        "checks": [{ "type": "ttl", "ttl": "1h" }] }),
    );
    api.register(
        "checked",
        "i",
        &json!({ "addresses": ["10.0.0.3"], "port": 80, "checks": [
        { "type": "http", "host": "127.0.0.1", "port": backend.address.port(),
          "interval": "300ms", "fall": 1 }] }),
    );
    eventually("it is checked", || (resolver.service("checked").len() == 1).then_some(()));
    let mut acknowledged = register_until_full_after(&api, &disk);

    // Writes of every kind are refused; what was there stays.
    let is_full = |reply: crate::support::api::Reply| assert_eq!(reply.status, 507, "{reply:?}");
    is_full(api.put(&instance_path("web", "more"), &json!({ "addresses": ["10.0.0.1"] })));
    is_full(api.delete(&instance_path("beats", "i")));
    is_full(api.put(&format!("{}/drain", instance_path("beats", "i")), &Value::Null));
    is_full(api.put("/api/v1/services/beats/policy", &json!({ "ttl": 1 })));
    assert_eq!(names(&node), acknowledged);
    let note = store_note(&node).expect("a note in /ready");
    assert!(note.contains("changes are refused"), "{note}");
    assert!(node.wait_for_log("changes are refused")["level"] == "WARN");
    let metrics = api.text("/metrics");
    assert!(!metrics.contains("rollcall_store_commit_failures_total 0\n"), "failures are counted");

    // The answers follow health all the same.
    assert_eq!(resolver.service("web").len(), 8);
    let beat = format!("{}/heartbeat", instance_path("beats", "i"));
    for (status, count) in [("critical", 0), ("passing", 1), ("critical", 0)] {
        let reply = api.put(&beat, &json!({ "status": status }));
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(resolver.service("beats").len(), count, "{status}");
    }
    for (status, count) in [(500, 0), (200, 1), (500, 0)] {
        backend.set_status(status);
        eventually("the check decides", || {
            (resolver.service("checked").len() == count).then_some(())
        });
    }

    // Room again: no restart is needed, by anybody.
    disk.free();
    eventually("writes are taken", || {
        let reply = api.put(&instance_path("web", "later"), &json!({ "addresses": ["10.0.0.1"] }));
        assert!(matches!(reply.status, 200 | 201 | 507), "{reply:?}");
        (reply.status != 507).then_some(())
    });
    acknowledged.insert("later".into());
    assert_eq!(store_note(&node), None);
    node.wait_for_log("takes changes again");

    // And what was acknowledged, or was seen of the world meanwhile, is durable.
    drop(backend);
    let node = node.kill_and_restart();
    assert_eq!(names(&node), acknowledged);
    assert_eq!(node.resolver().service("beats").len(), 0, "the last state is kept");
    assert_eq!(node.api().status("checked", "i").unwrap(), "critical");
}

/// Registers a few, fills the disk, and registers on until it is felt.
fn register_until_full_after(api: &Api, disk: &Disk) -> BTreeSet<String> {
    let mut acknowledged = BTreeSet::new();
    for n in 0..50 {
        let body = json!({ "addresses": [format!("10.1.0.{n}")] });
        api.register("web", &format!("early{n}"), &body);
        acknowledged.insert(format!("early{n}"));
    }
    disk.fill();
    acknowledged.extend(register_until_full(api, "late"));
    acknowledged
}

#[test]
fn a_crash_on_a_full_disk_loses_nothing_and_the_server_starts_on_it() {
    let builder = Node::builder();
    let disk = Disk::mount(&builder.path("data"), 16);
    let mut node = builder.disk(&disk).start();
    let acknowledged = register_until_full_after(&node.api(), &disk);
    for _ in 0..3 {
        node = node.kill_and_restart();
        assert_eq!(names(&node), acknowledged);
        assert_eq!(node.resolver().service("web").len(), 8, "it answers from the start");
        let body = json!({ "addresses": ["10.0.0.1"] });
        disk.fill(); // what the crash has freed
        let refused = eventually("it is full", || {
            let reply = node.api().put(&instance_path("web", "more"), &body);
            match reply.status {
                201 => node.api().deregister("web", "more"),
                _ => return Some(reply),
            }
            None
        });
        assert_eq!(refused.status, 507, "{refused:?}");
    }
    disk.free();
    eventually("writes are taken", || {
        let reply =
            node.api().put(&instance_path("web", "more"), &json!({ "addresses": ["10.0.0.1"] }));
        (reply.status == 201).then_some(())
    });
}

#[test]
fn crashes_in_the_middle_of_checks_leave_a_registry_that_is_checked_on() {
    const INSTANCES: usize = 200;
    let mut node = Node::start();
    // Every third connection hangs, the others turn from good to bad and back.
    let peer = Peer::start(|mut stream, number| {
        if read_head(&mut stream).is_none() {
            return;
        }
        if number % 3 == 0 {
            drop(raw::read_to_close(&stream));
            return;
        }
        let status = if number / 500 % 2 == 0 { 200 } else { 500 };
        let _gone = stream.write_all(http_reply(status, "", "").as_bytes());
    });
    let check = json!([{ "type": "http", "interval": "200ms", "timeout": "200ms", "fall": 1 }]);
    let fleet: Vec<Value> = (0..INSTANCES)
        .map(|n| {
            json!({ "service": "web", "instance": format!("i{n}"), "addresses": ["127.0.0.1"],
                "port": peer.address.port(), "checks": check })
        })
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &fleet.into()).status, 200);
    for _ in 0..5 {
        let asked = peer.taken();
        eventually("checks are under way", || (peer.taken() > asked + 400).then_some(()));
        node = node.kill_and_restart();
        assert_eq!(names(&node).len(), INSTANCES);
        let service = node.api().get("/api/v1/services/web").body;
        let states = ["passing", "warning", "critical"].map(|s| service[s].as_u64().unwrap());
        assert_eq!(states.iter().sum::<u64>(), INSTANCES as u64);
    }
}

#[test]
fn a_server_that_was_stopped_for_a_while_believes_what_came_meanwhile() {
    let node = Node::start();
    let api = node.api();
    let beat = format!("{}/heartbeat", instance_path("web", "i"));
    let body = json!({ "addresses": ["10.0.0.1"], "checks": [{ "type": "ttl", "ttl": "2s" }] });
    let mut events = Events::open(node.http[0], "?service=web", None);
    api.register("web", "i", &body);
    // A machine that is suspended, or so busy that the server does not run.
    let paused = node.pause();
    let http = node.http[0];
    let stopped = Instant::now();
    eventually("its heartbeat is nearly due", || {
        (stopped.elapsed() > Duration::from_secs(1)).then_some(())
    });
    let sender = std::thread::spawn(move || raw::call(http, ("PUT", &beat), &[], b"").status);
    eventually("its ttl is over", || {
        (stopped.elapsed() > Duration::from_millis(2_500)).then_some(())
    });
    drop(paused);
    assert_eq!(sender.join().unwrap(), 200);
    assert_eq!(node.resolver().service("web").len(), 1);
    api.deregister("web", "i");
    let next: Vec<String> = (0..2).map(|_| events.next().event).collect();
    assert_eq!(next, ["registered", "deregistered"], "it never lapsed");
}
