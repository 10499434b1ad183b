//! Active checks, kind by kind: what a reply is worth.

use std::{
    io::Write,
    net::{TcpStream, UdpSocket},
    sync::mpsc,
    time::Duration,
};

use parking_lot::Mutex;
use rcgen::generate_simple_self_signed;
use serde_json::json;

use crate::{
    health::{checked, is_answered, often, output, wait_for_answer, with},
    support::{
        Backend, Node, eventually,
        peer::{GrpcPeer, Peer, http_reply, read_head},
        raw,
    },
};

#[test]
fn every_kind_of_active_check_decides_what_is_answered() {
    let node = Node::start();
    let (http, grpc) = (Backend::start("127.0.0.1"), GrpcPeer::start());
    let tcp = Peer::start(|_, _| {});
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let udp_port = udp.local_addr().unwrap().port();
    grpc.set("shop.Payment", true);
    let table = [
        ("http", http.address.port(), json!({ "type": "http", "path": "/health?deep=1" })),
        ("tcp", tcp.address.port(), json!({ "type": "tcp" })),
        ("grpc", grpc.address.port(), json!({ "type": "grpc" })),
        ("udp", udp_port, json!({ "type": "udp" })),
        ("ping", grpc.address.port(), json!({ "type": "h2ping", "tls": false })),
        ("no-ping", http.address.port(), json!({ "type": "h2ping", "tls": false })),
        ("named", grpc.address.port(), json!({ "type": "grpc", "service": "shop.Payment" })),
        // The check's own target: the instance itself is somewhere else.
        ("other", 9, json!({ "type": "tcp", "host": "localhost", "port": tcp.address.port() })),
    ];
    for (service, port, check) in &table {
        node.api().register(service, "i", &checked(*port, &often(check)));
    }
    for (service, ..) in &table {
        wait_for_answer(&node, service, *service != "no-ping");
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
    drop((tcp, udp));
    for (service, answered) in [
        ("http", true),
        ("named", true),
        ("ping", true),
        ("grpc", false),
        ("tcp", false),
        ("udp", false),
        ("other", false),
    ] {
        wait_for_answer(&node, service, answered);
    }
    assert!(output(&node, "no-ping").starts_with("HTTP/2 with"), "{}", output(&node, "no-ping"));
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
    assert!(said.starts_with("HTTP 200 OK: xxx") && said.len() <= 4_096, "{} octets", said.len());
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
