//! The `http` check against servers that answer well, badly, slowly, endlessly or not at all.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    time::timeout,
};

use crate::{
    health::probe::testing::{
        IMPATIENCE, PATIENCE, http_check, read_head, run, saying, thresholds,
    },
    model::{Expect, HttpExtra, Status, limit},
    util::free_address,
};

const FINE: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nfine\n";

#[tokio::test]
async fn asks_as_a_client_would_and_shows_the_reply() {
    let (address, mut heads) = saying(FINE).await;
    let outcome = run(address, http_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Passing));
    assert_eq!(&*outcome.output, "HTTP 200 OK: fine");
    let head = heads.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("get /health?deep=1 http/1.1\r\n"), "{head}");
    for line in [
        format!("\r\nhost: {address}\r\n"),
        format!("\r\nuser-agent: rollcall/{}\r\n", env!("CARGO_PKG_VERSION")),
        "\r\nconnection: close\r\n".to_owned(),
    ] {
        assert!(head.contains(&line), "{line:?} is not in {head:?}");
    }
}

#[tokio::test]
async fn method_and_headers_are_the_checks_own() {
    let (address, mut heads) = saying("HTTP/1.1 204 No Content\r\n\r\n").await;
    let check = http_check(|check| {
        check.method = "HEAD".into();
        check.headers = [("Host", "web.example"), ("X-Probe", "a"), ("X-Probe", "b")]
            .map(|(name, value)| (name.into(), value.into()))
            .into();
    });
    let outcome = run(address, check).await;
    assert_eq!(&*outcome.output, "HTTP 204 No Content");
    let head = heads.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.starts_with("head /health"), "{head}");
    assert_eq!(head.matches("\r\nhost: ").count(), 1, "{head}");
    assert!(head.contains("host: web.example\r\n"), "{head}");
    assert!(head.contains("x-probe: a\r\nx-probe: b\r\n"), "{head}");
}

#[tokio::test]
async fn only_expected_statuses_pass() {
    let unavailable = "HTTP/1.1 503 Service Unavailable\r\n\r\nwarming up";
    let (address, _heads) = saying(unavailable).await;
    let outcome = run(address, http_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert_eq!(&*outcome.output, "HTTP 503 Service Unavailable: warming up");
    let expecting =
        http_check(|check| check.expect = Expect::new(vec![(404, 404), (500, 503)]).unwrap());
    assert_eq!(run(address, expecting).await.status, Some(Status::Passing));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, mut visits) = saying(FINE).await;
    let redirect =
        format!("HTTP/1.1 301 Moved Permanently\r\nLocation: http://{elsewhere}/\r\n\r\n");
    let (address, _heads) = saying(redirect).await;
    let outcome = run(address, http_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    let to = format!("to http://{elsewhere}/ (redirects are not followed)");
    assert_eq!(*outcome.output, format!("HTTP 301 Moved Permanently {to}"));
    let expecting = http_check(|check| check.expect = Expect::new(vec![(301, 301)]).unwrap());
    assert_eq!(run(address, expecting).await.status, Some(Status::Passing));
    assert!(visits.try_recv().is_err(), "somebody followed the redirect");
}

#[tokio::test]
async fn redirects_are_followed_when_that_is_asked_for() {
    let (last, mut asked_last) = saying(FINE).await;
    let onward = |status: &str, to| format!("HTTP/1.1 {status}\r\nLocation: {to}\r\n\r\n");
    let (second, mut asked_second) =
        saying(onward("302 Found", format!("http://localhost:{}/last?x", last.port()))).await;
    let (first, mut asked_first) =
        saying(onward("307 Temporary Redirect", format!("//{second}/second"))).await;
    let outcome = run(
        first,
        http_check(|check| {
            check.follow_redirects = true;
            check.method = "POST".into();
            check.headers = [("Host", "web.example"), ("Authorization", "secret"), ("X", "y")]
                .map(|(name, value)| (name.into(), value.into()))
                .into();
            check.extra = HttpExtra::new(Some("ping".into()), None);
        }),
    )
    .await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    assert_eq!(&*outcome.output, "HTTP 200 OK: fine");
    let head = asked_first.recv().await.unwrap();
    assert!(head.starts_with("POST /health?deep=1 ") && head.contains("content-length: 4\r\n"));
    assert!(head.contains("Host: web.example\r\n") && head.contains("Authorization: secret"));
    // Another port of the same host may know the credentials.
    let head = asked_second.recv().await.unwrap();
    assert!(head.starts_with("POST /second ") && head.contains("content-length: 4\r\n"), "{head}");
    assert!(head.contains(&format!("host: {second}\r\n")), "{head}");
    assert!(head.contains("Authorization: secret"), "{head}");
    let head = asked_last.recv().await.unwrap();
    assert!(head.starts_with("GET /last?x ") && head.contains("X: y\r\n"), "{head}");
    assert!(!head.contains("Authorization") && !head.contains("content-length"), "{head}");
}

#[tokio::test]
async fn what_a_redirect_leads_to_is_what_counts() {
    for (location, expected) in [
        ("ftp://127.0.0.1/", "HTTP 302 Found to ftp://127.0.0.1/, which is no HTTP address"),
        ("/again", "HTTP: more redirects than the limit of 10"),
    ] {
        let reply = format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\n\r\n");
        let (address, _heads) = saying(reply).await;
        // Although the redirect's own status is expected.
        let check = http_check(|check| {
            check.follow_redirects = true;
            check.expect = Expect::new(vec![(302, 302)]).unwrap();
        });
        let outcome = run(address, check).await;
        assert_eq!((outcome.status, &*outcome.output), (Some(Status::Critical), expected));
    }
    let gone = free_address();
    let reply = format!("HTTP/1.1 301 Moved Permanently\r\nLocation: http://{gone}/\r\n\r\n");
    let (address, _heads) = saying(reply).await;
    let outcome = run(address, http_check(|check| check.follow_redirects = true)).await;
    assert_eq!(*outcome.output, format!("connect to {gone}: connection refused"));
    // Nowhere to go: the reply is a reply.
    let (address, _heads) = saying("HTTP/1.1 302 Found\r\n\r\n").await;
    let outcome = run(address, http_check(|check| check.follow_redirects = true)).await;
    assert_eq!(&*outcome.output, "HTTP 302 Found");
}

#[tokio::test]
async fn the_timeout_covers_all_redirects_and_names_the_one() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let there = silent.local_addr().unwrap();
    let reply = format!("HTTP/1.1 302 Found\r\nLocation: http://{there}/\r\n\r\n");
    let (address, _heads) = saying(reply).await;
    let check = http_check(|check| {
        check.follow_redirects = true;
        check.thresholds = thresholds(IMPATIENCE);
    });
    let outcome = run(address, check).await;
    let expected = format!("timeout after 500ms while waiting for the reply of {there}");
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Critical), &*expected));
}

#[tokio::test]
async fn some_statuses_warn() {
    let (address, _heads) = saying("HTTP/1.1 429 Too Many Requests\r\n\r\nlater").await;
    let codes = |code| Some(Expect::new(vec![(code, code)]).unwrap());
    for (warn, expect, expected) in [
        (None, None, Status::Critical),
        (codes(430), None, Status::Critical),
        (codes(429), None, Status::Warning),
        (codes(429), codes(429), Status::Warning),
        (None, codes(429), Status::Passing),
    ] {
        let check = http_check(|check| {
            check.warn = warn;
            check.expect = expect.unwrap_or_default();
        });
        let outcome = run(address, check).await;
        assert_eq!(outcome.status, Some(expected), "{outcome:?}");
        assert_eq!(&*outcome.output, "HTTP 429 Too Many Requests: later");
    }
}

#[tokio::test]
async fn a_body_is_sent_with_its_length() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let serving = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let head = read_head(&mut stream).await;
        let mut body = [0; 10];
        stream.read_exact(&mut body).await.unwrap();
        stream.write_all(FINE.as_bytes()).await.unwrap();
        (head, body)
    });
    let check = http_check(|check| {
        check.method = "POST".into();
        check.extra = HttpExtra::new(Some("{\"a\":\"é\"}".into()), None);
    });
    let outcome = run(address, check).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    let (head, body) = serving.await.unwrap();
    assert!(head.contains("content-length: 10\r\n"), "{head}");
    assert_eq!(body, "{\"a\":\"é\"}".as_bytes());
}

#[tokio::test]
async fn an_endless_body_is_read_up_to_the_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (closed, was_closed) = oneshot::channel();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.unwrap();
        while stream.write_all(&[b'x'; 4_096]).await.is_ok() {}
        let _ = closed.send(());
    });
    let outcome = run(address, http_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    assert_eq!(outcome.output.len(), limit::CHECK_OUTPUT_OCTETS_MAX);
    timeout(PATIENCE, was_closed).await.expect("the connection is closed").unwrap();
}

#[tokio::test]
async fn a_reply_that_breaks_off_fails() {
    let (address, _heads) = saying("HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nhalf").await;
    let outcome = run(address, http_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert!(outcome.output.starts_with("HTTP 200 OK, but the body broke off: "), "{outcome:?}");
}

#[tokio::test]
async fn what_is_no_http_fails() {
    for (reply, expected) in [("SSH-2.0-OpenSSH_9.9\r\n", "invalid HTTP version"), ("", "closed")] {
        let (address, _heads) = saying(reply).await;
        let outcome = run(address, http_check(|_| {})).await;
        assert_eq!(outcome.status, Some(Status::Critical));
        assert!(outcome.output.starts_with(&format!("HTTP with {address}: ")), "{outcome:?}");
        assert!(outcome.output.contains(expected), "{outcome:?}");
    }
}

/// The server stays: when it closed after the head, the check failed whatever the bound was.
#[tokio::test]
async fn a_head_without_end_is_read_up_to_the_bound() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    // A reader that looks again whenever the head has doubled has passed the bound by then.
    let head = format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(2 * 16_384));
    let closed = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        let _ = stream.write_all(head.as_bytes()).await;
        stream.read_u8().await.unwrap_err();
    });
    let outcome = run(address, http_check(|_| {})).await;
    let expected = format!("HTTP with {address}: the head is longer than 16384 octets");
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Critical), &*expected));
    timeout(PATIENCE, closed).await.expect("the connection is closed").unwrap();
}

#[tokio::test]
async fn a_refused_connection_is_told_as_such() {
    let address = free_address();
    let outcome = run(address, http_check(|_| {})).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    assert_eq!(*outcome.output, format!("connect to {address}: connection refused"));
}

#[tokio::test]
async fn the_timeout_covers_a_reply_that_never_comes() {
    // Nobody accepts; the kernel takes the connection all the same.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let outcome = run(address, http_check(|check| check.thresholds = thresholds(IMPATIENCE))).await;
    assert_eq!(outcome.status, Some(Status::Critical));
    let expected = format!("timeout after 500ms while waiting for the reply of {address}");
    assert_eq!(*outcome.output, expected);
}

#[tokio::test]
async fn the_timeout_covers_a_body_that_never_ends() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stalled, stream) = oneshot::channel::<TcpStream>();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\ndata: 1\n\n").await.unwrap();
        let _ = stalled.send(stream);
    });
    let outcome = run(address, http_check(|check| check.thresholds = thresholds(IMPATIENCE))).await;
    let expected = format!("timeout after 500ms while reading the body of the reply of {address}");
    assert_eq!((outcome.status, &*outcome.output), (Some(Status::Critical), &*expected));
    drop(stream);
}

#[tokio::test]
async fn a_target_by_name_is_looked_up_and_all_its_addresses_tried() {
    // `localhost` may be ::1 first, where nobody listens.
    let (address, mut heads) = saying(FINE).await;
    let check = http_check(|check| check.target.host = Some("localhost".into()));
    let outcome = run(address, check).await;
    assert_eq!(outcome.status, Some(Status::Passing), "{outcome:?}");
    let head = heads.recv().await.unwrap().to_ascii_lowercase();
    assert!(head.contains(&format!("host: localhost:{}\r\n", address.port())), "{head}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_said() {
    let address = free_address();
    let bad_header = http_check(|check| check.headers = Box::new([("X Y".into(), "value".into())]));
    let outcome = run(address, bad_header).await;
    assert_eq!(&*outcome.output, "`X Y` is no valid HTTP header");
    let bad_path = http_check(|check| check.path = "/a b".into());
    let outcome = run(address, bad_path).await;
    assert!(outcome.output.starts_with("`GET /a b` is no HTTP request: "), "{outcome:?}");
}
