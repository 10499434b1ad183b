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

#[test]
fn every_change_comes_live_with_the_revision_of_its_reply() {
    let node = Node::start();
    let (api, path) = (node.api(), instance_path("web", "web-1"));
    let mut events = Events::open(node.http[0], "", None);
    let beat = |status| json!({ "status": status, "output": "so" });
    let (ttl, none) = (json!({ "ttl": 1 }), Value::Null);
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
        assert_eq!(event.id, Some(reply.revision()));
        assert_eq!(event.data["revision"], reply.revision());
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
    let mut events = Events::open(node.http[0], "?service=web", None);
    let mut seen = Vec::new();
    for round in 0..20 {
        api.register("web", &format!("a{round}"), &body());
        api.register("other", "x", &json!({ "weight": round }));
        seen.push(short(&events.next()));
        let last = events.last_id.clone();
        drop(events);
        // While nobody watches.
        api.register("web", &format!("b{round}"), &body());
        events = Events::open(node.http[0], "?service=web", Some(&last));
        seen.push(short(&events.next()));
    }
    let expected: Vec<String> = (0..20)
        .flat_map(|round| {
            let revision = 1 + 3 * round;
            [
                format!("registered a{round} @{revision}"),
                format!("registered b{round} @{}", revision + 2),
            ]
        })
        .collect();
    assert_eq!(seen, expected);
    let mut all = Events::open(node.http[0], "?since=0", None);
    let kinds: Vec<String> = (0..60).map(|_| short(&all.next())).collect();
    assert!(kinds.iter().filter(|kind| kind.contains(" x ")).count() == 20, "{kinds:?}");
    // A browser comes back with its first URL and the id; the id counts.
    let mut both = Events::open(node.http[0], "?since=0&service=web", Some("58"));
    assert_eq!(short(&both.next()), "registered b19 @60");
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
    assert_eq!(node.api().post("/api/v1/instances", &bulk.into()).status, 200);
    for _ in 0..500 {
        assert_eq!(events.next().id, None, "the id comes with the last one");
    }
    // Cut in the middle of it: all of it comes again.
    let last = events.last_id.clone();
    assert_eq!(last, "0");
    let mut events = Events::open(node.http[0], "", Some(&last));
    let all: Vec<Message> = (0..1_000).map(|_| events.next()).collect();
    assert!(all.iter().all(|message| message.data["revision"] == 1));
    assert_eq!(all[999].id, Some(1));
}

#[test]
fn after_a_restart_a_watcher_resumes_or_is_told_to_list_again() {
    let node = Node::start();
    for n in 0..5 {
        node.api().register("web", &format!("i{n}"), &body());
    }
    let node = node.kill_and_restart();
    let newest = node.api().get("/ready").body["revision"].as_u64().unwrap();
    assert_eq!(newest, 5 + (1 << 24), "no revision that was shown and lost comes again");
    // Up to date: goes on without a word.
    let mut current = Events::open(node.http[0], "", Some("5"));
    // Behind by what this life of the server has never seen, or from a future that is lost.
    for since in ["3", "0", "99", "9999"] {
        let mut behind = Events::open(node.http[0], "?service=web", Some(since));
        let reset = behind.next();
        assert_eq!((&*reset.event, reset.id), ("reset", Some(newest)), "since {since}");
        assert_eq!(reset.data, json!({ "revision": newest }));
        // What is listed now is at least that new, and the stream goes on after it.
        let listed = node.api().get("/api/v1/services/web/instances").body;
        assert_eq!(listed["instances"].as_array().unwrap().len(), 5);
        drop(behind);
    }
    let mut behind = Events::open(node.http[0], "?since=1", None);
    assert_eq!(behind.next().event, "reset");
    node.api().deregister("web", "i0");
    assert_eq!(short(&current.next()), "deregistered i0 @16777222");
    assert_eq!(short(&behind.next()), "deregistered i0 @16777222");
}

#[test]
fn who_comes_too_late_for_the_events_that_are_kept_is_told_to_list_again() {
    let node = Node::start();
    node.api().register("web", "i", &body());
    let mut early = Events::open(node.http[0], "?service=web", None);
    // 70,000 events, in pieces: more than are kept.
    for piece in 0..7 {
        let bulk: Vec<Value> = (0..10_000)
            .map(|n| {
                json!({ "service": format!("s{piece}"), "instance": format!("i{n}"),
                    "addresses": ["10.0.0.1"] })
            })
            .collect();
        assert_eq!(node.api().post("/api/v1/instances", &bulk.into()).status, 200);
    }
    let mut late = Events::open(node.http[0], "?since=1&service=web", None);
    let reset = late.next();
    assert_eq!((&*reset.event, &reset.data["revision"]), ("reset", &8.into()));
    node.api().deregister("web", "i");
    assert_eq!(short(&late.next()), "deregistered i @9");
    assert_eq!(short(&early.next()), "deregistered i @9", "who was there missed nothing");
}

#[test]
fn a_watcher_that_does_not_read_holds_up_nobody() {
    let node = Node::start();
    let deaf = Events::open(node.http[0], "?since=0", None);
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
