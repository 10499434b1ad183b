//! Checks as an agent (1.8.7) takes them, and what is said of them.

use crate::{
    http::consul::routes::testing::Rig,
    model::{Command, limit},
};

const REGISTER: &str = "/v1/agent/check/register";
const SERVICE: &str = "/v1/agent/service/register";

fn unknown(id: &str) -> String {
    format!("Unknown check ID \"{id}\". Ensure that the check ID is passed, not the check name.")
}

#[tokio::test]
async fn a_check_is_registered_for_a_service_that_is_there() {
    let rig = Rig::new();
    rig.put(SERVICE, r#"{"Name":"web","ID":"w1","Check":{"TTL":"60s","Status":"passing"}}"#).await;
    let own = r#"{"ID":"own","Name":"o","ServiceID":"w1","TTL":"60s","Status":"passing"}"#;
    rig.put(REGISTER, own).await;
    rig.put("/v1/agent/check/warn/own?note=w", "").await;
    let revision = rig.revision();
    rig.put(REGISTER, own).await;
    assert_eq!(rig.revision(), revision, "the same again");
    rig.put(REGISTER, r#"{"ID":"own","Name":"other","service_id":"w1","TTL":"60s"}"#).await;
    assert_eq!(rig.checks(), [r#"own=warning "w" w1"#, r#"service:w1=passing "" w1"#]);
    rig.put(SERVICE, r#"{"Name":"web","ID":"w1","Port":80}"#).await;
    assert_eq!(rig.checks().len(), 2, "the service's next registration leaves it");
    rig.put("/v1/agent/check/deregister/own", "").await;
    assert_eq!(rig.checks(), [r#"service:w1=passing "" w1"#]);
    rig.put("/v1/agent/check/deregister/service:w1", "").await;
    assert_eq!(rig.checks(), [""; 0]);
    assert_eq!(rig.services(), ["w1 web/w1 192.0.2.7:80 up"]);
    for id in ["own", "", "a/b", "_node_maintenance", "_service_maintenance:w1"] {
        rig.refused(&format!("/v1/agent/check/deregister/{id}"), "", 404, &unknown(id)).await;
    }
    let body = r#"{"Name":"x","ServiceID":"nope","TTL":"9s"}"#;
    rig.refused(REGISTER, body, 404, "ServiceID \"nope\" does not exist").await;
    rig.refused(REGISTER, r#"{"ID":"x"}"#, 400, "Missing check name").await;
    let script = r#"{"Name":"x","Args":["true"],"Interval":"9s"}"#;
    assert_eq!(rig.send(REGISTER, script).await.status, 500);
}

#[tokio::test]
async fn a_check_without_a_service_is_the_node_s_and_all_on_it_go_down_with_it() {
    let rig = Rig::new();
    rig.put(SERVICE, r#"{"Name":"web"}"#).await;
    rig.put(REGISTER, r#"{"Name":"disk","TTL":"60s","Notes":"n"}"#).await;
    assert_eq!(rig.checks(), [r#"disk=critical """#]);
    assert_eq!(rig.services(), ["web web/web 192.0.2.7:0 down"]);
    rig.put("/v1/agent/check/pass/disk?note=80%25", "").await;
    assert_eq!(rig.checks(), [r#"disk=passing "80%""#]);
    assert_eq!(rig.services(), ["web web/web 192.0.2.7:0 up"]);
    rig.put(REGISTER, r#"{"Name":"disk","TTL":"60s","ServiceID":"web"}"#).await;
    assert_eq!(rig.checks(), [r#"disk=passing "80%" web"#], "it has moved");
    assert_eq!(rig.snapshot().nodes.len(), 0, "the node has nothing of its own any more");
    rig.put(REGISTER, r#"{"Name":"disk","TTL":"60s"}"#).await;
    assert_eq!(rig.checks(), [r#"disk=passing "80%""#], "and back");
    rig.put("/v1/agent/check/deregister/disk", "").await;
    assert_eq!(rig.snapshot().nodes.len(), 0);
}

#[tokio::test]
async fn a_ttl_check_has_the_state_that_is_said_of_it() {
    let rig = Rig::new();
    rig.put(SERVICE, r#"{"Name":"web","Checks":[{"TTL":"60s"},{"TTL":"60s"}]}"#).await;
    for (path, body, expected) in [
        ("pass/service:web:1", "", r#"service:web:1=passing "" web"#),
        ("warn/service:web:1?note=a+b", "", r#"service:web:1=warning "a b" web"#),
        ("fail/service:web:1?note=c", "", r#"service:web:1=critical "c" web"#),
        (
            "update/service:web:1",
            r#"{"Status":"passing","Output":"d"}"#,
            r#"service:web:1=passing "d" web"#,
        ),
    ] {
        rig.put(&format!("/v1/agent/check/{path}"), body).await;
        assert_eq!(rig.checks(), [expected, r#"service:web:2=critical "" web"#]);
    }
    let long = "\u{e4}".repeat(limit::CHECK_OUTPUT_OCTETS_MAX);
    let body = format!(r#"{{"Status":"warning","Output":"{long}"}}"#);
    rig.put("/v1/agent/check/update/service:web:2", &body).await;
    let member = rig.snapshot().service("web").unwrap().members[0].clone();
    assert_eq!(member.checks[1].output.len(), limit::CHECK_OUTPUT_OCTETS_MAX);
    let update = "/v1/agent/check/update/service:web:1";
    rig.refused(update, r#"{"Status":"foo"}"#, 400, "Invalid check status: 'foo'").await;
    let text = "Request decode failed: unexpected EOF";
    rig.refused(update, r#"{"Status":"passing""#, 400, text).await;
}

#[tokio::test]
async fn a_new_word_is_shown_at_once_and_the_next_one_later() {
    let rig = Rig::new();
    rig.put(SERVICE, r#"{"Name":"web","Check":{"TTL":"60s"}}"#).await;
    for (path, output) in [
        ("fail/service:web?note=why", "critical \"why\""),
        ("fail/service:web?note=other", "critical \"other\""),
        ("fail/service:web?note=third", "critical \"other\""), // within a minute
        ("pass/service:web", "passing \"\""),
        ("pass/service:web?note=fine", "passing \"fine\""),
        ("pass/service:web?note=up+5s", "passing \"fine\""),
    ] {
        rig.put(&format!("/v1/agent/check/{path}"), "").await;
        assert_eq!(rig.checks(), [format!("service:web={output} web")], "{path}");
    }
}

#[tokio::test]
async fn what_is_no_ttl_check_takes_no_word() {
    let rig = Rig::new();
    rig.put(SERVICE, r#"{"Name":"web","Check":{"TCP":"127.0.0.1:1","Interval":"60s"}}"#).await;
    for id in ["nope", "", "service:", "service:web:1", "service:web:x", "web"] {
        rig.refused(&format!("/v1/agent/check/pass/{id}"), "", 404, &unknown(id)).await;
    }
    let text = "CheckID \"service:web\" does not have associated TTL";
    rig.refused("/v1/agent/check/pass/service:web", "", 500, text).await;
    assert_eq!(rig.door.call("GET", "/v1/agent/check/pass/service:web", "").await.status, 405);
}

/// Other ids than those that are made of the service's have to be searched for.
#[tokio::test]
async fn a_check_is_found_by_any_id() {
    let rig = Rig::new();
    for name in ["a", "b:1"] {
        let body = format!(
            r#"{{"Name":"s","ID":"{name}","Checks":[{{"CheckID":"{name} \"quoted\"","TTL":"9s"}},
                {{"CheckID":"service:{name}:own","TTL":"9s"}}, {{"TTL":"9s"}}]}}"#
        );
        rig.put(SERVICE, &body).await;
    }
    for (id, full) in [
        ("a%20%22quoted%22", r#"a "quoted""#),
        ("service:a:own", "service:a:own"),
        ("service:a:3", "service:a:3"),
        ("service:b:1:3", "service:b:1:3"),
        ("b:1%20%22quoted%22", r#"b:1 "quoted""#),
    ] {
        rig.put(&format!("/v1/agent/check/pass/{id}"), "").await;
        let passing = format!("{full}=passing");
        assert!(rig.checks().iter().any(|check| check.starts_with(&passing)), "{full}");
    }
    // Gone in the meantime.
    let key = rig.snapshot().service("s").unwrap().members[0].key();
    rig.door.running.registry.submit(Command::Deregister(key)).await.unwrap();
    assert_eq!(rig.checks().len(), 3);
}

#[tokio::test]
async fn an_alias_is_as_well_as_what_it_stands_for() {
    let rig = Rig::new();
    rig.put(SERVICE, r#"{"Name":"db","Check":{"TTL":"60s","Status":"passing"}}"#).await;
    let alias = r#"{"Name":"web","Check":{"CheckID":"al","AliasService":"db"}}"#;
    rig.put(SERVICE, alias).await;
    let state = |rig: &Rig| rig.checks()[0].split(' ').next().unwrap().to_owned();
    assert_eq!(state(&rig), "al=passing");
    rig.put("/v1/agent/check/fail/service:db", "").await;
    assert_eq!(state(&rig), "al=critical");
    let revision = rig.revision();
    rig.put(SERVICE, alias).await;
    assert_eq!(rig.revision(), revision, "the same again");
    rig.refused("/v1/agent/check/pass/al", "", 500, "CheckID \"al\" does not have associated TTL")
        .await;
    rig.put("/v1/agent/check/pass/service:db", "").await;
    rig.put("/v1/agent/check/deregister/al", "").await;
    assert_eq!(rig.services()[1], "web web/web 192.0.2.7:0 up");
}
