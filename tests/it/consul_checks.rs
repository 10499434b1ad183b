//! Checks that Consul's clients register, kind by kind and option by option, against real services.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpStream, UdpSocket},
};

use hickory_proto::rr::{RData, RecordType};
use rcgen::generate_simple_self_signed;
use serde_json::{Value, json};

use crate::{
    health::{is_answered, wait_for_answer},
    support::{
        Backend, Node,
        events::Events,
        eventually,
        peer::{GrpcPeer, Peer, http_reply},
    },
};

fn put(node: &Node, path: &str, body: &Value) {
    let reply = node.api().put(&format!("/v1/agent/{path}"), body);
    assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
}

/// Registers a service of 127.0.0.1 with one check.
fn register(node: &Node, name: &str, check: &Value) {
    let body = json!({"Name": name, "Address": "127.0.0.1", "Port": 80, "Check": check});
    put(node, "service/register", &body);
}

/// The check that was registered with a service: its state and what it says.
fn said(node: &Node, name: &str) -> (String, String) {
    let checks = node.api().get("/v1/agent/checks").body;
    let check = &checks[format!("service:{name}")];
    let text = |field: &str| check[field].as_str().unwrap_or_else(|| panic!("{checks}")).to_owned();
    (text("Status"), text("Output"))
}

fn wait_for_status(node: &Node, name: &str, status: &str) {
    eventually(&format!("{name} is {status}"), || (said(node, name).0 == status).then_some(()));
}

#[test]
fn every_kind_of_check_decides_what_is_answered() {
    let node = Node::start();
    let (http, grpc) = (Backend::start("127.0.0.1"), GrpcPeer::start());
    let tcp = Peer::start(|_, _| {});
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    grpc.set("shop.Payment", true);
    let table = [
        ("http", json!({"HTTP": format!("http://{}/health", http.address)}), "http"),
        ("tcp", json!({"TCP": tcp.address.to_string()}), "tcp"),
        ("udp", json!({"UDP": udp.local_addr().unwrap().to_string()}), "udp"),
        ("grpc", json!({"GRPC": grpc.address.to_string()}), "grpc"),
        ("named", json!({"GRPC": format!("{}/shop.Payment", grpc.address)}), "grpc"),
        ("ping", json!({"H2PING": grpc.address.to_string(), "H2PingUseTLS": false}), "h2ping"),
        // It speaks HTTP/1.
        ("no-ping", json!({"H2PING": http.address.to_string(), "H2PingUseTLS": false}), "h2ping"),
        // It speaks no TLS, which is the default.
        ("tls-ping", json!({"H2PING": grpc.address.to_string()}), "h2ping"),
    ];
    for (name, check, kind) in &table {
        let mut check = check.clone();
        (check["Interval"], check["Timeout"]) = (json!("1s"), json!("1s"));
        register(&node, name, &check);
        let shown = node.api().get("/v1/agent/checks").body;
        assert_eq!(shown[format!("service:{name}")]["Type"], **kind);
    }
    for (name, ..) in &table {
        wait_for_answer(&node, name, !matches!(*name, "no-ping" | "tls-ping"));
    }
    http.set_status(503);
    grpc.set("shop.Payment", false);
    drop((tcp, udp));
    for (name, answered) in
        [("http", false), ("named", false), ("tcp", false), ("udp", false), ("grpc", true)]
    {
        wait_for_answer(&node, name, answered);
    }
    assert!(is_answered(&node, "ping"), "the server still answers pings");
    http.set_status(204);
    wait_for_answer(&node, "http", true);
}

/// The request line, the headers that were asked for, and the body.
fn read_request(stream: &TcpStream) -> Option<(String, Vec<String>, String)> {
    let mut reader = BufReader::new(stream);
    let (mut lines, mut length) = (Vec::new(), 0);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).ok()? == 0 {
            return None;
        }
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if let Some(octets) = line.strip_prefix("content-length: ") {
            length = octets.parse().ok()?;
        }
        lines.push(line);
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    let request = lines.remove(0);
    lines.retain(|line| line.starts_with("x-") || line.starts_with("host:"));
    Some((request, lines, String::from_utf8(body).ok()?))
}

#[test]
fn a_request_is_what_its_definition_says() {
    let node = Node::start();
    let wanted = (
        "put /deep?a=1&b=%20 http/1.1".to_owned(),
        vec!["host: shop.example", "x-one: 1", "x-two: a", "x-two: b"],
        r#"{"are you": "well?"}"#,
    );
    let picky = Peer::start(move |mut stream, _| {
        let Some((request, mut headers, body)) = read_request(&stream) else { return };
        headers.sort();
        let is_it = request == wanted.0 && headers == wanted.1 && body == wanted.2;
        let status = if is_it { 200 } else { 500 };
        let said = format!("{request} {headers:?} {body}");
        let _gone = stream.write_all(http_reply(status, "", &said).as_bytes());
    });
    let whole = json!({
        "HTTP": format!("http://{}/deep?a=1&b=%20", picky.address), "Interval": "1h",
        "Method": "PUT", "Body": r#"{"are you": "well?"}"#,
        "Header": {"Host": ["shop.example"], "X-One": ["1"], "X-Two": ["a", "b"]},
    });
    register(&node, "whole", &whole);
    assert_eq!(said(&node, "whole").0, "passing", "{:?}", said(&node, "whole"));
    for field in ["Method", "Body", "Header"] {
        let mut part = whole.clone();
        part.as_object_mut().unwrap().remove(field);
        let name = format!("without-{}", field.to_lowercase());
        register(&node, &name, &part);
        assert_eq!(said(&node, &name).0, "critical", "{field}");
    }
}

#[test]
fn a_redirect_is_followed_unless_it_is_told_not_to() {
    let node = Node::start();
    let backend = Backend::start("127.0.0.1");
    let to = format!("location: http://{}/\r\n", backend.address);
    let redirecting = Peer::start(move |mut stream, _| {
        if read_request(&stream).is_some() {
            let _gone = stream.write_all(http_reply(302, &to, "").as_bytes());
        }
    });
    let check = json!({"HTTP": format!("http://{}/", redirecting.address), "Interval": "1h"});
    register(&node, "follows", &check);
    assert_eq!(said(&node, "follows").0, "passing", "{:?}", said(&node, "follows"));
    let stays = crate::health::with(&check, &json!({"DisableRedirects": true}));
    register(&node, "stays", &stays);
    assert_eq!(said(&node, "stays").0, "critical");
    assert_eq!(backend.requests(), 1);
}

#[test]
fn a_certificate_counts_unless_it_is_told_not_to() {
    let builder = Node::builder();
    let trusted = generate_simple_self_signed(["shop.example".to_owned()]).unwrap();
    std::fs::write(builder.path("ca.pem"), trusted.cert.pem()).unwrap();
    let config = format!("[health]\nca_file = {:?}", builder.path("ca.pem"));
    let node = builder.config(&config).start();
    let peer = Peer::https(&trusted);
    let (url, to) = (format!("https://{}/", peer.address), peer.address.to_string());
    for (name, check, passes) in [
        ("misnamed", json!({"HTTP": url}), false),
        ("named", json!({"HTTP": url, "TLSServerName": "shop.example"}), true),
        ("skipped", json!({"HTTP": url, "TLSSkipVerify": true}), true),
        ("tcp-misnamed", json!({"TCP": to, "TCPUseTLS": true}), false),
        ("tcp-named", json!({"TCP": to, "TCPUseTLS": true, "TLSServerName": "shop.example"}), true),
        ("tcp-plain", json!({"TCP": to}), true),
    ] {
        let mut check = check;
        (check["Interval"], check["Timeout"]) = (json!("1h"), json!("5s"));
        register(&node, name, &check);
        let expected = if passes { "passing" } else { "critical" };
        eventually(name, || (!said(&node, name).1.is_empty()).then_some(()));
        assert_eq!(said(&node, name).0, expected, "{name}: {:?}", said(&node, name));
    }
}

#[test]
fn a_ttl_check_is_what_was_last_said_and_weighs_by_it() {
    let node = Node::start();
    let body = json!({"Name": "web", "Address": "127.0.0.1", "Port": 80,
        "Weights": {"Passing": 10, "Warning": 3}, "Check": {"TTL": "1h"}});
    put(&node, "service/register", &body);
    let weights = |domain: &str| -> Vec<u16> {
        let reply = node.resolver().ask(&format!("web.service.{domain}."), RecordType::SRV);
        let weight = |data: &RData| match data {
            RData::SRV(srv) => srv.weight,
            other => panic!("{other:?}"),
        };
        reply.answers.iter().map(|record| weight(&record.data)).collect()
    };
    let id = "service:web";
    let update = |status: &str| json!({"Status": status, "Output": "by update"});
    for (path, body, status, output, weight) in [
        (format!("check/pass/{id}?note=fine"), Value::Null, "passing", "fine", Some(10)),
        (format!("check/warn/{id}?note=so+so"), Value::Null, "warning", "so so", Some(3)),
        (format!("check/fail/{id}"), Value::Null, "critical", "", None),
        (format!("check/update/{id}"), update("warning"), "warning", "by update", Some(3)),
        (format!("check/update/{id}"), update("critical"), "critical", "by update", None),
        (format!("check/update/{id}"), update("passing"), "passing", "by update", Some(10)),
    ] {
        put(&node, &path, &body);
        assert_eq!(said(&node, "web"), (status.to_owned(), output.to_owned()), "{path}");
        for domain in ["internal", "consul"] {
            assert_eq!(weights(domain), Vec::from_iter(weight), "{path}: {domain}");
        }
    }
    // The weights are those of A, too: see weights.rs; what is shown is what was registered.
    let rows = node.api().get("/v1/health/service/web").body;
    assert_eq!(rows[0]["Service"]["Weights"], json!({"Passing": 10, "Warning": 3}));
}

#[test]
fn an_alias_is_as_well_as_the_service_or_the_node_that_it_names() {
    let node = Node::start();
    register(&node, "back", &json!({"TTL": "1h", "Status": "passing"}));
    register(&node, "of-service", &json!({"AliasService": "back"}));
    register(&node, "of-nobody", &json!({"AliasService": "nobody"}));
    register(&node, "of-node", &json!({"AliasNode": "elsewhere"}));
    let elsewhere = |status: &str| {
        let body = json!({"Node": "elsewhere", "Address": "10.9.9.9",
            "Check": {"Name": "disk", "Status": status}});
        assert_eq!(node.api().put("/v1/catalog/register", &body).status, 200);
    };
    assert!(is_answered(&node, "of-node"), "no check says anything against it");
    assert!(!is_answered(&node, "of-nobody"));
    let (status, output) = said(&node, "of-nobody");
    assert_eq!(status, "critical");
    assert!(output.contains("nobody"), "{output}");
    assert!(is_answered(&node, "of-service"));
    for (word, answered) in [("fail", false), ("warn", true), ("fail", false), ("pass", true)] {
        put(&node, &format!("check/{word}/service:back"), &Value::Null);
        // In the same change, so nobody sees one without the other.
        assert_eq!(is_answered(&node, "of-service"), answered, "{word}");
    }
    assert_eq!(said(&node, "of-service").0, "passing");
    for (status, answered) in [("passing", true), ("critical", false), ("warning", true)] {
        elsewhere(status);
        assert_eq!(is_answered(&node, "of-node"), answered, "{status}");
    }
    register(&node, "nobody", &json!({"TTL": "1h", "Status": "passing"}));
    assert!(is_answered(&node, "of-nobody"), "it is there now");
    put(&node, "service/deregister/back", &Value::Null);
    assert!(!is_answered(&node, "of-service"), "it is gone");
}

#[test]
fn results_in_a_row_are_counted_as_the_definition_says() {
    /// What each request is answered, good or bad.
    const SCRIPT: &[u8] = b"gbbggbbbbgbgg";
    let node = Node::start();
    let peer = Peer::http(|number| {
        let good = SCRIPT.get(number - 1).is_none_or(|letter| *letter == b'g');
        (if good { 200 } else { 500 }, format!("#{number}."))
    });
    let mut events = Events::open(node.http[0], "?service=web", None);
    let check = json!({"HTTP": format!("http://{}/", peer.address), "Interval": "1s",
        "SuccessBeforePassing": 2, "FailuresBeforeWarning": 2, "FailuresBeforeCritical": 4});
    register(&node, "web", &check);
    for (to, after) in [
        ("passing", "#1."), // the first result decides
        ("warning", "#3."),
        ("passing", "#5."),
        ("warning", "#7."),
        ("critical", "#9."),
        ("passing", "#13."),
    ] {
        let event = events.until(|message| message.event == "status");
        let output = event.data["output"].as_str().unwrap();
        assert_eq!(event.data["to"], to, "{event:?}");
        assert!(output.contains(after), "{to} after {output}, not after {after}");
        wait_for_status(&node, "web", to);
    }
}

#[test]
fn the_time_until_removal_is_kept_and_a_minute_at_the_least() {
    let node = Node::start();
    for (name, after, shown) in [("a", "1s", "1m"), ("b", "90m", "1h30m"), ("c", "0s", "")] {
        let check = json!({"TTL": "1h", "DeregisterCriticalServiceAfter": after});
        register(&node, name, &check);
        let native = node.api().get(&format!("/api/v1/services/{name}/instances")).body;
        let kept = native["instances"][0]["checks"][0]["deregister_after"].as_str();
        assert_eq!(kept.unwrap_or_default(), shown, "{name}: {native}");
    }
}
