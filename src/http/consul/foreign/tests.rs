//! One thing, one id; and what is done by that id.

use serde_json::{Value, json};

use crate::http::{
    Options,
    tests::support::{Door, Reply},
};

const TTL: &str = r#"{"port": 80, "checks": [{"type": "ttl", "ttl": "60s"}]}"#;

/// The interface, to a client on the server's own host.
fn door() -> Door {
    let peer = "127.0.0.1:40000".parse().unwrap();
    Door { peer, ..Door::open(Options::default()) }
}

async fn eureka(door: &Door, app: &str, id: &str) {
    let instance = json!({
        "instanceId": id, "hostName": "h-1.example", "app": app, "ipAddr": "10.0.1.6",
        "status": "UP", "port": {"$": 8080, "@enabled": "true"},
        "dataCenterInfo": {"name": "MyOwn"},
    });
    let body = json!({ "instance": instance }).to_string();
    let reply = door.call("POST", &format!("/eureka/apps/{app}"), &body).await;
    assert_eq!(reply.status, 204, "{reply:?}");
}

async fn put(door: &Door, path: &str, body: &str) -> Reply {
    let reply = door.call("PUT", path, body).await;
    assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
    reply
}

async fn ids(door: &Door) -> Vec<String> {
    let services = door.get("/v1/agent/services").await.json();
    services.as_object().unwrap().keys().cloned().collect()
}

#[tokio::test]
async fn two_applications_with_the_same_instance_id_are_two_services() {
    let door = door();
    for app in ["PAYMENT", "ORDERS"] {
        eureka(&door, app, "host-a").await;
        eureka(&door, app, &format!("host-a:{}:8080", app.to_lowercase())).await;
    }
    let all = ["ORDERS:host-a", "PAYMENT:host-a", "host-a:orders:8080", "host-a:payment:8080"];
    assert_eq!(ids(&door).await, all);
    for id in all {
        let shown = door.get(&format!("/v1/agent/service/{id}")).await.json();
        assert!(id.to_lowercase().contains(shown["Service"].as_str().unwrap()), "{shown}");
    }
    put(&door, "/v1/agent/service/deregister/PAYMENT:host-a", "").await;
    assert_eq!(ids(&door).await, [all[0], all[2], all[3]]);
}

#[tokio::test]
async fn an_id_that_one_of_consul_s_clients_has_already_names_the_interface_as_well() {
    let door = door();
    door.register("payment/payment-1", r#"{"port": 80}"#).await;
    door.register("payment/a", r#"{"port": 80}"#).await;
    eureka(&door, "PAYMENT", "b").await;
    for id in ["payment-1", "payment:a", "PAYMENT:b", "native:payment:a"] {
        let body = json!({ "Name": "payment", "ID": id, "Port": 81 }).to_string();
        put(&door, "/v1/agent/service/register", &body).await;
    }
    let all = [
        "PAYMENT:b",
        "eureka:PAYMENT:b",
        "native:native:payment:a",
        "native:payment-1",
        "native:payment:a",
        "payment-1",
        "payment:a",
    ];
    assert_eq!(ids(&door).await, all);
    for (id, port) in [("payment-1", 81), ("native:payment-1", 80), ("native:native:payment:a", 80)]
    {
        assert_eq!(door.get(&format!("/v1/agent/service/{id}")).await.json()["Port"], port);
    }
    put(&door, "/v1/agent/service/deregister/native:payment-1", "").await;
    put(&door, "/v1/agent/service/deregister/payment:a", "").await;
    // What is free again is what it is called.
    let left = ["PAYMENT:b", "eureka:PAYMENT:b", "native:payment:a", "payment-1", "payment:a"];
    assert_eq!(ids(&door).await, left);
}

#[tokio::test]
async fn what_came_by_another_interface_is_deregistered_in_the_catalog() {
    let door = door();
    door.register("payment/payment-1", r#"{"port": 80}"#).await;
    eureka(&door, "ORDERS", "a").await;
    let gone = |id: &str| json!({ "Node": "ROLLCALL", "ServiceID": id }).to_string();
    // Of another node it is nothing.
    let elsewhere = r#"{"Node":"other","ServiceID":"payment-1"}"#;
    assert_eq!(put(&door, "/v1/catalog/deregister", elsewhere).await.text, "true");
    assert_eq!(ids(&door).await, ["ORDERS:a", "payment-1"]);
    for id in ["payment-1", "ORDERS:a", "ORDERS:a"] {
        assert_eq!(put(&door, "/v1/catalog/deregister", &gone(id)).await.text, "true");
    }
    assert!(ids(&door).await.is_empty());
}

#[tokio::test]
async fn what_is_wrong_with_the_server_s_node_is_not_wrong_with_what_came_by_another_interface() {
    let door = door();
    door.register("payment/payment-1", r#"{"addresses": ["10.0.0.7"], "port": 80}"#).await;
    eureka(&door, "PAYMENT", "a").await;
    put(&door, "/v1/agent/service/register", r#"{"Name":"payment","ID":"ours"}"#).await;
    let check = r#"{"Name":"disk","TTL":"60s","Status":"critical"}"#;
    put(&door, "/v1/agent/check/register", check).await;
    put(&door, "/v1/agent/maintenance?enable=true", "").await;
    let shown = |list: &Value| {
        let rows = list.as_array().unwrap().iter();
        rows.map(|row| row["Service"]["ID"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let passing = door.get("/v1/health/service/payment?passing").await.json();
    assert_eq!(shown(&passing), ["payment-1", "PAYMENT:a"]);
    let all = door.get("/v1/health/service/payment").await.json();
    assert_eq!(shown(&all), ["ours", "payment-1", "PAYMENT:a"]);
    assert_eq!(all[0]["Checks"].as_array().unwrap().len(), 3);
    for (id, status) in [("payment-1", 200), ("ours", 503)] {
        let health = door.get(&format!("/v1/agent/health/service/id/{id}")).await;
        assert_eq!(health.status, status, "{health:?}");
    }
    // And names answer just these.
    let snapshot = door.running.registry.snapshot();
    let members = &snapshot.service("payment").unwrap().members;
    assert_eq!(members.iter().filter(|member| member.is_answered()).count(), 2);
}

#[tokio::test]
async fn a_ttl_check_of_another_interface_is_reported_on_by_the_id_that_it_is_shown_by() {
    let door = door();
    door.register("payment/payment-1", TTL).await;
    door.register(
        "payment/a",
        r#"{"port": 80, "checks": [{"type": "tcp"}, {"type": "ttl", "ttl": "60s"}]}"#,
    )
    .await;
    let status = async |id: &str| door.get("/v1/agent/checks").await.json()[id]["Status"].clone();
    for id in ["service:payment-1", "service:payment:a:2"] {
        assert_eq!(status(id).await, "passing", "{id}");
        put(&door, &format!("/v1/agent/check/fail/{id}"), "").await;
        assert_eq!(status(id).await, "critical", "{id}");
        let update = r#"{"Status":"warning","Output":"slow"}"#;
        put(&door, &format!("/v1/agent/check/update/{id}"), update).await;
        assert_eq!(status(id).await, "warning", "{id}");
    }
    for (id, expected) in [
        ("service:payment:a:1", 500),
        ("service:payment:a:3", 404),
        ("service:payment:a", 404),
        ("service:payment-1:1", 404),
        ("payment-1", 404),
    ] {
        let reply = door.call("PUT", &format!("/v1/agent/check/pass/{id}"), "").await;
        assert_eq!(reply.status, expected, "{id}: {reply:?}");
    }
    // It is on the server's node, not on that of any client.
    let other = Door::open(Options::default());
    other.register("payment/payment-1", TTL).await;
    let reply = other.call("PUT", "/v1/agent/check/pass/service:payment-1", "").await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn a_drain_is_ended_by_its_check() {
    let door = door();
    door.register("payment/payment-1", r#"{"port": 80}"#).await;
    put(&door, "/v1/agent/service/maintenance/payment-1?enable=true", "").await;
    let shown = door.get("/v1/agent/checks").await.json();
    let id = "_service_maintenance:payment-1";
    assert_eq!(shown[id]["Status"], "critical");
    put(&door, &format!("/v1/agent/check/deregister/{id}"), "").await;
    assert_eq!(door.get("/v1/agent/checks").await.text, "{}");
    let unknown = door.call("PUT", "/v1/agent/check/deregister/_service_maintenance:x", "").await;
    assert_eq!(unknown.status, 404);
    assert!(unknown.text.contains("Unknown check ID \"_service_maintenance:x\""), "{unknown:?}");
}

#[tokio::test]
async fn an_instance_with_addresses_of_both_families_shows_both() {
    let door = door();
    door.register("payment/payment-1", r#"{"addresses": ["10.0.0.7", "fd00::7"], "port": 80}"#)
        .await;
    let row = door.get("/v1/catalog/service/payment").await.json()[0].clone();
    let named = row["ServiceTaggedAddresses"].clone();
    assert_eq!(row["ServiceAddress"], "10.0.0.7");
    for (tag, address) in [
        ("lan_ipv4", "10.0.0.7"),
        ("wan_ipv4", "10.0.0.7"),
        ("lan_ipv6", "fd00::7"),
        ("wan_ipv6", "fd00::7"),
    ] {
        assert_eq!(named[tag], json!({ "Address": address, "Port": 80 }), "{tag}");
    }
}
