//! Instances that live by heartbeats: when they lapse, and when their silence is doubted.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::support::{Backend, Node, api::instance_path, events::Events, eventually, free_address};

fn heartbeat_path(service: &str, instance: &str) -> String {
    format!("{}/heartbeat", instance_path(service, instance))
}

/// An instance with an address of its own that lives by heartbeats.
fn alive(number: usize, ttl: &str) -> Value {
    json!({ "addresses": [format!("10.0.0.{number}")], "port": 80,
        "checks": [{ "type": "ttl", "ttl": ttl }] })
}

fn name(number: usize) -> String {
    format!("web-{number}")
}

/// Registers `count` instances at one moment, and has all of them answered at once.
fn register_fleet(node: &Node, count: usize, ttl: impl Fn(usize) -> &'static str) {
    let policy = json!({ "answer_limit": 100 });
    assert_eq!(node.api().put("/api/v1/services/web/policy", &policy).status, 200);
    let fleet: Vec<Value> = (1..=count)
        .map(|number| {
            let names = json!({ "service": "web", "instance": name(number) });
            crate::health::with(&alive(number, ttl(number)), &names)
        })
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &fleet.into()).status, 200);
}

fn answered(node: &Node) -> usize {
    node.resolver().service("web").len()
}

fn metric(node: &Node, line: &str) -> bool {
    node.api().text("/metrics").lines().any(|said| said == line)
}

fn holding_note(node: &Node) -> Option<String> {
    let ready = node.api().get("/ready");
    assert_eq!(ready.status, 200, "a note does not stop traffic: {ready:?}");
    let notes = ready.body["notes"].as_array().unwrap().clone();
    let note = notes.iter().find(|note| note["name"] == "self-preservation")?;
    Some(note["message"].as_str().unwrap().to_owned())
}

#[test]
fn a_silent_instance_lapses_after_its_ttl_and_within_a_second() {
    let node = Node::start();
    let resolver = node.resolver();
    for ttl in [300, 1_500] {
        let mut events = Events::open(node.http[0], "", None);
        let reply = node.api().register("web", "web-1", &alive(1, &format!("{ttl}ms")));
        assert_eq!(resolver.service("web").len(), 1, "registering is the first heartbeat");
        let event = events.until_status("web-1", "critical");
        assert_eq!(resolver.service("web").len(), 0, "it left the answers before it was told");
        // By the server's own clock: how late a loaded machine runs this test is not its doing.
        let at = |time: &Value| time.as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
        let lived = at(&event.data["at"]).duration_since(at(&reply.body["registered_at"]));
        let lived = lived.as_millis();
        // Wall clocks are shown in whole milliseconds.
        assert!((ttl - 1..=ttl + 1_000).contains(&lived), "lapsed {lived} ms after {ttl} ms");
        let said = event.data["output"].as_str().unwrap();
        assert!(said.contains("no heartbeat for"), "{said}");
        node.api().deregister("web", "web-1");
    }
}

#[test]
fn heartbeats_and_registering_again_keep_an_instance_alive() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    let body = alive(1, "2s");
    let first = api.register("beats", "i", &body).body["revision"].clone();
    let second = api.register("again", "i", &body).body["revision"].clone();
    let start = Instant::now();
    let mut rounds = 0;
    while start.elapsed() < Duration::from_secs(4) {
        let reply = api.put(&heartbeat_path("beats", "i"), &Value::Null);
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(api.register("again", "i", &body).status, 200);
        assert_eq!((resolver.service("beats").len(), resolver.service("again").len()), (1, 1));
        rounds += 1;
    }
    assert!(rounds > 10);
    let view = api.get(&instance_path("beats", "i")).body;
    assert_eq!(view["revision"], first, "signs of life change nothing");
    assert!(node.is_at(&second));
}

#[test]
fn a_heartbeat_says_how_the_instance_is() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    api.register("web", "i", &alive(1, "1h"));
    for (status, is_answered) in
        [("warning", true), ("critical", false), ("warning", true), ("passing", true)]
    {
        let body = json!({ "status": status, "output": format!("I am {status}") });
        let reply = api.put(&heartbeat_path("web", "i"), &body);
        assert_eq!(reply.status, 200, "{reply:?}");
        // The next query, not some later one.
        assert_eq!(resolver.service("web").len(), usize::from(is_answered), "{status}");
        let view = api.get(&instance_path("web", "i")).body;
        assert_eq!((&view["status"], &view["answered"]), (&status.into(), &is_answered.into()));
        assert_eq!(view["checks"][0]["output"], format!("I am {status}"));
        let [shown, told] =
            [view, reply.body].map(|body| body["revision"].as_u64().expect("a number"));
        // What is seen is shown before etcd has it, and told with etcd's revision, which means the
        // same on every server, and which it has here from then on.
        let is_right = if node.is_shared() { shown <= told } else { shown == told };
        assert!(is_right, "{status}: shown at {shown}, told of as {told}");
    }
    let refused = api.put(&heartbeat_path("web", "i"), &json!({ "status": "fine" }));
    assert_eq!((refused.status, &refused.body["field"]), (422, &"status".into()));
    api.register("deaf", "i", &json!({ "addresses": ["10.0.0.1"] }));
    let refused = api.put(&heartbeat_path("deaf", "i"), &Value::Null);
    assert_eq!((refused.status, &refused.body["code"]), (409, &"no-ttl-check".into()));
}

#[test]
fn a_client_that_the_server_forgot_is_told_and_registers_again() {
    let node = Node::start();
    let api = node.api();
    let body = crate::health::with(&alive(1, "200ms"), &json!({ "deregister_after": "300ms" }));
    api.register("web", "i", &body);
    eventually("it lapses and is removed", || {
        (api.get(&instance_path("web", "i")).status == 404).then_some(())
    });
    let reply = api.put(&heartbeat_path("web", "i"), &Value::Null);
    assert_eq!((reply.status, &reply.body["code"]), (404, &"unknown-instance".into()));
    assert_eq!(api.register("web", "i", &body).status, 201);
    assert_eq!(node.resolver().service("web").len(), 1);
    assert_eq!(api.put(&heartbeat_path("web", "i"), &Value::Null).status, 200);
}

#[test]
fn a_heartbeat_brings_a_lapsed_instance_back() {
    let node = Node::start();
    node.api().register("web", "i", &alive(1, "200ms"));
    eventually("it lapses", || (answered(&node) == 0).then_some(()));
    assert_eq!(node.api().put(&heartbeat_path("web", "i"), &Value::Null).status, 200);
    assert_eq!(answered(&node), 1, "at once");
    eventually("and lapses again", || (answered(&node) == 0).then_some(()));
}

#[test]
fn a_restart_gives_heartbeats_one_whole_ttl() {
    let node = Node::start();
    let ttl = Duration::from_secs(3);
    let lapsed = format!("?service=lapsed&since={}", node.revision());
    node.api().register("web", "web-1", &alive(1, "3s"));
    node.api().register("lapsed", "i", &alive(2, "100ms"));
    let mut events = Events::open(node.http[0], &lapsed, None);
    events.until_status("i", "critical");
    // Most of the ttl goes by before the restart.
    let registered = Instant::now();
    eventually("time", || (registered.elapsed() > ttl / 2).then_some(()));
    let restarting = Instant::now();
    let node = node.kill_and_restart();
    let restarted = Instant::now();
    assert_eq!(answered(&node), 1);
    assert_eq!(node.resolver().service("lapsed").len(), 0, "the last state is kept");
    eventually("it lapses again", || (answered(&node) == 0).then_some(()));
    let (least, most) = (restarted.elapsed(), restarting.elapsed());
    assert!(most >= ttl, "lapsed {most:?} after the restart");
    assert!(least <= ttl + Duration::from_secs(3), "lapsed {least:?} after the restart");
}

#[test]
fn when_all_fall_silent_at_once_they_stay_as_suspects_until_they_are_heard_again() {
    let node = Node::start();
    register_fleet(&node, 20, |_| "1s");
    eventually("all are suspects", || metric(&node, "rollcall_instances_suspect 20").then_some(()));
    assert_eq!(answered(&node), 20, "they stay in the answers");
    let service = node.api().get("/api/v1/services/web").body;
    assert_eq!((&service["suspect"], &service["answered"]), (&20.into(), &20.into()));
    let listed = node.api().get("/api/v1/services/web/instances?health=suspect").body;
    assert_eq!(listed["instances"].as_array().unwrap().len(), 20);
    let view = node.api().get(&instance_path("web", "web-7")).body;
    assert_eq!((&view["suspect"], &view["status"]), (&true.into(), &"passing".into()));
    let note = holding_note(&node).expect("a note in /ready");
    assert!(note.contains("20 silent instances"), "{note}");
    let (_, since) = note.split_once("; since 20").expect("it says since when, as all notes do");
    assert_eq!(node.wait_for_log("self-preservation:")["level"], "WARN");
    // A ttl that is long enough for the rest of the test comes with the sign of life.
    node.api().register("web", "web-1", &alive(1, "1h"));
    let view = node.api().get(&instance_path("web", "web-1")).body;
    assert_eq!(view["suspect"], false);
    let note = holding_note(&node).unwrap();
    assert!(note.contains("19 silent") && note.ends_with(since), "the others are still held");
    assert_eq!(node.api().put(&heartbeat_path("web", "web-2"), &Value::Null).status, 200);
    for number in 2..=20 {
        node.api().register("web", &name(number), &alive(number, "1h"));
    }
    eventually("normal again", || metric(&node, "rollcall_instances_suspect 0").then_some(()));
    assert_eq!(holding_note(&node), None);
    assert_eq!(answered(&node), 20);
    node.wait_for_log("self-preservation ended");
}

#[test]
fn a_few_silences_are_believed() {
    let node = Node::start();
    let since = node.revision();
    register_fleet(&node, 20, |number| if number <= 3 { "500ms" } else { "1h" });
    let mut events = Events::open(node.http[0], &format!("?service=web&since={since}"), None);
    for number in 1..=3 {
        events.until(|message| message.data["to"] == "critical");
        assert!(answered(&node) <= 20 - number);
    }
    assert_eq!(answered(&node), 17);
    assert_eq!(holding_note(&node), None);
    assert!(metric(&node, "rollcall_instances_suspect 0"));
}

#[test]
fn deregistering_all_and_failing_checks_are_no_silence() {
    let node = Node::start();
    let since = node.revision();
    register_fleet(&node, 10, |_| "1h");
    for number in 1..=10 {
        node.api().deregister("web", &name(number));
    }
    // An active check takes them out before their heartbeats are missed.
    let closed = free_address();
    let checks = json!([{ "type": "ttl", "ttl": "3s" },
        { "type": "tcp", "host": "127.0.0.1", "port": closed.port(), "interval": "200ms",
          "fall": 1 }]);
    let all: Vec<Value> = (1..=10)
        .map(|n| {
            json!({ "service": "down", "instance": name(n), "checks": checks,
            "addresses": [format!("10.0.0.{n}")], "initial_status": "passing" })
        })
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &all.into()).status, 200);
    let mut events = Events::open(node.http[0], &format!("?service=down&since={since}"), None);
    for _ in 0..10 {
        events.until(|message| message.data["to"] == "critical");
    }
    eventually("the heartbeats are missed too", || {
        let listed = node.api().get("/api/v1/services/down/instances").body;
        let all = listed["instances"].as_array().unwrap().clone();
        all.iter().all(|i| i["checks"][0]["status"] == "critical").then_some(())
    });
    assert_eq!(node.find_log("self-preservation"), None);
}

#[test]
fn an_active_check_confirms_the_death_of_a_suspect() {
    let node = Node::start();
    let (dies, lives) = (Backend::start("127.0.0.1"), Backend::start("127.0.0.1"));
    let instance = |number: usize, port: u16| {
        json!({ "service": "web", "instance": name(number), "port": port,
            "addresses": [format!("127.0.0.{number}")], "checks": [
                { "type": "ttl", "ttl": "1s" },
                { "type": "tcp", "host": "127.0.0.1", "interval": "300ms" }] })
    };
    let fleet: Vec<Value> = (1..=8)
        .map(|n| instance(n, if n == 5 { dies.address.port() } else { lives.address.port() }))
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &fleet.into()).status, 200);
    eventually("all are suspects", || metric(&node, "rollcall_instances_suspect 8").then_some(()));
    assert_eq!(answered(&node), 8);
    drop(dies);
    eventually("the dead one leaves", || (answered(&node) == 7).then_some(()));
    let view = node.api().get(&instance_path("web", "web-5")).body;
    assert_eq!((&view["suspect"], &view["status"]), (&false.into(), &"critical".into()));
    assert!(metric(&node, "rollcall_instances_suspect 7"));
    assert_eq!(node.api().put(&heartbeat_path("web", "web-5"), &Value::Null).status, 200);
    assert_eq!(answered(&node), 7, "a heartbeat does not outvote the check that fails");
}

#[test]
fn the_longest_hold_ends() {
    let config = "[health.self_preservation]\nmax_hold = \"2s\"\nwindow = \"1s\"";
    let node = Node::builder().config(config).start();
    register_fleet(&node, 5, |_| "300ms");
    eventually("held", || metric(&node, "rollcall_instances_suspect 5").then_some(()));
    assert_eq!(answered(&node), 5);
    eventually("believed dead in the end", || (answered(&node) == 0).then_some(()));
    assert!(metric(&node, "rollcall_instances_suspect 0"));
    assert_eq!(holding_note(&node), None);
}

#[test]
fn without_self_preservation_the_silent_lapse_however_many() {
    let config = "[health.self_preservation]\nenabled = false";
    let node = Node::builder().config(config).start();
    register_fleet(&node, 20, |_| "300ms");
    eventually("all lapse", || (answered(&node) == 0).then_some(()));
    assert_eq!(node.find_log("stay in the answers"), None);
}
