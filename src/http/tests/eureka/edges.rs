//! What changes nothing, what is nobody's, and numbers that are out of the ordinary.

use serde_json::json;

use super::support::{at, body, door, with};
use crate::http::{EurekaOptions, Options, tests::support::Door};

fn revision(door: &Door) -> u64 {
    door.running.registry.snapshot().revision.0
}

#[tokio::test]
async fn what_is_so_already_is_no_change() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let path = at("a");
    let out = format!("{path}/status?value=OUT_OF_SERVICE");
    let before = revision(&door);
    assert_eq!(door.code("DELETE", &format!("{path}/status?value=DOWN")).await, 200);
    assert_eq!(door.states("a").await, ("UP".into(), "UNKNOWN".into()), "there was no override");
    assert_eq!(door.code("PUT", &path).await, 200);
    let stamped = json!({"leaseInfo": {"renewalIntervalInSecs": 1, "durationInSecs": 9,
        "registrationTimestamp": 5, "lastRenewalTimestamp": 6, "evictionTimestamp": 7}});
    door.appear(&with(body("PAY", "a"), &stamped)).await;
    assert_eq!(revision(&door), before, "times that the server knows better are not kept");
    assert_eq!(door.code("PUT", &out).await, 200);
    let once = revision(&door);
    assert!(once > before);
    assert_eq!(door.code("PUT", &out).await, 200);
    assert_eq!(revision(&door), once);
}

#[tokio::test]
async fn a_change_by_others_is_as_new_as_they_say() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let set = |value: &str, dirty: u32| {
        format!("{}/status?value={value}&lastDirtyTimestamp={dirty}", at("a"))
    };
    for (method, value, dirty, shown) in [
        ("PUT", "DOWN", 5_000, "5000"),
        ("DELETE", "UP", 6_000, "6000"),
        ("PUT", "DOWN", 9, "6000"),
    ] {
        assert_eq!(door.code(method, &set(value, dirty)).await, 200);
        let instance = door.instance(&at("a")).await;
        assert_eq!(instance["lastDirtyTimestamp"], shown, "{method} {value} {dirty}");
    }
}

#[tokio::test]
async fn an_instance_has_one_id_here() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    assert_eq!(door.code("GET", &at("rollcall:pay:a")).await, 404);
    door.register("pay/b", "{}").await;
    assert_eq!(door.code("GET", &at("rollcall:pay:b")).await, 200);
    assert_eq!(door.code("GET", &at("b")).await, 404);
    assert_eq!(door.code("PUT", "/api/v1/services/pay/instances/b/drain").await, 200);
    let out = "OUT_OF_SERVICE".to_owned();
    assert_eq!(door.states("rollcall:pay:b").await, (out.clone(), out));
}

#[tokio::test]
async fn nodes_are_counted_nowhere() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let hashcode =
        async |path: &str| door.shown(path).await["applications"]["apps__hashcode"].clone();
    assert_eq!(hashcode("/eureka/apps").await, "UP_1_");
    let check = r#"{"Name": "disk", "TTL": "1h", "Status": "passing"}"#;
    assert_eq!(door.call("PUT", "/v1/agent/check/register", check).await.status, 200);
    for path in ["/eureka/apps", "/eureka/apps/delta"] {
        assert_eq!(hashcode(path).await, "UP_1_", "{path}");
    }
}

#[tokio::test]
async fn names_that_are_answered_to_may_be_written_in_many_ways() {
    let door = Door::open_with(Options::default(), |setup| {
        setup.eureka = EurekaOptions { expose: false, ..EurekaOptions::default() };
    });
    let names = json!({"vipAddress": "pay, money,a\"b"});
    door.appear(&with(body("PAY", "a"), &names)).await;
    door.register("native/n", "{}").await;
    for (vip, count) in [("pay", 1), ("money", 1), ("a%22b", 1), ("mone", 0), ("native", 0)] {
        let found = door.shown(&format!("/eureka/vips/{vip}")).await["applications"].clone();
        assert_eq!(found["application"].as_array().unwrap().len(), count, "{vip}: {found}");
    }
}

#[tokio::test]
async fn two_applications_of_one_service_are_shown_apart() {
    let door = door();
    door.appear(&body("MY_APP", "a")).await;
    let services = door.get("/api/v1/services").await.json();
    let label = services["services"][0]["service"].as_str().unwrap().to_owned();
    door.register(&format!("{label}/b"), "{}").await;
    for (app, id) in [("MY_APP", "a".to_owned()), (&*label, format!("rollcall:{label}:b"))] {
        let shown = door.shown(&format!("/eureka/apps/{app}")).await;
        let instances = shown["application"]["instance"].as_array().unwrap();
        assert_eq!(instances.len(), 1, "{shown}");
        assert_eq!(instances[0]["instanceId"], id, "{shown}");
    }
}

#[tokio::test]
async fn a_lease_is_a_second_at_the_least_where_it_is_shown() {
    let door = door();
    let check = json!({"checks": [{"type": "ttl", "ttl": "500ms"}]});
    door.register("pay/b", &check.to_string()).await;
    let shown = door.instance(&at("rollcall:pay:b")).await;
    assert_eq!(shown["leaseInfo"]["durationInSecs"], 1);
}

#[tokio::test]
async fn only_those_who_are_up_have_been_since_some_time() {
    let door = door();
    let check = json!({"checks": [{"type": "ttl", "ttl": "1h"}]});
    door.register("pay/b", &check.to_string()).await;
    let since = async || {
        let shown = door.instance(&at("rollcall:pay:b")).await;
        shown["leaseInfo"]["serviceUpTimestamp"].as_i64().unwrap()
    };
    assert!(since().await > 0);
    let path = "/api/v1/services/pay/instances/b/heartbeat";
    door.call("PUT", path, r#"{"status": "critical"}"#).await;
    assert_eq!(since().await, 0);
}
