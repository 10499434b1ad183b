//! The native interface line by line of its table, on the real thing.

use std::{collections::BTreeSet, net::SocketAddr};

use hickory_proto::rr::RecordType;
use serde_json::{Value, json};

use crate::support::{Node, api::instance_path, raw};

const WEB: &str = "/api/v1/services/web/instances/web-1";

fn put(node: &Node, path: &str, body: &str) -> raw::Raw {
    raw::call(node.http[0], ("PUT", path), &[], body.as_bytes())
}

#[test]
fn every_route_of_the_table_does_what_it_says() {
    let node = Node::start();
    let (drain, beat) = (format!("{WEB}/drain"), format!("{WEB}/heartbeat"));
    let policy = "/api/v1/services/web/policy";
    let body = r#"{"addresses": ["10.0.0.1"], "port": 80, "tags": ["v1"],
        "checks": [{"type": "ttl", "ttl": "1h"}]}"#;
    let bulk = r#"[{"service": "web", "instance": "web-2", "addresses": ["10.0.0.2"]}]"#;
    // Method, path, body, status, and whether the reply carries a revision.
    let script = [
        ("GET", WEB, "", 404, false),
        ("GET", "/api/v1/services/web", "", 404, false),
        ("PUT", WEB, body, 201, true),
        ("PUT", WEB, body, 200, true),
        ("GET", WEB, "", 200, false),
        ("PUT", &*beat, "", 200, true),
        ("PUT", &*beat, r#"{"status": "warning", "output": "hot"}"#, 200, true),
        ("PUT", &*drain, "", 200, true),
        ("DELETE", &*drain, "", 200, true),
        ("GET", "/api/v1/services", "", 200, false),
        ("GET", "/api/v1/services/web", "", 200, false),
        ("GET", "/api/v1/services/web/instances?tag=v1&health=warning", "", 200, false),
        ("DELETE", policy, "", 404, false),
        ("PUT", policy, r#"{"ttl": 1, "answer_limit": 1}"#, 200, true),
        ("GET", policy, "", 200, false),
        ("DELETE", policy, "", 204, true),
        ("POST", "/api/v1/instances", bulk, 200, true),
        ("GET", "/api/v1/openapi.json", "", 200, false),
        ("GET", "/health", "", 200, false),
        ("GET", "/ready", "", 200, false),
        ("GET", "/metrics", "", 200, false),
        ("DELETE", WEB, "", 204, true),
        ("DELETE", WEB, "", 404, false),
        ("PUT", &*beat, "", 404, false),
        ("PUT", &*drain, "", 404, false),
    ];
    let mut newest = 0;
    for (method, path, body, status, has_revision) in script {
        let reply = raw::call(node.http[0], (method, path), &[], body.as_bytes());
        assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
        if status >= 400 {
            assert_eq!(reply.header("content-type"), "application/problem+json");
        }
        if has_revision {
            assert!(reply.revision() >= newest, "{method} {path}: revisions only grow");
            newest = reply.revision();
            let ready = node.api().get("/ready").body;
            assert_eq!(ready["revision"], newest, "{method} {path}: it is visible");
        }
    }
}

#[test]
fn what_a_path_does_not_have_is_405_and_what_is_nowhere_404() {
    let node = Node::start();
    node.api().register("web", "web-1", &json!({ "addresses": ["10.0.0.1"] }));
    let table = [
        (WEB, "GET,HEAD,PUT,DELETE"),
        ("/api/v1/services/web/instances/web-1/heartbeat", "PUT"),
        ("/api/v1/services/web/instances/web-1/drain", "PUT,DELETE"),
        ("/api/v1/services", "GET,HEAD"),
        ("/api/v1/services/web", "GET,HEAD"),
        ("/api/v1/services/web/instances", "GET,HEAD"),
        ("/api/v1/services/web/policy", "GET,HEAD,PUT,DELETE"),
        ("/api/v1/instances", "POST"),
        ("/api/v1/watch", "GET,HEAD"),
        ("/api/v1/openapi.json", "GET,HEAD"),
        ("/health", "GET,HEAD"),
        ("/ready", "GET,HEAD"),
        ("/metrics", "GET,HEAD"),
    ];
    for (path, has) in table {
        let has: BTreeSet<&str> = has.split(',').collect();
        for method in ["GET", "HEAD", "PUT", "POST", "DELETE", "PATCH", "OPTIONS", "BREW"] {
            let is_stream = path == "/api/v1/watch" && method == "GET";
            if has.contains(method) && (is_stream || !matches!(method, "GET" | "HEAD")) {
                continue; // what it does is tested elsewhere
            }
            let reply = raw::call(node.http[0], (method, path), &[], b"");
            if has.contains(method) {
                assert_eq!(reply.status, 200, "{method} {path}: {reply:?}");
                assert_eq!(reply.text.is_empty(), method == "HEAD", "{method} {path}");
                continue;
            }
            assert_eq!(reply.status, 405, "{method} {path}: {reply:?}");
            let allowed: BTreeSet<&str> = reply.header("allow").split(',').map(str::trim).collect();
            assert_eq!(allowed, has, "{method} {path}");
            if method != "HEAD" {
                reply.problem(405, "method-not-allowed");
            }
        }
    }
    for path in ["/", "/api", "/api/v1/nothing", "/api/v1/services/web/", "/v2/catalog", "//"] {
        raw::call(node.http[0], ("GET", path), &[], b"").problem(404, "no-such-path");
    }
    assert_eq!(raw::call(node.http[0], ("HEAD", "/api/v1/services/none"), &[], b"").status, 404);
    let (get, head) = ("GET", "HEAD");
    let [get, head] = [get, head].map(|m| raw::call(node.http[0], (m, WEB), &[], b""));
    for name in ["content-type", "content-length"] {
        assert_eq!(get.header(name), head.header(name), "HEAD is GET without the body");
    }
}

#[test]
fn a_body_is_json_whatever_its_content_type_says() {
    let node = Node::start();
    let kinds = ["application/x-www-form-urlencoded", "text/plain", "application/json", "a", ""];
    for (n, kind) in kinds.iter().enumerate() {
        let path = instance_path("web", &format!("i{n}"));
        let body = br#"{"addresses": ["10.0.0.1"]}"#;
        let reply = raw::call(node.http[0], ("PUT", &path), &[("content-type", kind)], body);
        assert_eq!(reply.status, 201, "{kind}: {reply:?}");
        assert_eq!(reply.header("content-type"), "application/json");
    }
    // As in the README, by curl itself, which sends the first of these.
    let url = format!("http://{}{}", node.http[0], instance_path("curl", "i"));
    let output = std::process::Command::new("curl")
        .args(["-sS", "-X", "PUT", &url, "-d", r#"{"port": 8080}"#])
        .output()
        .unwrap();
    let view: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&view["port"], &view["addresses"]), (&8080.into(), &json!(["127.0.0.1"])));
}

#[test]
fn a_registration_is_shown_as_it_was_sent_and_answered_so() {
    let node = Node::start();
    let sent = json!({
        "addresses": ["10.0.1.6", "fd00::6"], "port": 8080, "weight": 10, "priority": 1,
        "tags": ["v1"], "meta": { "version": "1.4.2" },
        "checks": [
            { "type": "http", "path": "/health", "interval": "5s", "timeout": "2s",
              "rise": 1, "fall": 2 },
            { "type": "ttl", "ttl": "15s" },
        ],
        "deregister_after": "10m", "initial_status": "passing",
    });
    let reply = put(&node, WEB, &sent.to_string());
    let read = node.api().get(WEB).body;
    for shown in [reply.json(), read] {
        for field in ["addresses", "port", "weight", "priority", "tags", "meta", "deregister_after"]
        {
            assert_eq!(shown[field], sent[field], "{field}");
        }
        for (check, was) in [(0, &sent["checks"][0]), (1, &sent["checks"][1])] {
            for (field, value) in was.as_object().unwrap() {
                assert_eq!(shown["checks"][check][field], *value, "{field}");
            }
        }
        assert_eq!(shown["status"], "passing");
    }
    let resolver = node.resolver();
    for (name, rtype, count) in [
        ("web", RecordType::A, 1),
        ("web", RecordType::AAAA, 1),
        ("v1.web", RecordType::A, 1),
        ("_web._tcp", RecordType::SRV, 1),
        ("web", RecordType::TXT, 1),
        ("web-1.instance.web", RecordType::A, 1),
    ] {
        let answers = resolver.ask(&format!("{name}.service.internal."), rtype).answers;
        assert_eq!(answers.len(), count, "{name} {rtype}");
    }
    assert_eq!(put(&node, WEB, &sent.to_string()).revision(), reply.revision(), "no change");
}

#[test]
fn addresses_left_out_are_where_the_request_comes_from() {
    let node = Node::builder().arg("--http").arg("[::]:0").start();
    let local = |address: SocketAddr| SocketAddr::new("127.0.0.1".parse().unwrap(), address.port());
    let table = [
        (node.http[0], "127.0.0.1", RecordType::A),
        (SocketAddr::new("::1".parse().unwrap(), node.http[1].port()), "::1", RecordType::AAAA),
        // IPv4 on an IPv6 socket is IPv4 all the same.
        (local(node.http[1]), "127.0.0.1", RecordType::A),
    ];
    for (n, (address, expected, rtype)) in table.into_iter().enumerate() {
        let service = format!("own{n}");
        let path = instance_path(&service, "i");
        for body in [r#"{"port": 80}"#, r#"{"port": 80, "addresses": null}"#] {
            let view = raw::call(address, ("PUT", &path), &[], body.as_bytes()).json();
            assert_eq!(view["addresses"], json!([expected]));
        }
        let name = format!("{service}.service.internal.");
        let answer = node.resolver().addresses(&name, rtype);
        assert_eq!(answer, [expected.parse::<std::net::IpAddr>().unwrap()]);
    }
}

#[test]
fn lists_are_filtered_by_tag_and_health() {
    let node = Node::start();
    let api = node.api();
    let ttl = json!([{ "type": "ttl", "ttl": "1h" }]);
    for (instance, tags) in
        [("a", json!(["v1"])), ("b", json!(["v1", "eu"])), ("c", json!(["v2"])), ("d", json!([]))]
    {
        let body = json!({ "addresses": ["10.0.0.1"], "tags": tags, "checks": ttl });
        api.register("web", instance, &body);
    }
    let say = |instance: &str, status: &str| {
        let path = format!("{}/heartbeat", instance_path("web", instance));
        assert_eq!(api.put(&path, &json!({ "status": status })).status, 200);
    };
    say("b", "warning");
    say("c", "critical");
    api.put(&format!("{}/drain", instance_path("web", "d")), &Value::Null);
    for (query, expected) in [
        ("", "a b c d"),
        ("?tag=v1", "a b"),
        ("?tag=V1&tag=eu", "b"),
        ("?health=passing", "a d"),
        ("?health=healthy", "a b d"),
        ("?health=warning&health=critical", "b c"),
        ("?health=answered", "a b"),
        ("?health=drained", "d"),
        ("?health=suspect", ""),
        ("?tag=v1&health=warning", "b"),
        ("?tag=none", ""),
    ] {
        let listed = api.get(&format!("/api/v1/services/web/instances{query}")).body;
        let names: Vec<&str> = listed["instances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|instance| instance["instance"].as_str().unwrap())
            .collect();
        assert_eq!(names.join(" "), expected, "{query}");
    }
    let service = api.get("/api/v1/services/web").body;
    for (field, count) in
        [("instances", 4), ("passing", 2), ("warning", 1), ("critical", 1), ("answered", 2)]
    {
        assert_eq!(service[field], count, "{field}");
    }
}

#[test]
fn the_contract_is_whole() {
    let node = Node::start();
    let document = node.api().get("/api/v1/openapi.json").body;
    assert_eq!(document["openapi"], "3.1.0");
    let (mut operations, mut ids) = (0, BTreeSet::new());
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            operations += 1;
            assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{method} {path}");
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            // Each name in the path is described, and the described ones are there.
            let declared: BTreeSet<String> = parameters
                .iter()
                .filter(|parameter| parameter["in"] == "path")
                .map(|parameter| format!("{{{}}}", parameter["name"].as_str().unwrap()))
                .collect();
            let named = path.split('/').filter(|part| part.starts_with('{')).map(str::to_owned);
            assert_eq!(declared, named.collect(), "{method} {path}");
            let changes = matches!(&**method, "put" | "post" | "delete");
            for status in ["503", "507"].into_iter().filter(|_| changes) {
                assert!(operation["responses"][status].is_object(), "{method} {path}: {status}");
            }
        }
    }
    assert_eq!(operations, 19);
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
}
