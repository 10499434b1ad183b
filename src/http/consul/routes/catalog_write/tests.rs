//! The catalog, as a server (1.8.7) takes it.

use serde_json::json;

use crate::{
    http::consul::{
        kept::KeptNode,
        routes::testing::{NODE, Rig},
        site::Host,
        world::World,
    },
    model::Scope,
};

const REGISTER: &str = "/v1/catalog/register";
const DEREGISTER: &str = "/v1/catalog/deregister";

/// A node, a service with two checks of its own and a check of the node.
const SEARCH: &str = r#"{"Node":"Ext1","Address":"10.1.1.1","NodeMeta":{"external-node":"true"},
    "Service":{"ID":"s2","Service":"search","Port":81,"Tags":["a"]},
    "Check":{"Name":"c1","Status":"passing"},
    "Checks":[{"CheckID":"c2","Name":"c2","ServiceID":"s2","Status":"warning","Output":"out",
               "Definition":{"HTTP":"http://x","Interval":"10s"}},
              {"CheckID":"c3","ServiceID":"s2","Status":"passing"}]}"#;

#[tokio::test]
async fn a_node_a_service_and_checks_are_registered_as_one() {
    let rig = Rig::new();
    rig.put(REGISTER, SEARCH).await;
    assert_eq!(rig.revision().0, 1, "seen as a whole");
    assert_eq!(rig.services_of("ext1"), ["s2 search/s2 10.1.1.1:81 up"]);
    let checks = [r#"c1=passing """#, r#"c2=warning "out" s2"#, r#"c3=passing "" s2"#];
    assert_eq!(rig.checks_of("ext1"), checks);
    rig.put(REGISTER, SEARCH).await;
    assert_eq!(rig.revision().0, 1, "the same again");
    let snapshot = rig.snapshot();
    let world = World { snapshot: &snapshot, options: rig.door.api.consul() };
    let rows = world.services("search")[0].checks();
    assert_eq!((&*rows[0].r#type, &*rows[1].r#type), ("http", ""));
    assert_eq!(
        serde_json::to_string(&rows[0].definition).unwrap(),
        r#"{"HTTP":"http://x","Interval":"10s"}"#
    );
    let node = world.node(&Host { name: "ext1".into(), address: String::new() });
    assert_eq!((&*node.node, &*node.address), ("Ext1", "10.1.1.1"));
    assert_eq!(node.meta["external-node"], "true");
}

#[tokio::test]
async fn a_state_that_is_said_counts() {
    let rig = Rig::new();
    rig.put(REGISTER, SEARCH).await;
    let critical = SEARCH.replace(r#""Status":"warning","Output":"out""#, r#""Status":"critical""#);
    rig.put(REGISTER, &critical).await;
    assert_eq!(rig.services_of("ext1"), ["s2 search/s2 10.1.1.1:81 down"]);
    rig.put(REGISTER, SEARCH).await;
    assert_eq!(rig.services_of("ext1"), ["s2 search/s2 10.1.1.1:81 up"]);
    let node = r#"{"Node":"ext1","SkipNodeUpdate":true,"Check":{"CheckID":"c1"}}"#;
    rig.put(REGISTER, node).await;
    assert_eq!(rig.checks_of("ext1")[0], r#"c1=critical """#, "none is critical");
    assert_eq!(rig.services_of("ext1"), ["s2 search/s2 10.1.1.1:81 down"], "by its node");
}

#[tokio::test]
async fn a_node_is_left_as_it_is_if_that_is_asked_for() {
    let rig = Rig::new();
    rig.put(REGISTER, SEARCH).await;
    let skipped = r#"{"Node":"EXT1","Address":"9.9.9.9","SkipNodeUpdate":true,
                      "NodeMeta":{"z":"z"},"Service":{"Service":"other"}}"#;
    rig.put(REGISTER, skipped).await;
    assert_eq!(rig.services_of("ext1")[0], "other other/other 10.1.1.1:0 up");
    // A node that only its services stand for.
    rig.put("/v1/agent/service/register", r#"{"Name":"web"}"#).await;
    rig.put(REGISTER, &skipped.replace("EXT1", NODE)).await;
    assert_eq!(rig.services()[0], "other other/other-ip-192-0-2-7-cded457f 192.0.2.7:0 up");
}

#[tokio::test]
async fn services_without_an_address_of_their_own_move_with_their_node() {
    let rig = Rig::new();
    rig.put(REGISTER, SEARCH).await;
    rig.put(
        REGISTER,
        r#"{"Node":"ext1","SkipNodeUpdate":true,
        "Service":{"Service":"apart","Address":"10.7.7.7"}}"#,
    )
    .await;
    rig.put(REGISTER, r#"{"Node":"ext1","Address":"10.1.1.7"}"#).await;
    assert_eq!(
        rig.services_of("ext1"),
        ["apart apart/apart 10.7.7.7:0 up", "s2 search/s2 10.1.1.7:81 up"]
    );
    assert_eq!(rig.checks_of("ext1").len(), 3, "with what is known of their checks");
    let agent = "/v1/agent/service/register";
    rig.put(agent, r#"{"Name":"web"}"#).await;
    rig.put(REGISTER, &format!(r#"{{"Node":"{NODE}","Address":"10.5.5.5"}}"#)).await;
    rig.put(agent, r#"{"Name":"late"}"#).await;
    let moved = ["late late/late 10.5.5.5:0 up", "web web/web 10.5.5.5:0 up"];
    assert_eq!(rig.services(), moved, "wherever their clients come from");
    let snapshot = rig.snapshot();
    let node = snapshot.origins.get(&Scope::node("ext1"), "").unwrap();
    assert!(KeptNode::of(node).unwrap().meta.is_empty(), "the node is as it was last said");
}

/// Where the checks of a node's service go, or those of the node itself if `id` is empty.
fn targets(rig: &Rig, node: &str, id: &str) -> Vec<String> {
    let snapshot = rig.snapshot();
    let instance = snapshot.origins.get(&Scope::node(node), id).unwrap();
    let targets = instance.checks.iter().map(|check| check.target().unwrap().host.clone().unwrap());
    targets.map(|host| host.to_string()).collect()
}

#[tokio::test]
async fn checks_of_a_node_s_loopback_move_with_the_node() {
    let rig = Rig::new();
    let agent = "/v1/agent/service/register";
    let checks = r#""Checks":[{"TCP":"localhost:80","Interval":"10s"},
                              {"HTTP":"http://127.0.0.1:80/","Interval":"10s"},
                              {"TCP":"10.8.8.8:80","Interval":"10s"}]"#;
    rig.put(agent, &format!(r#"{{"Name":"web",{checks}}}"#)).await;
    rig.put(agent, &format!(r#"{{"Name":"apart","Address":"192.0.2.7",{checks}}}"#)).await;
    let of_node = r#"{"Name":"disk","TCP":"localhost:9100","Interval":"10s"}"#;
    rig.put("/v1/agent/check/register", of_node).await;
    assert_eq!(targets(&rig, NODE, "web"), ["192.0.2.7", "192.0.2.7", "10.8.8.8"]);
    rig.put(REGISTER, &format!(r#"{{"Node":"{NODE}","Address":"10.0.9.9"}}"#)).await;
    assert_eq!(targets(&rig, NODE, "web"), ["10.0.9.9", "10.0.9.9", "10.8.8.8"]);
    assert_eq!(targets(&rig, NODE, ""), ["10.0.9.9"]);
    // One that says where it is stays there.
    assert_eq!(targets(&rig, NODE, "apart"), ["192.0.2.7", "192.0.2.7", "10.8.8.8"]);
}

#[tokio::test]
async fn what_is_taken_away_is_gone_and_so_is_what_was_not_there() {
    let rig = Rig::new();
    rig.put(REGISTER, SEARCH).await;
    rig.put(REGISTER, r#"{"Node":"ext1","Address":"10.1.1.1","Service":{"Service":"b"}}"#).await;
    for (body, services, checks) in [
        (r#"{"Node":"ext1","CheckID":"c1"}"#, 2, 2),
        (r#"{"Node":"ext1","CheckID":"c2"}"#, 2, 1),
        (r#"{"Node":"ext1","ServiceID":"nope"}"#, 2, 1),
        (r#"{"Node":"ext1","ServiceID":"s2","CheckID":"x"}"#, 1, 0),
        (r#"{"Node":"other"}"#, 1, 0),
        (r#"{"Node":"EXT1","Address":"x"}"#, 0, 0),
        (r#"{"Node":"ext1"}"#, 0, 0),
    ] {
        rig.put(DEREGISTER, body).await;
        let left = (rig.services_of("ext1").len(), rig.checks_of("ext1").len());
        assert_eq!(left, (services, checks), "{body}");
        assert_eq!(rig.snapshot().nodes.len(), usize::from(services > 0), "{body}");
    }
    let node = r#"{"Node":"bare","Address":"10.1.1.2"}"#;
    rig.put(REGISTER, node).await;
    assert_eq!(rig.snapshot().nodes.len(), 1, "a node may be all that is registered");
}

#[tokio::test]
async fn what_is_no_registration_is_refused_whole() {
    let rig = Rig::new();
    for (path, body, status, text) in [
        (REGISTER, "", 400, "Request decode failed: EOF"),
        (REGISTER, r#"{"Address":"a"}"#, 500, "Must provide node"),
        (REGISTER, r#"{"Node":"x"}"#, 500, "Must provide address if SkipNodeUpdate is not set"),
        (
            REGISTER,
            r#"{"Node":"x","Address":"a","Datacenter":"dc9"}"#,
            500,
            "No path to datacenter",
        ),
        (
            REGISTER,
            r#"{"Node":"x","Address":"1.1.1.1","Service":{"Service":"s"},
                "Check":{"CheckID":"zz","ServiceID":"nope"}}"#,
            500,
            "failed inserting check: Missing service registration on node \"x\"",
        ),
        (REGISTER, r#"{"Node":"x","Address":"a b"}"#, 500, "Invalid node address"),
        (DEREGISTER, "{}", 500, "Must provide node"),
        (DEREGISTER, r#"{"Node":"x","Datacenter":"dc9"}"#, 500, "No path to datacenter"),
    ] {
        rig.refused(path, body, status, text).await;
    }
    assert_eq!(rig.revision().0, 0);
}

#[tokio::test]
async fn a_node_of_the_catalog_is_shown_as_it_was_registered() {
    let rig = Rig::new();
    let external = r#"{"Node":"ext","Address":"10.1.1.1","NodeMeta":{"rack":"r1"},
        "Service":{"Service":"db","Address":"10.1.1.2","Port":1},
        "Check":{"Name":"up","Status":"passing","Interval":"5s","Timeout":"1s"}}"#;
    rig.put(REGISTER, external).await;
    let node = json!({"ID": "", "Node": "ext", "Address": "10.1.1.1", "Datacenter": "dc1",
        "TaggedAddresses": {}, "Meta": {"rack": "r1"}, "CreateIndex": 1, "ModifyIndex": 1});
    let row = rig.door.get("/v1/health/service/db").await.json()[0].clone();
    assert_eq!(row["Node"], node);
    assert_eq!(row["Checks"].as_array().unwrap().len(), 1, "nobody says that an agent is there");
    let check = &row["Checks"][0];
    assert_eq!((&check["Interval"], &check["Timeout"]), (&json!("5s"), &json!("1s")));
    assert_eq!(row["Service"].get("TaggedAddresses"), None);
    let nodes = rig.door.get("/v1/catalog/nodes?filter=Node+==+ext").await.json();
    assert_eq!(nodes, json!([node]));
    let full = external.replace(
        r#""NodeMeta""#,
        r#""ID":"40e4a748-2192-161a-0510-9bf59fe950b5",
           "TaggedAddresses":{"lan":"10.1.1.1","wan":"198.51.100.1"},"NodeMeta""#,
    );
    rig.put(REGISTER, &full).await;
    let node = &rig.door.get("/v1/catalog/nodes?filter=Node+==+ext").await.json()[0];
    assert_eq!(node["ID"], "40e4a748-2192-161a-0510-9bf59fe950b5");
    assert_eq!(node["TaggedAddresses"], json!({"lan": "10.1.1.1", "wan": "198.51.100.1"}));
}

#[tokio::test]
async fn weights_that_are_not_set_are_one() {
    let rig = Rig::new();
    for (weights, expected) in [
        (r#"{"Passing":0,"Warning":0}"#, json!({"Passing": 1, "Warning": 1})),
        (r#"{"Passing":0,"Warning":2}"#, json!({"Passing": 0, "Warning": 2})),
        ("null", json!({"Passing": 1, "Warning": 1})),
    ] {
        let service = format!(r#"{{"Service":"db","Weights":{weights}}}"#);
        let body = format!(r#"{{"Node":"ext","Address":"10.1.1.1","Service":{service}}}"#);
        rig.put(REGISTER, &body).await;
        let rows = rig.door.get("/v1/catalog/service/db").await.json();
        assert_eq!(rows[0]["ServiceWeights"], expected, "{weights}");
    }
}

#[tokio::test]
async fn a_node_that_somebody_registers_with_has_an_agent() {
    let node = format!(r#"{{"Node":"{NODE}","Address":"192.0.2.7","NodeMeta":{{"rack":"r1"}}}}"#);
    let service = r#"{"Name":"web","Address":"10.0.0.5"}"#;
    // By a service, a check or maintenance, before the catalog has it or after that.
    for (path, body) in [
        ("/v1/agent/service/register", service),
        ("/v1/agent/check/register", r#"{"Name":"disk","TTL":"60s","Status":"passing"}"#),
        ("/v1/agent/maintenance?enable=true", ""),
    ] {
        for catalog_first in [true, false] {
            let rig = Rig::new();
            if catalog_first {
                rig.put(REGISTER, &node).await;
                let checks = rig.door.get(&format!("/v1/health/node/{NODE}")).await;
                assert_eq!(checks.text, "[]");
            }
            rig.put(path, body).await;
            // Once more says nothing of it.
            rig.put(REGISTER, &node).await;
            let checks = rig.door.get(&format!("/v1/health/node/{NODE}")).await.json();
            let ids: Vec<_> =
                checks.as_array().unwrap().iter().map(|one| &one["CheckID"]).collect();
            assert!(ids.contains(&&json!("serfHealth")), "{path} {catalog_first} {checks}");
            let shown = rig.door.get(&format!("/v1/catalog/node/{NODE}")).await.json();
            let meta = json!({"rack": "r1", "consul-network-segment": ""});
            assert_eq!(shown["Node"]["Meta"], meta);
            assert_eq!(shown["Node"]["ID"].as_str().unwrap().len(), 36);
        }
    }
}

#[tokio::test]
async fn addresses_by_networks_are_named_by_agents_alone() {
    let rig = Rig::new();
    let agent = r#"{"Name":"web","ID":"a","Address":"10.0.0.5","Port":1}"#;
    rig.put("/v1/agent/service/register", agent).await;
    let catalog = format!(
        r#"{{"Node":"{NODE}","SkipNodeUpdate":true,
             "Service":{{"Service":"web","ID":"b","Address":"10.0.0.6"}}}}"#
    );
    rig.put(REGISTER, &catalog).await;
    let rows = rig.door.get("/v1/catalog/service/web").await.json();
    assert!(rows[0]["ServiceTaggedAddresses"]["lan_ipv4"].is_object(), "{rows}");
    assert_eq!(rows[1].get("ServiceTaggedAddresses"), None);
}

#[tokio::test]
async fn checks_are_shown_by_their_ids_and_those_of_the_node_first() {
    let rig = Rig::new();
    rig.put(
        REGISTER,
        r#"{"Node":"ext","Address":"10.1.1.1","Service":{"Service":"db"},"Checks":[
            {"CheckID":"z","ServiceID":"db"},{"CheckID":"y"},{"CheckID":"B","ServiceID":"db"},
            {"CheckID":"a","ServiceID":"db"},{"CheckID":"x"}]}"#,
    )
    .await;
    let ids = |rows: &serde_json::Value| -> Vec<String> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["CheckID"].as_str().unwrap().to_owned()).collect()
    };
    let row = rig.door.get("/v1/health/service/db").await.json();
    assert_eq!(ids(&row[0]["Checks"]), ["x", "y", "a", "B", "z"]);
    let rows = rig.door.get("/v1/health/node/ext").await.json();
    assert_eq!(ids(&rows), ["a", "B", "x", "y", "z"]);
    // Of several services by their ids, too.
    rig.put(
        REGISTER,
        r#"{"Node":"ext","SkipNodeUpdate":true,"Service":{"Service":"db","ID":"0"},
            "Check":{"CheckID":"c","ServiceID":"0"}}"#,
    )
    .await;
    let rows = rig.door.get("/v1/health/checks/db").await.json();
    assert_eq!(ids(&rows), ["a", "B", "c", "z"]);
}
