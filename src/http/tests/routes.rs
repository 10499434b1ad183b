//! What each route does when it is asked rightly.

use axum::{body::Body, http::Request};
use serde_json::json;

use super::support::Door;
use crate::{
    http::Options,
    registry::{JournalError, testing},
};

const A: &str = "/api/v1/services/web/instances/a";

fn door() -> Door {
    Door::open(Options::default())
}

#[tokio::test]
async fn an_instance_is_registered_read_replaced_and_removed() {
    let door = door();
    let body = r#"{"addresses": ["10.0.1.6", "fd00::6"], "port": 8080, "weight": 10,
        "tags": ["v2", "V1"], "meta": {"version": "1.4.2"}, "deregister_after": "10m",
        "checks": [{"type": "http", "path": "/health", "interval": "5s"},
                   {"type": "ttl", "ttl": "15s"}]}"#;
    let created = door.call("PUT", A, body).await;
    assert_eq!(created.status, 201, "{created:?}");
    assert_eq!(created.revision(), 1);
    let view = created.json();
    for (field, expected) in [
        ("service", json!("web")),
        ("instance", json!("a")),
        ("addresses", json!(["10.0.1.6", "fd00::6"])),
        ("port", json!(8080)),
        ("weight", json!(10)),
        ("priority", json!(1)),
        ("tags", json!(["v1", "v2"])),
        ("meta", json!({"version": "1.4.2"})),
        ("deregister_after", json!("10m")),
        ("status", json!("critical")),
        ("answered", json!(false)),
        ("suspect", json!(false)),
        ("drained", json!(false)),
        ("revision", json!(1)),
        ("since", json!("2027-01-15T08:00:00.000Z")),
        ("registered_at", json!("2027-01-15T08:00:00.000Z")),
    ] {
        let seen = match view[field].as_str() {
            // The clock runs: seconds are enough.
            Some(text) if text.starts_with("2027-") => {
                json!(format!("{}000Z", text.rsplit_once('.').unwrap().0.to_owned() + "."))
            }
            _ => view[field].clone(),
        };
        assert_eq!(seen, expected, "{field}");
    }
    let check = &view["checks"][0];
    assert_eq!((&check["type"], &check["timeout"]), (&json!("http"), &json!("2s")));
    assert_eq!(
        (&check["status"], &check["output"]),
        (&json!("critical"), &json!("not checked yet"))
    );
    assert_eq!(view["checks"][1]["status"], "passing");

    let read = door.get(A).await;
    assert_eq!((read.status.as_u16(), read.json()), (200, view.clone()));

    let again = door.call("PUT", A, body).await;
    assert_eq!((again.status.as_u16(), again.revision()), (200, 1), "nothing changed");
    assert_eq!(again.json(), view);

    let replaced = door.call("PUT", A, r#"{"addresses": ["10.0.1.7"]}"#).await;
    assert_eq!((replaced.status.as_u16(), replaced.revision()), (200, 2));
    assert_eq!(replaced.json()["status"], "passing");
    assert_eq!(replaced.json()["answered"], true);

    let gone = door.call("DELETE", A, "").await;
    assert_eq!((gone.status.as_u16(), gone.revision(), &*gone.text), (204, 3, ""));
    door.get(A).await.problem(404, "unknown-instance");
    door.call("DELETE", A, "").await.problem(404, "unknown-instance");
}

#[tokio::test]
async fn without_addresses_the_peer_s_is_taken_and_a_host_name_may_stand_alone() {
    let door = door();
    let view = door.register("web/a", "{}").await.json();
    assert_eq!(view["addresses"], json!(["192.0.2.7"]), "not mapped into IPv6");
    let view = door.register("web/b", r#"{"addresses": ["DB.Example.com."]}"#).await.json();
    assert_eq!(view["addresses"], json!(["db.example.com"]));
}

#[tokio::test]
async fn a_body_is_json_whatever_its_type_says() {
    let door = door();
    let request = Request::put(A)
        .header("content-type", "application/x-www-form-urlencoded")
        .body(Body::from("{}"))
        .unwrap();
    assert_eq!(door.send(request).await.status, 201);
}

#[tokio::test]
async fn a_heartbeat_renews_and_reports() {
    let door = door();
    let beat = format!("{A}/heartbeat");
    door.call("PUT", &beat, "").await.problem(404, "unknown-instance");
    door.register("web/a", r#"{"checks": [{"type": "ttl", "ttl": "15s"}]}"#).await;
    for (body, status) in [
        ("", "passing"),
        (r#"{"status": "warning", "output": "disk at 91 %"}"#, "warning"),
        (r#"{"status": "critical"}"#, "critical"),
        ("{}", "passing"),
    ] {
        let reply = door.call("PUT", &beat, body).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!(reply.json()["revision"], reply.revision());
        let view = door.get(A).await.json();
        assert_eq!(
            (&view["status"], &view["answered"]),
            (&json!(status), &json!(status != "critical"))
        );
    }
    let long = format!(r#"{{"status": "critical", "output": "{}"}}"#, "ü".repeat(3_000));
    assert_eq!(door.call("PUT", &beat, &long).await.status, 200);
    let view = door.get(A).await.json();
    assert_eq!(view["checks"][0]["output"].as_str().unwrap().len(), 4_096, "cut, not refused");
    door.register("web/b", "{}").await;
    let other = "/api/v1/services/web/instances/b/heartbeat";
    door.call("PUT", other, "").await.problem(409, "no-ttl-check");
}

#[tokio::test]
async fn a_drained_instance_is_out_of_the_answers_until_it_is_put_back() {
    let door = door();
    let drain = format!("{A}/drain");
    door.call("PUT", &drain, "").await.problem(404, "unknown-instance");
    door.register("web/a", "{}").await;
    for (method, drained) in [("PUT", true), ("PUT", true), ("DELETE", false), ("DELETE", false)] {
        let reply = door.call(method, &drain, "").await;
        assert_eq!(reply.status, 200);
        let expected = if drained { 2 } else { 3 };
        assert_eq!(reply.revision(), expected, "a second time changes nothing");
        let view = reply.json();
        assert_eq!((&view["drained"], &view["answered"]), (&json!(drained), &json!(!drained)));
        let snapshot = door.running.registry.snapshot();
        let answered = snapshot.service("web").unwrap().all.groups().next().is_some();
        assert_eq!(answered, !drained, "DNS sees it before the reply is sent");
    }
}

#[tokio::test]
async fn services_are_listed_by_name_with_their_numbers() {
    let door = door();
    for (name, body) in [
        ("web/a", r#"{"tags": ["v1"]}"#),
        ("web/b", r#"{"tags": ["v1", "v2"], "checks": [{"type": "tcp", "port": 1}]}"#),
        ("db/a", "{}"),
    ] {
        door.register(name, body).await;
    }
    door.call("PUT", "/api/v1/services/empty/policy", "{}").await;
    let list = door.get("/api/v1/services").await.json();
    assert_eq!(list["revision"], 4);
    let names: Vec<_> =
        list["services"].as_array().unwrap().iter().map(|s| &s["service"]).collect();
    assert_eq!(names, ["db", "empty", "web"]);
    let web = door.get("/api/v1/services/web").await.json();
    assert_eq!(web, list["services"][2]);
    for (field, expected) in [
        ("instances", json!(2)),
        ("passing", json!(1)),
        ("warning", json!(0)),
        ("critical", json!(1)),
        ("answered", json!(1)),
        ("drained", json!(0)),
        ("tags", json!([{"tag": "v1", "answered": 1}, {"tag": "v2", "answered": 0}])),
        ("failing_open", json!(null)),
        ("revision", json!(2)),
    ] {
        assert_eq!(web[field], expected, "{field}");
    }
    assert_eq!(web["policy"]["own"], false);
    door.get("/api/v1/services/none").await.problem(404, "unknown-service");
}

#[tokio::test]
async fn instances_are_filtered_by_tags_and_health() {
    let door = door();
    for (name, body) in [
        ("web/a", r#"{"tags": ["v1", "eu"]}"#),
        (
            "web/b",
            r#"{"tags": ["v1"], "checks": [{"type": "ttl", "ttl": "5s"}],
                "initial_status": "warning"}"#,
        ),
        ("web/c", r#"{"tags": ["eu"], "checks": [{"type": "tcp", "port": 1}]}"#),
        ("web/d", "{}"),
    ] {
        door.register(name, body).await;
    }
    door.call("PUT", "/api/v1/services/web/instances/d/drain", "").await;
    for (query, expected) in [
        ("", "a b c d"),
        ("?tag=v1", "a b"),
        ("?tag=v1&tag=eu", "a"),
        ("?tag=V1", "a b"),
        ("?tag=none", ""),
        ("?health=passing", "a d"),
        ("?health=warning", "b"),
        ("?health=critical", "c"),
        ("?health=healthy", "a b d"),
        ("?health=answered", "a b"),
        ("?health=drained&health=critical", "c d"),
        ("?health=suspect", ""),
        ("?health=passing&tag=eu", "a"),
    ] {
        let path = format!("/api/v1/services/web/instances{query}");
        let list = door.get(&path).await.json();
        let names: Vec<_> = list["instances"]
            .as_array()
            .unwrap()
            .iter()
            .map(|view| view["instance"].as_str().unwrap())
            .collect();
        assert_eq!(names.join(" "), expected, "{query}");
        assert_eq!(list["revision"], 5);
    }
    door.get("/api/v1/services/none/instances").await.problem(404, "unknown-service");
}

#[tokio::test]
async fn a_policy_is_set_read_and_forgotten() {
    let door = door();
    let path = "/api/v1/services/web/policy";
    door.get(path).await.problem(404, "unknown-service");
    let body =
        r#"{"ttl": "30s", "answer_limit": 1, "when_none_healthy": "all", "min_healthy": 0.25}"#;
    let set = door.call("PUT", path, body).await;
    let expected = json!({"ttl": 30, "answer_limit": 1, "when_none_healthy": "all",
        "min_healthy": 0.25, "own": true, "revision": 1});
    assert_eq!((set.status.as_u16(), set.revision(), set.json()), (200, 1, expected.clone()));
    assert_eq!(door.get(path).await.json(), expected);

    // Fails open: the one critical instance is answered, and that is shown.
    door.register("web/a", r#"{"checks": [{"type": "tcp", "port": 1}]}"#).await;
    let service = door.get("/api/v1/services/web").await.json();
    assert_eq!(
        (&service["failing_open"], &service["answered"]),
        (&json!("none_healthy"), &json!(1))
    );
    assert_eq!(door.get(A).await.json()["answered"], true);

    // What is left out falls back to the default, it is not kept from before.
    let set = door.call("PUT", path, r#"{"ttl": 0}"#).await.json();
    assert_eq!((&set["ttl"], &set["answer_limit"]), (&json!(0), &json!(8)));
    let gone = door.call("DELETE", path, "").await;
    assert_eq!((gone.status.as_u16(), gone.revision()), (204, 4));
    let default = door.get(path).await.json();
    assert_eq!((&default["own"], &default["ttl"]), (&json!(false), &json!(5)));
    door.call("DELETE", path, "").await.problem(404, "unknown-policy");
}

#[tokio::test]
async fn many_are_registered_at_one_revision_or_none_is() {
    let door = door();
    let body = r#"[{"service": "web", "instance": "a"},
        {"service": "db", "instance": "b", "port": 5432}]"#;
    let reply = door.call("POST", "/api/v1/instances", body).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({"revision": 1, "created": 2, "changed": true}));
    assert_eq!(reply.revision(), 1);
    assert_eq!(door.get("/api/v1/services/db/instances/b").await.json()["port"], 5432);

    let body = r#"[{"service": "new", "instance": "a"},
        {"service": "new", "instance": "b",
         "checks": [{"type": "tcp", "port": 1}, {"type": "ttl", "ttl": "1ms"}]}]"#;
    let refusal = door.call("POST", "/api/v1/instances", body).await.problem(422, "invalid-field");
    assert_eq!(refusal["field"], "[1].checks[1].ttl");
    door.get("/api/v1/services/new").await.problem(404, "unknown-service");

    let twice = r#"[{"service": "new", "instance": "a"}, {"service": "new", "instance": "A"}]"#;
    let refusal = door.call("POST", "/api/v1/instances", twice).await.problem(422, "invalid-field");
    assert_eq!(refusal["field"], "[1]");
    let nothing = door.call("POST", "/api/v1/instances", "[]").await.json();
    assert_eq!(nothing, json!({"revision": 1, "created": 0, "changed": false}));
}

#[tokio::test]
async fn the_server_tells_of_itself() {
    let door = door();
    let health = door.get("/health").await;
    assert_eq!((health.status.as_u16(), &health.json()["status"]), (200, &json!("ok")));
    let ready = door.get("/ready").await;
    let clear = json!({"ready": true, "reasons": [], "notes": [], "revision": 0});
    assert_eq!((ready.status.as_u16(), ready.json()), (200, clear));
    door.running.board.note("zone a.zone", "line 3: unknown type");
    assert_eq!(door.get("/ready").await.json()["notes"][0]["name"], "zone a.zone");
    door.running.board.block("store", "is full");
    let ready = door.get("/ready").await;
    assert_eq!(ready.status, 503);
    assert_eq!(ready.json()["reasons"], json!([{"name": "store", "message": "is full"}]));

    door.register("web/a", "{}").await;
    door.get("/nowhere/at/all").await;
    let metrics = door.get("/metrics").await;
    assert_eq!(metrics.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    for line in [
        concat!(
            r#"rollcall_http_requests_total{method="PUT","#,
            r#"route="/api/v1/services/{service}/instances/{instance}",status="201"} 1"#
        ),
        r#"rollcall_http_requests_total{method="GET",route="/ready",status="503"} 1"#,
        r#"rollcall_http_requests_total{method="GET",route="unmatched",status="404"} 1"#,
        r#"rollcall_http_request_duration_seconds_count{route="/health"} 1"#,
        "rollcall_http_connections 0",
        "rollcall_watchers 0",
    ] {
        assert!(metrics.text.contains(line), "{line} in {}", metrics.text);
    }
    assert!(metrics.text.contains("# TYPE rollcall_http_requests_total counter\n"));
    for (accept, kind) in [
        // What Prometheus sends.
        (
            "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3,*/*",
            "application/openmetrics-text; version=1.0.0; charset=utf-8",
        ),
        ("*/*", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;q=0", "text/plain; version=0.0.4; charset=utf-8"),
    ] {
        let request = Request::get("/metrics").header("accept", accept).body(Body::empty());
        let metrics = door.send(request.unwrap()).await;
        assert_eq!(metrics.header("content-type"), kind, "{accept}");
        let is_open = kind.starts_with("application/");
        assert_eq!(metrics.text.ends_with("# EOF\n"), is_open, "{accept}");
    }
}

#[tokio::test]
async fn a_store_in_trouble_refuses_changes_and_reads_go_on() {
    let door = door();
    door.register("web/a", "{}").await;
    door.running.kept.fail(Some(JournalError::Full("no space left".into())));
    let refusal = door.call("PUT", A, r#"{"port": 1}"#).await.problem(507, "store-full");
    assert!(refusal["detail"].as_str().unwrap().contains("no space left"));
    door.running.kept.fail(Some(JournalError::Failed("i/o error".into())));
    let reply = door.call("DELETE", A, "").await;
    reply.problem(503, "store-failed");
    assert_eq!(reply.header("retry-after"), "5");
    assert_eq!(door.get(A).await.json()["port"], 0, "as before");
    door.running.kept.fail(None);
    assert_eq!(door.call("DELETE", A, "").await.status, 204);
}

#[tokio::test]
async fn while_draining_changes_are_refused_and_reads_go_on() {
    let door = door();
    door.register("web/a", "{}").await;
    door.draining.cancel();
    for (method, path) in [("PUT", A), ("DELETE", A), ("POST", "/api/v1/instances")] {
        let reply = door.call(method, path, "{}").await;
        reply.problem(503, "stopping");
        assert_eq!(reply.header("retry-after"), "5");
    }
    assert_eq!(door.get(A).await.status, 200);
    let ready = door.get("/ready").await;
    assert_eq!(
        (ready.status.as_u16(), &ready.json()["reasons"][0]["name"]),
        (503, &json!("stopping"))
    );
}

#[tokio::test]
async fn while_draining_heartbeats_are_taken_so_that_nobody_lapses() {
    let door = door();
    let ttl = r#"{"checks": [{"type": "ttl", "ttl": "15s"}]}"#;
    door.register("web/a", ttl).await;
    door.draining.cancel();
    let beat = door.call("PUT", &format!("{A}/heartbeat"), r#"{"status": "critical"}"#).await;
    assert_eq!(beat.status, 200, "{}", beat.text);
    assert_eq!(door.get(A).await.json()["status"], "critical");
    let named_so = "/api/v1/services/web/instances/heartbeat";
    door.call("PUT", named_so, ttl).await.problem(503, "stopping");
}

#[tokio::test]
async fn a_view_s_own_fields_register_the_same_instance_again() {
    let door = door();
    let body = r#"{"checks": [{"type": "grpc", "tls": true, "port": 1, "interval": "1m30s"}]}"#;
    let text = door.register("web/a", body).await.text;
    let view: crate::http::dto::InstanceView = serde_json::from_str(&text).unwrap();
    let body = serde_json::to_string(&view.into_registration()).unwrap();
    let again = door.call("PUT", A, &body).await;
    assert_eq!((again.status.as_u16(), again.revision()), (200, 1));
    assert_eq!(testing::key("web/a").to_string(), "web/a");
}

/// Any two bulks under way, and those that only dribbled in, refused every other one.
#[tokio::test(start_paused = true)]
async fn large_bulks_take_turns_and_small_ones_pass_them_by() {
    let door = door();
    let post = |body: Body| {
        let request = Request::post("/api/v1/instances").body(body).unwrap();
        async { (door.send(request).await.status.as_u16(), tokio::time::Instant::now()) }
    };
    let stuck = || {
        let never = futures_util::stream::pending::<Result<&[u8], std::io::Error>>();
        post(Body::from_stream(never))
    };
    let large = |name: &str| {
        let body =
            format!(r#"[{{"service": "a", "instance": "{name}"}}]{}"#, " ".repeat(2_000_000));
        post(Body::from(body))
    };
    let small = post(Body::from(r#"[{"service": "a", "instance": "small"}]"#));
    let begun = tokio::time::Instant::now();
    let (first, second, third, small) = tokio::join!(stuck(), stuck(), large("third"), small);
    assert_eq!((first.0, second.0, third.0, small.0), (408, 408, 200, 200));
    assert_eq!(small.1, begun, "it waits for nobody");
    assert!(third.1 >= begun + Options::default().body_timeout, "it waited for its turn");
}
