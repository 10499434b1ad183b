//! Heartbeats that other servers hand on, and who may.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, http::Request};
use serde_json::{Value, json};

use super::support::{Door, Reply};
use crate::{
    http::{Life, Options, PeerFacts, PeerToken, Peers, openapi_document},
    model::{Timestamp, limit},
    registry::{Ownership, Peer, View, testing},
};

const BEATS: &str = "/internal/v1/beats";
const TTL: &str = r#"{"checks": [{"type": "ttl", "ttl": "15s"}]}"#;

/// What this server knows of others: what `b` has said of itself.
struct Facts;

impl PeerFacts for Facts {
    fn life(&self, server: &str) -> Option<Life> {
        let started = Timestamp(1_767_229_200_000);
        (server == "b").then(|| Life { version: "1.2.4".into(), started })
    }

    fn kept(&self) -> u64 {
        412
    }

    fn changed_ago(&self) -> Option<Duration> {
        Some(Duration::from_millis(1_500))
    }

    fn hear_of_twin(&self) {}
}

/// A server that shares its registry, with `ownership`.
pub(super) fn door(ownership: Ownership) -> Door {
    let gate = Arc::new(PeerToken::new("3f9a"));
    let peers = Peers { gate, ownership, facts: Arc::new(Facts) };
    Door::open_with(Options::default(), |setup| setup.peers = Some(peers))
}

async fn send(door: &Door, path: &str, authorization: &str, body: String) -> Reply {
    let request = Request::post(path).header("authorization", authorization);
    door.send(request.body(Body::from(body)).unwrap()).await
}

/// Hands beats on as a server does, and expects that they are heard.
async fn beat(door: &Door, beats: Value) -> Value {
    let body = json!({"from": "b", "beats": beats}).to_string();
    let reply = send(door, BEATS, "Bearer 3f9a", body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

async fn status(door: &Door, instance: &str) -> String {
    let path = format!("/api/v1/services/web/instances/{instance}");
    door.get(&path).await.json()["status"].as_str().unwrap_or("gone").to_owned()
}

/// Waits until what was handed on has been heard.
async fn becomes(door: &Door, instance: &str, expected: &str) {
    let mut bell = door.running.registry.events().subscribe();
    while status(door, instance).await != expected {
        let changed = tokio::time::timeout(Duration::from_secs(30), bell.changed()).await;
        changed.expect("it does in time").unwrap();
    }
}

#[tokio::test]
async fn only_who_knows_the_token_hands_heartbeats_on() {
    let body = || r#"{"from": "b", "beats": []}"#.to_owned();
    let alone = Door::open(Options::default());
    send(&alone, BEATS, "Bearer 3f9a", body()).await.problem(404, "no-such-path");
    let door = door(Ownership::all());
    for wrong in ["", "3f9a", "Bearer", "Bearer ", "Bearer 3f9", "Basic 3f9a"] {
        let reply = send(&door, BEATS, wrong, body()).await;
        reply.problem(401, "no-peer");
        assert_eq!(reply.header("www-authenticate"), "Bearer");
        assert!(!reply.text.contains("3f9a"), "{}", reply.text);
    }
    door.call("POST", BEATS, &body()).await.problem(401, "no-peer");
    for right in ["Bearer 3f9a", "bearer  3f9a"] {
        let reply = send(&door, BEATS, right, body()).await;
        assert_eq!(
            reply.json(),
            json!({"taken": 0, "unknown": [], "elsewhere": [], "changed_ago_ms": 1_500})
        );
    }
    assert!(!openapi_document().contains("/internal/"), "it is in no contract");
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_are_handed_on_are_heard() {
    let door = door(Ownership::all());
    for name in ["web/a", "web/b", "web/c"] {
        door.register(name, TTL).await;
    }
    tokio::time::sleep(Duration::from_secs(14)).await;
    let beats = json!([
        {"service": "web", "instance": "a", "status": "warning", "output": "hot"},
        // Registered again as it is: no state is said.
        {"service": "web", "instance": "b"},
    ]);
    assert_eq!(beat(&door, beats).await["taken"], 2);
    tokio::time::sleep(Duration::from_secs(14)).await;
    let shown = [status(&door, "a").await, status(&door, "b").await, status(&door, "c").await];
    assert_eq!(shown, ["warning", "passing", "critical"]);
    let registered = door.get("/api/v1/services/web/instances/b").await.json()["revision"].clone();
    let of_check = json!([{"service": "web", "instance": "b", "check": 0,
        "registered": registered, "status": "critical"}]);
    assert_eq!(beat(&door, of_check).await["taken"], 1);
    becomes(&door, "b", "critical").await;
    let again = json!([{"service": "web", "instance": "b"}]);
    assert_eq!(beat(&door, again).await["taken"], 1);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(status(&door, "b").await, "critical", "as when it is registered again");
    let metrics = door.get("/metrics").await.text;
    let counted = "rollcall_cluster_beats_received_total{outcome=\"taken\"} 4";
    assert!(metrics.contains(counted), "{metrics}");
}

/// A server that was cut off alone kept its dead clients alive elsewhere, and condemned others'.
#[tokio::test]
async fn what_another_server_has_found_alone_is_no_sign_of_life() {
    let door = door(Ownership::all());
    for name in ["web/a", "web/b"] {
        door.register(name, TTL).await;
    }
    let registered = door.get("/api/v1/services/web/instances/a").await.json()["revision"].clone();
    let found = json!({"service": "web", "instance": "a", "check": 0, "registered": registered,
        "status": "critical", "output": "", "finding": true});
    let after = json!({"service": "web", "instance": "b", "status": "critical"});
    let reply = beat(&door, json!([found, after])).await;
    assert_eq!((&reply["taken"], &reply["unknown"]), (&json!(1), &json!([])));
    assert_eq!(reply["elsewhere"], json!([]), "it is not sent again");
    becomes(&door, "b", "critical").await;
    assert_eq!(status(&door, "a").await, "passing");
}

#[tokio::test]
async fn what_is_not_known_or_not_kept_here_is_said_by_its_place() {
    let peer = |id: &str| Peer { id: id.into(), http: [].into() };
    let servers = vec![peer("me"), peer("b")];
    let view = View { me: "me".into(), servers, checkers: 1, is_cut_off: false, hears_all: false };
    let ownership = Ownership::of(view);
    let names: Vec<_> = (0..20).map(|n| format!("i{n}")).collect();
    let keeps = |id: &str| ownership.keeps(&testing::key(&format!("web/{id}")));
    let own = names.iter().find(|id| keeps(id)).unwrap();
    let other = names.iter().find(|id| !keeps(id)).unwrap();
    let door = door(ownership.clone());
    door.register(&format!("web/{own}"), TTL).await;
    door.register(&format!("web/{other}"), TTL).await;
    door.register("web/mute", "{}").await;
    let reply = beat(
        &door,
        json!([
            {"service": "web", "instance": "nobody"},
            {"service": "web", "instance": own, "status": "critical", "zone": "of a later version"},
            {"service": "web", "instance": other, "status": "critical"},
            {"service": "web", "instance": "mute"},
            {"service": "no name", "instance": own},
            {"service": "_nodes", "instance": own},
            {"service": "web", "instance": own, "status": "resting"},
            {"service": "web", "instance": own, "check": 0, "registered": 77, "status": "passing"},
            {"service": "web", "instance": own, "check": 1, "registered": 1, "status": "passing"},
            {"service": "web", "instance": own, "check": 0, "status": "passing"},
        ]),
    );
    let unknown = [0, 3, 4, 5, 6, 7, 8, 9];
    let expected =
        json!({"taken": 1, "unknown": unknown, "elsewhere": [2], "changed_ago_ms": 1_500});
    assert_eq!(reply.await, expected);
    becomes(&door, own, "critical").await;
    assert_eq!(status(&door, other).await, "passing");
}

#[tokio::test]
async fn a_batch_is_held_to_its_limits() {
    let door = door(Ownership::all());
    let one = json!({"service": "web", "instance": "a"});
    let many = json!({"from": "b", "beats": vec![one; limit::BEATS_MAX + 1]}).to_string();
    let refused = send(&door, BEATS, "Bearer 3f9a", many).await.problem(422, "invalid-field");
    assert_eq!((&refused["value"], &refused["limit"]), (&json!("10001"), &json!("10000")));
    let long = " ".repeat(limit::BEATS_OCTETS_MAX + 1);
    send(&door, BEATS, "Bearer 3f9a", long).await.problem(413, "body-too-large");
    let refused = send(&door, BEATS, "Bearer 3f9a", r#"{"beats": [{}]}"#.into()).await;
    refused.problem(422, "invalid-field");
}

/// The sender has seen a registration that this server is about to see.
#[tokio::test(start_paused = true)]
async fn a_batch_can_wait_for_what_its_sender_has_seen() {
    let door = door(Ownership::all());
    let body = r#"{"from": "b", "beats": [{"service": "web", "instance": "a"}]}"#.to_owned();
    let path = format!("{BEATS}?min_revision=1&wait=2s");
    let (reply, ()) = tokio::join!(send(&door, &path, "Bearer 3f9a", body), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        door.register("web/a", TTL).await;
    });
    assert_eq!((&reply.json()["taken"], reply.revision()), (&json!(1), 1));
}

#[tokio::test]
async fn a_server_that_goes_down_takes_heartbeats_to_the_end() {
    let door = door(Ownership::all());
    door.register("web/a", TTL).await;
    door.draining.cancel();
    let critical = json!([{"service": "web", "instance": "a", "status": "critical"}]);
    assert_eq!(beat(&door, critical).await["taken"], 1);
    becomes(&door, "a", "critical").await;
}
