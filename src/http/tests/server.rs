//! The listeners: real sockets, limits, and the stop.

use std::{net::SocketAddr, time::Duration};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinHandle,
};

use super::support::Door;
use crate::http::{HttpServer, Options};

const PATIENCE: Duration = Duration::from_secs(10);

struct Serving {
    door: Door,
    addresses: Vec<SocketAddr>,
    task: JoinHandle<()>,
}

fn serve(addresses: &[&str], options: Options) -> Serving {
    serve_door(addresses, Door::open(options))
}

fn serve_door(addresses: &[&str], door: Door) -> Serving {
    let addresses: Vec<_> = addresses.iter().map(|text| text.parse().unwrap()).collect();
    let server = HttpServer::bind(&addresses).unwrap();
    let addresses = server.local_addrs();
    let task = tokio::spawn(server.run(door.api.clone()));
    Serving { door, addresses, task }
}

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("in time")
}

async fn send(address: SocketAddr, text: &str) -> TcpStream {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    stream
}

async fn read_to_end(mut stream: TcpStream) -> String {
    let mut reply = String::new();
    within(stream.read_to_string(&mut reply)).await.unwrap();
    reply
}

fn put(body: &str) -> String {
    let length = body.len();
    format!(
        "PUT /api/v1/services/web/instances/a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

#[tokio::test]
async fn serves_ipv4_and_ipv6_and_knows_its_peers() {
    let serving = serve(&["127.0.0.1:0", "[::1]:0"], Options::default());
    for (address, peer) in serving.addresses.iter().zip(["127.0.0.1", "::1"]) {
        let reply = read_to_end(send(*address, &put("{}")).await).await;
        assert!(reply.starts_with("HTTP/1.1 20"), "{reply}");
        assert!(reply.contains(&format!("\"addresses\":[\"{peer}\"]")), "{reply}");
    }
    // A second server on the same port is refused, by name.
    let taken = serving.addresses[0];
    let refusal = format!("{:#}", anyhow::Error::from(HttpServer::bind(&[taken]).unwrap_err()));
    assert_eq!(refusal.matches("os error").count(), 1, "said twice: {refusal}");
    assert!(refusal.contains(&format!("cannot listen on {taken} for HTTP")), "{refusal}");
}

#[tokio::test]
async fn a_wildcard_of_each_family_may_share_a_port() {
    let v6 = HttpServer::bind(&["[::]:0".parse().unwrap()]).unwrap();
    let port = v6.local_addrs()[0].port();
    drop(v6);
    let both = [SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from(([0_u16; 8], port))];
    HttpServer::bind(&both).unwrap();
}

#[tokio::test]
async fn a_head_that_takes_too_long_ends_the_connection() {
    let options = Options { header_timeout: Duration::from_millis(50), ..Options::default() };
    let serving = serve(&["127.0.0.1:0"], options);
    let slow = send(serving.addresses[0], "GET /health HTTP/1.1\r\nHos").await;
    let reply = read_to_end(slow).await;
    assert!(reply.is_empty() || reply.starts_with("HTTP/1.1 408"), "{reply}");
    let silent = send(serving.addresses[0], "").await;
    assert_eq!(read_to_end(silent).await, "");
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused() {
    let serving = serve(&["127.0.0.1:0"], Options::default());
    let headers = "x-a: b\r\n".repeat(65);
    let reply = send(serving.addresses[0], &format!("GET /health HTTP/1.1\r\n{headers}\r\n")).await;
    assert!(read_to_end(reply).await.starts_with("HTTP/1.1 431"));
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_over_a_real_socket() {
    let serving = serve(&["127.0.0.1:0"], Options::default());
    let request = put(&format!("{{{}}}", " ".repeat(3 << 20)));
    let reply = read_to_end(send(serving.addresses[0], &request).await).await;
    assert!(reply.starts_with("HTTP/1.1 413"), "{reply}");
    assert!(reply.contains("\"limit\":\"1048576\""), "{reply}");
}

/// They were refused before the router, and neither counted nor logged.
#[tokio::test]
async fn what_is_refused_for_its_host_is_counted() {
    let serving = serve(&["127.0.0.1:0"], Options::default());
    for hosts in ["", "Host: a\r\nHost: b\r\n"] {
        let request = format!("GET /health HTTP/1.1\r\n{hosts}Connection: close\r\n\r\n");
        let reply = read_to_end(send(serving.addresses[0], &request).await).await;
        assert!(reply.starts_with("HTTP/1.1 400") && reply.contains("bad-host"), "{reply}");
    }
    let metrics = serving.door.get("/metrics").await.text;
    let labels = r#"method="GET",route="unmatched",status="400""#;
    for line in [
        format!("rollcall_http_requests_total{{{labels}}} 2"),
        "rollcall_http_request_duration_seconds_count{route=\"unmatched\"} 2".to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
}

/// It was kept, with all of its reply in memory, for as long as the client's kernel was there.
#[tokio::test]
async fn a_client_that_does_not_read_its_reply_is_closed() {
    let options = Options { write_timeout: Duration::from_millis(50), ..Options::default() };
    let serving = serve(&["127.0.0.1:0"], options);
    let pipelined = "GET /api/v1/openapi.json HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = within(socket.connect(serving.addresses[0])).await.unwrap();
    stream.write_all(pipelined.as_bytes()).await.unwrap();
    let closed = async {
        let connections = |n| format!("rollcall_http_connections {n}");
        while !serving.door.get("/metrics").await.text.contains(&connections(1)) {
            tokio::task::yield_now().await;
        }
        while !serving.door.get("/metrics").await.text.contains(&connections(0)) {
            tokio::task::yield_now().await;
        }
    };
    within(closed).await;
    drop(stream);
}

/// Nobody is left to read the reply for which the first results of checks are waited for.
#[tokio::test]
async fn a_client_that_hangs_up_ends_the_wait_of_its_registration() {
    let door = Door::open_with(Options::default(), |setup| {
        setup.consul.registration_wait = Duration::from_secs(3_600);
    });
    let serving = serve_door(&["127.0.0.1:0"], door);
    let body = r#"{"Name":"web","Check":{"TCP":"10.0.0.1:80","Interval":"10s"}}"#;
    let length = body.len();
    let request = format!(
        "PUT /v1/agent/service/register HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n\
         {body}"
    );
    let stream = send(serving.addresses[0], &request).await;
    let registered = async {
        while serving.door.running.registry.snapshot().service("web").is_none() {
            tokio::task::yield_now().await;
        }
    };
    within(registered).await;
    drop(stream);
    let closed = async {
        while !serving.door.get("/metrics").await.text.contains("rollcall_http_connections 0") {
            tokio::task::yield_now().await;
        }
    };
    within(closed).await;
}

#[tokio::test]
async fn connections_above_the_limit_wait_for_room() {
    let serving = serve(&["127.0.0.1:0"], Options { connections_max: 1, ..Options::default() });
    let get = "GET /health HTTP/1.1\r\nHost: x\r\n\r\n";
    let mut first = send(serving.addresses[0], get).await;
    let mut head = [0; 15];
    within(first.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
    // The kernel takes the second connection; nobody answers it while the first is open.
    let mut second = send(serving.addresses[0], get).await;
    let early = tokio::time::timeout(Duration::from_millis(100), second.read_exact(&mut head));
    assert!(early.await.is_err(), "no room, no answer");
    drop(first);
    within(second.read_exact(&mut head)).await.unwrap();
    assert_eq!(&head, b"HTTP/1.1 200 OK");
}

#[tokio::test]
async fn a_listener_without_callers_keeps_no_room() {
    let options = Options { connections_max: 1, ..Options::default() };
    let serving = serve(&["127.0.0.1:0", "[::1]:0", "127.0.0.1:0"], options);
    for address in serving.addresses.iter().rev().chain(&serving.addresses) {
        let get = "GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
        assert!(read_to_end(send(*address, get).await).await.starts_with("HTTP/1.1 200"));
    }
}

#[tokio::test]
async fn the_stop_finishes_what_is_in_flight_and_closes_what_is_idle() {
    let serving = serve(&["127.0.0.1:0"], Options::default());
    let address = serving.addresses[0];
    let idle = send(address, "GET /health HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let watching = send(address, "GET /api/v1/watch HTTP/1.1\r\nHost: x\r\n\r\n").await;
    let body = r#"{"port": 7}"#;
    let request = put(body);
    let (head, tail) = request.split_at(request.len() - 5);
    let mut in_flight = send(address, head).await;
    // All three are under way once their requests are counted.
    let open = async {
        while !serving.door.get("/metrics").await.text.contains("rollcall_http_connections 3")
            || !serving.door.get("/metrics").await.text.contains("rollcall_watchers 1")
        {
            tokio::task::yield_now().await;
        }
    };
    within(open).await;
    serving.door.stop.cancel();
    assert!(read_to_end(watching).await.contains("watching"), "the stream ends");
    assert!(read_to_end(idle).await.contains("\"status\":\"ok\""));
    in_flight.write_all(tail.as_bytes()).await.unwrap();
    let reply = read_to_end(in_flight).await;
    assert!(reply.starts_with("HTTP/1.1 201"), "{reply}");
    within(serving.task).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

#[tokio::test]
async fn the_stop_waits_for_a_limited_time_only() {
    let options = Options { stop_timeout: Duration::from_millis(50), ..Options::default() };
    let serving = serve(&["127.0.0.1:0"], options);
    let request = put("{}");
    let stuck = send(serving.addresses[0], &request[..request.len() - 1]).await;
    let open = async {
        while !serving.door.get("/metrics").await.text.contains("rollcall_http_connections 1") {
            tokio::task::yield_now().await;
        }
    };
    within(open).await;
    serving.door.stop.cancel();
    within(serving.task).await.unwrap();
    drop(stuck);
}

/// A client as most are: keeps its connection, speaks JSON.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ordinary_client_gets_along() {
    let serving = serve(&["127.0.0.1:0"], Options::default());
    let url = format!("http://{}/api/v1/services/web/instances/a", serving.addresses[0]);
    let session = move || {
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build();
        let agent = ureq::Agent::new_with_config(agent);
        let created = agent.put(&url).send_json(serde_json::json!({"port": 80})).unwrap();
        assert_eq!(created.status(), 201);
        assert!(created.headers().contains_key("x-rollcall-revision"));
        assert_eq!(agent.get(&url).call().unwrap().status(), 200);
        assert_eq!(agent.delete(&url).call().unwrap().status(), 204);
        assert_eq!(agent.get(&url).call().unwrap().status(), 404);
    };
    tokio::task::spawn_blocking(session).await.unwrap();
}

/// The replies on one connection to `requests`, each of which is sent when the reply to the one
/// before has come, its body some time after its head.
async fn statuses(address: SocketAddr, requests: &[(&str, &str)]) -> Vec<String> {
    let mut stream = within(TcpStream::connect(address)).await.unwrap();
    let mut statuses = Vec::new();
    for (line, body) in requests {
        let head = format!("{line} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.flush().await.unwrap();
        // The server has seen the head, and has had time to answer it.
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        stream.write_all(body.as_bytes()).await.unwrap();
        statuses.push(read_status(&mut stream).await);
    }
    statuses
}

/// The status of one reply, the rest of which is read as well.
async fn read_status(stream: &mut TcpStream) -> String {
    let (mut reply, mut octet) = (Vec::new(), [0]);
    while !reply.ends_with(b"\r\n\r\n") {
        within(stream.read_exact(&mut octet)).await.expect("the connection is open");
        reply.push(octet[0]);
    }
    let head = String::from_utf8(reply).unwrap().to_lowercase();
    let length =
        head.split("content-length: ").nth(1).map_or("0", |rest| &rest[..rest.find('\r').unwrap()]);
    let mut body = vec![0; length.parse().unwrap()];
    within(stream.read_exact(&mut body)).await.unwrap();
    head.split(' ').nth(1).unwrap().to_owned()
}

#[tokio::test]
async fn a_connection_goes_on_after_a_refusal_whose_body_nobody_has_looked_at() {
    let serving = serve(&["127.0.0.1:0"], Options::default());
    // It reads as a request of its own.
    let body = "DELETE /api/v1/services/web/instances/a HTTP/1.1\r\nHost: x\r\n\r\n";
    let long = "x".repeat(3 << 20);
    let last = ("GET /health", "");
    for (line, body, status) in [
        ("POST /v1/catalog/services", body, "405"),
        ("PUT /v1/nothing", body, "404"),
        ("PUT /v1/kv/a", body, "403"),
        ("PUT /v1/txn", &*long, "403"),
        ("PUT /v1/acl/token", body, "401"),
        ("PUT /v1//kv/a", body, "301"),
        ("PUT /v1/agent/service/register?ns=x", body, "400"),
        ("PUT /v1/agent/service/deregister/x", body, "404"),
        ("PUT /v1/agent/check/pass/x", body, "404"),
        ("GET /v1/health/service/web?index=x", body, "400"),
        ("GET /v1/catalog/services", body, "200"),
        ("PUT /nothing", body, "404"),
        ("POST /api/v1/services", body, "405"),
        ("PUT /api/v1/services/web/instances/a_b", body, "422"),
        ("PUT /api/v1/services/web/instances/a", &*long, "413"),
        ("POST /eureka/nothing", body, "404"),
        ("DELETE /eureka/apps/WEB/x", body, "404"),
    ] {
        let seen = statuses(serving.addresses[0], &[(line, body), last]).await;
        assert_eq!(seen, [status, "200"], "{line}");
    }
}
