//! All endpoints that Consul has, through the router.

use std::time::Duration;

use tokio::time::timeout;

use crate::http::consul::routes::testing::Rig;

/// What is answered although there is no such thing here: method, path, status, text.
const OFF: &[(&str, &str, u16, &str)] = &[
    ("GET", "kv/a", 404, ""),
    ("GET", "kv/a?recurse", 404, ""),
    ("GET", "kv/?keys", 200, "[]"),
    ("GET", "kv/", 400, "Missing key name"),
    ("PUT", "kv/a", 403, "The key/value store is not available: this server is Rollcall"),
    ("DELETE", "kv/a?recurse", 403, "The key/value store is not available"),
    ("PUT", "txn", 403, "Transactions (of keys, nodes, services and checks) are not available"),
    ("PUT", "session/create", 403, "Sessions are not available"),
    ("PUT", "session/destroy/x", 403, "Sessions are not available"),
    ("PUT", "session/renew/x", 404, "Session id 'x' not found"),
    ("GET", "session/info/x", 200, "[]"),
    ("GET", "session/node/n", 200, "[]"),
    ("GET", "session/list", 200, "[]"),
    ("GET", "query", 200, "[]"),
    ("POST", "query", 403, "Prepared queries are not available"),
    ("GET", "query/x", 404, "Query not found"),
    ("PUT", "query/x", 403, "Prepared queries are not available"),
    ("GET", "query/x/execute", 404, "Query not found"),
    ("GET", "query/x/explain", 404, "Query not found"),
    ("GET", "event/list", 200, "[]"),
    ("PUT", "event/fire/x", 403, "Events are not available"),
    ("POST", "event/fire/x", 403, "Events are not available"),
    ("GET", "coordinate/datacenters", 200, "[]"),
    ("GET", "coordinate/nodes", 200, "[]"),
    ("GET", "coordinate/node/x", 404, ""),
    ("PUT", "coordinate/update", 403, "Network coordinates are not available"),
    ("GET", "acl/tokens", 401, "ACL support disabled"),
    ("PUT", "acl/bootstrap", 401, "ACL support disabled"),
    ("POST", "acl/login", 401, "ACL support disabled"),
    ("DELETE", "acl/token/x", 401, "ACL support disabled"),
    ("PUT", "agent/token/default", 401, "ACL support disabled"),
    ("POST", "internal/acl/authorize", 401, "ACL support disabled"),
    ("GET", "agent/connect/ca/roots", 404, "Connect must be enabled"),
    ("GET", "agent/connect/ca/leaf/web", 404, "Connect must be enabled"),
    ("POST", "agent/connect/authorize", 403, "The service mesh is not available"),
    ("GET", "connect/ca/roots", 404, "Connect must be enabled"),
    ("GET", "connect/ca/configuration", 404, "Connect must be enabled"),
    ("PUT", "connect/ca/configuration", 403, "The service mesh is not available"),
    ("GET", "connect/intentions", 200, "[]"),
    ("POST", "connect/intentions", 403, "The service mesh is not available"),
    ("GET", "connect/intentions/x", 404, "Intention not found"),
    ("GET", "connect/intentions/exact?source=a&destination=b", 404, "Intention not found"),
    ("GET", "connect/intentions/match?by=source&name=x", 200, "{\"x\":[]}"),
    ("GET", "connect/intentions/check?source=a&destination=b", 200, "{\"Allowed\":true}"),
    ("PUT", "config", 403, "Configuration entries are not available"),
    ("GET", "config/service-defaults", 200, "[]"),
    (
        "GET",
        "config/service-defaults/x",
        404,
        "Config entry not found for \"service-defaults\" / \"x\"",
    ),
    ("DELETE", "config/service-defaults/x", 403, "Configuration entries are not available"),
    ("GET", "discovery-chain/web", 404, "Connect must be enabled"),
    ("POST", "discovery-chain/web", 404, "Connect must be enabled"),
    ("GET", "exported-services", 200, "[]"),
    ("GET", "imported-services", 200, "[]"),
    ("PUT", "agent/join/10.0.0.1", 403, "Joining and leaving other servers"),
    ("PUT", "agent/leave", 403, "Joining and leaving other servers"),
    ("PUT", "agent/force-leave/n", 403, "Joining and leaving other servers"),
    ("PUT", "agent/reload", 403, "Joining and leaving other servers"),
    ("GET", "agent/monitor", 403, "The log by HTTP is not available"),
    ("GET", "operator/raft/configuration", 200, "{\"Index\":0,\"Servers\":[]}"),
    ("DELETE", "operator/raft/peer", 403, "Operating a cluster of servers is not available"),
    ("GET", "operator/autopilot/health", 200, "{\"FailureTolerance\":0,\"Healthy\":true"),
    ("GET", "operator/autopilot/state", 403, "Operating a cluster of servers is not"),
    ("GET", "operator/autopilot/configuration", 403, "Operating a cluster of servers is not"),
    ("GET", "operator/usage", 403, "Operating a cluster of servers is not available"),
    ("GET", "operator/keyring", 200, "[]"),
    ("GET", "snapshot", 403, "Snapshots by HTTP (there is `rollcall export`) are not available"),
    ("PUT", "snapshot", 403, "Snapshots by HTTP"),
    ("GET", "peerings", 200, "[]"),
    ("GET", "peering/x", 404, "Peering not found"),
    ("POST", "peering/token", 403, "Peering of clusters is not available"),
    ("GET", "federation-state/dc1", 404, "Federation state not found"),
    ("GET", "internal/federation-states", 200, "[]"),
    ("GET", "internal/ui/services", 403, "The user interface is not available"),
    ("GET", "health/connect/web", 200, "[]"),
    ("GET", "health/ingress/web", 200, "[]"),
    ("GET", "catalog/connect/web", 200, "[]"),
    ("GET", "catalog/gateway-services/web", 200, "[]"),
    ("GET", "nothing", 404, "Invalid URL path: not a recognized HTTP API endpoint"),
];

/// What there is, of which each is answered, right or wrong.
const ON: &[(&str, &str, u16)] = &[
    ("PUT", "agent/service/register", 400),
    ("PUT", "agent/service/deregister/x", 404),
    ("PUT", "agent/service/maintenance/x?enable=true", 404),
    ("GET", "agent/services", 200),
    ("GET", "agent/service/x", 404),
    ("GET", "agent/checks", 200),
    ("PUT", "agent/check/register", 400),
    ("PUT", "agent/check/deregister/x", 404),
    ("PUT", "agent/check/pass/x", 404),
    ("PUT", "agent/check/warn/x", 404),
    ("PUT", "agent/check/fail/x", 404),
    ("GET", "agent/health/service/id/x", 404),
    ("GET", "agent/health/service/id/", 400),
    ("GET", "agent/health/service/name/x", 404),
    ("GET", "agent/self", 200),
    ("GET", "agent/members", 200),
    ("GET", "agent/members?wan=1", 200),
    ("GET", "agent/host", 200),
    ("GET", "agent/version", 200),
    ("GET", "agent/metrics", 200),
    ("GET", "agent/metrics?format=prometheus", 200),
    ("PUT", "agent/maintenance", 400),
    ("GET", "catalog/datacenters", 200),
    ("GET", "catalog/nodes", 200),
    ("GET", "catalog/services", 200),
    ("GET", "catalog/service/x", 200),
    ("GET", "catalog/service/", 400),
    ("GET", "catalog/node/x", 200),
    ("GET", "catalog/node", 400),
    ("GET", "catalog/node-services/x", 200),
    ("GET", "health/service/x", 200),
    ("GET", "health/service/", 400),
    ("GET", "health/checks/x", 200),
    ("GET", "health/checks/", 400),
    ("GET", "health/node/x", 200),
    ("GET", "health/node/", 400),
    ("GET", "health/state/any", 200),
    ("GET", "health/state/", 400),
    ("GET", "status/leader", 200),
    ("GET", "status/peers", 200),
];

const PATIENCE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn what_there_is_not_is_answered_so_that_clients_go_on() {
    let rig = Rig::new();
    for &(method, path, status, text) in OFF {
        let url = path_of(path);
        let call = rig.door.call(method, &url, "a body");
        let reply = timeout(PATIENCE, call).await.unwrap_or_else(|_| panic!("{path} hangs"));
        assert_eq!(reply.status.as_u16(), status, "{method} {path}: {reply:?}");
        assert!(reply.text.starts_with(text), "{method} {path}: {reply:?}");
        assert_eq!(text.is_empty(), reply.text.is_empty(), "{method} {path}: {reply:?}");
        if matches!(path, "kv/a" | "kv/?keys" | "session/list" | "event/list" | "query") {
            let has_index = reply.header("x-consul-index") == "1";
            assert_eq!(has_index, method == "GET", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn each_endpoint_is_answered() {
    let rig = Rig::new();
    for &(method, path, status) in ON {
        let url = path_of(path);
        let call = rig.door.call(method, &url, "");
        let reply = timeout(PATIENCE, call).await.unwrap_or_else(|_| panic!("{path} hangs"));
        assert_eq!(reply.status.as_u16(), status, "{method} {path}: {reply:?}");
    }
}

#[tokio::test]
async fn a_path_says_which_methods_it_has() {
    let rig = Rig::new();
    let all = OFF.iter().map(|(method, path, ..)| (*method, *path));
    let all = all.chain(ON.iter().map(|(method, path, _)| (*method, *path)));
    for (method, path) in all.filter(|(_, path)| *path != "nothing") {
        let options = rig.door.call("OPTIONS", &path_of(path), "").await;
        assert_eq!((options.status.as_u16(), &*options.text), (200, ""), "{path}");
        let allowed = options.header("allow").to_owned();
        assert!(allowed.starts_with("OPTIONS,"), "{path}: {allowed}");
        assert!(allowed.split(',').any(|one| one == method), "{path}: {allowed}");
        for wrong in ["HEAD", "PATCH"] {
            let refused = rig.door.call(wrong, &path_of(path), "").await;
            assert_eq!(refused.status, 405, "{wrong} {path}");
            assert_eq!(refused.header("allow"), allowed, "{wrong} {path}");
            // The reply to HEAD has no body.
            let text = if wrong == "HEAD" { "" } else { "method PATCH not allowed" };
            assert_eq!(refused.text, text, "{path}");
        }
    }
}

#[tokio::test]
async fn what_goes_wrong_around_is_said_in_a_line_of_text() {
    let rig = Rig::new();
    let large = "x".repeat(2 << 20);
    let reply = rig.send("/v1/agent/service/register", &large).await;
    assert_eq!(reply.status, 413, "{reply:?}");
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    rig.put("/v1/agent/service/register", r#"{"Name":"web","Check":{"TTL":"60s"}}"#).await;
    rig.door.draining.cancel();
    let reply = rig.send("/v1/agent/service/register", r#"{"Name":"late"}"#).await;
    assert_eq!(reply.status, 503, "{reply:?}");
    assert_eq!(reply.header("content-type"), "text/plain; charset=utf-8");
    // To the end, so that nothing lapses while this server is a lame duck.
    rig.put("/v1/agent/check/pass/service:web", "").await;
    let unhealthy = rig.door.get("/v1/operator/autopilot/health").await;
    assert_eq!(unhealthy.status, 429);
}

fn path_of(path: &str) -> String {
    format!("/v1/{path}")
}
