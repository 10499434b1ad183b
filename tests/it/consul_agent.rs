//! What Consul's clients register with the real server: it is checked, answered and kept as if it
//! had come by the native interface.

use serde_json::{Value, json};

use crate::{
    health::{is_answered, wait_for_answer},
    support::{Backend, Node, api::instance_path, eventually},
};

fn put(node: &Node, path: &str, body: &Value) {
    let reply = node.api().put(&format!("/v1/{path}"), body);
    assert_eq!(reply.status, 200, "{path} {body}: {reply:?}");
}

/// Registers `web`, at 127.0.0.1.
fn register(node: &Node, port: u16, check: &Value) {
    let body = json!({"name": "web", "id": "web-1", "address": "127.0.0.1", "port": port,
                      "check": check});
    put(node, "agent/service/register", &body);
}

fn check_of(node: &Node, instance: &str) -> Value {
    node.api().get(&instance_path("web", instance)).body["checks"][0].clone()
}

#[test]
fn a_service_with_an_http_check_is_answered_while_it_is_well() {
    let node = Node::start();
    let backend = Backend::start("127.0.0.1");
    let port = backend.address.port();
    let url = format!("http://localhost:{port}/health");
    register(&node, port, &json!({"http": url, "interval": "1s"}));
    let passing = node.api().get("/v1/health/service/web?passing=1").body;
    assert_eq!(passing[0]["Service"]["ID"], "web-1", "its first result was waited for");
    let output = passing[0]["Checks"][1]["Output"].as_str().unwrap();
    assert!(output.starts_with(&format!("HTTP GET {url}: 200 OK Output: ")), "{output}");
    assert!(is_answered(&node, "web"));
    let becomes = |status: &str| {
        eventually(status, || (check_of(&node, "web-1")["status"] == status).then_some(()));
    };
    backend.set_status(429);
    becomes("warning");
    assert!(is_answered(&node, "web"), "a warning is answered");
    backend.set_status(500);
    wait_for_answer(&node, "web", false);
    backend.set_status(200);
    wait_for_answer(&node, "web", true);
    register(&node, port, &json!({"http": url, "interval": "2s"}));
    assert!(is_answered(&node, "web"), "what was known stays");
    put(&node, "agent/service/maintenance/web-1?enable=true", &Value::Null);
    assert!(!is_answered(&node, "web"));
    put(&node, "agent/service/maintenance/web-1?enable=false", &Value::Null);
    assert!(is_answered(&node, "web"));
    // Maintenance without a reason used to end its checks for good.
    backend.set_status(500);
    wait_for_answer(&node, "web", false);
    backend.set_status(200);
    wait_for_answer(&node, "web", true);
    put(&node, "agent/service/deregister/web-1", &Value::Null);
    assert!(!is_answered(&node, "web"));
}

#[test]
fn a_service_with_a_ttl_check_is_answered_while_it_says_that_it_is_well() {
    let node = Node::start();
    register(&node, 80, &json!({"ttl": "2s"}));
    assert!(!is_answered(&node, "web"), "it has not said so yet");
    put(&node, "agent/check/pass/service:web-1?note=fine", &Value::Null);
    assert!(is_answered(&node, "web"));
    wait_for_answer(&node, "web", false);
    let output = check_of(&node, "web-1")["output"].clone();
    assert_eq!(output, "no heartbeat for 2s; the last one said: fine");
    let shown = node.api().get("/v1/agent/checks").body["service:web-1"]["Output"].clone();
    assert_eq!(shown, "TTL expired (last output before timeout follows): fine");
    let update = json!({"Status": "warning", "Output": "so so"});
    put(&node, "agent/check/update/service:web-1", &update);
    assert!(is_answered(&node, "web"));
    put(&node, "agent/check/fail/service:web-1", &Value::Null);
    assert!(!is_answered(&node, "web"));
}

#[test]
fn what_was_registered_is_known_by_its_id_after_a_crash() {
    let node = Node::start();
    let body = json!({"name": "web", "id": "host:web:80", "address": "127.0.0.1",
                      "check": {"ttl": "1h", "check_id": "own id", "name": "n"}});
    // The names of fields that are not Consul's are refused, and nothing is registered.
    assert_eq!(node.api().put("/v1/agent/service/register", &body).status, 400);
    let body = json!({"name": "web", "id": "host:web:80", "address": "127.0.0.1",
                      "check": {"ttl": "1h", "checkid": "own id", "name": "n"}});
    put(&node, "agent/service/register", &body);
    put(&node, "agent/check/register", &json!({"name": "disk", "ttl": "1h"}));
    put(&node, "agent/check/pass/own%20id", &Value::Null);
    assert!(!is_answered(&node, "web"), "its node is critical");
    let node = node.kill_and_restart();
    assert!(!is_answered(&node, "web"));
    put(&node, "agent/check/pass/disk", &Value::Null);
    assert!(is_answered(&node, "web"));
    put(&node, "agent/check/fail/own%20id", &Value::Null);
    assert!(!is_answered(&node, "web"));
    put(&node, "agent/service/deregister/host:web:80", &Value::Null);
    put(&node, "agent/check/deregister/disk", &Value::Null);
}

#[test]
fn a_service_of_the_catalog_is_as_well_as_others_say() {
    let node = Node::start();
    let body = |status: &str| {
        json!({"Node": "elsewhere", "Address": "127.0.0.1",
               "Service": {"Service": "web", "Port": 80},
               "Check": {"Name": "c", "ServiceID": "web", "Status": status}})
    };
    for (status, answered) in [("passing", true), ("critical", false), ("warning", true)] {
        put(&node, "catalog/register", &body(status));
        assert_eq!(is_answered(&node, "web"), answered, "{status}");
    }
    put(&node, "catalog/deregister", &json!({"Node": "elsewhere"}));
    assert!(!is_answered(&node, "web"));
}

#[test]
fn what_came_by_the_native_interface_can_be_drained_and_taken_away() {
    let node = Node::start();
    let body = json!({"addresses": ["127.0.0.1"]});
    for (instance, id) in [("web-1", "web-1"), ("i", "web:i")] {
        node.api().register("web", instance, &body);
        let services = node.api().get("/v1/agent/services").body;
        assert!(services.get(id).is_some(), "{services}");
        put(&node, &format!("agent/service/maintenance/{id}?enable=true"), &Value::Null);
        assert!(!is_answered(&node, "web"));
        assert_eq!(node.api().get(&instance_path("web", instance)).body["drained"], true);
        put(&node, &format!("agent/service/maintenance/{id}?enable=false"), &Value::Null);
        assert!(is_answered(&node, "web"));
        put(&node, &format!("agent/service/deregister/{id}"), &Value::Null);
        assert!(!is_answered(&node, "web"));
        let again = node.api().put(&format!("/v1/agent/service/deregister/{id}"), &Value::Null);
        assert_eq!(again.status, 404);
    }
}
