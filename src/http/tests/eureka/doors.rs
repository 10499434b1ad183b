//! What came by one interface, seen and changed by another.

use serde_json::json;

use super::support::{at, body, door};
use crate::http::tests::support::Door;
use crate::http::{EurekaOptions, Options};

const WEB: &str = r#"{"addresses": ["fd00::7", "10.0.0.7"], "port": 80, "meta": {"a": "b"}}"#;

#[tokio::test]
async fn an_instance_of_another_interface_is_shown() {
    let door = door();
    door.register("web/web-1", WEB).await;
    let all = door.shown("/eureka/apps").await["applications"].clone();
    assert_eq!(all["apps__hashcode"], "UP_1_");
    assert_eq!(all["application"][0]["name"], "WEB");
    let shown = all["application"][0]["instance"][0].clone();
    for (field, expected) in [
        ("instanceId", json!("rollcall:web:web-1")),
        ("app", json!("WEB")),
        ("hostName", json!("10.0.0.7")),
        ("ipAddr", json!("10.0.0.7")),
        ("status", json!("UP")),
        ("overriddenStatus", json!("UNKNOWN")),
        ("vipAddress", json!("web")),
        ("metadata", json!({"a": "b"})),
        ("port", json!({"$": 80, "@enabled": "true"})),
        ("countryId", json!(1)),
    ] {
        assert_eq!(shown[field], expected, "{field}");
    }
    assert_eq!(shown["dataCenterInfo"]["name"], "MyOwn");
    assert_eq!(shown["leaseInfo"]["durationInSecs"], 90);
    let path = "/eureka/apps/WEB/rollcall%3Aweb%3Aweb-1";
    for path in [path, "/eureka/instances/rollcall:web:web-1"] {
        assert_eq!(door.instance(path).await, shown, "{path}");
    }
    let vips = door.shown("/eureka/vips/web").await["applications"].clone();
    assert_eq!(vips["application"][0]["instance"][0], shown);
    // It is drained and put back here, and not renewed or removed.
    for (method, below, status, answered) in [
        ("PUT", "/status?value=OUT_OF_SERVICE", 200, 0),
        ("PUT", "/status?value=UP", 200, 1),
        ("PUT", "/status?value=OUT_OF_SERVICE", 200, 0),
        ("DELETE", "/status", 200, 1),
        ("PUT", "/status?value=DOWN", 400, 1),
        ("PUT", "", 404, 1),
        ("DELETE", "", 404, 1),
        ("PUT", "/metadata?a=b", 404, 1),
    ] {
        assert_eq!(door.code(method, &format!("{path}{below}")).await, status, "{method} {below}");
        assert_eq!(door.answered("web"), answered, "{method} {below}");
    }
}

#[tokio::test]
async fn what_is_not_exposed_is_neither_shown_nor_counted() {
    let door = Door::open_with(Options::default(), |setup| {
        setup.eureka = EurekaOptions { expose: false, ..EurekaOptions::default() };
    });
    door.register("web/web-1", WEB).await;
    door.appear(&body("PAY", "a")).await;
    let all = door.shown("/eureka/apps").await["applications"].clone();
    assert_eq!(
        (all["apps__hashcode"].clone(), all["application"].as_array().unwrap().len()),
        (json!("UP_1_"), 1)
    );
    for path in ["apps/WEB", "apps/WEB/rollcall:web:web-1", "instances/rollcall:web:web-1"] {
        assert_eq!(door.code("GET", &format!("/eureka/{path}")).await, 404, "{path}");
    }
    let delta = door.shown("/eureka/apps/delta").await["applications"].clone();
    assert_eq!(
        (delta["apps__hashcode"].clone(), delta["application"].as_array().unwrap().len()),
        (json!("UP_1_"), 1)
    );
}

#[tokio::test]
async fn one_that_is_switched_off_is_not_there() {
    let door = Door::open_with(Options::default(), |setup| setup.eureka.enabled = false);
    for path in ["/eureka/apps", "/eureka/v2/apps/", "/eureka/status"] {
        assert_eq!(door.code("GET", path).await, 404, "{path}");
    }
}

#[tokio::test]
async fn an_id_that_somebody_else_has_there_is_kept_apart() {
    let door = door();
    door.register("pay/a", WEB).await;
    door.appear(&body("PAY", "a")).await;
    assert_eq!(door.answered("pay"), 2);
    assert_eq!(door.code("PUT", &at("a")).await, 200);
    assert_eq!(door.instance(&at("a")).await["ipAddr"], "10.0.1.6");
    let all = door.shown("/eureka/apps/PAY").await["application"]["instance"].clone();
    let ids: Vec<_> = all.as_array().unwrap().iter().map(|i| i["instanceId"].clone()).collect();
    assert_eq!(ids, [json!("rollcall:pay:a"), json!("a")]);
    // Whoever takes the place takes it with all: the client finds out, and registers again.
    let label =
        door.get("/api/v1/services/pay/instances").await.json()["instances"][1]["instance"].clone();
    door.register(&format!("pay/{}", label.as_str().unwrap()), WEB).await;
    assert_eq!(door.code("PUT", &at("a")).await, 404);
    door.appear(&body("PAY", "a")).await;
    assert_eq!(door.answered("pay"), 3);
}

#[tokio::test]
async fn a_service_has_one_name_at_all_interfaces_that_take_it() {
    let door = door();
    let sent = json!({ "Name": "My_Service", "ID": "s-1", "Address": "10.0.0.7", "Port": 80 });
    let reply = door.call("PUT", "/v1/agent/service/register", &sent.to_string()).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let shown = door.shown("/eureka/apps/my_service").await["application"].clone();
    assert_eq!(shown["name"], "MY_SERVICE");
    let shown = &shown["instance"][0];
    assert_eq!((&shown["app"], &shown["vipAddress"]), (&json!("MY_SERVICE"), &json!("My_Service")));
    let id = shown["instanceId"].as_str().unwrap();
    for path in [format!("apps/MY_SERVICE/{id}"), format!("instances/{id}")] {
        assert_eq!(door.instance(&format!("/eureka/{path}")).await["instanceId"], id, "{path}");
    }
    let vips = door.shown("/eureka/vips/My_Service").await["applications"].clone();
    assert_eq!(vips["application"][0]["instance"][0]["instanceId"], id);
    let drained = format!("/eureka/apps/MY_SERVICE/{id}/status?value=OUT_OF_SERVICE");
    assert_eq!(door.code("PUT", &drained).await, 200);
    // And the other way round, under one name with those of Consul's.
    door.appear(&body("MY_SERVICE", "e-1")).await;
    door.appear(&body("MY_APP", "e-2")).await;
    let services = door.get("/v1/catalog/services").await.json();
    assert!(services["my_app"].is_array(), "{services}");
    for (name, count) in [("my_app", 1), ("MY_APP", 1), ("My_Service", 2)] {
        let rows = door.get(&format!("/v1/catalog/service/{name}")).await.json();
        assert_eq!(rows.as_array().unwrap().len(), count, "{name}: {rows}");
    }
}

#[tokio::test]
async fn names_that_are_no_labels_are_derived() {
    let door = door();
    door.appear(&body("MY_APP.v2", "host.example:my_app:80")).await;
    let services = door.get("/api/v1/services").await.json()["services"].clone();
    let service =
        services[0]["service"].as_str().or(services[0]["name"].as_str()).unwrap().to_owned();
    assert!(service.starts_with("my-app-v2-"), "{service}");
    assert_eq!(door.answered(&service), 1);
    assert_eq!(door.shown("/eureka/apps/my_app.v2").await["application"]["name"], "MY_APP.V2");
    let path = "/eureka/apps/My_App.V2/host.example%3Amy_app%3A80";
    assert_eq!(door.code("PUT", path).await, 200);
}
