//! Requests that wait for a revision.

use std::time::Duration;

use axum::http::Method;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::Instant;

use super::support::Door;
use crate::http::{Options, openapi_document};

const A: &str = "/api/v1/services/web/instances/a";

fn door() -> Door {
    Door::open(Options::default())
}

#[tokio::test(start_paused = true)]
async fn a_request_waits_for_the_revision_that_it_names() {
    let door = door();
    door.register("web/a", "{}").await;
    let began = Instant::now();
    let at_once = door.get(&format!("{A}?min_revision=1&wait=0s")).await;
    assert_eq!((at_once.status.as_u16(), at_once.revision()), (200, 1));
    assert_eq!(began.elapsed(), Duration::ZERO);
    let drain = format!("{A}/drain?wait=1m&min_revision=3");
    let (list, drained, ()) = tokio::join!(
        door.get("/api/v1/services/web/instances?tag=x&min_revision=2"),
        door.call("PUT", &drain, ""),
        async {
            for name in ["web/b", "web/c"] {
                tokio::time::sleep(Duration::from_secs(4)).await;
                door.register(name, r#"{"tags": ["x"]}"#).await;
            }
        },
    );
    assert_eq!((list.status.as_u16(), list.revision()), (200, 2));
    assert_eq!(list.json()["instances"][0]["instance"], "b");
    assert_eq!((drained.status.as_u16(), drained.revision()), (200, 4));
    assert!(began.elapsed() < Duration::from_secs(9));
}

#[tokio::test(start_paused = true)]
async fn a_revision_that_does_not_come_is_refused_with_the_one_that_is_here() {
    let door = door();
    door.register("web/a", "{}").await;
    // The longest wait is no shorter for the time that a request may take.
    for (wait, seconds) in [("", 5), ("&wait=0s", 0), ("&wait=1m", 60)] {
        let began = Instant::now();
        let reply = door.get(&format!("{A}?min_revision=7{wait}")).await;
        let problem = reply.problem(503, "revision-not-seen");
        assert_eq!(began.elapsed().as_secs(), seconds);
        assert_eq!((reply.header("retry-after"), reply.revision()), ("1", 1));
        assert_eq!((&problem["revision"], &problem["value"]), (&json!(1), &json!("7")));
        assert_eq!(problem["field"], "?min_revision");
    }
}

#[tokio::test]
async fn every_operation_can_wait_for_a_revision() {
    let door = door();
    let document: Value = serde_json::from_str(&openapi_document()).unwrap();
    let mut operations = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        if !path.starts_with("/api/v1/") || path.ends_with("/openapi.json") {
            continue;
        }
        let path = path.replace("{service}", "web").replace("{instance}", "a");
        for (method, operation) in item.as_object().unwrap() {
            let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
            let path = format!("{path}?min_revision=1&wait=0s");
            let reply = door.call(method.as_str(), &path, "").await;
            reply.problem(503, "revision-not-seen");
            let parameters = operation["parameters"].as_array().unwrap();
            for name in ["min_revision", "wait"] {
                let known = parameters.iter().find(|it| it["name"] == name);
                let known = known.unwrap_or_else(|| panic!("{method} {path}: {name}"));
                assert_eq!((&known["in"], &known["required"]), (&json!("query"), &json!(false)));
            }
            let refusal = operation["responses"]["503"]["description"].as_str().unwrap();
            assert!(refusal.contains("`min_revision`"), "{method} {path}: {refusal}");
            operations += 1;
        }
    }
    assert_eq!(operations, 15);
}

#[tokio::test]
async fn what_is_no_revision_or_no_time_is_refused() {
    let door = door();
    for (query, field, said) in [
        ("min_revision=x", "?min_revision", "is no revision"),
        ("min_revision=", "?min_revision", "is empty; a revision is"),
        ("min_revision=1&min_revision=2", "?min_revision", "is there twice"),
        ("wait=1s", "?wait", "which is not given"),
        ("min_revision=1&wait=5", "?wait", "needs a unit"),
        ("min_revision=1&wait=61s", "?wait", "outside the limits of 0s to 1m"),
        ("min_revision=1&weight=3", "?weight", "there are min_revision, wait"),
    ] {
        let problem =
            door.get(&format!("/api/v1/services?{query}")).await.problem(422, "bad-query");
        assert_eq!(problem["field"], field);
        assert!(problem["detail"].as_str().unwrap().contains(said), "{problem}");
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_wait_than_may_and_none_holds_up_the_end() {
    let door = door();
    let waiting = join_all((0..1_000).map(|_| door.get("/api/v1/services?min_revision=1&wait=1m")));
    let (waited, ()) = tokio::join!(waiting, async {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let refused = door.get("/api/v1/services?min_revision=1").await;
        assert_eq!(refused.problem(503, "busy")["limit"], "1000");
        door.stop.cancel();
    });
    for reply in waited {
        reply.problem(503, "stopping");
    }
}
