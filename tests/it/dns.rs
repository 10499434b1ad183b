//! DNS as a client sees it: whole messages over real sockets, by DESIGN §2 line by line.

mod answers;
mod certificates;
mod clients;
mod edns;
mod guard;
pub(crate) mod https;
mod logs;
mod malformed;
mod moment;
mod names;
pub(crate) mod quic;
mod records;
mod reload;
mod slow;
mod sockets;
mod tcp;
mod tls;
mod truncation;
mod unfinished;

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{RData, RecordType},
};
use serde_json::{Value, json};

use crate::support::{Node, api::Api, dns::text};

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const SRV: RecordType = RecordType::SRV;
const TXT: RecordType = RecordType::TXT;

/// The name under the service zone, which is what `""` is.
fn full(name: &str) -> String {
    match name {
        "" => "service.internal.".to_owned(),
        _ if name.ends_with('.') => name.to_owned(),
        _ => format!("{name}.service.internal."),
    }
}

/// What a reply says: its code, `NODATA`, or its answers in the order of their text, without TTL,
/// and without the owner where that is the question's.
fn said(reply: &Message) -> String {
    if reply.metadata.response_code != ResponseCode::NoError {
        return format!("{:?}", reply.metadata.response_code).to_uppercase();
    }
    let mut answers: Vec<String> = reply
        .answers
        .iter()
        .map(|record| {
            let line = format!("{} {}", record.record_type(), text(&record.data));
            let is_asked = record.name == *reply.queries[0].name();
            if is_asked { line } else { format!("{} {line}", record.name) }
        })
        .collect();
    answers.sort();
    if answers.is_empty() { "NODATA".to_owned() } else { answers.join(", ") }
}

/// The TTL of the SOA that a negative reply brings along, which is alone there, of that owner, and
/// not above its own MINIMUM (RFC 2308 §3).
fn negative_ttl(reply: &Message, zone: &str) -> u32 {
    let [soa] = &reply.authorities[..] else { panic!("an SOA and nothing else: {reply}") };
    assert_eq!(soa.name.to_string(), zone, "{reply}");
    let RData::SOA(data) = &soa.data else { panic!("an SOA: {reply}") };
    assert!(soa.ttl <= data.minimum, "{reply}");
    soa.ttl
}

/// An instance that its own heartbeat has declared ill.
fn register_ill(api: &Api, service: &str, instance: &str, body: &Value) {
    let mut body = body.clone();
    body["checks"] = json!([{ "type": "ttl", "ttl": "1h" }]);
    api.register(service, instance, &body);
    set_health(api, service, instance, "critical");
}

/// Has an instance with a heartbeat say how it is.
fn set_health(api: &Api, service: &str, instance: &str, status: &str) {
    let path = format!("/api/v1/services/{service}/instances/{instance}/heartbeat");
    let reply = api.put(&path, &json!({ "status": status }));
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// Sets a service's policy.
fn set_policy(api: &Api, service: &str, policy: &Value) {
    let reply = api.put(&format!("/api/v1/services/{service}/policy"), policy);
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
}

/// So many instances `i0`, `i1` … of a service, on addresses of their own.
fn register_many(api: &Api, service: &str, count: usize) {
    let one = |n: usize| {
        json!({
            "service": service, "instance": format!("i{n}"), "port": 80,
            "addresses": [format!("10.9.{}.{}", n / 250, n % 250 + 1)],
            "meta": { "number": n.to_string(), "filler": "x".repeat(40) },
        })
    };
    let reply = api.post("/api/v1/instances", &(0..count).map(one).collect());
    assert!(matches!(reply.status, 200 | 201), "{reply:?}");
}

/// A server that answers in reverse and names two servers.
fn node() -> Node {
    let config = r#"
        [dns]
        reverse = ["10.0.0.0/8", "fd00::/8"]
        nameservers = [
            { name = "ns1", addresses = ["192.0.2.1", "2001:db8::1"] },
            { name = "ns2", addresses = ["192.0.2.2"] },
        ]
    "#;
    Node::builder().config(config).start()
}

/// A server with one of everything that names may lead to.
fn world() -> Node {
    let node = node();
    let api = node.api();
    let a = json!({ "addresses": ["10.0.0.1", "fd00::1"], "port": 80, "tags": ["v1", "eu"],
        "weight": 5, "meta": { "version": "1.4.2", "zone": "a" } });
    api.register("web", "a", &a);
    let b = json!({ "addresses": ["10.0.0.2"], "port": 81, "tags": ["v2", "eu"] });
    api.register("web", "b", &b);
    let ill = json!({ "addresses": ["10.0.0.3"], "port": 82, "tags": ["v3"] });
    register_ill(&api, "web", "ill", &ill);
    let out = json!({ "addresses": ["10.0.0.4"], "port": 83, "tags": ["v4"] });
    api.register("web", "out", &out);
    api.put("/api/v1/services/web/instances/out/drain", &serde_json::Value::Null);
    api.register("v4only", "one", &json!({ "addresses": ["10.0.1.1"], "port": 80 }));
    api.register("mail", "one", &json!({ "addresses": ["mx.example.com"], "port": 25 }));
    api.register("alias", "one", &json!({ "addresses": ["web.service.internal"], "port": 80 }));
    api.put("/api/v1/services/planned/policy", &json!({ "ttl": "5s" }));
    node
}
