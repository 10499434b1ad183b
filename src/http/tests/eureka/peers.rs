//! Eureka servers that replicate into this one.

use serde_json::{Value, json};

use super::support::{at, body, door, with};
use crate::http::tests::support::Door;

async fn batch(door: &Door, list: &[Value]) -> Vec<Value> {
    let body = json!({ "replicationList": list }).to_string();
    let reply = door.call("POST", "/eureka/v2/peerreplication/batch/", &body).await;
    assert_eq!((reply.status.as_u16(), reply.header("content-type")), (200, "application/json"));
    reply.json()["responseList"].as_array().unwrap().clone()
}

fn item(action: &str, id: &str, fields: &Value) -> Value {
    with(json!({ "appName": "pay", "id": id, "action": action }), fields)
}

#[tokio::test]
async fn each_change_of_a_batch_has_its_own_reply_in_order() {
    let door = door();
    door.appear(&body("PAY", "old")).await;
    let replies = batch(
        &door,
        &[
            item("Register", "a", &json!({ "instanceInfo": body("PAY", "a") })),
            item("Heartbeat", "a", &json!({ "lastDirtyTimestamp": 1000 })),
            item("Heartbeat", "a", &json!({ "lastDirtyTimestamp": 999 })),
            item("Heartbeat", "a", &json!({ "lastDirtyTimestamp": "1001" })),
            item("Heartbeat", "nobody", &json!({})),
            item("StatusUpdate", "a", &json!({ "status": "OUT_OF_SERVICE" })),
            item("Cancel", "old", &json!({})),
            item("Cancel", "old", &json!({})),
            item("StatusUpdate", "old", &json!({ "status": "UP" })),
            item("StatusUpdate", "a", &json!({})),
            item("DeleteStatusOverride", "old", &json!({})),
            item("Register", "b", &json!({})),
            item("Jump", "b", &json!({})),
        ],
    )
    .await;
    let codes: Vec<_> = replies.iter().map(|r| r["statusCode"].as_u64().unwrap()).collect();
    assert_eq!(codes, [200, 200, 409, 404, 404, 200, 200, 404, 404, 400, 404, 400, 400]);
    assert_eq!(replies[2]["responseEntity"]["instanceId"], "a");
    assert_eq!(door.states("a").await.0, "OUT_OF_SERVICE");
    let replies =
        batch(&door, &[item("DeleteStatusOverride", "a", &json!({ "status": "UP" }))]).await;
    assert_eq!(replies, [json!({ "statusCode": 200 })]);
    assert_eq!(door.states("a").await, ("UP".into(), "UNKNOWN".into()));
    assert_eq!(door.code("GET", &at("old")).await, 404);
}

#[tokio::test]
async fn a_peer_s_word_stands_over_what_is_known() {
    let door = door();
    door.appear(&with(body("PAY", "a"), &json!({ "status": "OUT_OF_SERVICE" }))).await;
    door.appear(&body("PAY", "a")).await;
    assert_eq!(door.states("a").await.0, "OUT_OF_SERVICE", "a client's does not");
    let info = with(body("PAY", "a"), &json!({ "lastDirtyTimestamp": "1001" }));
    batch(&door, &[item("Register", "a", &json!({ "instanceInfo": info }))]).await;
    assert_eq!(door.states("a").await.0, "UP");
}

#[tokio::test]
async fn a_registration_brings_its_override_along() {
    let door = door();
    let info = with(body("PAY", "a"), &json!({ "overriddenStatus": "OUT_OF_SERVICE" }));
    batch(&door, &[item("Register", "a", &json!({ "instanceInfo": info }))]).await;
    assert_eq!(door.states("a").await, ("OUT_OF_SERVICE".into(), "OUT_OF_SERVICE".into()));
    assert_eq!(door.answered("pay"), 0);
}

#[tokio::test]
async fn a_large_batch_is_carried_out_whole() {
    let door = door();
    let ids: Vec<String> = (0..600).map(|number| format!("10.0.0.1:pay:{number}")).collect();
    let register = |id: &String| item("Register", id, &json!({ "instanceInfo": body("PAY", id) }));
    let replies = batch(&door, &ids.iter().map(register).collect::<Vec<_>>()).await;
    assert!(replies.iter().all(|reply| reply["statusCode"] == 200));
    assert_eq!(door.answered("pay"), 600);
    let cancel = |id: &String| item("Cancel", id, &json!({}));
    let replies = batch(&door, &ids.iter().map(cancel).collect::<Vec<_>>()).await;
    assert!(replies.iter().all(|reply| reply["statusCode"] == 200));
    assert_eq!(door.answered("pay"), 0);
}
