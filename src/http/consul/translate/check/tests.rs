//! Checks as a prober gets them.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Checked, check};
use crate::{
    http::consul::{definition::CheckDefinition, reader, site::Host},
    model::{CheckKind, HttpCheck},
};

/// A check with an interval, of a client on another host.
fn elsewhere(definition: &Value) -> Result<Checked, String> {
    translated(definition, false)
}

fn translated(definition: &Value, is_own: bool) -> Result<Checked, String> {
    let mut definition = definition.clone();
    definition["Name"] = "c".into();
    if definition.get("TTL").is_none() {
        definition["Interval"] = "10s".into();
    }
    let read: CheckDefinition = reader::read(definition.to_string().as_bytes()).unwrap();
    let host = Host { name: "ip-10-0-1-6".into(), address: "10.0.1.6".into() };
    check(&read.check, &host, is_own).map_err(|refusal| refusal.text.into_owned())
}

fn http(definition: &Value, is_own: bool) -> HttpCheck {
    match translated(definition, is_own).unwrap().spec.kind {
        CheckKind::Http(http) => *http,
        other => panic!("{other:?}"),
    }
}

fn sent(check: &HttpCheck) -> Vec<String> {
    check.headers.iter().map(|(name, value)| format!("{name}: {value}")).collect()
}

#[test]
fn a_service_is_asked_by_the_name_that_its_client_knows_it_by() {
    let url = |url: &str| json!({ "HTTP": url });
    let check = http(&url("https://localhost:8443/health"), false);
    assert_eq!(check.target.host.as_deref(), Some("10.0.1.6"));
    assert_eq!(sent(&check), ["host: localhost:8443"]);
    assert_eq!(check.tls_name().map(|name| &**name), Some("localhost"));
    let check = http(&url("http://127.1/"), false);
    assert_eq!((check.target.port, sent(&check)), (Some(80), vec!["host: 127.0.0.1".to_owned()]));
    assert_eq!(check.tls_name(), None);
    let check = http(&url("https://[::1]:8443/"), false);
    assert_eq!(sent(&check), ["host: [::1]:8443"]);
    assert_eq!(check.tls_name().map(|name| &**name), Some("::1"));
    // What the client says itself stands, and so does what is called the same here.
    let own = json!({
        "HTTP": "https://localhost:8443/", "Header": {"Host": ["web.example"]},
        "TLSServerName": "web.example",
    });
    let check = http(&own, false);
    assert_eq!(sent(&check), ["host: web.example"]);
    assert_eq!(check.tls_name().map(|name| &**name), Some("web.example"));
    for (url, is_own) in [("https://localhost:8443/", true), ("https://10.0.0.5/", false)] {
        let check = http(&json!({ "HTTP": url }), is_own);
        assert_eq!((sent(&check), check.tls_name()), (vec![], None), "{url}");
    }
    let tls_names = [
        json!({ "TCP": "localhost:80", "TCPUseTLS": true }),
        json!({ "GRPC": "localhost:80/a.B", "GRPCUseTLS": true }),
        json!({ "H2PING": "localhost:80" }),
        json!({ "TCP": "localhost:80" }),
        json!({ "GRPC": "localhost:80" }),
        json!({ "H2PING": "localhost:80", "H2PingUseTLS": false }),
    ]
    .map(|definition| match elsewhere(&definition).unwrap().spec.kind {
        CheckKind::Tcp(check) => check.tls_name.is_some(),
        CheckKind::Grpc(check) => check.tls_name.is_some(),
        CheckKind::H2ping(check) => check.tls_name.is_some(),
        other => panic!("{other:?}"),
    });
    // A gRPC server is called so without TLS, too.
    assert_eq!(tls_names, [true, true, true, false, true, false]);
}

#[test]
fn who_asks_is_said_once_as_the_client_wrote_it() {
    for (url, header, expected) in [
        // `me:p@ss`
        ("http://me:p%40ss@h/", json!({}), "authorization: Basic bWU6cEBzcw=="),
        ("http://me@h/", json!({}), "authorization: Basic bWU6"),
        ("http://:pw@h/", json!({}), "authorization: Basic OnB3"),
        ("http://a+b:c@h/", json!({}), "authorization: Basic YStiOmM="),
        ("http://me:pw@h/", json!({"AUTHORIZATION": ["Bearer x"]}), "authorization: Bearer x"),
    ] {
        let check = http(&json!({ "HTTP": url, "Header": header }), false);
        assert_eq!(sent(&check), [expected], "{url}");
    }
}

#[test]
fn what_frames_a_message_is_left_to_the_prober() {
    let header = json!({
        "Content-Length": ["5"], "transfer-encoding": ["chunked"], "Connection": ["keep-alive"],
        "X-A": ["1", "2"],
    });
    let check = http(&json!({ "HTTP": "http://h/", "Header": header }), false);
    assert_eq!(sent(&check), ["x-a: 1", "x-a: 2"]);
}

#[test]
fn a_text_that_no_prober_can_send_is_refused_by_field_and_limit() {
    let long = "a".repeat(3_000);
    for (definition, text) in [
        (json!({ "HTTP": format!("http://h/{long}") }), "above the limit of 2048"),
        (json!({ "HTTP": format!("http://h/{}", "a".repeat(900_000)) }), "900001 octets"),
        (json!({ "HTTP": "http://h/", "Method": "GE T" }), "`method`: `GE T` is no method"),
        (
            json!({ "HTTP": "http://h/", "Header": {"X": ["grün"]} }),
            "`headers.X`: `grün` is no value",
        ),
        (json!({ "HTTP": "http://h/", "Header": {"a b": ["c"]} }), "`headers`: `a b` is no name"),
        (json!({ "HTTP": "http://h/", "Header": {"X": [long]} }), "above the limit of 2048"),
        (json!({ "HTTP": format!("http://me:{long}@h/") }), "above the limit of 2048"),
        (json!({ "HTTP": "https://h/", "TLSServerName": long }), "`TLSServerName`: `aaa"),
        (json!({ "HTTP": "https://h/", "TLSServerName": "a b" }), "`TLSServerName`: `a b` has"),
        (json!({ "TCP": format!("{long}:80") }), "above the limit of 255"),
        (json!({ "GRPC": format!("h:80/{long}") }), "`service`: `aaa"),
        (json!({ "HTTP": format!("ftp://h/{long}") }), "is no URL of HTTP"),
        (json!({ "HTTP": "http://me:%zz@h/" }), "begins no octet"),
    ] {
        let refusal = elsewhere(&definition).unwrap_err();
        assert!(refusal.starts_with("Invalid check: "), "{refusal}");
        assert!(refusal.contains(text), "{text}: {refusal}");
        assert!(refusal.len() < 300, "{refusal}");
    }
}

#[test]
fn a_ttl_may_be_longer_than_a_day() {
    let ttl = |text: &str| elsewhere(&json!({ "TTL": text })).map(|check| check.spec.ttl());
    assert_eq!(ttl("36h").unwrap(), Some(Duration::from_secs(36 * 3_600)));
    assert_eq!(ttl("8760h").unwrap(), Some(Duration::from_secs(8_760 * 3_600)));
    assert!(ttl("8761h").unwrap_err().contains("above the limit of 8760h"));
}
