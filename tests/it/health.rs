//! Health as it is believed: when results count, what is answered meanwhile, and what is kept.

use std::sync::mpsc;

use parking_lot::Mutex;
use serde_json::{Value, json};

use crate::support::{
    Backend, Node, api::instance_path, events::Events, eventually, free_address, peer::Peer,
};

/// `base` with `fields` in it or in place of its own.
pub(crate) fn with(base: &Value, fields: &Value) -> Value {
    let mut object = base.as_object().unwrap().clone();
    object.extend(fields.as_object().unwrap().clone());
    object.into()
}

/// A check that is done often, with some patience for a loaded machine.
pub(crate) fn often(fields: &Value) -> Value {
    with(&json!({ "interval": "300ms", "timeout": "300ms", "fall": 2 }), fields)
}

/// An instance of 127.0.0.1 with one check.
pub(crate) fn checked(port: u16, check: &Value) -> Value {
    json!({ "addresses": ["127.0.0.1"], "port": port, "checks": [check] })
}

pub(crate) fn is_answered(node: &Node, service: &str) -> bool {
    node.resolver().service(service) == ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]
}

pub(crate) fn wait_for_answer(node: &Node, service: &str, answered: bool) {
    let what = format!("{service} is {}answered", if answered { "" } else { "not " });
    eventually(&what, || (is_answered(node, service) == answered).then_some(()));
}

pub(crate) fn output(node: &Node, service: &str) -> String {
    let view = node.api().get(&instance_path(service, "i")).body;
    view["checks"][0]["output"].as_str().unwrap().to_owned()
}

#[test]
fn rise_and_fall_are_counted_in_results() {
    /// What each request is answered, good or bad, from the first on.
    const SCRIPT: &[u8] = b"gbggbbgbbbgbgg";
    let node = Node::start();
    let peer = Peer::http(|number| {
        let good = SCRIPT.get(number - 1).is_none_or(|letter| *letter == b'g');
        (if good { 200 } else { 500 }, format!("#{number}"))
    });
    let mut events = Events::open(node.http[0], "?service=web", None);
    let check = json!({ "type": "http", "interval": "500ms", "rise": 2, "fall": 3 });
    node.api().register("web", "i", &checked(peer.address.port(), &check));
    for (to, after) in [("passing", "#4"), ("critical", "#10"), ("passing", "#14")] {
        let event = events.until(|message| message.event == "status");
        assert_eq!(event.data["to"], to, "{event:?}");
        let said = event.data["output"].as_str().unwrap();
        assert!(said.ends_with(after), "{to} after {said}, not after {after}");
    }
}

/// Answers 200, each request only when the test says so.
fn held_back() -> (Peer, mpsc::Sender<()>) {
    let (go, wait) = mpsc::channel();
    let wait = Mutex::new(wait);
    let peer = Peer::http(move |_| {
        let _over = wait.lock().recv();
        (200, String::new())
    });
    (peer, go)
}

#[test]
fn the_first_check_runs_at_once_and_decides() {
    let node = Node::start();
    let check = json!({ "type": "http", "interval": "1h", "timeout": "1m" });
    let ((new, go_new), (preset, go_preset)) = (held_back(), held_back());
    node.api().register("new", "i", &checked(new.address.port(), &check));
    let body = checked(preset.address.port(), &check);
    node.api().register("preset", "i", &with(&body, &json!({ "initial_status": "passing" })));
    eventually("both are asked although the interval is an hour", || {
        (new.taken() == 1 && preset.taken() == 1).then_some(())
    });
    assert_eq!(node.api().status("new", "i").unwrap(), "critical");
    assert!(!is_answered(&node, "new"), "nothing is known of it yet");
    assert!(is_answered(&node, "preset"), "its first result is not waited for");
    go_new.send(()).unwrap();
    wait_for_answer(&node, "new", true);
    drop(go_preset); // its 200 comes now and changes nothing
    eventually("its output is shown", || {
        output(&node, "preset").contains("HTTP 200").then_some(())
    });
    assert!(is_answered(&node, "preset"));
}

#[test]
fn a_result_of_a_registration_that_was_replaced_does_not_count() {
    let node = Node::start();
    let (old, go) = held_back();
    let check = json!({ "type": "http", "interval": "1h", "timeout": "1m" });
    node.api().register("web", "i", &checked(old.address.port(), &check));
    eventually("the old one is asked", || (old.taken() == 1).then_some(()));
    let closed = free_address();
    node.api().register("web", "i", &checked(closed.port(), &check));
    eventually("the new one is asked", || {
        output(&node, "web").contains("connection refused").then_some(())
    });
    go.send(()).unwrap(); // the old one says 200 now
    for _ in 0..50 {
        assert_eq!(node.api().status("web", "i").unwrap(), "critical");
    }
}

#[test]
fn a_new_weight_does_not_hide_a_death() {
    let node = Node::start();
    let backend = Backend::start("127.0.0.1");
    let check = json!({ "type": "http", "interval": "500ms", "fall": 3 });
    let body = checked(backend.address.port(), &check);
    node.api().register("web", "i", &body);
    wait_for_answer(&node, "web", true);
    backend.set_status(500);
    let mut weight = 1;
    eventually("it leaves although its weight is set all the time", || {
        weight += 1;
        node.api().register("web", "i", &with(&body, &json!({ "weight": weight })));
        (!is_answered(&node, "web")).then_some(())
    });
}

#[test]
fn another_interval_leaves_a_healthy_instance_in_the_answers() {
    let node = Node::start();
    let (peer, go) = held_back();
    let body = |interval: &str| {
        let check = json!({ "type": "http", "interval": interval, "timeout": "1m" });
        checked(peer.address.port(), &check)
    };
    node.api().register("web", "i", &body("1h"));
    go.send(()).unwrap();
    wait_for_answer(&node, "web", true);
    node.api().register("web", "i", &body("2h"));
    assert!(is_answered(&node, "web"), "the next result is not there yet");
    eventually("it is asked anew", || (peer.taken() == 2).then_some(()));
    assert!(is_answered(&node, "web"));
}

#[test]
fn a_drained_instance_is_checked_on_and_comes_back_as_it_is() {
    let node = Node::start();
    let backend = Backend::start("127.0.0.1");
    let drain = format!("{}/drain", instance_path("web", "i"));
    let check = often(&json!({ "type": "http" }));
    node.api().register("web", "i", &checked(backend.address.port(), &check));
    wait_for_answer(&node, "web", true);
    assert_eq!(node.api().put(&drain, &Value::Null).status, 200);
    assert!(!is_answered(&node, "web"));
    let asked = backend.requests();
    eventually("it is checked on", || (backend.requests() > asked + 1).then_some(()));
    backend.set_status(500);
    eventually("its state is followed", || {
        (node.api().status("web", "i").unwrap() == "critical").then_some(())
    });
    assert_eq!(node.api().delete(&drain).status, 200);
    assert!(!is_answered(&node, "web"), "back, and down");
    backend.set_status(200);
    wait_for_answer(&node, "web", true);
}

#[test]
fn who_is_critical_for_too_long_is_removed_and_who_recovers_is_not() {
    let node = Node::start();
    let (dead, ill) = (Backend::start("127.0.0.1"), Backend::start("127.0.0.2"));
    dead.set_status(500);
    ill.set_status(500);
    let mut events = Events::open(node.http[0], "", None);
    for (service, backend) in [("dead", &dead), ("ill", &ill)] {
        let check = often(&json!({ "type": "http" }));
        let body = json!({ "addresses": [backend.address.ip()], "port": backend.address.port(),
            "checks": [check], "deregister_after": "2s" });
        node.api().register(service, "i", &body);
    }
    ill.set_status(200);
    events.until_status("i", "passing");
    let event = events.until(|message| message.event == "deregistered");
    assert_eq!(
        (&event.data["service"], &event.data["reason"]),
        (&"dead".into(), &"expired".into())
    );
    assert_eq!(node.api().get(&instance_path("dead", "i")).status, 404);
    assert!(!is_answered(&node, "dead"));
    ill.set_status(500); // critical again: the time begins anew
    events.until_status("i", "critical");
    ill.set_status(200);
    events.until_status("i", "passing");
    assert_eq!(node.api().status("ill", "i").unwrap(), "passing");
}

#[test]
fn after_a_restart_the_answers_are_those_from_before_it() {
    let node = Node::start();
    let (up, down) = (Backend::start("127.0.0.1"), Backend::start("127.0.0.1"));
    down.set_status(500);
    let hourly = json!({ "type": "http", "interval": "1h", "timeout": "2s", "fall": 1 });
    node.api().register("up", "i", &checked(up.address.port(), &hourly));
    node.api().register("down", "i", &checked(down.address.port(), &hourly));
    wait_for_answer(&node, "up", true);
    eventually("the other one is asked", || (down.requests() > 0).then_some(()));
    let (asked_up, asked_down) = (up.requests(), down.requests());
    let node = node.kill_and_restart();
    // Before any new result, which comes within a few seconds.
    assert!(is_answered(&node, "up") && !is_answered(&node, "down"));
    eventually("both are checked again soon, not in an hour", || {
        (up.requests() > asked_up && down.requests() > asked_down).then_some(())
    });
    assert!(is_answered(&node, "up") && !is_answered(&node, "down"));
}
