//! What each route does when it is asked wrongly: the status, the field, and the text.

use axum::{body::Body, http::Request};

use super::support::Door;
use crate::{http::Options, model::limit};

const A: &str = "/api/v1/services/web/instances/a";

/// A body, the field that is named, and a part of the text.
type Case<'c> = (&'c str, &'c str, &'c str);

async fn assert_unprocessable(path: &str, cases: &[Case<'_>]) {
    let door = Door::open(Options::default());
    for (body, field, text) in cases {
        let problem = door.call("PUT", path, body).await.problem(422, "invalid-field");
        let detail = problem["detail"].as_str().unwrap();
        assert_eq!(problem["field"], *field, "{body}: {detail}");
        assert!(detail.contains(text), "{body}: {detail}");
        assert!(detail.contains(field), "{body}: {detail}");
    }
    assert_eq!(door.running.registry.snapshot().revision.0, 0, "nothing took effect");
}

#[tokio::test]
async fn a_field_that_is_not_acceptable_is_named() {
    assert_unprocessable(
        A,
        &[
            ("[]", "$", "`[]` is a list, not an object"),
            (r#"[null, 80]"#, "$", "is a list, not an object"),
            (r#"{"checks": [["tcp"]]}"#, "checks[0]", "is a list, not an object"),
            ("7", "$", "`7` is a number, not an object"),
            (r#"{"wieght": 1}"#, "wieght", "`wieght`: is unknown; there are `addresses`, "),
            (r#"{"weight": 1, "weight": 2}"#, "weight", "is there twice"),
            (r#"{"weight": 70000}"#, "weight", "`70000` is outside the limits of 0 to 65535"),
            (r#"{"weight": -1}"#, "weight", "`-1` is outside the limits of 0 to 65535"),
            (r#"{"weight": 1.5}"#, "weight", "`1.5` is no whole number from 0 to 65535"),
            (
                r#"{"weight": "10"}"#,
                "weight",
                "`10` is a string, not a whole number from 0 to 65535",
            ),
            (r#"{"port": 65536}"#, "port", "`65536` is outside the limits of 0 to 65535"),
            (r#"{"priority": 99999999999999999999}"#, "priority", "outside the limits"),
            (r#"{"weight": 1e6}"#, "weight", "outside the limits of 0 to 65535"),
            (r#"{"weight": -1.0}"#, "weight", "outside the limits of 0 to 65535"),
            (r#"{"addresses": []}"#, "addresses", "is empty; leave it out"),
            (r#"{"addresses": "10.0.0.1"}"#, "addresses", "`10.0.0.1` is a string, not a list"),
            (r#"{"addresses": ["10.0.0.256"]}"#, "addresses[0]", "`10.0.0.256` is no IP address"),
            (r#"{"addresses": ["10.0.0"]}"#, "addresses[0]", "is no IP address"),
            (r#"{"addresses": ["fd00::g"]}"#, "addresses[0]", "is no IP address"),
            (
                r#"{"addresses": ["10.0.0.1", "b.example"]}"#,
                "addresses[1]",
                "a host name stands alone",
            ),
            (r#"{"addresses": ["10.0.0.1", "10.0.0.1"]}"#, "addresses[1]", "is there twice"),
            (r#"{"addresses": ["0.0.0.0"]}"#, "addresses[0]", "is no address of a host"),
            (r#"{"addresses": ["my_host.example"]}"#, "addresses[0]", "the character '_'"),
            (r#"{"tags": ["v1", "v_2"]}"#, "tags[1]", "'_' at position 2"),
            (r#"{"tags": ["instance"]}"#, "tags[0]", "is reserved"),
            (r#"{"tags": ["a", "A"]}"#, "tags", "is there twice"),
            (r#"{"meta": {"k": 1}}"#, "meta.k", "`1` is a number, not a string"),
            (r#"{"meta": {"k": "1", "k": "2"}}"#, "meta.k", "`meta.k`: is there twice"),
            (r#"{"meta": {"a=b": "1"}}"#, "meta", "is no key"),
            (
                r#"{"deregister_after": 600}"#,
                "deregister_after",
                "`600` is no duration; write it with its unit: \"600s\" or \"600ms\"",
            ),
            (r#"{"deregister_after": "10 minuets"}"#, "deregister_after", "is no duration"),
            (r#"{"deregister_after": "8761h"}"#, "deregister_after", "above the limit of 8760h"),
            (
                r#"{"initial_status": "ok"}"#,
                "initial_status",
                "`ok` is none of `passing`, `warning`, `critical`",
            ),
        ],
    )
    .await;
}

/// The fields of the second check of a registration with a port, `checks[1]`.
async fn assert_check_refused(cases: &[Case<'_>]) {
    let body = |fields| format!(r#"{{"port": 80, "checks": [{{"type": "tcp"}}, {{{fields}}}]}}"#);
    let cases: Vec<_> = cases
        .iter()
        .map(|(fields, field, text)| (body(*fields), format!("checks[1]{field}"), *text))
        .collect();
    let cases: Vec<Case<'_>> =
        cases.iter().map(|(body, field, text)| (&**body, &**field, *text)).collect();
    assert_unprocessable(A, &cases).await;
}

#[tokio::test]
async fn a_check_s_times_and_counts_are_held_to_their_limits() {
    assert_check_refused(&[
        (r#""path": "/""#, ".type", "is missing"),
        (r#""type": "script""#, ".type", "`script` is none of `alias`, `grpc`, "),
        (r#""type": "http", "intervall": "5s""#, ".intervall", "is unknown; there are "),
        (
            r#""type": "http", "interval": 5"#,
            ".interval",
            "`5` is no duration; write it with its unit: \"5s\" or \"5ms\"",
        ),
        (r#""type": "http", "interval": "5""#, ".interval", "`5` is no duration"),
        (r#""type": "http", "interval": "50ms""#, ".interval", "is below the limit of 100ms"),
        (
            r#""type": "http", "interval": "1s", "timeout": "2s""#,
            ".timeout",
            "`2s` is above the limit of 1s, which is the `interval`",
        ),
        (r#""type": "http", "rise": 0"#, ".rise", "`0` is outside the limits of 1 to 100"),
        (r#""type": "http", "fall": 101"#, ".fall", "outside the limits of 1 to 100"),
        (r#""type": "ttl""#, ".ttl", "is needed by a check of type `ttl`"),
        (r#""type": "ttl", "ttl": "99ms""#, ".ttl", "is below the limit of 100ms"),
        (
            r#""type": "tcp", "deregister_after": "8761h""#,
            ".deregister_after",
            "is above the limit of 8760h",
        ),
        (r#""type": "tcp", "initial_status": "ok""#, ".initial_status", "`ok` is none of "),
    ])
    .await;
}

#[tokio::test]
async fn a_check_s_request_is_one_that_can_be_sent() {
    let headers: Vec<String> = (0..17).map(|n| format!(r#""x-{n}": "1""#)).collect();
    let too_many = format!(r#""type": "http", "headers": {{{}}}"#, headers.join(","));
    let body = format!(r#""type": "http", "body": "{}""#, "a".repeat(4097));
    let long = format!(r#""type": "http", "path": "/{}""#, "a".repeat(2048));
    assert_check_refused(&[
        (r#""type": "http", "port": 0"#, ".port", "outside the limits of 1 to 65535"),
        (r#""type": "http", "host": "a b""#, ".host", "the character ' '"),
        (r#""type": "http", "path": "health""#, ".path", "begins with `/`"),
        (r#""type": "http", "path": "/a b""#, ".path", "has no blanks"),
        (&long, ".path", "above the limit of 2048"),
        (r#""type": "http", "method": "GE T""#, ".method", "is no method"),
        (r#""type": "http", "headers": {"bad name": "1"}"#, ".headers", "is no name of a header"),
        (r#""type": "http", "headers": {"Te": "1"}"#, ".headers", "that a check may send"),
        (r#""type": "http", "headers": {"a": "1", "A": "2"}"#, ".headers", "is there twice"),
        (r#""type": "http", "headers": {"x": "a\nb"}"#, ".headers.x", "is no value of a header"),
        (&too_many, ".headers", "above the limit of 16"),
        (r#""type": "http", "expect": 99"#, ".expect", "`99-99` is no range"),
        (r#""type": "http", "expect": "2xx""#, ".expect", "`2xx` is no status code or range"),
        (r#""type": "http", "expect": [200, "x"]"#, ".expect[1]", "`x` is no status code"),
        (r#""type": "http", "expect": []"#, ".expect", "names no status code"),
        (r#""type": "http", "warn": 600"#, ".warn", "`600-600` is no range"),
        (&body, ".body", "`4097` octets are above the limit of 4096"),
        (r#""type": "https", "tls_name": "a b""#, ".tls_name", "the character ' '"),
    ])
    .await;
}

#[tokio::test]
async fn a_check_has_the_fields_of_its_type_only() {
    assert_check_refused(&[
        (r#""type": "http", "tls": true"#, ".tls", "its type is `https` then"),
        (r#""type": "http", "tls_skip_verify": true"#, ".tls_skip_verify", "is no field"),
        (r#""type": "grpc", "tls_skip_verify": true"#, ".tls_skip_verify", "without `tls`"),
        (r#""type": "tcp", "path": "/""#, ".path", "is no field of a check of type `tcp`"),
        (r#""type": "http", "ttl": "5s""#, ".ttl", "is no field of a check of type `http`"),
        (r#""type": "ttl", "ttl": "5s", "rise": 1"#, ".rise", "is no field"),
        (r#""type": "tcp", "tls_name": "a.example""#, ".tls_name", "without `tls`"),
        (r#""type": "http", "tls_name": "a.example""#, ".tls_name", "is no field"),
        (r#""type": "h2ping", "tls": false, "tls_skip_verify": true"#, ".tls_skip_verify", "`tls`"),
        (r#""type": "udp", "tls": true"#, ".tls", "is no field of a check of type `udp`"),
        (r#""type": "tcp", "body": "x""#, ".body", "is no field of a check of type `tcp`"),
        (r#""type": "grpc", "follow_redirects": true"#, ".follow_redirects", "is no field"),
        (r#""type": "h2ping", "warn": 429"#, ".warn", "is no field of a check of type `h2ping`"),
        (r#""type": "manual""#, ".type", "is no type that can be registered here"),
    ])
    .await;
    let no_port = r#"{"checks": [{"type": "tcp"}]}"#;
    assert_unprocessable(A, &[(no_port, "checks[0].port", "is needed")]).await;
}

#[tokio::test]
async fn a_policy_that_is_not_acceptable_is_named() {
    assert_unprocessable(
        "/api/v1/services/web/policy",
        &[
            (r#"{"ttl": -1}"#, "ttl", "`-1` is below the limit of 0"),
            (r#"{"ttl": 1.5}"#, "ttl", "`1.5` is no whole number of seconds"),
            (r#"{"ttl": "1500ms"}"#, "ttl", "`1500ms` is no whole number of seconds"),
            (r#"{"ttl": 86401}"#, "ttl", "`86401` is above the limit of 86400"),
            (r#"{"ttl": 4294967296}"#, "ttl", "is above the limit of 86400"),
            (r#"{"answer_limit": 0}"#, "answer_limit", "outside the limits of 1 to 1000"),
            (
                r#"{"answer_limit": 1001}"#,
                "answer_limit",
                "`1001` is outside the limits of 1 to 1000",
            ),
            (
                r#"{"when_none_healthy": "never"}"#,
                "when_none_healthy",
                "`never` is none of `all`, ",
            ),
            (r#"{"min_healthy": 1.01}"#, "min_healthy", "`1.01` is outside the limits of 0 to 1"),
            (r#"{"min_healthy": "half"}"#, "min_healthy", "`half` is a string, not a number"),
        ],
    )
    .await;
}

#[tokio::test]
async fn an_illegal_name_in_the_path_is_refused_with_its_character() {
    let door = Door::open(Options::default());
    for (path, field, text) in [
        ("/api/v1/services/pay_ment/instances/a", "service", "'_' at position 4"),
        ("/api/v1/services/web/instances/a.b", "instance", "'.' at position 2"),
        ("/api/v1/services/p%C3%A4y/instances/a", "service", "'ä' at position 2"),
        ("/api/v1/services/ns1/instances/a", "service", "is reserved"),
        ("/api/v1/services/web/instances/-a", "instance", "begins with the character '-'"),
        ("/api/v1/services/web%FF/instances/a", "path", "no UTF-8"),
    ] {
        let problem = door.call("PUT", path, "{}").await.problem(422, "invalid-field");
        assert_eq!(problem["field"], field);
        assert!(problem["detail"].as_str().unwrap().contains(text), "{problem}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_malformed() {
    let door = Door::open(Options::default());
    let deep = format!(r#"{{"meta": {}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    let deep_unknown = format!(r#"[{{"service": "a", "x": {}"#, "[".repeat(100_000));
    for (body, text) in [
        ("", "the body is empty"),
        ("  \n", "the body is empty"),
        ("{", "EOF while parsing"),
        (r#"{"port": }"#, "line 1 column 10"),
        ("{} {}", "goes on after its JSON value"),
        ("{}x", "goes on after its JSON value"),
        ("port=80", "expected value"),
        ("{\"meta\": {\"k\": \"\u{1}\"}}", "control character"),
    ] {
        let problem = door.call("PUT", A, body).await.problem(400, "malformed-body");
        assert!(problem["detail"].as_str().unwrap().contains(text), "{problem}");
    }
    for (method, path, body) in [("PUT", A, &deep), ("POST", "/api/v1/instances", &deep_unknown)] {
        let status = door.call(method, path, body).await.status.as_u16();
        assert!(matches!(status, 400 | 422), "{status}");
    }
    let request = Request::put(A).body(Body::from(&b"{\"meta\": {\"k\": \"\xff\"}}"[..])).unwrap();
    door.send(request).await.problem(400, "malformed-body");
}

#[tokio::test]
async fn a_body_above_its_limit_is_refused_with_the_limit() {
    let door = Door::open(Options::default());
    let padded = |octets: usize| format!("{{{}}}", " ".repeat(octets - 2));
    let at_limit = padded(limit::HTTP_BODY_OCTETS_MAX);
    assert_eq!(door.call("PUT", A, &at_limit).await.status, 201);
    let above = padded(limit::HTTP_BODY_OCTETS_MAX + 1);
    let problem = door.call("PUT", A, &above).await.problem(413, "body-too-large");
    assert_eq!(problem["limit"], "1048576");
    let many = format!("[{}]", vec!["0"; limit::BULK_REGISTRATIONS_MAX + 1].join(","));
    door.call("POST", "/api/v1/instances", &many).await.problem(422, "invalid-field");
}

#[tokio::test]
async fn a_bulk_above_its_number_is_refused_with_the_limit() {
    let door = Door::open(Options::default());
    let one = r#"{"service":"a","instance":"b"}"#;
    let many = format!("[{}]", vec![one; limit::BULK_REGISTRATIONS_MAX + 1].join(","));
    let problem = door.call("POST", "/api/v1/instances", &many).await.problem(422, "invalid-field");
    assert_eq!((&problem["value"], &problem["limit"]), (&"100001".into(), &"100000".into()));
}

#[tokio::test]
async fn a_parameter_that_is_not_known_is_named() {
    let door = Door::open(Options::default());
    door.register("web/a", "{}").await;
    for (path, field, text) in [
        ("/api/v1/services/web/instances?tags=v1", "?tags", "there are tag, health"),
        ("/api/v1/services/web/instances?health=ok", "?health", "is none of passing, warning"),
        ("/api/v1/services/web/instances?tag=a_b", "?tag", "'_' at position 2"),
        ("/api/v1/services?tag=v1", "?tag", "there are min_revision, wait"),
        ("/api/v1/services/web?health=passing", "?health", "there are min_revision, wait"),
        ("/api/v1/watch?since=x", "?since", "is no revision"),
        ("/api/v1/watch?since=", "?since", "is empty; a revision is"),
        ("/api/v1/watch?since=1&since=2", "?since", "is there twice"),
        ("/api/v1/watch?service=a.b", "?service", "'.' at position 2"),
        ("/api/v1/watch?from=1", "?from", "there are service, since"),
    ] {
        let problem = door.get(path).await.problem(422, "bad-query");
        assert_eq!(problem["field"], field, "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(text), "{problem}");
    }
}

#[tokio::test]
async fn an_unknown_path_is_404_and_an_unknown_method_405() {
    let door = Door::open(Options::default());
    door.register("web/a", "{}").await;
    for path in ["/", "/api/v1", "/api/v1/services/", "/api/v2/services", "/api/v1/services/web/x"]
    {
        let problem = door.get(path).await.problem(404, "no-such-path");
        assert!(problem["detail"].as_str().unwrap().contains(path));
    }
    for path in ["/x", "/api/v1/services?", "/api/v1/watch?since="] {
        let reply = door.get(&format!("{path}{}", "y".repeat(30_000))).await;
        assert!(reply.status.is_client_error());
        assert!(reply.text.len() < 1_000, "it is not sent back whole: {} octets", reply.text.len());
    }
    for (method, path, allowed) in [
        ("POST", A, ["GET", "HEAD", "PUT", "DELETE"].as_slice()),
        ("PATCH", "/api/v1/services/web/policy", &["GET", "PUT", "DELETE"]),
        ("DELETE", "/metrics", &["GET", "HEAD"]),
        ("GET", "/api/v1/instances", &["POST"]),
    ] {
        let reply = door.call(method, path, "").await;
        reply.problem(405, "method-not-allowed");
        for method in allowed {
            assert!(reply.header("allow").contains(method), "{path}: {}", reply.header("allow"));
        }
    }
    let head = door.call("HEAD", A, "").await;
    assert_eq!((head.status.as_u16(), &*head.text), (200, ""));
    assert_eq!(door.call("HEAD", "/api/v1/services/none", "").await.status, 404);
}

#[tokio::test]
async fn a_web_page_of_another_site_changes_nothing() {
    let door = Door::open(Options::default());
    let request = Request::put(A)
        .header("host", "127.0.0.1:8500")
        .header("origin", "https://evil.example")
        .header("content-type", "text/plain")
        .body(Body::from("{}"))
        .unwrap();
    let problem = door.send(request).await.problem(403, "cross-site");
    assert!(problem["detail"].as_str().unwrap().contains("https://evil.example"));
    door.get(A).await.problem(404, "unknown-instance");
}

#[tokio::test]
async fn a_fault_of_ours_is_a_500_that_tells_nothing() {
    use axum::routing::get;
    let door = Door::open(Options::default());
    let panics = crate::http::router::layered(
        axum::Router::new().route("/boom", get(async || -> () { panic!("a secret") })),
        &door.api,
    );
    let door = Door { router: panics, ..door };
    let reply = door.get("/boom").await;
    reply.problem(500, "internal");
    assert!(!reply.text.contains("secret"));
}

#[tokio::test]
async fn bodies_have_a_limit_on_all_connections_together() {
    let door = Door::open(Options::default());
    let mut others = door.api.bodies().place();
    assert!(others.grow(limit::HTTP_BODIES_OCTETS_MAX - 20));
    for (method, path) in [("PUT", A), ("POST", "/api/v1/instances")] {
        let body = format!("[{}]", " ".repeat(30));
        let reply = door.call(method, path, &body).await;
        let problem = reply.problem(503, "busy");
        assert_eq!(problem["limit"], limit::HTTP_BODIES_OCTETS_MAX.to_string());
        assert_eq!(reply.header("retry-after"), "1");
    }
    assert!(door.call("PUT", A, r#"{"port": 80}"#).await.status.is_success(), "it fits");
    drop(others);
    door.register("web/b", &format!("{{{}}}", " ".repeat(30))).await;
    let metrics = door.get("/metrics").await.text;
    for line in ["rollcall_http_bodies_refused_total 2", "rollcall_http_body_bytes 0"] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_takes_too_long_is_refused() {
    use axum::routing::get;
    let door = Door::open(Options::default());
    let stuck =
        axum::Router::new().route("/stuck", get(async || std::future::pending::<()>().await));
    let router = crate::http::router::layered(stuck, &door.api);
    let stuck = Door { router, ..door };
    stuck.get("/stuck").await.problem(503, "timeout");

    let door = Door::open(Options::default());
    let body = Body::from_stream(futures_util::stream::pending::<Result<&[u8], std::io::Error>>());
    let reply = door.send(Request::put(A).body(body).unwrap()).await;
    reply.problem(408, "slow-body");
}

#[tokio::test]
async fn a_body_that_is_compressed_is_refused_as_that() {
    let door = Door::open(Options::default());
    let sent = |method: &str, path: &str, encoding: &str| {
        let request = Request::builder().method(method).uri(path);
        let body = Body::from(r#"{"addresses": ["10.0.0.1"]}"#);
        request.header("content-encoding", encoding).body(body).unwrap()
    };
    let problem = door.send(sent("PUT", A, "gzip")).await.problem(415, "unread-encoding");
    assert_eq!(
        (&problem["field"], &problem["value"]),
        (&"Content-Encoding".into(), &"gzip".into())
    );
    let text = "the body is encoded as `gzip`; send it as it is";
    for (method, path) in
        [("PUT", "/v1/agent/service/register"), ("POST", "/eureka/peerreplication/batch")]
    {
        let reply = door.send(sent(method, path, "gzip")).await;
        assert_eq!((reply.status.as_u16(), &*reply.text), (415, text), "{path}");
    }
    assert_eq!(door.send(sent("PUT", A, "Identity")).await.status, 201);
}

/// Any request with `index=` was, a change too.
#[tokio::test(start_paused = true)]
async fn only_a_read_is_given_the_time_of_a_blocking_query() {
    let door = Door::open(Options::default());
    let stuck = axum::routing::any(async || std::future::pending::<()>().await);
    let stuck = axum::Router::new().route("/v1/stuck", stuck);
    let router = crate::http::router::layered(stuck, &door.api);
    let door = Door { router, ..door };
    let least = door.api.options().request_timeout;
    for (method, query, is_blocking) in [
        ("GET", "wait=9s&index=7", true),
        ("GET", "hash=7", true),
        ("GET", "wait=9s", false),
        ("PUT", "index=7", false),
        ("DELETE", "hash=7", false),
    ] {
        let began = tokio::time::Instant::now();
        door.call(method, &format!("/v1/stuck?{query}"), "").await;
        let took = began.elapsed();
        assert_eq!(took > 10 * least, is_blocking, "{method} {query}: {took:?}");
    }
}

#[tokio::test]
async fn each_interface_refuses_in_its_own_form_while_it_is_there() {
    let door = Door::open(Options::default());
    let off = Door::open_with(Options::default(), |setup| {
        setup.consul.enabled = false;
        setup.eureka.enabled = false;
    });
    for path in ["/v1/nothing", "/eureka", "/eureka/nothing/at/all"] {
        let reply = door.get(path).await;
        assert_eq!(reply.status, 404, "{path}");
        assert_ne!(reply.header("content-type"), "application/problem+json", "{path}");
        off.get(path).await.problem(404, "no-such-path");
    }
    off.get("/v1//nothing").await.problem(404, "no-such-path");
    door.get("/eurekas").await.problem(404, "no-such-path");
}
