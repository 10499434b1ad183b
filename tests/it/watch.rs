//! The event stream as a client lives with it: live, resumed, too late, and across restarts.

use serde_json::{Value, json};

use crate::support::{
    Node,
    api::instance_path,
    events::{Events, Message},
    raw,
};

fn body() -> Value {
    json!({ "addresses": ["10.0.0.1"], "port": 80, "checks": [{ "type": "ttl", "ttl": "1h" }] })
}

/// `registered web-1 @3`.
fn short(message: &Message) -> String {
    let (what, data) = (&message.event, &message.data);
    let subject = data["instance"].as_str().or(data["service"].as_str()).unwrap_or("");
    format!("{what} {subject} @{}", data["revision"])
}

/// Takes an instance of `web` away; the revision of the reply.
fn deregister(node: &Node, instance: &str) -> u64 {
    let path = instance_path("web", instance);
    raw::call(node.http[0], ("DELETE", &path), &[], b"").revision()
}

#[test]
fn every_change_comes_live_with_the_revision_of_its_reply() {
    let node = Node::start();
    let (api, path) = (node.api(), instance_path("web", "web-1"));
    let mut events = Events::open(node.http[0], "", None);
    let beat = |status| json!({ "status": status, "output": "so" });
    let (ttl, none) = (json!({ "ttl": 1 }), Value::Null);
    let mut last = node.revision();
    let steps = [
        ("PUT", path.clone(), &body(), "registered"),
        ("PUT", format!("{path}/heartbeat"), &beat("critical"), "status"),
        ("PUT", format!("{path}/drain"), &none, "drained"),
        ("DELETE", format!("{path}/drain"), &none, "undrained"),
        ("PUT", path.clone(), &json!({ "addresses": ["10.0.0.2"] }), "updated"),
        ("PUT", "/api/v1/services/web/policy".into(), &ttl, "policy"),
        ("DELETE", "/api/v1/services/web/policy".into(), &none, "policy"),
        ("DELETE", path, &none, "deregistered"),
    ];
    for (method, path, body, expected) in &steps {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = raw::call(node.http[0], (method, path), &[], body.as_bytes());
        assert!(reply.status < 300, "{reply:?}");
        let event = events.next();
        assert_eq!(event.event, *expected, "{event:?}");
        let id = event.id.unwrap_or_else(|| panic!("it is the only one: {event:?}"));
        assert_eq!(event.data["revision"], id);
        match node.is_shared() && event.event == "status" {
            // What is seen of the world is shown at once, and has a revision of etcd later.
            true => assert!((last + 1..reply.revision()).contains(&id), "{event:?} {reply:?}"),
            false => assert_eq!(id, reply.revision()),
        }
        last = reply.revision();
        assert_eq!(event.data["service"], "web");
        assert!(event.data["at"].as_str().unwrap().ends_with('Z'));
    }
    // What changes nothing is no event: the next one is of something else.
    api.register("web", "web-1", &body());
    api.register("web", "web-1", &body());
    api.put("/api/v1/services/web/instances/web-1/heartbeat", &Value::Null);
    api.deregister("web", "web-1");
    assert_eq!([events.next().event, events.next().event], ["registered", "deregistered"]);
}

#[test]
fn a_watcher_that_comes_back_misses_nothing_and_sees_nothing_twice() {
    let node = Node::start();
    let api = node.api();
    let start = node.revision();
    let register = |service: &str, name: &str, body: &Value| {
        let revision = api.register(service, name, body).body["revision"].as_u64().unwrap();
        (format!("registered {name} @{revision}"), revision)
    };
    let mut events = Events::open(node.http[0], "?service=web", None);
    let (mut seen, mut expected, mut last_but_one) = (Vec::new(), Vec::new(), 0);
    for round in 0..20 {
        expected.push(register("web", &format!("a{round}"), &body()).0);
        last_but_one = register("other", "x", &json!({ "weight": round })).1;
        seen.push(short(&events.next()));
        let last = events.last_id.clone();
        drop(events);
        // While nobody watches.
        expected.push(register("web", &format!("b{round}"), &body()).0);
        events = Events::open(node.http[0], "?service=web", Some(&last));
        seen.push(short(&events.next()));
    }
    assert_eq!(seen, expected);
    let mut all = Events::open(node.http[0], &format!("?since={start}"), None);
    let kinds: Vec<String> = (0..60).map(|_| short(&all.next())).collect();
    assert!(kinds.iter().filter(|kind| kind.contains(" x ")).count() == 20, "{kinds:?}");
    // A browser comes back with its first URL and the id; the id counts.
    let (first, id) = (format!("?since={start}&service=web"), last_but_one.to_string());
    let mut both = Events::open(node.http[0], &first, Some(&id));
    assert_eq!(Some(short(&both.next())), expected.pop());
}

#[test]
fn a_bulk_is_one_revision_that_is_seen_whole_also_after_a_cut() {
    let node = Node::start();
    let mut events = Events::open(node.http[0], "", None);
    let bulk: Vec<Value> = (0..1_000)
        .map(
            |n| json!({ "service": "web", "instance": format!("i{n}"), "addresses": ["10.0.0.1"] }),
        )
        .collect();
    let reply = node.api().post("/api/v1/instances", &bulk.into());
    assert_eq!(reply.status, 200);
    for _ in 0..500 {
        assert_eq!(events.next().id, None, "the id comes with the last one");
    }
    // Cut in the middle of it: all of it comes again.
    let last = events.last_id.clone();
    let mut events = Events::open(node.http[0], "", Some(&last));
    let all: Vec<Message> = (0..1_000).map(|_| events.next()).collect();
    let revision = &reply.body["revision"];
    assert!(last.parse::<u64>().ok() < revision.as_u64(), "{last}");
    assert!(all.iter().all(|message| message.data["revision"] == *revision));
    assert_eq!(all[999].id, revision.as_u64());
}

#[test]
fn after_a_restart_a_watcher_resumes_or_is_told_to_list_again() {
    let node = Node::start();
    let revisions: Vec<u64> = (0..5)
        .map(|n| node.api().register("web", &format!("i{n}"), &body()).body["revision"].clone())
        .map(|revision| revision.as_u64().unwrap())
        .collect();
    let node = node.kill_and_restart();
    let (newest, last) = (node.revision(), revisions[4]);
    // Of a shared store others have gone on, and have shown its revision meanwhile.
    let up_to_date = if node.is_shared() { newest } else { last };
    let is_right = newest == last + (1 << 24) || (node.is_shared() && newest >= last);
    assert!(is_right, "no revision that was shown and lost comes again: {newest} after {last}");
    // Goes on without a word.
    let mut current = Events::open(node.http[0], "", Some(&up_to_date.to_string()));
    // Behind by what this life of the server has never seen, or from a future that is lost.
    let lost = if node.is_shared() { newest + (1 << 40) } else { last + 94 };
    for since in [revisions[2], 0, lost, lost + 9_900] {
        let mut behind = Events::open(node.http[0], "?service=web", Some(&since.to_string()));
        let reset = behind.next();
        let at = reset.id.expect("where to go on");
        assert!(at == newest || (node.is_shared() && at > newest), "since {since}: {at}");
        assert_eq!((&*reset.event, reset.data), ("reset", json!({ "revision": at })));
        // What is listed now is at least that new, and the stream goes on after it.
        let listed = node.api().get("/api/v1/services/web/instances").body;
        assert_eq!(listed["instances"].as_array().unwrap().len(), 5);
        drop(behind);
    }
    let mut behind = Events::open(node.http[0], &format!("?since={}", revisions[0]), None);
    assert_eq!(behind.next().event, "reset");
    let gone = format!("deregistered i0 @{}", deregister(&node, "i0"));
    assert_eq!(short(&current.next()), gone);
    assert_eq!(short(&behind.next()), gone);
}

#[test]
fn who_comes_too_late_for_the_events_that_are_kept_is_told_to_list_again() {
    let node = Node::start();
    let since = node.api().register("web", "i", &body()).body["revision"].clone();
    let mut early = Events::open(node.http[0], "?service=web", None);
    // 70,000 events, in pieces: more than are kept.
    let mut newest = Value::Null;
    for piece in 0..7 {
        let bulk: Vec<Value> = (0..10_000)
            .map(|n| {
                json!({ "service": format!("s{piece}"), "instance": format!("i{n}"),
                    "addresses": ["10.0.0.1"] })
            })
            .collect();
        let reply = node.api().post("/api/v1/instances", &bulk.into());
        assert_eq!(reply.status, 200);
        newest = reply.body["revision"].clone();
    }
    let mut late = Events::open(node.http[0], &format!("?since={since}&service=web"), None);
    let reset = late.next();
    assert_eq!(reset.event, "reset");
    let at = reset.data["revision"].as_u64();
    // What a bulk leaves to be put into its place in etcd is no change, and counts there.
    assert!(at == newest.as_u64() || (node.is_shared() && at > newest.as_u64()), "{reset:?}");
    let gone = format!("deregistered i @{}", deregister(&node, "i"));
    assert_eq!(short(&late.next()), gone);
    assert_eq!(short(&early.next()), gone, "who was there missed nothing");
}

#[test]
fn a_watcher_that_does_not_read_holds_up_nobody() {
    let node = Node::start();
    let deaf = Events::open(node.http[0], &format!("?since={}", node.revision()), None);
    let mut alert = Events::open(node.http[0], "", None);
    for round in 0..30 {
        let bulk: Vec<Value> = (0..1_000)
            .map(|n| {
                json!({ "service": "web", "instance": format!("i{n}"), "weight": round,
                    "addresses": ["10.0.0.1"] })
            })
            .collect();
        assert_eq!(node.api().post("/api/v1/instances", &bulk.into()).status, 200);
        for _ in 0..1_000 {
            alert.next();
        }
    }
    drop(deaf);
}

#[test]
fn the_stream_ends_when_the_server_goes_down() {
    let mut node = Node::builder().config("[server]\nlame_duck = \"0s\"").start();
    let mut events = Events::open(node.http[0], "", None);
    node.api().register("web", "i", &body());
    assert_eq!(events.next().event, "registered");
    node.signal("TERM");
    assert_eq!(events.try_next(), None);
    assert_eq!(node.wait().code(), Some(0));
}
