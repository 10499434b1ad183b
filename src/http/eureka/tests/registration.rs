//! What is refused at registration, in which words and in which order.

use axum::http::StatusCode;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::support::of_json;
use crate::http::eureka::{error::EurekaError, registration::admit};

fn complete() -> Value {
    json!({
        "instanceId": "a", "hostName": "h", "ipAddr": "10.0.0.1", "app": "Pay",
        "dataCenterInfo": {"name": "MyOwn"},
    })
}

fn without(names: &[&str]) -> Value {
    let mut fields = complete();
    for name in names {
        fields.as_object_mut().unwrap().remove(*name);
    }
    fields
}

fn refusal(app: &str, fields: &Value) -> String {
    let error = admit(app, of_json(fields)).unwrap_err();
    assert_eq!(error.status, StatusCode::BAD_REQUEST);
    error.text.into_owned()
}

#[test]
fn the_first_of_what_is_missing_is_named() {
    let all = ["ipAddr", "app", "dataCenterInfo"];
    for (fields, text) in [
        (json!({}), "Missing instanceId"),
        (json!({"instanceId": "", "hostName": ""}), "Missing instanceId"),
        (json!({"instanceId": "a"}), "Missing hostname"),
        (json!({"instanceId": "a", "hostName": ""}), "Missing hostname"),
        (without(&all), "Missing ip address"),
        (without(&all[1..]), "Missing appName"),
        (without(&["dataCenterInfo"]), "Missing dataCenterInfo"),
    ] {
        assert_eq!(refusal("PAY", &fields), text, "{fields}");
    }
    for info in [json!({}), json!({"name": ""}), json!({"@class": "a.b.C", "name": null})] {
        let mut fields = complete();
        fields["dataCenterInfo"] = info;
        assert_eq!(refusal("PAY", &fields), "Missing dataCenterInfo Name");
    }
}

#[test]
fn an_instance_belongs_to_the_application_of_its_path() {
    assert!(admit("pAy", of_json(&complete())).is_ok());
    let text = "Mismatched appName, expecting OTHER but was PAY";
    assert_eq!(refusal("other", &complete()), text);
    // Said before the data centre is asked for.
    assert_eq!(refusal("other", &without(&["dataCenterInfo"])), text);
    let mut fields = complete();
    fields["app"] = "x".repeat(100_000).into();
    assert!(refusal("pay", &fields).len() < 200);
}

#[test]
fn an_instance_without_an_id_goes_by_amazons_or_by_its_host() {
    let amazon = |metadata: Value| json!({"name": "Amazon", "metadata": metadata});
    for (id, info, known_as, amazons) in [
        (json!("a"), amazon(json!({"instance-id": "i-1"})), "a", Some("i-1")),
        (json!(null), amazon(json!({"instance-id": "i-1"})), "i-1", Some("i-1")),
        (json!(""), amazon(json!({"instance-id": "i-1"})), "i-1", Some("i-1")),
        (json!(null), amazon(json!({"instance-id": ""})), "h", Some("h")),
        (json!("a"), amazon(json!({})), "a", Some("a")),
        (json!(null), json!({"name": "MyOwn", "metadata": {"instance-id": "i"}}), "h", None),
    ] {
        let mut fields = complete();
        fields["instanceId"] = id;
        fields["dataCenterInfo"] = info;
        let admitted = admit("PAY", of_json(&fields)).unwrap();
        assert_eq!(admitted.instance_id.as_deref(), Some(known_as), "{fields}");
        let found = admitted.data_center_info.as_ref().and_then(|info| info.instance_id());
        assert_eq!(found, amazons, "{fields}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_status_and_a_line_of_text() {
    use axum::response::IntoResponse;

    let response = EurekaError::new(StatusCode::NOT_FOUND, "gone").into_response();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["content-type"], "text/plain; charset=utf-8");
    let body = response.into_body().collect().await.unwrap().to_bytes();
    assert_eq!(&*body, b"gone");
}
