//! Active checks on the real thing: each kind, what a reply is worth, and when it is believed.

use std::{io::Write, net::TcpStream, sync::mpsc, time::Duration};

use parking_lot::Mutex;
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};

use crate::support::{
    Backend, Node,
    api::instance_path,
    events::Events,
    eventually,
    peer::{GrpcPeer, Peer, http_reply, read_head},
    raw,
};

/// `base` with `fields` in it or in place of its own.
pub(crate) fn with(base: &Value, fields: &Value) -> Value {
    let mut object = base.as_object().unwrap().clone();
    object.extend(fields.as_object().unwrap().clone());
    object.into()
}

/// A check that is done often, with some patience for a loaded machine.
fn often(fields: &Value) -> Value {
    with(&json!({ "interval": "300ms", "timeout": "300ms", "fall": 2 }), fields)
}

/// An instance of 127.0.0.1 with one check.
fn checked(port: u16, check: &Value) -> Value {
    json!({ "addresses": ["127.0.0.1"], "port": port, "checks": [check] })
}

fn is_answered(node: &Node, service: &str) -> bool {
    node.resolver().service(service) == ["127.0.0.1".parse::<std::net::IpAddr>().unwrap()]
}

fn wait_for_answer(node: &Node, service: &str, answered: bool) {
    let what = format!("{service} is {}answered", if answered { "" } else { "not " });
    eventually(&what, || (is_answered(node, service) == answered).then_some(()));
}

fn output(node: &Node, service: &str) -> String {
    let view = node.api().get(&instance_path(service, "i")).body;
    view["checks"][0]["output"].as_str().unwrap().to_owned()
}

#[test]
fn every_kind_of_active_check_decides_what_is_answered() {
    let node = Node::start();
    let (http, grpc) = (Backend::start("127.0.0.1"), GrpcPeer::start());
    let tcp = Peer::start(|_, _| {});
    grpc.set("shop.Payment", true);
    let table = [
        ("http", http.address.port(), json!({ "type": "http", "path": "/health?deep=1" })),
        ("tcp", tcp.address.port(), json!({ "type": "tcp" })),
        ("grpc", grpc.address.port(), json!({ "type": "grpc" })),
        ("named", grpc.address.port(), json!({ "type": "grpc", "service": "shop.Payment" })),
        // The check's own target: the instance itself is somewhere else.
        ("other", 9, json!({ "type": "tcp", "host": "localhost", "port": tcp.address.port() })),
    ];
    for (service, port, check) in &table {
        node.api().register(service, "i", &checked(*port, &often(check)));
    }
    for (service, ..) in &table {
        wait_for_answer(&node, service, true);
    }
    http.set_status(503);
    grpc.set("shop.Payment", false);
    wait_for_answer(&node, "http", false);
    wait_for_answer(&node, "named", false);
    assert!(output(&node, "http").contains("HTTP 503"), "{}", output(&node, "http"));
    assert!(output(&node, "named").contains("NOT_SERVING"), "{}", output(&node, "named"));
    assert!(is_answered(&node, "grpc"), "the server as a whole serves");
    http.set_status(204);
    grpc.set("shop.Payment", true);
    grpc.set("", false);
    drop(tcp);
    for (service, answered) in
        [("http", true), ("named", true), ("grpc", false), ("tcp", false), ("other", false)]
    {
        wait_for_answer(&node, service, answered);
    }
    assert!(output(&node, "tcp").contains("connection refused"), "{}", output(&node, "tcp"));
}

#[test]
fn a_certificate_counts_unless_it_is_told_not_to() {
    let builder = Node::builder();
    let trusted = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let stranger = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(builder.path("ca.pem"), trusted.cert.pem()).unwrap();
    let config = format!("[health]\nca_file = {:?}", builder.path("ca.pem"));
    let node = builder.config(&config).start();
    let (good, bad) = (Peer::https(&trusted), Peer::https(&stranger));
    let plain = Backend::start("127.0.0.1");
    let https = json!({ "type": "https", "interval": "1s", "timeout": "1s" });
    let table = [
        ("trusted", good.address.port(), json!({}), "HTTP 200 OK: secret"),
        ("stranger", bad.address.port(), json!({}), "invalid peer certificate"),
        ("skipped", bad.address.port(), json!({ "tls_skip_verify": true }), "HTTP 200 OK"),
        ("misnamed", good.address.port(), json!({ "host": "localhost" }), "not valid for"),
        ("plain", plain.address.port(), json!({ "tls_skip_verify": true }), "TLS with"),
    ];
    for (service, port, check, _) in &table {
        node.api().register(service, "i", &checked(*port, &with(&https, check)));
    }
    for (service, _, _, expected) in &table {
        eventually(service, || output(&node, service).contains(expected).then_some(()));
        let passes = expected.starts_with("HTTP");
        assert_eq!(is_answered(&node, service), passes, "{service}");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let node = Node::start();
    let elsewhere = Backend::start("127.0.0.1");
    let to = format!("location: http://{}/\r\n", elsewhere.address);
    let redirecting = Peer::start(move |mut stream, _| {
        if read_head(&mut stream).is_some() {
            let _gone = stream.write_all(http_reply(302, &to, "").as_bytes());
        }
    });
    let port = redirecting.address.port();
    let check = json!({ "type": "http", "interval": "1s", "timeout": "1s" });
    node.api().register("web", "i", &checked(port, &check));
    let expecting = with(&check, &json!({ "expect": "302" }));
    node.api().register("moved", "i", &checked(port, &expecting));
    let said = eventually("the first check", || {
        Some(output(&node, "web")).filter(|said| said != "not checked yet")
    });
    assert!(said.contains("HTTP 302") && said.contains("not followed"), "{said}");
    wait_for_answer(&node, "moved", true);
    assert!(!is_answered(&node, "web"), "a redirect is no success");
    assert_eq!(elsewhere.requests(), 0, "nobody asked there");
}

#[test]
fn a_body_without_end_costs_a_check_little() {
    let node = Node::start();
    let (report, sent) = mpsc::channel();
    let report = Mutex::new(report);
    // Claims a terabyte and sends as much of it as is taken.
    let endless = Peer::start(move |mut stream, _| {
        if read_head(&mut stream).is_none() {
            return;
        }
        let mut octets = 0;
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n");
        while stream.write_all(&[b'x'; 65_536]).is_ok() {
            octets += 65_536;
        }
        report.lock().send(octets).unwrap();
    });
    let check = json!({ "type": "http", "interval": "1m", "timeout": "20s" });
    node.api().register("huge", "i", &checked(endless.address.port(), &check));
    let octets: usize = sent.recv_timeout(Duration::from_secs(30)).expect("it is closed");
    assert!(octets < 16 << 20, "{octets} octets were taken, most of them by socket buffers");
    wait_for_answer(&node, "huge", true);
    let said = output(&node, "huge");
    assert!(said.starts_with("HTTP 200 OK: xxx") && said.len() <= 512, "{} octets", said.len());
}

#[test]
fn a_reply_that_does_not_come_to_its_end_fails_in_time() {
    fn drip(stream: &mut TcpStream, start: &str) {
        let _ = read_head(stream);
        let mut open = stream.write_all(start.as_bytes()).is_ok();
        while open {
            std::thread::park_timeout(Duration::from_millis(20));
            open = stream.write_all(b"x").is_ok();
        }
    }
    let node = Node::start();
    let silent = Peer::start(|stream, _| drop(raw::read_to_close(&stream)));
    let head = Peer::start(|mut stream, _| drip(&mut stream, "HTTP/1.1 200 OK\r\nx: "));
    let body = Peer::start(|mut stream, _| {
        drip(&mut stream, "HTTP/1.1 200 OK\r\ncontent-length: 60000\r\n\r\n");
    });
    let cut = Peer::start(|mut stream, _| {
        let _ = read_head(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    });
    let noise = Peer::start(|mut stream, _| {
        let _ = read_head(&mut stream);
        let _ = stream.write_all(b"220 mail.example ESMTP\r\n");
    });
    let check = json!({ "type": "http", "interval": "10s", "timeout": "300ms", "fall": 1 });
    let table = [
        ("silent", &silent, "timeout after 300ms while waiting for the reply"),
        ("head", &head, "timeout after 300ms while waiting for the reply"),
        ("body", &body, "timeout after 300ms while reading the body"),
        ("cut", &cut, "HTTP 200 OK, but the body broke off"),
        ("noise", &noise, "HTTP with"),
    ];
    for (service, peer, _) in &table {
        let body = checked(peer.address.port(), &check);
        let body = with(&body, &json!({ "initial_status": "passing" }));
        node.api().register(service, "i", &body);
    }
    for (service, _, expected) in &table {
        eventually(service, || output(&node, service).contains(expected).then_some(()));
        assert!(!is_answered(&node, service), "{service}");
    }
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
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
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
