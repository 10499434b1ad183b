//! Bad input: each refusal is a problem document that names the field, the value and the limit, and
//! nothing of what was refused takes effect.

use std::{
    io::{BufReader, Write},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::support::{Node, api::instance_path, eventually, raw};

const WEB: &str = "/api/v1/services/web/instances/web-1";

/// What is sent (method, path, body) and what is said: status, code, field, value, limit; of the
/// last three an empty one is not looked at.
type Case<'c> = ((&'c str, &'c str, &'c str), (u16, &'c str), (&'c str, &'c str, &'c str));

fn assert_refused(node: &Node, cases: &[Case<'_>]) {
    let before = node.api().get("/ready").body["revision"].clone();
    for ((method, path, body), (status, code), (field, value, limit)) in cases {
        let reply = raw::call(node.http[0], (method, path), &[], body.as_bytes());
        let problem = reply.problem(*status, code);
        for (name, expected) in [("field", field), ("value", value), ("limit", limit)] {
            let seen = problem[name].as_str().unwrap_or("");
            assert!(expected.is_empty() || &seen == expected, "{path} {body}: {name}: {problem}");
        }
        let detail = problem["detail"].as_str().unwrap();
        for named in [field, value, limit] {
            assert!(detail.contains(named.trim_start_matches('?')), "{named}: {detail}");
        }
    }
    assert!(node.is_at(&before), "nothing took effect");
}

#[test]
fn bad_registrations_are_refused_by_field_value_and_limit() {
    let node = Node::start();
    let malformed = (400, "malformed-body");
    let invalid = (422, "invalid-field");
    let long = "a".repeat(64);
    let at_long = format!("/api/v1/services/{long}/instances/web-1");
    let tags = json!({ "tags": (0..65).map(|n| format!("t{n}")).collect::<Vec<_>>() }).to_string();
    let cases: &[Case<'_>] = &[
        (("PUT", WEB, "{"), malformed, ("", "", "")),
        (("PUT", WEB, ""), malformed, ("", "", "")),
        (("PUT", WEB, "port=80"), malformed, ("", "", "")),
        (("PUT", WEB, "{} trailing"), malformed, ("", "", "")),
        (("PUT", WEB, "[]"), invalid, ("$", "", "")),
        (("PUT", WEB, r#"{"wieght": 1}"#), invalid, ("wieght", "", "")),
        (("PUT", WEB, r#"{"weight": 1, "weight": 2}"#), invalid, ("weight", "", "")),
        (("PUT", WEB, r#"{"weight": 70000}"#), invalid, ("weight", "70000", "0 to 65535")),
        (("PUT", WEB, r#"{"port": -1}"#), invalid, ("port", "-1", "0 to 65535")),
        (
            ("PUT", WEB, r#"{"addresses": ["10.0.0.300"]}"#),
            invalid,
            ("addresses[0]", "10.0.0.300", ""),
        ),
        (("PUT", WEB, r#"{"tags": ["ok", "not_ok"]}"#), invalid, ("tags[1]", "not_ok", "")),
        (("PUT", WEB, &tags), invalid, ("tags", "65", "64")),
        (
            ("PUT", WEB, r#"{"port": 1, "checks": [{"type": "http", "interval": "5ms"}]}"#),
            invalid,
            ("checks[0].interval", "5ms", "100ms"),
        ),
        (
            ("PUT", WEB, r#"{"port": 1, "checks": [{"type": "tcp"}, {"type": "script"}]}"#),
            invalid,
            ("checks[1].type", "script", ""),
        ),
        (
            ("PUT", WEB, r#"{"checks": [{"type": "ttl", "ttl": "15 parsecs"}]}"#),
            invalid,
            ("checks[0].ttl", "15 parsecs", ""),
        ),
        (
            ("PUT", WEB, r#"{"deregister_after": "8761h"}"#),
            invalid,
            ("deregister_after", "", "8760h"),
        ),
        (
            ("PUT", "/api/v1/services/pay_ment/instances/a", "{}"),
            invalid,
            ("service", "pay_ment", ""),
        ),
        (("PUT", "/api/v1/services/web/instances/a.b", "{}"), invalid, ("instance", "a.b", "")),
        (("PUT", &at_long, "{}"), invalid, ("service", &long, "63")),
    ];
    assert_refused(&node, cases);
    let reply =
        raw::call(node.http[0], ("PUT", "/api/v1/services/a%C3%BCb/instances/i"), &[], b"{}");
    let detail = reply.problem(422, "invalid-field")["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("'ü' at position 2"), "names the character: {detail}");
    assert_eq!(node.api().get("/api/v1/services").body["services"], json!([]));
}

#[test]
fn other_bad_requests_are_refused_by_name() {
    let node = Node::start();
    node.api().register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    let invalid = (422, "invalid-field");
    let unknown = (404, "unknown-instance");
    let nobody = instance_path("web", "nobody");
    let [beat, drain] = ["heartbeat", "drain"].map(|what| format!("{nobody}/{what}"));
    let policy = "/api/v1/services/web/policy";
    let cases: &[Case<'_>] = &[
        (("GET", &nobody, ""), unknown, ("", "", "")),
        (("DELETE", &nobody, ""), unknown, ("", "", "")),
        (("PUT", &beat, ""), unknown, ("", "", "")),
        (("PUT", &drain, ""), unknown, ("", "", "")),
        (("DELETE", &drain, ""), unknown, ("", "", "")),
        (("GET", "/api/v1/services/none", ""), (404, "unknown-service"), ("", "", "")),
        (("GET", "/api/v1/services/none/instances", ""), (404, "unknown-service"), ("", "", "")),
        (("GET", "/api/v1/services/none/policy", ""), (404, "unknown-service"), ("", "", "")),
        (("DELETE", policy, ""), (404, "unknown-policy"), ("", "", "")),
        (("PUT", policy, r#"{"answer_limit": 0}"#), invalid, ("answer_limit", "0", "1 to 1000")),
        (("PUT", policy, r#"{"ttl": "2d"}"#), invalid, ("ttl", "", "")),
        (("PUT", policy, r#"{"min_healthy": 2}"#), invalid, ("min_healthy", "2", "0 to 1")),
        (("PUT", policy, r#"{"tll": 1}"#), invalid, ("tll", "", "")),
        (("PUT", &format!("{WEB}/heartbeat"), r#"{"state": "up"}"#), invalid, ("state", "", "")),
        (("PUT", &format!("{WEB}/drain"), r#"{"on": false}"#), invalid, ("on", "", "")),
        (("PUT", &format!("{WEB}?weight=3"), "{}"), (422, "bad-query"), ("?weight", "3", "")),
        (
            ("GET", "/api/v1/services/web/instances?helth=passing", ""),
            (422, "bad-query"),
            ("?helth", "", ""),
        ),
        (
            ("GET", "/api/v1/services/web/instances?health=ok", ""),
            (422, "bad-query"),
            ("?health", "ok", ""),
        ),
        (
            ("GET", "/api/v1/watch?since=yesterday", ""),
            (422, "bad-query"),
            ("?since", "yesterday", ""),
        ),
    ];
    assert_refused(&node, cases);
}

#[test]
fn of_many_registrations_all_count_or_none() {
    let node = Node::start();
    let bulk = "/api/v1/instances";
    let one = |n: usize, extra: &str| format!(r#"{{"service": "s", "instance": "i{n}"{extra}}}"#);
    let mut many: Vec<String> = (0..500).map(|n| one(n, "")).collect();
    many[499] = one(499, r#", "weight": 70000"#);
    let late = format!("[{}]", many.join(","));
    many[499] = one(7, "");
    let twice = format!("[{}]", many.join(","));
    let crowd: Vec<String> = (0..10_001).map(|n| one(n, "")).collect();
    let crowd = format!("[{}]", crowd.join(","));
    let cases: &[Case<'_>] = &[
        (("POST", bulk, &late), (422, "invalid-field"), ("[499].weight", "70000", "0 to 65535")),
        (("POST", bulk, &twice), (422, "invalid-field"), ("[499]", "s/i7", "")),
        (("POST", bulk, &crowd), (422, "limit-reached"), ("instance", "10001", "10000")),
        (("POST", bulk, "{}"), (422, "invalid-field"), ("$", "", "")),
        (("POST", bulk, r#"[{"service": "s"}]"#), (422, "invalid-field"), ("[0].instance", "", "")),
        (
            ("POST", bulk, r#"[{"service": "s", "instance": "a/b"}]"#),
            (422, "invalid-field"),
            ("[0].instance", "a/b", ""),
        ),
        (
            (
                "POST",
                bulk,
                r#"[{"service": "s", "instance": "a", "checks": [{"type": "ttl",
            "ttl": "1ms"}]}]"#,
            ),
            (422, "invalid-field"),
            ("[0].checks[0].ttl", "1ms", "100ms"),
        ),
        (
            ("POST", bulk, r#"[{"service": "s", "instance": "a"}, 7]"#),
            (422, "invalid-field"),
            ("[1]", "", ""),
        ),
        (
            ("POST", bulk, r#"[{"service": "s", "instance": "a"}"#),
            (400, "malformed-body"),
            ("", "", ""),
        ),
    ];
    assert_refused(&node, cases);
    assert_eq!(node.api().get("/api/v1/services").body["services"], json!([]));
    let empty = node.api().post(bulk, &json!([]));
    assert_eq!((empty.status, &empty.body["changed"]), (200, &false.into()));
}

#[test]
fn a_body_above_its_limit_is_refused_however_it_comes() {
    let node = Node::start();
    let large = format!(r#"{{"meta": {{"k": "{}"}}}}"#, "v".repeat(2 << 20));
    // With its length said before.
    let reply = raw::call(node.http[0], ("PUT", WEB), &[], large.as_bytes());
    assert_eq!(reply.problem(413, "body-too-large")["limit"], "1048576");
    // In chunks.
    let mut stream = raw::connect(node.http[0]);
    let head = format!("PUT {WEB} HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    for part in large.as_bytes().chunks(65_536) {
        stream.write_all(format!("{:x}\r\n", part.len()).as_bytes()).unwrap();
        stream.write_all(part).unwrap();
        stream.write_all(b"\r\n").unwrap();
    }
    stream.write_all(b"0\r\n\r\n").unwrap();
    raw::read_reply(&mut BufReader::new(&stream), false).problem(413, "body-too-large");
    // A length that nobody would send: refused without reading it all.
    let mut stream = raw::connect(node.http[0]);
    let head = format!("PUT {WEB} HTTP/1.1\r\nhost: a\r\ncontent-length: 99999999999\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    let mut sent = 0;
    while sent < (64 << 20) && stream.write_all(&[b' '; 65_536]).is_ok() {
        sent += 65_536;
    }
    assert!(sent < (64 << 20), "it is read without end");
    // curl asks before it sends so much (Expect: 100-continue).
    let file = node.path("large.json");
    std::fs::write(&file, &large).unwrap();
    let url = format!("http://{}{WEB}", node.http[0]);
    let data = format!("@{}", file.display());
    let output = std::process::Command::new("curl")
        .args(["-sS", "-w", "%{http_code}", "-o", "/dev/null", "-X", "PUT", &url, "-d", &data])
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "413", "{output:?}");
    assert_eq!(node.api().get(WEB).status, 404);
}

#[test]
fn a_head_that_is_no_http_or_too_large_is_refused() {
    let node = Node::start();
    let many: String = (0..200).map(|n| format!("x-{n}: 1\r\n")).collect();
    let long = format!("x: {}\r\n", "y".repeat(100_000));
    let path = "p".repeat(70_000);
    for (head, statuses) in [
        ("hello\r\n\r\n".to_owned(), &[400][..]),
        // RFC 9112 §3.2: one host, no less and no more.
        ("GET /health HTTP/1.1\r\nconnection: close\r\n\r\n".to_owned(), &[400]),
        ("GET /health HTTP/1.1\r\nhost: a\r\nhost: b\r\nconnection: close\r\n\r\n".into(), &[400]),
        ("GET /health HTTP/1.0\r\n\r\n".to_owned(), &[200]),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{many}\r\n"), &[431]),
        (format!("GET / HTTP/1.1\r\nhost: a\r\n{long}\r\n"), &[431]),
        (format!("GET /{path} HTTP/1.1\r\nhost: a\r\n\r\n"), &[414, 431]),
        (
            "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n".into(),
            &[400],
        ),
    ] {
        let mut stream = raw::connect(node.http[0]);
        // Each is the last on its connection. The write side stays open: a server may take its
        // end for the client's, and drop the reply.
        let _cut = stream.write_all(head.as_bytes());
        let said = raw::read_to_close(&stream);
        let said = String::from_utf8_lossy(&said);
        let status = said.split(' ').nth(1).and_then(|text| text.parse().ok()).unwrap_or(0);
        assert!(statuses.contains(&status), "{}: {said}", head.len());
    }
    assert_eq!(node.api().get("/health").status, 200);
}

#[test]
fn a_slow_client_holds_up_nobody_and_is_let_go() {
    let config = "[http]\nheader_timeout = \"1s\"\nbody_timeout = \"1s\"";
    let node = Node::builder().config(config).start();
    let start = Instant::now();
    let slow: Vec<_> = (0..50)
        .map(|n| {
            let mut stream = raw::connect(node.http[0]);
            // Half of them stop in the middle of the head, the others in the middle of the body.
            let head = format!("PUT {WEB} HTTP/1.1\r\nhost: a\r\ncontent-length: 100\r\n");
            let rest = if n % 2 == 0 { "" } else { "\r\n{" };
            stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
            stream
        })
        .collect();
    // Nor do large bodies that were only begun keep ordinary ones from their turn.
    let _begun: Vec<_> = (0..4)
        .map(|_| {
            let mut stream = raw::connect(node.http[0]);
            let head = "POST /api/v1/instances HTTP/1.1\r\nhost: a\r\ncontent-length: 9000000";
            stream.write_all(format!("{head}\r\n\r\n[").as_bytes()).unwrap();
            stream
        })
        .collect();
    let bulk = json!([{ "service": "bulk", "instance": "i", "addresses": ["10.0.0.1"] }]);
    assert_eq!(node.api().post("/api/v1/instances", &bulk).status, 200);
    let mut quick = 0;
    while start.elapsed() < Duration::from_secs(1) {
        let reply = node.api().register("web", "i", &json!({ "addresses": ["10.0.0.1"] }));
        assert!(reply.status < 300);
        quick += 1;
    }
    assert!(quick > 10, "{quick} requests in a second beside the slow ones");
    for (n, stream) in slow.iter().enumerate() {
        let said = String::from_utf8(raw::read_to_close(stream)).unwrap();
        assert!(start.elapsed() < Duration::from_secs(20), "let go");
        if n % 2 == 1 {
            assert!(said.starts_with("HTTP/1.1 408") && said.contains("slow-body"), "{said}");
        }
    }
    // One that drips is no better off than one that is silent.
    let mut drip = raw::connect(node.http[0]);
    drip.write_all(b"GET /health HTTP/1.1\r\nx: ").unwrap();
    eventually("it is let go although it writes", || {
        drip.write_all(b"y").and_then(|()| drip.flush()).is_err().then_some(())
    });
}

#[test]
fn a_page_of_another_site_changes_nothing() {
    let node = Node::start();
    let host = node.http[0].to_string();
    let refused: &[&[(&str, &str)]] = &[
        &[("origin", "https://evil.example"), ("content-type", "text/plain")],
        &[("origin", "null")],
        &[("sec-fetch-site", "cross-site")],
        &[("host", "evil.example"), ("origin", "http://evil.example")],
    ];
    let body = br#"{"addresses": ["10.0.0.1"]}"#;
    for headers in refused {
        for (method, path) in [("PUT", WEB), ("POST", "/api/v1/instances"), ("DELETE", WEB)] {
            let reply = raw::call(node.http[0], (method, path), headers, body);
            reply.problem(403, "cross-site");
        }
        let read = raw::call(node.http[0], ("GET", "/api/v1/services"), headers, b"");
        assert_eq!(read.status, 200);
        assert_eq!(read.header("access-control-allow-origin"), "", "no page may read it either");
    }
    assert_eq!(node.api().get(WEB).status, 404);
    let own = format!("http://{host}");
    let reply = raw::call(node.http[0], ("PUT", WEB), &[("origin", &own)], body);
    assert_eq!(reply.status, 201, "its own page may");
}

/// They were refused before the router, and not logged.
#[test]
fn what_is_refused_for_its_host_is_logged() {
    let node = Node::builder().config("[log]\nfilter = \"debug\"").start();
    let hosts = [("host", "a"), ("host", "b")];
    raw::call(node.http[0], ("GET", "/health"), &hosts, b"").problem(400, "bad-host");
    let line = node.wait_for_log("\"status\":400");
    let fields = &line["fields"];
    assert_eq!((&fields["message"], &fields["path"]), (&json!("request"), &json!("/health")));
}
