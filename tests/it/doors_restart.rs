//! What came by each door outlives the server, also when that is killed: documents, states,
//! overrides and leases.

use serde_json::{Value, json};

use crate::support::{Node, api::instance_path, eventually};

fn call(node: &Node, request: &str, body: &Value) {
    let (method, path) = request.split_once(' ').unwrap();
    let api = node.api();
    let reply = match method {
        "PUT" => api.put(path, body),
        _ => api.post(path, body),
    };
    assert!((200..300).contains(&reply.status), "{request} {body}: {reply:?}");
}

/// Registers by all doors what has something of everything.
fn fill(node: &Node) {
    let native = json!({"addresses": ["10.0.0.1", "fd00::1"], "port": 1, "weight": 7,
        "tags": ["v1"], "meta": {"k": "v"}, "deregister_after": "1h",
        "checks": [{"type": "ttl", "ttl": "1h"}]});
    let web = json!({"Name": "web_app", "ID": "host:web:80", "Address": "10.0.0.2", "Port": 80,
        "Tags": ["V1", "urlprefix-/shop"], "Meta": {"Team": "Shop"}, "EnableTagOverride": true,
        "TaggedAddresses": {"wan": {"Address": "198.51.100.7", "Port": 443}},
        "Weights": {"Passing": 10, "Warning": 3},
        "Checks": [{"TTL": "1h", "Name": "alive", "Notes": "by hand"},
                   {"CheckID": "own id", "TCP": "127.0.0.1:9", "Interval": "1h",
                    "Status": "passing", "DeregisterCriticalServiceAfter": "90m"}]});
    let external = json!({"Node": "Ext.Node", "ID": "11111111-2222-3333-4444-555555555555",
        "Address": "10.9.0.1", "NodeMeta": {"rack": "7"},
        "Service": {"Service": "db", "Port": 5432, "Tags": ["primary"]},
        "Check": {"Name": "seen", "CheckID": "seen", "ServiceID": "db", "Status": "warning",
                  "Output": "slow"}});
    let pay = json!({"instance": {"instanceId": "10.0.0.3:pay:80", "app": "PAY",
        "hostName": "pay.example", "ipAddr": "10.0.0.3", "status": "UP", "vipAddress": "pay,shop",
        "port": {"$": 80, "@enabled": "true"}, "metadata": {"zone": "a", "Odd Key": "x"},
        "leaseInfo": {"renewalIntervalInSecs": 5, "durationInSecs": 3600},
        "lastDirtyTimestamp": "1795202611150", "homePageUrl": "http://pay.example/",
        "dataCenterInfo": {"name": "MyOwn"}}});
    let mut idle = pay.clone();
    idle["instance"]["instanceId"] = json!("10.0.0.4:pay:80");
    idle["instance"]["ipAddr"] = json!("10.0.0.4");
    let none = Value::Null;
    let pay_4 = "/eureka/apps/PAY/10.0.0.4%3Apay%3A80";
    for (request, body) in [
        (format!("PUT {}", instance_path("native", "native-1")), &native),
        (
            format!("PUT {}/heartbeat", instance_path("native", "native-1")),
            &json!({"status": "warning", "output": "so so"}),
        ),
        ("PUT /v1/agent/service/register".into(), &web),
        ("PUT /v1/agent/check/warn/service:host:web:80:1?note=hot".into(), &none),
        ("PUT /v1/agent/service/maintenance/host:web:80?enable=true&reason=disk".into(), &none),
        ("PUT /v1/agent/check/register".into(), &json!({"Name": "disk", "TTL": "1h"})),
        ("PUT /v1/agent/check/pass/disk?note=free".into(), &none),
        ("PUT /v1/catalog/register".into(), &external),
        ("POST /eureka/apps/PAY".into(), &pay),
        ("POST /eureka/apps/PAY".into(), &idle),
        (format!("PUT {pay_4}/status?value=OUT_OF_SERVICE"), &none),
        (format!("PUT {pay_4}/metadata?canary=5"), &none),
    ] {
        call(node, &request, body);
    }
}

/// What each door has to say.
fn told(node: &Node) -> Vec<(String, Value)> {
    let api = node.api();
    let own = api.get("/v1/agent/self").body["Config"]["NodeName"].as_str().unwrap().to_owned();
    let paths = [
        "/api/v1/services/native/instances".to_owned(),
        "/api/v1/services/pay/instances".to_owned(),
        "/v1/agent/services".to_owned(),
        "/v1/agent/checks".to_owned(),
        "/v1/catalog/nodes".to_owned(),
        format!("/v1/catalog/node/{own}"),
        "/v1/catalog/node/ext.node".to_owned(),
        "/v1/catalog/services".to_owned(),
        "/v1/health/service/web_app".to_owned(),
        "/v1/health/service/db".to_owned(),
        "/v1/health/state/any".to_owned(),
        "/eureka/apps/PAY".to_owned(),
        "/eureka/apps/NATIVE".to_owned(),
        "/eureka/apps/DB".to_owned(),
        "/eureka/vips/shop".to_owned(),
    ];
    let told = |path: String| {
        let reply = api.get(&path);
        assert_eq!(reply.status, 200, "{path}: {reply:?}");
        (path, ageless(reply.body, node.is_shared()))
    };
    paths.into_iter().map(told).collect()
}

/// Without the version of a list, which is the registry's revision and goes on, and without the
/// server itself, whose port is another one each time. Revisions are others after a restart where
/// the store is etcd: of what was seen here first, and of what follows from several rows.
fn ageless(mut body: Value, is_shared: bool) -> Value {
    if is_shared {
        forget_revisions(&mut body);
    }
    if let Some(services) = body.get_mut("Services").and_then(Value::as_object_mut) {
        services.remove("consul");
    }
    if let Some(object) = body.as_object_mut() {
        object.remove("revision");
    }
    let Value::String(xml) = &body else { return body };
    let (start, end) = ("<versions__delta>", "</versions__delta>");
    match (xml.find(start), xml.find(end)) {
        (Some(from), Some(to)) => format!("{}{}", &xml[..from], &xml[to..]).into(),
        _ => body,
    }
}

/// Takes away at which revisions things have changed, wherever it stands.
fn forget_revisions(body: &mut Value) {
    match body {
        Value::Object(fields) => {
            fields.retain(|field, _| {
                !["revision", "CreateIndex", "ModifyIndex"].contains(&field.as_str())
            });
            fields.values_mut().for_each(forget_revisions);
        }
        Value::Array(items) => items.iter_mut().for_each(forget_revisions),
        _ => {}
    }
}

#[test]
fn what_came_by_each_door_is_the_same_after_a_stop_and_after_a_kill() {
    let mut node = Node::start();
    fill(&node);
    let before = told(&node);
    let text = format!("{before:?}");
    for part in ["urlprefix-/shop", "198.51.100.7", "so so", "hot", "disk", "slow", "Odd Key"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    for how in ["kill", "stop", "kill"] {
        if how == "stop" {
            node.signal("TERM");
            assert!(node.wait().success());
        }
        node = node.kill_and_restart();
        for ((path, before), (_, after)) in before.iter().zip(told(&node)) {
            assert_eq!(*before, after, "{path} after a {how}");
        }
    }
    // And each goes on from there.
    let none = Value::Null;
    for (request, body) in [
        ("PUT /v1/agent/check/pass/service:host:web:80:1", &none),
        ("PUT /v1/agent/service/maintenance/host:web:80?enable=false", &none),
        ("PUT /eureka/apps/PAY/10.0.0.3%3Apay%3A80", &none),
        (&format!("PUT {}/heartbeat", instance_path("native", "native-1")), &none),
    ] {
        call(&node, request, body);
    }
    let checks = node.api().get("/v1/agent/checks").body;
    assert_eq!(checks["service:host:web:80:1"]["Status"], "passing", "{checks}");
    assert!(checks.get("_service_maintenance:host:web:80").is_none(), "{checks}");
}

#[test]
fn leases_of_each_door_run_on_after_a_kill_with_one_whole_time_of_grace() {
    let node = Node::start();
    let api = node.api();
    let native = json!({"addresses": ["127.0.0.1"], "checks": [{"type": "ttl", "ttl": "3s"}]});
    api.register("native", "i", &native);
    let check = json!({"TTL": "3s", "Status": "passing"});
    let web = json!({"Name": "web", "Address": "127.0.0.1", "Check": check});
    call(&node, "PUT /v1/agent/service/register", &web);
    let pay = json!({"instance": {"instanceId": "pay", "app": "PAY", "hostName": "127.0.0.1",
        "ipAddr": "127.0.0.1", "status": "UP", "leaseInfo": {"durationInSecs": 3},
        "dataCenterInfo": {"name": "MyOwn"}}});
    call(&node, "POST /eureka/apps/PAY", &pay);
    let node = node.kill_and_restart();
    let api = node.api();
    for service in ["native", "web", "pay"] {
        assert_eq!(node.resolver().service(service).len(), 1, "{service} has time to be heard of");
    }
    // Three of three are no more than the least that may fall silent together.
    for service in ["native", "web", "pay"] {
        eventually(service, || node.resolver().service(service).is_empty().then_some(()));
    }
    assert_eq!(api.status("native", "i").as_deref(), Some("critical"));
    eventually("Eureka's is removed", || {
        (api.get("/eureka/apps/PAY/pay").status == 404).then_some(())
    });
    assert_eq!(api.get("/v1/health/state/critical").body.as_array().map(Vec::len), Some(2));
}
