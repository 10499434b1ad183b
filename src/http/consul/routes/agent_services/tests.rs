//! What an agent has, and what it says of itself, through the router.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::http::consul::routes::testing::{NODE, Rig};

const WEB: &str = r#"{"ID":"web 1/a","Name":"Web","Tags":["V1","v1.2"],"Address":"","Port":80,
    "Meta":{"K":"v"},"Weights":{"Passing":7,"Warning":3},"EnableTagOverride":true,
    "TaggedAddresses":{"wan":{"Address":"192.0.2.9","Port":90}},
    "Checks":[{"TTL":"60s","Notes":"n"},{"CheckID":"own","Name":"Own","TTL":"60s"}]}"#;

async fn rig() -> Rig {
    let rig = Rig::new();
    rig.put("/v1/agent/service/register", WEB).await;
    rig
}

#[tokio::test]
async fn a_service_is_read_as_it_was_sent() {
    let rig = rig().await;
    let services = rig.door.get("/v1/agent/services").await.json();
    let expected = json!({
        "ID": "web 1/a",
        "Service": "Web",
        "Tags": ["V1", "v1.2"],
        "Meta": {"K": "v"},
        "Port": 80,
        "Address": "",
        "TaggedAddresses": {"wan": {"Address": "192.0.2.9", "Port": 90}},
        "Weights": {"Passing": 7, "Warning": 3},
        "EnableTagOverride": true,
        "Datacenter": "dc1",
    });
    assert_eq!(services, json!({"web 1/a": expected}));
    let reply = rig.door.get("/v1/agent/service/web%201%2Fa").await;
    let mut service = reply.json();
    let hash = service.as_object_mut().unwrap().remove("ContentHash").unwrap();
    assert_eq!(reply.header("x-consul-contenthash"), hash.as_str().unwrap());
    assert_eq!(service, expected);
    let none = rig.door.get("/v1/agent/services?filter=Service+==+other").await;
    assert_eq!(none.json(), json!({}));
    let pretty = rig.door.get("/v1/catalog/datacenters?pretty").await;
    assert_eq!(pretty.text, "[\n    \"dc1\"\n]\n");
}

#[tokio::test]
async fn of_an_id_that_another_door_has_too_each_has_its_own() {
    let mut rig = Rig::new();
    rig.door.peer = "127.0.0.1:40000".parse().unwrap();
    rig.door.register("pay/pay-1", r#"{"addresses": ["10.0.0.1"]}"#).await;
    rig.put("/v1/agent/service/register", r#"{"Name":"other","ID":"pay-1"}"#).await;
    let reply = rig.door.get("/v1/agent/services").await;
    assert_eq!(reply.text.matches(r#""pay-1":"#).count(), 1, "{}", reply.text);
    assert_eq!(reply.json()["pay-1"]["Service"], "other");
    assert_eq!(reply.json()["native:pay-1"]["Service"], "pay");
}

#[tokio::test(start_paused = true)]
async fn a_service_is_waited_for_by_its_hash() {
    let rig = rig().await;
    let path = "/v1/agent/service/web%201%2Fa";
    let first = rig.door.get(path).await;
    let again = format!("{path}?hash={}&wait=60s", first.header("x-consul-contenthash"));
    let began = Instant::now();
    let same = rig.door.get(&again).await;
    assert!(began.elapsed() >= Duration::from_secs(60));
    assert_eq!(same.text, first.text);
    let began = Instant::now();
    let other = WEB.replace("\"Port\":80", "\"Port\":81");
    let (second, ()) = tokio::join!(rig.door.get(&again), async {
        rig.put("/v1/agent/check/pass/own", "").await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        rig.put("/v1/agent/service/register", &other).await;
    });
    assert!((5..6).contains(&began.elapsed().as_secs()), "{:?}", began.elapsed());
    assert_eq!(second.json()["Port"], 81);
    let began = Instant::now();
    rig.door.get(&again).await;
    assert_eq!(began.elapsed(), Duration::ZERO, "it has another one");
    let (first, second) =
        (first.header("x-consul-contenthash"), second.header("x-consul-contenthash"));
    let again = again.replace(first, second);
    let gone = rig.put("/v1/agent/service/deregister/web%201%2Fa", "");
    let (gone, ()) = tokio::join!(rig.door.get(&again), gone);
    assert_eq!((gone.status.as_u16(), &*gone.text), (404, "unknown service ID: web 1/a"));
}

#[tokio::test]
async fn checks_are_those_of_the_client_s_node() {
    let mut rig = rig().await;
    rig.put("/v1/agent/check/register", r#"{"Name":"disk","TTL":"60s","Status":"passing"}"#).await;
    let checks = rig.door.get("/v1/agent/checks").await.json();
    let ids: Vec<_> = checks.as_object().unwrap().keys().cloned().collect();
    assert_eq!(ids, ["disk", "own", "service:web 1/a:1"]);
    assert_eq!(checks["own"]["Name"], "Own");
    assert_eq!(checks["disk"]["ServiceID"], "");
    let first = &checks["service:web 1/a:1"];
    assert_eq!((&first["Name"], &first["Notes"]), (&json!("Service 'Web' check"), &json!("n")));
    assert_eq!((&first["Status"], &first["Type"]), (&json!("critical"), &json!("ttl")));
    rig.door.peer = "192.0.2.8:1".parse().unwrap();
    assert_eq!(rig.door.get("/v1/agent/checks").await.json(), json!({}));
    assert_eq!(rig.door.get("/v1/agent/services").await.json(), json!({}));
}

#[tokio::test]
async fn the_state_of_a_service_is_a_status() {
    let rig = Rig::new();
    rig.put("/v1/agent/service/register", r#"{"ID":"a","Name":"web","Check":{"TTL":"60s"}}"#).await;
    rig.put("/v1/agent/service/register", r#"{"ID":"b","Name":"web"}"#).await;
    for (change, id, name, word) in [
        ("/v1/agent/check/pass/service:a", 200, 200, "passing"),
        ("/v1/agent/check/warn/service:a", 429, 429, "warning"),
        ("/v1/agent/check/fail/service:a", 503, 503, "critical"),
        ("/v1/agent/service/maintenance/a?enable=true", 503, 503, "maintenance"),
    ] {
        rig.put(change, "").await;
        let by_id = rig.door.get("/v1/agent/health/service/id/a").await;
        assert_eq!((by_id.status.as_u16(), by_id.header("x-consul-reason")), (id, word));
        assert_eq!(by_id.json()["AggregatedStatus"], word);
        let by_name = rig.door.get("/v1/agent/health/service/name/web").await;
        assert_eq!((by_name.status.as_u16(), by_name.header("x-consul-reason")), (name, word));
        assert_eq!(by_name.json().as_array().unwrap().len(), 2);
        let text = rig.door.get("/v1/agent/health/service/name/web?format=text").await;
        assert_eq!((&*text.text, text.header("content-type")), (word, "text/plain"));
    }
    let none = rig.door.get("/v1/agent/health/service/id/x?format=text").await;
    assert_eq!((none.status.as_u16(), &*none.text), (404, "ServiceId x not found"));
    let none = rig.door.get("/v1/agent/health/service/name/x").await;
    assert_eq!((none.status.as_u16(), &*none.text), (404, "[]"));
    assert_eq!(none.header("x-consul-reason"), "ServiceName x Not Found");
}

#[tokio::test]
async fn the_server_says_what_it_is_and_what_it_has_not() {
    let mut rig = Rig::new();
    rig.door.peer = "127.0.0.1:1".parse().unwrap();
    let this = rig.door.get("/v1/agent/self").await.json();
    assert_eq!(this["Config"]["Datacenter"], "dc1");
    assert_eq!(this["Config"]["NodeName"], "rollcall");
    assert_eq!(this["Config"]["Server"], true);
    let version = this["Config"]["Version"].as_str().unwrap();
    assert_eq!(version, format!("1.21.0+rollcall.{}", env!("CARGO_PKG_VERSION")));
    assert_eq!(this["DebugConfig"]["ConnectEnabled"], false);
    assert_eq!(this["DebugConfig"]["GRPCPort"], -1);
    assert_eq!(this["DebugConfig"]["MaxQueryTime"], "10m0s");
    assert_eq!(this["Member"]["Tags"]["role"], "consul");
    // Clients read each part as a map.
    assert!(this.as_object().unwrap().values().all(Value::is_object), "{this}");
    let members = rig.door.get("/v1/agent/members").await.json();
    assert_eq!(members[0]["Name"], "rollcall");
    assert_eq!(members[0]["Status"], 1);
    let none = rig.door.get("/v1/agent/members?filter=Name+==+other").await;
    assert_eq!(none.text, "[]");
    let metrics = rig.door.get("/v1/agent/metrics").await.json();
    assert_eq!(metrics["Timestamp"], "2027-01-15 08:00:00 +0000 UTC");
    let metrics = rig.door.get("/v1/agent/metrics?format=prometheus").await;
    assert!(metrics.text.contains("rollcall_"), "{metrics:?}");
    assert_eq!(rig.door.get("/v1/status/leader").await.text, "\"127.0.0.1:0\"");
}

#[tokio::test]
async fn to_a_client_on_another_host_the_agent_is_the_node_that_it_registers_on() {
    let rig = Rig::new();
    rig.put("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    let this = rig.door.get("/v1/agent/self").await.json();
    let node = &rig.door.get("/v1/health/service/web").await.json()[0]["Node"];
    assert_eq!(node["Node"], NODE);
    assert_eq!(
        (&this["Config"]["NodeName"], &this["Config"]["NodeID"]),
        (&node["Node"], &node["ID"])
    );
    assert_eq!((&this["Config"]["Server"], &this["Meta"]), (&json!(false), &node["Meta"]));
    assert_eq!(this["DebugConfig"]["TaggedAddresses"], node["TaggedAddresses"]);
    assert_eq!(
        (&this["Member"]["Name"], &this["Member"]["Addr"]),
        (&node["Node"], &node["Address"])
    );
    assert_eq!(this["Member"]["Tags"]["role"], "node");
    assert_eq!(this["Stats"]["agent"]["services"], "1");
    let members = rig.door.get("/v1/agent/members").await.json();
    let names: Vec<_> = members.as_array().unwrap().iter().map(|one| &one["Name"]).collect();
    assert_eq!(names, [NODE, "rollcall"]);
    assert_eq!(members[0], this["Member"]);
    let servers = rig.door.get("/v1/agent/members?wan=1").await.json();
    assert_eq!(servers.as_array().unwrap().len(), 1);
    // Where it was registered to be stands over where its client comes from.
    let moved = format!(r#"{{"Node":"{NODE}","Address":"10.5.5.5","NodeMeta":{{"a":"b"}}}}"#);
    rig.put("/v1/catalog/register", &moved).await;
    let this = rig.door.get("/v1/agent/self").await.json();
    assert_eq!((&this["Member"]["Addr"], &this["Meta"]["a"]), (&json!("10.5.5.5"), &json!("b")));
}
