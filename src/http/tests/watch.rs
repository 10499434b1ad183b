//! The watch: what is streamed, where it resumes, and how it ends.

use std::time::Duration;

use axum::{
    body::{Body, BodyDataStream},
    http::Request,
};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::support::Door;
use crate::{http::Options, model::limit};

/// One watcher's stream, read message by message.
struct Watching {
    body: BodyDataStream,
    text: String,
}

#[derive(Debug, Default, PartialEq)]
struct Message {
    event: String,
    id: String,
    data: Value,
    comment: String,
}

impl Watching {
    async fn open(door: &Door, query: &str, last_event_id: Option<u64>) -> Self {
        let mut request = Request::get(format!("/api/v1/watch{query}"));
        if let Some(id) = last_event_id {
            request = request.header("last-event-id", id);
        }
        let request = request.body(Body::empty()).unwrap();
        let response = door.router.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The next message; `None` at the end of the stream.
    async fn next(&mut self) -> Option<Message> {
        while !self.text.contains("\n\n") {
            let chunk = tokio::time::timeout(Duration::from_secs(60), self.body.next());
            let chunk = chunk.await.expect("a message or the end in time")?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
        let (message, rest) = self.text.split_once("\n\n").unwrap();
        let mut parsed = Message::default();
        for line in message.lines() {
            let (field, value) = line.split_once(':').unwrap();
            let value = value.trim_start().to_owned();
            match field {
                "" => parsed.comment = value,
                "data" => parsed.data = serde_json::from_str(&value).unwrap(),
                "event" => parsed.event = value,
                "id" => parsed.id = value,
                other => panic!("{other}"),
            }
        }
        self.text = rest.to_owned();
        Some(parsed)
    }

    /// The next event, comments left out.
    async fn event(&mut self) -> Message {
        loop {
            let message = self.next().await.expect("the stream goes on");
            if !message.event.is_empty() {
                return message;
            }
        }
    }
}

fn door() -> Door {
    Door::open(Options::default())
}

#[tokio::test]
async fn every_kind_of_change_is_an_event() {
    let door = door();
    let mut watching = Watching::open(&door, "", None).await;
    let first = watching.next().await.unwrap();
    assert_eq!((&*first.comment, &*first.id, &*first.event), ("watching", "0", ""));
    let a = "/api/v1/services/web/instances/a";
    let ttl = r#"{"checks": [{"type": "ttl", "ttl": "15s"}]}"#;
    let steps = [
        ("PUT", a.to_owned(), ttl, "registered", json!({})),
        (
            "PUT",
            format!("{a}/heartbeat"),
            r#"{"status": "critical", "output": "full"}"#,
            "status",
            json!({"from": "passing", "to": "critical", "suspect": false, "output": "full"}),
        ),
        ("PUT", format!("{a}/drain"), "", "drained", json!({})),
        ("DELETE", format!("{a}/drain"), "", "undrained", json!({})),
        ("PUT", a.to_owned(), "{}", "updated", json!({})),
        ("PUT", "/api/v1/services/web/policy".to_owned(), r#"{"ttl": 1}"#, "policy", json!({})),
        ("DELETE", a.to_owned(), "", "deregistered", json!({"reason": "deregistered"})),
    ];
    for (index, (method, path, body, event, extra)) in steps.iter().enumerate() {
        let reply = door.call(method, path, body).await;
        assert!(reply.status.is_success(), "{reply:?}");
        let message = watching.event().await;
        assert_eq!(message.event, *event);
        assert_eq!(message.id, reply.revision().to_string());
        assert_eq!(message.data["revision"], index as u64 + 1);
        assert_eq!(message.data["service"], "web");
        assert!(message.data["at"].as_str().unwrap().starts_with("2027-01-15T08:0"));
        if *event == "policy" {
            assert_eq!(message.data["instance"], Value::Null);
        } else {
            assert_eq!(message.data["instance"], "a");
        }
        for (field, value) in extra.as_object().unwrap() {
            assert_eq!(message.data[field], *value, "{field}");
        }
    }
}

#[tokio::test]
async fn a_watcher_resumes_after_the_revision_it_has_seen() {
    let door = door();
    for name in ["web/a", "db/a", "web/b", "web/c"] {
        door.register(name, "{}").await;
    }
    for (query, last, expected) in [
        ("?since=0", None, vec!["web 1", "db 2", "web 3", "web 4"]),
        ("?since=2", None, vec!["web 3", "web 4"]),
        ("?since=0&service=web", None, vec!["web 1", "web 3", "web 4"]),
        ("?since=0", Some(3), vec!["web 4"]), // a browser comes back with the first URL
    ] {
        let mut watching = Watching::open(&door, query, last).await;
        for expected in expected {
            let data = watching.event().await.data;
            let seen = format!("{} {}", data["service"].as_str().unwrap(), data["revision"]);
            assert_eq!(seen, expected, "{query}");
        }
    }
}

#[tokio::test]
async fn the_id_comes_with_the_last_event_of_a_revision() {
    let door = door();
    let mut watching = Watching::open(&door, "?service=web", None).await;
    let body = r#"[{"service": "web", "instance": "a"}, {"service": "web", "instance": "b"},
        {"service": "zzz", "instance": "c"}]"#;
    door.call("POST", "/api/v1/instances", body).await;
    let (a, b) = (watching.event().await, watching.event().await);
    assert_eq!((&*a.id, &*b.id), ("", "1"));
    assert_eq!((&a.data["instance"], &b.data["instance"]), (&json!("a"), &json!("b")));
}

#[tokio::test]
async fn a_watcher_that_missed_events_is_told_to_list_again() {
    let door = door();
    // More than the ring holds, and one more.
    let body: Vec<String> = (0..=limit::EVENTS_KEPT_MAX)
        .map(|n| format!(r#"{{"service":"s{}","instance":"i{n}"}}"#, n / 1_000))
        .collect();
    let reply = door.call("POST", "/api/v1/instances", &format!("[{}]", body.join(","))).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    for query in ["?since=0", "?since=99"] {
        let mut watching = Watching::open(&door, query, None).await;
        let reset = watching.event().await;
        assert_eq!((&*reset.event, &*reset.id), ("reset", "1"), "{query}");
        assert_eq!(reset.data, json!({"revision": 1}));
        drop(watching);
    }
    let mut watching = Watching::open(&door, "?since=0", None).await;
    watching.event().await;
    door.register("web/a", "{}").await;
    let live = watching.event().await;
    assert_eq!((&*live.event, &*live.id), ("registered", "2"), "after the reset it is live");
}

#[tokio::test]
async fn events_of_other_services_do_not_hide_what_comes_after_them() {
    let door = door();
    let others: Vec<_> =
        (0..1_000).map(|n| format!(r#"{{"service":"other","instance":"i{n}"}}"#)).collect();
    for chunk in others.chunks(100) {
        door.call("POST", "/api/v1/instances", &format!("[{}]", chunk.join(","))).await;
    }
    door.register("web/a", "{}").await;
    let mut watching = Watching::open(&door, "?since=0&service=web", None).await;
    assert_eq!(watching.event().await.id, "11");
}

#[tokio::test(start_paused = true)]
async fn silence_is_broken_by_comments_that_move_the_id_on() {
    let door = door();
    let mut watching = Watching::open(&door, "?service=web", None).await;
    watching.next().await;
    door.register("db/a", "{}").await;
    let begin = tokio::time::Instant::now();
    let message = watching.next().await.unwrap();
    assert_eq!((&*message.comment, &*message.id, &*message.event), ("keep-alive", "1", ""));
    assert_eq!(begin.elapsed().as_secs(), 15);
}

#[tokio::test]
async fn watchers_are_bounded_and_end_with_the_server() {
    let door = Door::open(Options { watchers_max: 1, ..Options::default() });
    let mut first = Watching::open(&door, "", None).await;
    first.next().await;
    let reply = door.get("/api/v1/watch").await;
    let problem = reply.problem(503, "busy");
    assert_eq!((&problem["limit"], reply.header("retry-after")), (&json!("1"), "1"));
    assert!(door.get("/metrics").await.text.contains("rollcall_watchers 1"));
    drop(first);
    let mut second = Watching::open(&door, "", None).await;
    second.next().await;
    door.draining.cancel();
    assert_eq!(door.get("/ready").await.status, 503);
    door.stop.cancel();
    assert_eq!(second.next().await, None);
    drop(second);
    assert!(door.get("/metrics").await.text.contains("rollcall_watchers 0"));
}

#[tokio::test]
async fn of_a_check_by_itself_nothing_is_told() {
    let door = Door::open(Options::default());
    let service = r#"{"Name":"web","Checks":[{"CheckID":"a","TTL":"60s","Status":"critical"},
        {"CheckID":"b","TTL":"60s","Status":"passing"}]}"#;
    assert_eq!(door.call("PUT", "/v1/agent/service/register", service).await.status, 200);
    for query in ["", "?service=web"] {
        let mut watching = Watching::open(&door, query, None).await;
        assert_eq!(watching.next().await.unwrap().comment, "watching");
        for change in ["check/fail/b", "check/pass/b", "check/pass/a", "check/fail/a"] {
            let reply = door.call("PUT", &format!("/v1/agent/{change}"), "").await;
            assert_eq!(reply.status, 200, "{change}");
        }
        for to in ["passing", "critical"] {
            let told = watching.next().await.unwrap();
            assert_eq!((&*told.event, &told.data["to"]), ("status", &json!(to)), "{query}");
        }
    }
}
