//! Leases: renewed, run out, held.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;

use super::support::{at, body, door, with};

#[tokio::test]
async fn a_renewal_says_whether_the_client_has_to_register_again() {
    let door = door();
    assert_eq!(door.code("PUT", &at("a")).await, 404);
    door.appear(&body("PAY", "a")).await;
    let at = |dirty: &str| format!("{}?status=UP&lastDirtyTimestamp={dirty}", at("a"));
    let peer = ("x-netflix-discovery-replication", "true");
    for (dirty, of_client, of_peer) in [
        ("1000", 200, 200),
        ("1001", 404, 404),
        ("999", 200, 409),
        ("", 200, 200),
        ("None", 200, 200),
    ] {
        assert_eq!(door.code("PUT", &at(dirty)).await, of_client, "{dirty}");
        let reply = door.eureka("PUT", &at(dirty), peer, "").await;
        assert_eq!(reply.status, of_peer, "{dirty}");
        assert_eq!(reply.text.contains("<instanceId>a</instanceId>"), of_peer == 409, "{dirty}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_runs_out_is_gone_within_a_second_and_not_twice_its_duration() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    for _ in 0..20 {
        sleep(Duration::from_secs(8)).await;
        assert_eq!(door.code("PUT", &at("a")).await, 200);
    }
    sleep(Duration::from_millis(8_900)).await;
    assert_eq!(door.answered("pay"), 1);
    sleep(Duration::from_millis(1_100)).await;
    assert_eq!(door.answered("pay"), 0);
    assert_eq!(door.code("PUT", &at("a")).await, 404);
    assert_eq!(door.code("GET", &at("a")).await, 404);
}

/// It was removed within 100 ms.
#[tokio::test(start_paused = true)]
async fn a_critical_heartbeat_of_the_native_interface_is_down_and_not_gone() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    let heartbeat = "/api/v1/services/pay/instances/a/heartbeat";
    let critical = json!({ "status": "critical" }).to_string();
    assert_eq!(door.call("PUT", heartbeat, &critical).await.status, 200);
    sleep(Duration::from_secs(5)).await;
    assert_eq!((&*door.states("a").await.0, door.answered("pay")), ("DOWN", 0));
    assert_eq!(door.code("PUT", &at("a")).await, 200);
    assert_eq!((&*door.states("a").await.0, door.answered("pay")), ("UP", 1));
    assert_eq!(door.call("PUT", heartbeat, &critical).await.status, 200);
    sleep(Duration::from_secs(11)).await;
    assert_eq!(door.code("GET", &at("a")).await, 404, "silent, it is gone all the same");
}

#[tokio::test(start_paused = true)]
async fn what_wants_no_traffic_lives_for_as_long_as_it_renews() {
    let door = door();
    for status in ["STARTING", "DOWN", "OUT_OF_SERVICE"] {
        door.appear(&with(body("PAY", status), &json!({ "status": status }))).await;
    }
    for _ in 0..20 {
        sleep(Duration::from_secs(8)).await;
        for status in ["STARTING", "DOWN", "OUT_OF_SERVICE"] {
            assert_eq!(door.code("PUT", &at(status)).await, 200);
            assert_eq!(door.states(status).await.0, status);
        }
    }
    sleep(Duration::from_secs(10)).await;
    assert_eq!(door.code("GET", "/eureka/apps/PAY").await, 404);
}

#[tokio::test(start_paused = true)]
async fn many_that_fall_silent_at_once_are_held_and_the_server_says_so() {
    let door = door();
    for number in 0..20 {
        door.appear(&body("PAY", &format!("i-{number}"))).await;
    }
    let active = async || {
        let status = door.shown("/eureka/status").await;
        status["generalStats"]["self-preservation-active"].clone()
    };
    assert_eq!(active().await, "false");
    sleep(Duration::from_secs(11)).await;
    assert_eq!((door.answered("pay"), active().await), (20, json!("true")));
    assert_eq!(door.states("i-7").await.0, "UP");
    for number in 0..20 {
        // Both signs of life end the hold: a renewal, and the same registration again.
        if number % 2 == 0 {
            assert_eq!(door.code("PUT", &at(&format!("i-{number}"))).await, 200);
        } else {
            door.appear(&body("PAY", &format!("i-{number}"))).await;
        }
    }
    assert_eq!((door.answered("pay"), active().await), (20, json!("false")));
}

#[tokio::test(start_paused = true)]
async fn those_that_fall_silent_one_after_the_other_are_held_too() {
    let door = door();
    let long = json!({ "leaseInfo": { "durationInSecs": 90 } });
    for number in 0..40 {
        door.appear(&with(body("PAY", &format!("i-{number}")), &long)).await;
        sleep(Duration::from_millis(500)).await;
    }
    sleep(Duration::from_secs(120)).await;
    let left = door.answered("pay");
    assert!((33..40).contains(&left), "15 % of 40 are believed to be dead: {left} are left");
}

#[tokio::test(start_paused = true)]
async fn those_that_want_no_traffic_are_no_less_silent() {
    let door = door();
    for number in 0..20 {
        let status = ["DOWN", "STARTING", "UNKNOWN", "UP"][number % 4];
        let fields = json!({ "status": status });
        door.appear(&with(body("PAY", &format!("i-{number}")), &fields)).await;
    }
    sleep(Duration::from_secs(11)).await;
    let all = door.shown("/eureka/apps/PAY").await["application"]["instance"].clone();
    assert_eq!((all.as_array().unwrap().len(), door.answered("pay")), (20, 5));
    assert_eq!(door.states("i-1").await.0, "STARTING");
}

#[tokio::test]
async fn renewals_are_taken_while_the_server_stops_and_changes_are_not() {
    let door = door();
    door.appear(&body("PAY", "a")).await;
    door.draining.cancel();
    for prefix in ["/eureka", "/eureka/v2"] {
        for (method, path, status) in [
            ("PUT", "apps/PAY/a", 200),
            ("PUT", "apps/PAY/a/", 200),
            ("PUT", "apps/PAY/a?status=UP", 200),
            ("DELETE", "apps/PAY/a", 503),
            ("POST", "apps/PAY", 503),
            ("PUT", "apps/PAY/a/status?value=DOWN", 503),
            ("PUT", "apps/PAY/a/metadata?a=b", 503),
            ("GET", "apps", 200),
        ] {
            let reply = door.call(method, &format!("{prefix}/{path}"), "").await;
            assert_eq!(reply.status, status, "{method} {path}");
            assert!(status != 503 || reply.text.starts_with("the server is stopping"), "{reply:?}");
        }
    }
    let item = |action: &str| json!({ "appName": "PAY", "id": "a", "action": action });
    let list = json!({ "replicationList": [item("Heartbeat"), item("Cancel")] });
    let reply = door.call("POST", "/eureka/peerreplication/batch/", &list.to_string()).await;
    let list = reply.json()["responseList"].clone();
    assert_eq!(list, json!([{ "statusCode": 200 }, { "statusCode": 503 }]));
}
