//! Nodes and services in full, and what came by other doors, as Consul's clients see it: through
//! the router.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use super::testing::{NODE, Rig};

/// Requests come from the server's own host.
fn at_home() -> Rig {
    let mut rig = Rig::new();
    rig.door.peer = "127.0.0.1:40000".parse().unwrap();
    rig
}

async fn get(rig: &Rig, path: &str) -> Value {
    let reply = rig.door.get(path).await;
    assert_eq!(reply.status, 200, "{path}: {reply:?}");
    reply.json()
}

/// One field of all rows.
fn each<'r>(rows: &'r Value, field: &str) -> Vec<&'r str> {
    let rows = rows.as_array().unwrap_or_else(|| panic!("{rows}"));
    rows.iter().map(|row| row[field].as_str().unwrap()).collect()
}

/// The row of a check.
fn check<'r>(rows: &'r Value, id: &str) -> &'r Value {
    let rows = rows.as_array().unwrap();
    rows.iter().find(|row| row["CheckID"] == id).unwrap_or_else(|| panic!("{id}: {rows:?}"))
}

#[tokio::test]
async fn an_instance_of_the_native_interface_is_shown_with_all_that_it_has() {
    let rig = at_home();
    let body = json!({"addresses": ["10.0.0.9", "fd00::9"], "port": 8080, "tags": ["v1"],
        "meta": {"team": "shop"}, "weight": 5, "warning_weight": 2, "checks": [
        {"type": "ttl", "ttl": "1h"}, {"type": "tcp", "interval": "7s"}]});
    rig.door.register("payment/payment-1", &body.to_string()).await;
    let rows = get(&rig, "/v1/health/service/payment").await;
    let service = &rows[0]["Service"];
    assert_eq!((&service["Address"], &service["Tags"]), (&json!("10.0.0.9"), &json!(["v1"])));
    assert_eq!((&service["Meta"], &service["Port"]), (&json!({"team": "shop"}), &json!(8080)));
    assert_eq!(service["Weights"], json!({"Passing": 5, "Warning": 2}));
    let ids = ["serfHealth", "service:payment-1:1", "service:payment-1:2"];
    assert_eq!(each(&rows[0]["Checks"], "CheckID"), ids);
    assert_eq!(each(&rows[0]["Checks"], "Type"), ["", "ttl", "tcp"]);
    assert_eq!(each(&rows[0]["Checks"], "Interval"), ["", "", "7s"]);
    assert_eq!(check(&rows[0]["Checks"], ids[1])["ServiceTags"], json!(["v1"]));
    let version = rows[0]["Node"]["Meta"]["consul-version"].as_str();
    assert!(version.is_some_and(|version| version.starts_with("1.")), "{rows}");
    let checks = get(&rig, "/v1/agent/checks").await;
    assert_eq!(checks.as_object().unwrap().len(), 2, "{checks}");
    let own = &checks[ids[1]];
    assert_eq!((&own["CreateIndex"], &own["ModifyIndex"]), (&0.into(), &0.into()), "{own}");
}

#[tokio::test]
async fn an_instance_of_another_door_is_known_by_one_id_and_by_no_other() {
    let rig = at_home();
    for (name, id) in [
        ("web/web-1", "web-1"),
        ("web/x", "web:x"),
        ("web/api-1", "web:api-1"),
        ("web/web-api-1", "web:web-api-1"),
        ("web-api/web-api-1", "web-api-1"),
    ] {
        rig.door.register(name, "{}").await;
        let (service, instance) = name.split_once('/').unwrap();
        let shown = get(&rig, &format!("/v1/agent/service/{id}")).await;
        assert_eq!((&shown["ID"], &shown["Service"]), (&id.into(), &service.into()), "{name}");
        let services = get(&rig, "/v1/agent/services").await;
        assert_eq!(services.as_object().unwrap().keys().collect::<Vec<_>>(), [id], "{name}");
        let others = [instance.to_owned(), format!("{service}:{instance}"), format!("x:{id}")];
        for other in others.iter().filter(|other| *other != id) {
            let reply = rig.door.get(&format!("/v1/agent/service/{other}")).await;
            assert_eq!(reply.status, 404, "{name} as {other}");
        }
        rig.put(&format!("/v1/agent/service/deregister/{id}"), "").await;
    }
    let pay = json!({"instance": {"instanceId": "pay:1", "app": "PAY", "hostName": "h",
        "ipAddr": "10.0.0.1", "dataCenterInfo": {"name": "MyOwn"}}});
    let reply = rig.door.call("POST", "/eureka/apps/PAY", &pay.to_string()).await;
    assert_eq!(reply.status, 204, "{reply:?}");
    assert_eq!(get(&rig, "/v1/agent/service/PAY:pay:1").await["Service"], "pay");
    for other in ["pay:1", "PAY:pay:2"] {
        let reply = rig.door.get(&format!("/v1/agent/service/{other}")).await;
        assert_eq!(reply.status, 404, "{other}");
    }
}

#[tokio::test]
async fn what_is_on_another_node_is_none_of_this_server_s() {
    let mut rig = Rig::new();
    rig.put("/v1/agent/service/register", r#"{"Name":"web","ID":"k1"}"#).await;
    rig.door.peer = "127.0.0.1:40000".parse().unwrap();
    rig.put("/v1/agent/service/register", r#"{"Name":"web","ID":"own"}"#).await;
    rig.door.register("web/native", "{}").await;
    for id in ["k1", "web:k1", "web:own", ""] {
        let reply = rig.door.get(&format!("/v1/agent/service/{id}")).await;
        assert_ne!(reply.status, 200, "{id}: {reply:?}");
    }
    let services = get(&rig, "/v1/agent/services").await;
    let ids: Vec<_> = services.as_object().unwrap().keys().collect();
    assert_eq!(ids, ["own", "web:native"]);
    for (node, ids) in [(NODE, &["k1"][..]), ("rollcall", &["consul", "own", "web:native"])] {
        let services = get(&rig, &format!("/v1/catalog/node-services/{node}")).await;
        assert_eq!(each(&services["Services"], "ID"), ids, "{node}");
    }
    let rows = get(&rig, "/v1/catalog/service/web").await;
    assert_eq!(each(&rows, "ServiceID"), ["k1", "own", "web:native"], "by node, then by id");
}

#[tokio::test]
async fn an_application_is_no_node() {
    let rig = at_home();
    let pay = json!({"instance": {"instanceId": "pay:1", "app": "PAY", "hostName": "h",
        "ipAddr": "10.0.0.1", "dataCenterInfo": {"name": "MyOwn"}}});
    rig.door.call("POST", "/eureka/apps/PAY", &pay.to_string()).await;
    assert_eq!(each(&get(&rig, "/v1/catalog/nodes").await, "Node"), ["rollcall"]);
    assert_eq!(get(&rig, "/v1/catalog/node/pay").await, Value::Null);
    let on_node = get(&rig, "/v1/catalog/node-services/rollcall").await;
    assert_eq!(each(&on_node["Services"], "ID"), ["consul", "PAY:pay:1"]);
}

#[tokio::test]
async fn maintenance_says_its_reason_or_that_there_is_none() {
    let rig = Rig::new();
    rig.put("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    for (path, id) in [
        ("/v1/agent/maintenance", "_node_maintenance"),
        ("/v1/agent/service/maintenance/web", "_service_maintenance:web"),
    ] {
        for (reason, said) in [("&reason=new+disk", "new disk"), ("", "no reason was provided")] {
            rig.put(&format!("{path}?enable=true{reason}"), "").await;
            let rows = get(&rig, "/v1/health/service/web").await;
            let check = check(&rows[0]["Checks"], id);
            assert!(check["Notes"].as_str().unwrap().contains(said), "{check}");
            assert_eq!(
                (&check["Status"], &check["Type"]),
                (&"critical".into(), &"maintenance".into())
            );
            rig.put(&format!("{path}?enable=false"), "").await;
        }
    }
}

#[tokio::test]
async fn what_a_service_is_in_a_mesh_and_where_is_given_back() {
    let rig = Rig::new();
    let body = json!({"Name": "web-proxy", "Kind": "connect-proxy", "Port": 1, "Address": "fd00::5",
        "Proxy": {"DestinationServiceName": "web"}, "Connect": {"Native": true},
        "Locality": {"Region": "r", "Zone": "z"}});
    rig.put("/v1/agent/service/register", &body.to_string()).await;
    let rows = get(&rig, "/v1/health/service/web-proxy").await;
    let service = &rows[0]["Service"];
    assert_eq!(service["Proxy"]["DestinationServiceName"], "web");
    assert_eq!(service["Connect"]["Native"], true);
    assert_eq!(service["Locality"]["Zone"], "z");
    let at = json!({"Address": "fd00::5", "Port": 1});
    assert_eq!(service["TaggedAddresses"], json!({"lan_ipv6": at, "wan_ipv6": at}));
    let plain = get(&rig, "/v1/health/service/consul").await;
    assert_eq!(plain[0]["Service"]["Connect"], json!({}));
}

#[tokio::test]
async fn what_changed_has_a_later_index_than_what_came() {
    let rig = Rig::new();
    let node = r#"{"Node":"n2","Address":"10.0.0.2","Checks":[
        {"Name":"seen","CheckID":"serfHealth","Status":"warning"}]}"#;
    rig.put("/v1/agent/service/register", r#"{"Name":"web","Check":{"TTL":"1h"}}"#).await;
    rig.put("/v1/catalog/register", node).await;
    let nodes = get(&rig, "/v1/catalog/nodes?filter=Node==n2").await;
    assert_eq!(nodes[0]["CreateIndex"], rig.revision().0);
    let checks = get(&rig, "/v1/health/node/n2").await;
    assert_eq!(each(&checks, "Status"), ["warning"], "its own word, once");
    rig.put("/v1/agent/check/pass/service:web", "").await;
    let checks = get(&rig, "/v1/health/checks/web").await;
    assert_eq!(checks[0]["ModifyIndex"], rig.revision().0);
    assert!(checks[0]["CreateIndex"].as_u64() < checks[0]["ModifyIndex"].as_u64(), "{checks}");
}

#[tokio::test]
async fn lists_are_of_the_nodes_and_rows_that_are_asked_for() {
    let rig = Rig::new();
    let web = r#"{"Name":"web","Check":{"TTL":"1h","Status":"passing"}}"#;
    rig.put("/v1/agent/service/register", web).await;
    let node = r#"{"Node":"n2","Address":"10.0.0.2","NodeMeta":{"rack":"7"},
        "Service":{"Service":"db"},"Check":{"Name":"seen","ServiceID":"db","Status":"warning"}}"#;
    rig.put("/v1/catalog/register", node).await;
    let of = async |path: &str, field: &str| -> Vec<String> {
        let rows = get(&rig, path).await;
        each(&rows, field).into_iter().map(str::to_owned).collect()
    };
    assert!(of("/v1/health/state/any", "Node").await.contains(&NODE.to_owned()));
    let on_rack = of("/v1/health/state/any?node-meta=rack:7", "Node").await;
    assert!(!on_rack.is_empty() && on_rack.iter().all(|node| node == "n2"), "{on_rack:?}");
    assert_eq!(of("/v1/health/state/warning?node-meta=rack:7", "CheckID").await, ["seen"]);
    assert_eq!(of("/v1/health/state/warning?node-meta=rack:8", "CheckID").await, [""; 0]);
    assert_eq!(of("/v1/health/checks/db?node-meta=rack:8", "CheckID").await, [""; 0]);
    assert_eq!(of("/v1/health/node/n2?filter=CheckID==seen", "CheckID").await, ["seen"]);
    assert_eq!(of("/v1/health/node/n2?filter=CheckID==other", "CheckID").await, [""; 0]);
    assert_eq!(of("/v1/catalog/nodes?node-meta=rack:7", "Node").await, ["n2"]);
    // A number that is left out is 0.
    let rows = get(&rig, "/v1/health/service/web?filter=Service.Proxy.LocalServicePort==0").await;
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    for (query, names) in [
        ("", &["consul", "db", "web"][..]),
        ("?node-meta=rack:7", &["db"]),
        ("?filter=ServiceName==web", &["web"]),
        ("?filter=ServiceName==web&node-meta=rack:7", &[]),
    ] {
        let services = get(&rig, &format!("/v1/catalog/services{query}")).await;
        assert_eq!(services.as_object().unwrap().keys().collect::<Vec<_>>(), names, "{query}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_watches_a_service_hears_of_what_happens_to_its_node() {
    let rig = Rig::new();
    rig.put("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    for change in [
        "/v1/agent/maintenance?enable=true",
        "/v1/agent/maintenance?enable=false",
        "/v1/agent/check/register",
        "/v1/agent/check/pass/disk",
    ] {
        let first = rig.door.get("/v1/health/service/web").await;
        let index = first.header("x-consul-index").to_owned();
        let path = format!("/v1/health/service/web?index={index}&wait=60s");
        let began = Instant::now();
        let (second, ()) = tokio::join!(rig.door.get(&path), async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            rig.put(change, r#"{"Name":"disk","TTL":"1h"}"#).await;
        });
        assert!(began.elapsed() < Duration::from_secs(2), "{change}");
        assert_ne!(second.text, first.text, "{change}");
    }
}
