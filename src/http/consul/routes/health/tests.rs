//! Instances with their states, through the router.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::http::{
    consul::routes::testing::{NODE, Rig},
    tests::support::Reply,
};

/// Registers a service with a check that passes, and one without any.
async fn rig() -> Rig {
    let rig = Rig::new();
    rig.put(
        "/v1/agent/service/register",
        r#"{"ID":"a","Name":"Web","Tags":["V1","x.y"],"Port":80,"Meta":{"k":"v"},
            "Check":{"TTL":"60s","Status":"passing"}}"#,
    )
    .await;
    rig.put("/v1/agent/service/register", r#"{"ID":"b","Name":"web","Tags":["v2"]}"#).await;
    rig
}

/// The ids of the services of an answer.
fn ids(reply: &Reply) -> Vec<String> {
    let rows = reply.json();
    let rows = rows.as_array().unwrap_or_else(|| panic!("{reply:?}"));
    let id = |row: &Value| {
        row["Service"]["ID"].as_str().or(row["ServiceID"].as_str()).map(str::to_owned)
    };
    rows.iter().map(|row| id(row).unwrap()).collect()
}

fn index(reply: &Reply) -> u64 {
    reply.header("x-consul-index").parse().unwrap()
}

#[tokio::test]
async fn a_service_is_filtered_by_tags_states_nodes_and_expressions() {
    let rig = rig().await;
    rig.put("/v1/agent/check/warn/service:a", "").await;
    for (query, expected) in [
        ("", &["a", "b"][..]),
        ("?tag=v1", &["a"]),
        ("?tag=V1&tag=X.Y", &["a"]),
        ("?tag=v1&tag=v2", &[]),
        ("?tag=", &[]),
        ("?passing", &["b"]),
        ("?passing=1", &["b"]),
        ("?passing=false", &["a", "b"]),
        ("?node-meta=consul-network-segment:", &["a", "b"]),
        ("?node-meta=rack:7", &[]),
        ("?near=_agent", &["a", "b"]),
        ("?filter=Service.Port+==+80", &["a"]),
        ("?filter=%22v2%22+in+Service.Tags", &["b"]),
        ("?dc=dc1&stale&token=t", &["a", "b"]),
    ] {
        let reply = rig.door.get(&format!("/v1/health/service/WEB{query}")).await;
        assert_eq!(ids(&reply), expected, "{query}");
        let catalog = query.starts_with("?passing") || query.starts_with("?filter");
        if !catalog {
            let reply = rig.door.get(&format!("/v1/catalog/service/web{query}")).await;
            assert_eq!(ids(&reply), expected, "catalog: {query}");
        }
    }
    for (query, status, text) in [
        ("?passing=x", 400, "Invalid value for ?passing"),
        ("?dc=dc2", 500, "No path to datacenter"),
        (
            "?ns=x",
            400,
            "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature",
        ),
        ("?index=x", 400, "Invalid index"),
        ("?wait=10", 400, "Invalid wait time"),
        (
            "?filter=Nothing==1",
            500,
            "Failed to create boolean expression evaluator: Selector \"Nothing\" is not valid",
        ),
    ] {
        let reply = rig.door.get(&format!("/v1/health/service/web{query}")).await;
        assert_eq!((reply.status.as_u16(), &*reply.text), (status, text), "{query}");
        assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    }
}

#[tokio::test]
async fn checks_are_listed_by_service_node_and_state() {
    let rig = rig().await;
    let seen = async |path: &str| {
        let rows = rig.door.get(&format!("/v1/health/{path}")).await.json();
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["CheckID"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(seen("checks/web").await, ["service:a"]);
    assert_eq!(seen("checks/nothing").await, [""; 0]);
    assert_eq!(seen(&format!("node/{NODE}")).await, ["serfHealth", "service:a"]);
    assert_eq!(seen("node/rollcall").await, ["serfHealth"]);
    assert_eq!(seen("node/nothing").await, [""; 0]);
    assert_eq!(seen("state/any").await, ["serfHealth", "service:a", "serfHealth"]);
    rig.put("/v1/agent/check/fail/service:a", "").await;
    assert_eq!(seen("state/critical").await, ["service:a"]);
    assert_eq!(seen("state/passing").await, ["serfHealth", "serfHealth"]);
    assert_eq!(seen("state/any?filter=ServiceName+==+Web").await, ["service:a"]);
    assert_eq!(seen("state/bogus").await, [""; 0]);
}

#[tokio::test]
async fn what_comes_by_the_native_interface_is_on_this_server_s_node() {
    let rig = Rig::new();
    let body = r#"{"addresses":["10.0.0.9"],"port":8080,"tags":["v1"],"weight":7}"#;
    rig.door.register("payment/payment-1", body).await;
    rig.door.register("payment/x", "{}").await;
    let rows = rig.door.get("/v1/health/service/payment").await.json();
    let (service, node) = (&rows[0]["Service"], &rows[0]["Node"]);
    assert_eq!(service["ID"], "payment-1");
    assert_eq!((&service["Address"], &service["Port"]), (&json!("10.0.0.9"), &json!(8080)));
    assert_eq!(service["Weights"], json!({"Passing": 7, "Warning": 7}));
    assert_eq!((&node["Node"], &node["Address"]), (&json!("rollcall"), &json!("127.0.0.1")));
    assert_eq!(rows[1]["Service"]["ID"], "payment:x");
    let services = rig.door.get("/v1/catalog/services").await.json();
    assert_eq!(services, json!({"consul": [], "payment": ["v1"]}));
    let node = rig.door.get("/v1/catalog/node/ROLLCALL").await.json();
    let ids: Vec<_> = node["Services"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(ids, ["consul", "payment-1", "payment:x"]);
    // They are of the node on which they are not asked for.
    assert_eq!(rig.door.get("/v1/agent/services").await.json(), json!({}));
    assert_eq!(rig.door.get("/v1/agent/service/payment-1").await.status, 404);
}

#[tokio::test]
async fn the_server_is_a_service_of_its_own() {
    let rig = Rig::new();
    let rows = rig.door.get("/v1/health/service/consul").await.json();
    assert_eq!(rows.as_array().unwrap().len(), 1);
    assert_eq!(rows[0]["Service"]["ID"], "consul");
    assert_eq!(rows[0]["Checks"][0]["CheckID"], "serfHealth");
    assert_eq!(rows[0]["Checks"][0]["Status"], "passing");
}

#[tokio::test(start_paused = true)]
async fn a_blocking_query_waits_for_its_own_answer_and_no_other() {
    let rig = rig().await;
    for (path, other, own) in [
        ("health/service/web", "/v1/agent/service/register", "/v1/agent/check/warn/service:a"),
        ("health/state/any", "", "/v1/agent/check/pass/service:a"),
        ("health/checks/web", "/v1/agent/service/register", "/v1/agent/check/fail/service:a"),
        ("health/node/ip-192-0-2-7", "", "/v1/agent/check/pass/service:a"),
        ("health/service/web?passing", "", "/v1/agent/check/fail/service:a"),
    ] {
        let first = rig.door.get(&format!("/v1/{path}")).await;
        let and = if path.contains('?') { '&' } else { '?' };
        let again = format!("/v1/{path}{and}index={}&wait=60s", index(&first));
        let waiting = rig.door.get(&again);
        let began = Instant::now();
        let (second, ()) = tokio::join!(waiting, async {
            tokio::time::sleep(Duration::from_secs(10)).await;
            if !other.is_empty() {
                rig.put(other, r#"{"Name":"other"}"#).await;
            }
            tokio::time::sleep(Duration::from_secs(10)).await;
            rig.put(own, "").await;
        });
        assert!(began.elapsed() >= Duration::from_secs(20), "{path} came too early");
        assert!(began.elapsed() < Duration::from_secs(21), "{path} came too late");
        assert!(index(&second) > index(&first), "{path}");
        assert_ne!(second.text, first.text, "{path}");
    }
    assert_eq!(rig.door.api.waiters().bells(), 0);
}

#[tokio::test(start_paused = true)]
async fn lists_wait_for_names_nodes_and_services_that_come_and_go() {
    let rig = rig().await;
    let wait = async |path: &str, change: &str, body: &str| {
        let (first, second) = woken(&rig, path, change, body).await;
        if let Some(second) = &second {
            assert!(index(second) > index(&first), "{path}");
        }
        second
    };
    let (register, deregister) = ("/v1/agent/service/register", "/v1/agent/service/deregister/n");
    let new = r#"{"ID":"n","Name":"new"}"#;
    let warn = "/v1/agent/check/warn/service:a";
    assert!(wait("catalog/services", warn, "").await.is_none(), "no name is new");
    assert!(wait("catalog/services", register, new).await.is_some());
    assert!(wait("catalog/services", deregister, "").await.is_some());
    assert!(wait("health/service/new", register, new).await.is_some());
    let gone = wait("health/service/new", deregister, "").await;
    assert_eq!(gone.unwrap().text, "[]");
    let other = r#"{"Name":"other"}"#;
    assert!(wait("catalog/service/new", register, other).await.is_none(), "of another service");
    let node = r#"{"Node":"n2","Address":"10.0.0.2"}"#;
    let (no_node, new_node) = (r#"{"ID":"m","Name":"m"}"#, "/v1/catalog/register");
    assert!(wait("catalog/nodes", register, no_node).await.is_none(), "no new node");
    let nodes = wait("catalog/nodes", new_node, node).await.unwrap();
    assert!(nodes.text.contains("10.0.0.2"), "{nodes:?}");
}

/// Whoever watched a node was woken by all that happened anywhere, and got another index by it.
#[tokio::test(start_paused = true)]
async fn who_watches_a_node_waits_for_what_happens_on_it() {
    let rig = rig().await;
    let elsewhere = r#"{"Node":"m","Address":"10.0.0.2","Service":{"Service":"web"}}"#;
    let (here, fail) = (r#"{"Node":"ip-192-0-2-7","Address":"192.0.2.7"}"#, "check/fail/service:a");
    for list in ["health/node", "catalog/node", "catalog/node-services"] {
        let path = format!("{list}/{NODE}");
        let (first, second) = woken(&rig, &path, "/v1/catalog/register", elsewhere).await;
        assert!(second.is_none(), "{path}");
        rig.door.register("payment/x", "{}").await;
        assert_eq!(index(&rig.door.get(&format!("/v1/{path}")).await), index(&first), "{path}");
        let deregister = r#"{"Node":"m"}"#;
        rig.put("/v1/catalog/deregister", deregister).await;
        rig.door.call("DELETE", "/api/v1/services/payment/instances/x", "").await;
    }
    let own = format!("health/node/{NODE}");
    let new = r#"{"ID":"n","Name":"new"}"#;
    let and_checks = &*here.replace('}', r#","Check":{"CheckID":"x","Status":"passing"}}"#);
    for (path, change, body) in [
        (&*own, format!("/v1/agent/{fail}"), ""),
        (&own.replace("health", "catalog"), "/v1/agent/service/register".into(), new),
        (&own, "/v1/catalog/register".into(), and_checks),
        ("health/service/new", "/v1/agent/maintenance?enable=true".into(), ""),
        ("catalog/node-services/n3", "/v1/catalog/register".into(), &here.replace(NODE, "n3")),
    ] {
        let (first, second) = woken(&rig, path, &change, body).await;
        let second = second.unwrap_or_else(|| panic!("{path} is not woken by {change}"));
        assert!(index(&second) > index(&first), "{path}");
    }
    // Whatever comes by another interface is on this server's own.
    let own = index(&rig.door.get("/v1/catalog/node/rollcall").await);
    let path = format!("/v1/catalog/node/rollcall?index={own}&wait=5s");
    let (own, _) = tokio::join!(rig.door.get(&path), rig.door.register("payment/y", "{}"));
    assert!(own.text.contains("payment:y"), "{own:?}");
}

#[tokio::test(start_paused = true)]
async fn nobody_who_asks_again_is_answered_at_once_with_what_he_has() {
    let rig = Rig::new();
    // Of an empty registry, and of what never changes.
    for path in ["health/service/x", "catalog/services", "kv/a", "session/list", "query"] {
        let first = rig.door.get(&format!("/v1/{path}")).await;
        assert_eq!(index(&first), 1, "{path}");
        let began = Instant::now();
        let second = rig.door.get(&format!("/v1/{path}?index=1&wait=10s")).await;
        assert!(began.elapsed() >= Duration::from_secs(10), "{path}");
        assert_eq!((index(&second), second.text), (1, first.text), "{path}");
        // An index of another server is not waited for.
        let began = Instant::now();
        rig.door.get(&format!("/v1/{path}?index=900000&wait=10s")).await;
        assert_eq!(began.elapsed(), Duration::ZERO, "{path}");
    }
}

#[tokio::test(start_paused = true)]
async fn who_waits_is_answered_when_the_server_stops() {
    let rig = rig().await;
    let at = index(&rig.door.get("/v1/health/service/web").await);
    let path = format!("/v1/health/service/web?index={at}&wait=600s");
    let (reply, ()) = tokio::join!(rig.door.get(&path), async { rig.door.stop.cancel() });
    assert_eq!((reply.status.as_u16(), index(&reply)), (200, at));
    assert_eq!(rig.door.api.waiters().bells(), 0);
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_waits_no_longer() {
    let rig = rig().await;
    let at = index(&rig.door.get("/v1/health/service/web").await);
    let path = format!("/v1/health/service/web?index={at}&wait=600s");
    assert!(timeout(Duration::from_secs(1), rig.door.get(&path)).await.is_err());
    assert_eq!(rig.door.api.waiters().bells(), 0);
}

#[tokio::test]
async fn a_large_answer_is_made_aside_and_whole() {
    let rig = Rig::new();
    let all: Vec<_> = (0..300)
        .map(|n| json!({"service": "web", "instance": format!("web-{n}"), "port": n}))
        .collect();
    let reply = rig.door.call("POST", "/api/v1/instances", &json!(all).to_string()).await;
    assert!(reply.status.is_success(), "{reply:?}");
    let (one, other) = tokio::join!(
        rig.door.get("/v1/health/service/web"),
        rig.door.get("/v1/health/service/web?stale")
    );
    assert_eq!(ids(&one).len(), 300);
    assert_eq!(one.text, other.text);
    assert_eq!(other.header("x-consul-effective-consistency"), "stale");
}

/// Nobody was woken by it, and the same index then stood for another answer.
#[tokio::test(start_paused = true)]
async fn a_check_that_changes_wakes_though_another_one_is_worse() {
    let rig = Rig::new();
    let service = r#"{"Name":"web","Checks":[{"CheckID":"a","TTL":"60s","Status":"critical"},
        {"CheckID":"b","TTL":"60s","Status":"passing"}]}"#;
    let node = r#"{"Node":"n","Address":"10.0.0.9","Service":{"Service":"api"},"Checks":[
        {"Node":"n","CheckID":"x","Status":"critical"},
        {"Node":"n","CheckID":"y","Status":"passing"}]}"#;
    rig.put("/v1/agent/service/register", service).await;
    rig.put("/v1/catalog/register", node).await;
    let ill = node.replace("passing", "warning");
    for (path, change, body) in [
        ("health/checks/web", "/v1/agent/check/fail/b", ""),
        ("health/service/web", "/v1/agent/check/warn/b", ""),
        ("health/state/any", "/v1/agent/check/fail/b", ""),
        ("health/node/ip-192-0-2-7", "/v1/agent/check/pass/b", ""),
        ("health/service/api", "/v1/catalog/register", &*ill),
        ("health/node/n", "/v1/catalog/register", node),
    ] {
        let (first, second) = woken(&rig, path, change, body).await;
        let second = second.unwrap_or_else(|| panic!("{path} is not woken"));
        assert!(index(&second) > index(&first), "{path}");
        assert_ne!(second.text, first.text, "{path}");
    }
}

/// The time that they waited was in the histogram of all requests.
#[tokio::test(start_paused = true)]
async fn who_waits_is_counted_and_not_timed() {
    let rig = rig().await;
    let at = index(&rig.door.get("/v1/health/service/web").await);
    let path = format!("/v1/health/service/web?index={at}&wait=5s");
    let waiters = async || {
        let text = rig.door.get("/metrics").await.text;
        let line = text.lines().find_map(|line| line.strip_prefix("rollcall_consul_waiters "));
        line.unwrap().to_owned()
    };
    let (_, meanwhile) = tokio::join!(rig.door.get(&path), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        waiters().await
    });
    assert_eq!((&*meanwhile, &*waiters().await), ("1", "0"));
    let text = rig.door.get("/metrics").await.text;
    let of = r#"{route="/v1/health/service/{*name}"}"#;
    let timed = format!("rollcall_http_request_duration_seconds_count{of} 1");
    assert!(text.contains(&timed), "{timed} in\n{text}");
    let of = r#"{interface="consul"}"#;
    assert!(text.contains(&format!("rollcall_instances_by_interface{of} 2")), "{text}");
}

/// What is seen before and after a change; nothing when who waits is not woken by it.
async fn woken(rig: &Rig, path: &str, change: &str, body: &str) -> (Reply, Option<Reply>) {
    let first = rig.door.get(&format!("/v1/{path}")).await;
    let again = format!("/v1/{path}?index={}&wait=5s", index(&first));
    let began = Instant::now();
    let (second, ()) = tokio::join!(rig.door.get(&again), async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        rig.put(change, body).await;
    });
    (first, (began.elapsed() < Duration::from_secs(2)).then_some(second))
}
