//! What Consul's clients read from the real server, and how they wait for it.

use std::{
    io::{BufReader, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use crate::support::{
    Backend, Node, eventually,
    raw::{self, Raw},
};

/// Asks, and does not wait for the reply.
fn ask(node: &Node, path: &str) -> TcpStream {
    let mut stream = raw::connect(node.http[0]);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    stream
}

fn reply(stream: &TcpStream) -> Raw {
    raw::read_reply(&mut BufReader::new(stream), false)
}

fn get(node: &Node, path: &str) -> Raw {
    reply(&ask(node, path))
}

fn register(node: &Node, body: &Value) {
    let reply = node.api().put("/v1/agent/service/register", body);
    assert_eq!(reply.status, 200, "{reply:?}");
}

/// A query that waits for what is other than what is there now.
fn waiting(node: &Node, path: &str) -> TcpStream {
    let now = get(node, path);
    let and = if path.contains('?') { '&' } else { '?' };
    ask(node, &format!("{path}{and}index={}&wait=9m", now.header("x-consul-index")))
}

fn connections(node: &Node) -> Option<String> {
    let metrics = node.api().text("/metrics");
    let line = metrics.lines().find(|line| line.starts_with("rollcall_http_connections "))?;
    Some(line.rsplit(' ').next()?.to_owned())
}

#[test]
fn a_watch_of_those_that_pass_hears_of_a_check_that_fails_and_of_nothing_else() {
    let node = Node::start();
    let backend = Backend::start("127.0.0.1");
    let port = backend.address.port();
    let check = json!({"http": format!("http://127.0.0.1:{port}/"), "interval": "1s"});
    let body = json!({"name": "web", "address": "127.0.0.1", "port": port, "check": check});
    register(&node, &body);
    let path = "/v1/health/service/web?passing";
    eventually("it passes, and that is shared if anything is", || {
        let reply = get(&node, path);
        let index: u64 = reply.header("x-consul-index").parse().unwrap();
        let is_shared = !node.is_shared() || index.is_multiple_of(65_536);
        (reply.json() != json!([]) && is_shared).then_some(())
    });
    let stream = waiting(&node, path);
    register(&node, &json!({"name": "other"}));
    register(&node, &json!({"name": "web", "id": "ill", "check": {"ttl": "1h"}}));
    stream.set_nonblocking(true).unwrap();
    let early = stream.peek(&mut [0]).unwrap_err();
    assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock, "nobody passes that did not");
    stream.set_nonblocking(false).unwrap();
    backend.set_status(500);
    assert_eq!(reply(&stream).json(), json!([]));
}

#[test]
fn a_client_that_goes_away_waits_no_longer() {
    let node = Node::start();
    let streams: Vec<_> = (0..20).map(|_| waiting(&node, "/v1/catalog/services")).collect();
    let many = |count: usize| count >= 20;
    eventually("they wait", || many(connections(&node)?.parse().ok()?).then_some(()));
    drop(streams);
    eventually("they are gone", || (!many(connections(&node)?.parse().ok()?)).then_some(()));
}

#[test]
fn those_who_wait_are_answered_when_the_server_stops() {
    let mut node = Node::builder().config("[server]\nlame_duck = \"0s\"").start();
    register(&node, &json!({"name": "web"}));
    let paths = ["/v1/health/service/web", "/v1/catalog/nodes", "/v1/kv/a", "/v1/health/state/any"];
    let streams: Vec<_> = paths.iter().map(|path| waiting(&node, path)).collect();
    let waiters: Vec<_> =
        streams.into_iter().map(|stream| thread::spawn(move || reply(&stream).status)).collect();
    eventually("they wait", || (connections(&node)?.parse::<usize>().ok()? >= 4).then_some(()));
    let began = Instant::now();
    node.signal("TERM");
    assert!(node.wait().success());
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    let statuses: Vec<_> = waiters.into_iter().map(|waiter| waiter.join().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 404, 200]);
}

#[test]
fn the_server_is_called_as_it_is_told() {
    let config =
        "[consul]\ndatacenter = \"mars-1\"\nnode_name = \"n7\"\nnode_address = \"10.0.0.7\"";
    let node = Node::builder().config(config).start();
    register(&node, &json!({"name": "web"}));
    let row = get(&node, "/v1/health/service/web?dc=mars-1").json()[0].clone();
    assert_eq!(row["Node"]["Node"], "n7");
    assert_eq!(row["Node"]["Address"], "10.0.0.7");
    assert_eq!(row["Node"]["Datacenter"], "mars-1");
    assert_eq!(get(&node, "/v1/health/service/web?dc=dc1").status, 500);
    let this = get(&node, "/v1/agent/self").json();
    let dns = format!("udp://{}", node.dns[0]);
    assert!(this["DebugConfig"]["DNSAddrs"].as_array().unwrap().contains(&json!(dns)), "{this}");
    assert_eq!(this["DebugConfig"]["HTTPPort"], node.http[0].port());
}

#[test]
fn it_can_be_switched_off() {
    let node = Node::builder().config("[consul]\nenabled = false").start();
    assert_eq!(get(&node, "/v1/agent/self").status, 404);
    let reply = node.api().put("/v1/agent/service/register", &json!({"name": "web"}));
    assert_eq!(reply.status, 404);
}

#[test]
fn ten_thousand_wait_in_little_memory_and_hear_of_their_own_change() {
    const WAITERS: usize = 10_000;
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let node = Node::start();
    register(&node, &json!({"name": "hot", "check": {"ttl": "1h", "status": "passing"}}));
    let index = get(&node, "/v1/health/service/hot").header("x-consul-index").to_owned();
    let path = format!("/v1/health/service/hot?index={index}&wait=9m");
    let streams: Vec<_> = (0..WAITERS).map(|_| ask(&node, &path)).collect();
    eventually("all are let in", || {
        (connections(&node)?.parse::<usize>().ok()? > WAITERS).then_some(())
    });
    for n in 0..200 {
        register(&node, &json!({"name": format!("other-{n}")}));
    }
    for stream in streams.iter().step_by(100) {
        stream.set_nonblocking(true).unwrap();
        let early = stream.peek(&mut [0]).unwrap_err();
        assert_eq!(early.kind(), std::io::ErrorKind::WouldBlock, "it is of another service");
        stream.set_nonblocking(false).unwrap();
    }
    assert!(node.resident_kib() < 1 << 20, "{} KiB", node.resident_kib());
    let began = Instant::now();
    let warned = node.api().put("/v1/agent/check/warn/service:hot", &Value::Null);
    assert_eq!(warned.status, 200);
    for stream in &streams {
        let reply = reply(stream);
        assert_eq!(reply.json()[0]["Checks"][1]["Status"], "warning");
        assert_ne!(reply.header("x-consul-index"), index);
    }
    // Two seconds are seen without optimisation, by a machine that does something else as well.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
