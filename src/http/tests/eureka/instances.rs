//! Single instances: registered, read, overridden, removed.

use serde_json::json;

use super::support::{at, body, door, with};

#[tokio::test]
async fn an_instance_is_given_back_as_it_was_registered() {
    let door = door();
    let sent = body("PAY", "10.0.1.6:pay:8080");
    door.appear(&sent).await;
    let shown = door.instance(&at("10.0.1.6%3Apay%3A8080")).await;
    for field in [
        "instanceId",
        "hostName",
        "app",
        "ipAddr",
        "status",
        "vipAddress",
        "secureVipAddress",
        "metadata",
        "port",
        "lastDirtyTimestamp",
    ] {
        assert_eq!(shown[field], sent[field], "{field}");
    }
    assert_eq!(shown["leaseInfo"]["durationInSecs"], 9);
    for field in ["registrationTimestamp", "lastRenewalTimestamp", "serviceUpTimestamp"] {
        assert!(shown["leaseInfo"][field].as_i64().unwrap() >= 1_800_000_000_000, "{field}");
    }
    assert_eq!(shown["actionType"], json!(null));
    assert_eq!(door.answered("pay"), 1);
    let native = door.get("/api/v1/services/pay/instances").await.json()["instances"][0].clone();
    assert_eq!((&native["addresses"], &native["port"]), (&json!(["10.0.1.6"]), &json!(8080)));
    assert_eq!(native["meta"], json!({"version": "1.4.2", "zone": "b"}));
    assert_eq!(native["checks"][0]["ttl"], "9s");
}

#[tokio::test]
async fn every_path_is_there_twice_and_with_a_slash_at_its_end() {
    let door = door();
    for prefix in ["/eureka", "/eureka/v2"] {
        for end in ["", "/"] {
            let instance = json!({ "instance": body("pay", "a/b:c d") }).to_string();
            let apps = format!("{prefix}/apps");
            let one = format!("{apps}/pay/a%2Fb%3Ac%20d");
            for (method, path, body, status) in [
                ("POST", format!("{apps}/pay"), &*instance, 204),
                ("GET", apps.clone(), "", 200),
                ("HEAD", apps.clone(), "", 200),
                ("GET", format!("{apps}/delta"), "", 200),
                ("GET", format!("{apps}/Pay"), "", 200),
                ("GET", one.clone(), "", 200),
                ("GET", format!("{prefix}/instances/a%2Fb%3Ac%20d"), "", 200),
                ("GET", format!("{prefix}/vips/pay"), "", 200),
                ("GET", format!("{prefix}/svips/safe"), "", 200),
                ("PUT", one.clone(), "", 200),
                ("PUT", format!("{one}/status"), "", 400),
                ("DELETE", format!("{one}/status"), "", 200),
                ("PUT", format!("{one}/metadata"), "", 200),
                ("DELETE", one.clone(), "", 200),
                ("PUT", one, "", 404),
                ("PUT", format!("{prefix}/asg/x/status"), "", 400),
                ("POST", format!("{prefix}/peerreplication/batch"), "{}", 200),
                ("GET", format!("{prefix}/status"), "", 200),
                ("GET", format!("{prefix}/serverinfo/statusoverrides"), "", 200),
            ] {
                let path = format!("{path}{end}");
                let reply = door.call(method, &path, body).await;
                assert_eq!(reply.status, status, "{method} {path}: {reply:?}");
            }
        }
    }
}

#[tokio::test]
async fn the_same_registration_again_changes_nothing() {
    let door = door();
    for status in ["UP", "STARTING", "OUT_OF_SERVICE"] {
        let sent = with(body("PAY", status), &json!({ "status": status }));
        door.appear(&sent).await;
        let revision = door.running.registry.snapshot().revision;
        door.appear(&sent).await;
        let later = with(sent, &json!({ "lastUpdatedTimestamp": "7", "actionType": "MODIFIED" }));
        door.appear(&later).await;
        assert_eq!(door.running.registry.snapshot().revision, revision, "{status}");
    }
}

#[tokio::test]
async fn only_what_is_up_is_answered_and_each_word_is_given_back() {
    let door = door();
    for (status, answered) in
        [("STARTING", 0), ("UP", 1), ("DOWN", 0), ("UNKNOWN", 0), ("UP", 1), ("STARTING", 0)]
    {
        door.appear(&with(body("PAY", "a"), &json!({ "status": status }))).await;
        assert_eq!(door.answered("pay"), answered, "{status}");
        assert_eq!(door.states("a").await, (status.into(), "UNKNOWN".into()));
    }
    door.appear(&with(body("PAY", "b"), &json!({ "status": "OUT_OF_SERVICE" }))).await;
    assert_eq!(door.answered("pay"), 0);
    assert_eq!(door.states("b").await, ("OUT_OF_SERVICE".into(), "UNKNOWN".into()));
}

#[tokio::test]
async fn what_is_missing_is_said_in_eureka_s_words() {
    let door = door();
    let reply = door.try_to_appear(&with(body("PAY", "a"), &json!({ "ipAddr": "" }))).await;
    assert_eq!((reply.status.as_u16(), &*reply.text), (400, "Missing ip address"));
    let reply = door
        .call("POST", "/eureka/apps/OTHER", &json!({"instance": body("PAY", "a")}).to_string())
        .await;
    assert_eq!(reply.text, "Mismatched appName, expecting OTHER but was PAY");
    let reply = door.call("POST", "/eureka/apps/PAY", "{").await;
    assert_eq!(reply.status, 400);
    let nowhere = json!({ "ipAddr": "not an address", "hostName": "0.0.0.0" });
    let reply = door.try_to_appear(&with(body("PAY", "a"), &nowhere)).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("instance.ipAddr"), "{}", reply.text);
    assert_eq!(door.answered("pay"), 0);
}

#[tokio::test]
async fn an_instance_without_a_usable_address_is_at_its_host_name() {
    let door = door();
    door.appear(&with(body("PAY", "a"), &json!({ "ipAddr": "0.0.0.0" }))).await;
    let native = door.get("/api/v1/services/pay/instances").await.json()["instances"][0].clone();
    assert_eq!(native["addresses"], json!(["h-1.example"]));
    assert_eq!(door.instance(&at("a")).await["ipAddr"], "0.0.0.0", "as it was sent");
    let tls = json!({ "port": {"$": 80, "@enabled": "false"},
        "securePort": {"$": 8443, "@enabled": "true"}, "lastDirtyTimestamp": "1001" });
    door.appear(&with(body("PAY", "a"), &tls)).await;
    let native = door.get("/api/v1/services/pay/instances").await.json()["instances"][0].clone();
    assert_eq!(native["port"], 8443);
}

#[tokio::test]
async fn an_override_stands_until_it_is_removed() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let set = |value: &str| format!("{}/status?value={value}", at("a"));
    assert_eq!(door.code("PUT", &set("OUT_OF_SERVICE")).await, 200);
    assert_eq!(door.states("a").await, ("OUT_OF_SERVICE".into(), "OUT_OF_SERVICE".into()));
    assert_eq!(door.answered("pay"), 0);
    assert_eq!(door.shown("/eureka/serverinfo/statusoverrides").await["a"], "OUT_OF_SERVICE");
    let newer = json!({ "lastDirtyTimestamp": "2000" });
    door.appear(&with(body("PAY", "a"), &newer)).await;
    assert_eq!(door.states("a").await.0, "OUT_OF_SERVICE", "its own word does not outvote it");
    let down = json!({ "lastDirtyTimestamp": "2001", "status": "DOWN" });
    door.appear(&with(body("PAY", "a"), &down)).await;
    assert_eq!(door.states("a").await, ("DOWN".into(), "OUT_OF_SERVICE".into()));
    door.appear(&with(body("PAY", "a"), &json!({ "lastDirtyTimestamp": "2002" }))).await;
    assert_eq!(door.states("a").await.0, "OUT_OF_SERVICE", "it has waited");
    assert_eq!(door.code("DELETE", &set("UP")).await, 200);
    assert_eq!(door.states("a").await, ("UP".into(), "UNKNOWN".into()));
    assert_eq!(door.answered("pay"), 1);
    // An override of what is up is one too, and without a word the client has to say its own.
    assert_eq!(door.code("PUT", &set("DOWN")).await, 200);
    assert_eq!((door.states("a").await.0.as_str(), door.answered("pay")), ("DOWN", 0));
    assert_eq!(door.code("DELETE", &format!("{}/status", at("a"))).await, 200);
    assert_eq!(door.states("a").await.0, "UNKNOWN");
    assert_eq!(door.code("PUT", &at("a")).await, 404, "which has it register again");
    door.appear(&with(body("PAY", "a"), &json!({ "lastDirtyTimestamp": "2002" }))).await;
    assert_eq!((door.states("a").await.0.as_str(), door.answered("pay")), ("UP", 1));
    for (path, status) in
        [(set("up"), 200), (set("GREAT"), 400), (at("b") + "/status?value=UP", 404)]
    {
        assert_eq!(door.code("PUT", &path).await, status, "{path}");
    }
}

#[tokio::test]
async fn a_drain_is_an_override_and_back() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let drain = "/api/v1/services/pay/instances/a/drain";
    assert_eq!(door.code("PUT", drain).await, 200);
    assert_eq!(door.states("a").await, ("OUT_OF_SERVICE".into(), "OUT_OF_SERVICE".into()));
    door.appear(&with(body("PAY", "a"), &json!({ "lastDirtyTimestamp": "1001" }))).await;
    assert_eq!(door.states("a").await.0, "OUT_OF_SERVICE");
    assert_eq!(door.code("DELETE", &format!("{}/status?value=UP", at("a"))).await, 200);
    assert_eq!(door.get("/api/v1/services/pay/instances/a").await.json()["drained"], false);
    assert_eq!(door.code("PUT", &format!("{}/status?value=OUT_OF_SERVICE", at("a"))).await, 200);
    assert_eq!(door.get("/api/v1/services/pay/instances/a").await.json()["drained"], true);
    assert_eq!(door.code("DELETE", drain).await, 200);
    assert_eq!(door.states("a").await, ("UP".into(), "UNKNOWN".into()));
    assert_eq!(door.answered("pay"), 1);
}

#[tokio::test]
async fn metadata_is_added_and_kept() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    assert_eq!(door.code("PUT", &format!("{}/metadata?zone=c&k%20v=1%262", at("a"))).await, 200);
    let shown = door.instance(&at("a")).await;
    assert_eq!(shown["metadata"], json!({"k v": "1&2", "version": "1.4.2", "zone": "c"}));
    assert_eq!(shown["lastDirtyTimestamp"], "1000");
    assert_eq!(door.code("PUT", &format!("{}/metadata?zone=c", at("b"))).await, 404);
}

#[tokio::test]
async fn what_is_cancelled_is_gone_with_its_override() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    assert_eq!(door.code("PUT", &format!("{}/status?value=OUT_OF_SERVICE", at("a"))).await, 200);
    assert_eq!(door.code("DELETE", &at("a")).await, 200);
    assert_eq!(door.code("DELETE", &at("a")).await, 404);
    assert_eq!(door.code("GET", &at("a")).await, 404);
    assert_eq!(door.code("GET", "/eureka/apps/PAY").await, 404);
    assert_eq!(door.shown("/eureka/apps").await["applications"]["application"], json!([]));
    door.appear(&body("PAY", "a")).await;
    assert_eq!(door.states("a").await, ("UP".into(), "UNKNOWN".into()));
}

#[tokio::test]
async fn what_is_older_than_what_is_known_is_a_sign_of_life_only() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let older = json!({ "lastDirtyTimestamp": "999", "ipAddr": "10.9.9.9" });
    door.appear(&with(body("PAY", "a"), &older)).await;
    assert_eq!(door.instance(&at("a")).await["ipAddr"], "10.0.1.6");
    let newer = json!({ "lastDirtyTimestamp": "1001", "ipAddr": "10.9.9.9" });
    door.appear(&with(body("PAY", "a"), &newer)).await;
    assert_eq!(door.instance(&at("a")).await["ipAddr"], "10.9.9.9");
    assert_eq!(door.answered("pay"), 1);
}

#[tokio::test]
async fn a_registration_that_says_no_time_is_taken_and_renewed() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let untimed = json!({ "lastDirtyTimestamp": null, "ipAddr": "10.9.9.9" });
    door.appear(&with(body("PAY", "a"), &untimed)).await;
    let shown = door.instance(&at("a")).await;
    assert_eq!(shown["ipAddr"], "10.9.9.9");
    // What is shown is the time of the registration, and renewals are held against it.
    let dirty: i64 = shown["lastDirtyTimestamp"].as_str().unwrap().parse().unwrap();
    let renewed = |dirty: i64| format!("{}?lastDirtyTimestamp={dirty}", at("a"));
    for (sent, status) in [(1_000, 200), (dirty, 200), (dirty + 1, 404)] {
        assert_eq!(door.code("PUT", &renewed(sent)).await, status, "{sent}");
    }
    door.appear(&with(body("PAY", "a"), &json!({ "ipAddr": "10.8.8.8" }))).await;
    assert_eq!(door.instance(&at("a")).await["ipAddr"], "10.8.8.8", "nothing is older than that");
}

#[tokio::test]
async fn a_time_among_the_metadata_is_not_the_instance_s() {
    let door = door();
    let fields = json!({ "metadata": { "lastDirtyTimestamp": "5" } });
    door.appear(&with(body("PAY", "a"), &fields)).await;
    assert_eq!(door.code("PUT", &format!("{}?lastDirtyTimestamp=1000", at("a"))).await, 200);
    assert_eq!(door.code("PUT", &format!("{}?lastDirtyTimestamp=1001", at("a"))).await, 404);
}

#[tokio::test]
async fn a_lease_of_more_than_a_day_is_one_of_a_day_and_shown_so() {
    let door = door();
    for (said, held) in [(86_399, 86_399), (86_401, 86_400), (i32::MAX, 86_400)] {
        let fields = json!({ "leaseInfo": { "durationInSecs": said } });
        let id = format!("i-{said}");
        door.appear(&with(body("PAY", &id), &fields)).await;
        let shown = door.instance(&at(&id)).await;
        assert_eq!(shown["leaseInfo"]["durationInSecs"], held);
        let native = door.get(&format!("/api/v1/services/pay/instances/{id}")).await.json();
        let ttl = &native["checks"][0]["ttl"];
        assert_eq!(*ttl == json!("24h"), held == 86_400, "{ttl}");
    }
}

#[tokio::test]
async fn more_than_is_kept_of_an_instance_is_refused_with_the_limit() {
    let door = door();
    let many: serde_json::Map<_, _> =
        (0..20_000).map(|number| (format!("key-{number}"), json!("v"))).collect();
    let reply = door.try_to_appear(&with(body("PAY", "a"), &json!({ "metadata": many }))).await;
    assert_eq!(reply.status, 400);
    assert!(reply.text.contains("above the limit of 131072"), "{}", reply.text);
}
