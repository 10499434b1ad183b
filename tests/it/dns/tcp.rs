//! TCP (RFC 7766): pipelines, idle connections, half messages, limits.

use std::{
    collections::BTreeMap,
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use hickory_proto::{op::Message, rr::RecordType};
use serde_json::json;

use super::{A, SRV, full, register_many, said};
use crate::support::{
    Node, PATIENCE,
    dns::{Connection, framed, question},
    eventually,
};

fn query(id: u16, name: &str, rtype: RecordType) -> Vec<u8> {
    let mut message = question(&full(name), rtype, Some(1_232));
    message.metadata.id = id;
    message.to_vec().unwrap()
}

fn node(config: &str) -> Node {
    let node = Node::builder().config(config).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "tags": ["v1", "v2"] }));
    node
}

/// A connection from another of this host's addresses: another client.
fn open_from(client: Ipv4Addr, server: SocketAddr) -> Connection {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    Connection(stream)
}

/// Whether the connection is served, or was closed without a word.
fn is_served(connection: &mut Connection) -> bool {
    // What is written to a closed connection may be refused already.
    let _refused = connection.0.write_all(&framed(&query(9, "web", A)));
    connection.read().is_some()
}

#[test]
fn a_hundred_queries_in_one_write_get_a_hundred_replies() {
    let node = node("");
    register_many(&node.api(), "big", 100);
    let kinds = [
        ("web", A, "A 10.0.0.1"),
        ("v1.v2.web", A, "A 10.0.0.1"),
        ("nobody", A, "NXDOMAIN"),
        ("example.", A, "REFUSED"),
    ];
    let mut connection = Connection::open(node.dns[0]);
    let kind = |id: u16| usize::from(id) % 5;
    let queries = (0..100).flat_map(|id| match kinds.get(kind(id)) {
        Some((name, rtype, _)) => framed(&query(id, name, *rtype)),
        None => framed(&query(id, "big", SRV)),
    });
    connection.0.write_all(&queries.collect::<Vec<u8>>()).unwrap();
    let mut replies = BTreeMap::new();
    for _ in 0..100 {
        let reply = Message::from_vec(&connection.read().expect("a reply to each")).unwrap();
        match kinds.get(kind(reply.metadata.id)) {
            Some((.., expected)) => assert_eq!(said(&reply), *expected),
            None => assert_eq!(reply.answers.len(), 100),
        }
        replies.insert(reply.metadata.id, ());
    }
    assert_eq!(replies.len(), 100, "each id once");
}

#[test]
fn a_query_may_come_octet_by_octet() {
    let node = node("");
    let mut connection = Connection::open(node.dns[0]);
    connection.0.set_nodelay(true).unwrap();
    for id in [1, 2] {
        for octet in framed(&query(id, "web", A)) {
            connection.0.write_all(&[octet]).unwrap();
        }
        let reply = Message::from_vec(&connection.read().expect("a reply")).unwrap();
        assert_eq!((reply.metadata.id, &*said(&reply)), (id, "A 10.0.0.1"));
    }
}

#[test]
fn who_has_asked_and_closed_its_side_is_answered() {
    let node = node("");
    let mut connection = Connection::open(node.dns[0]);
    let queries: Vec<u8> = (0..10).flat_map(|id| framed(&query(id, "web", A))).collect();
    connection.0.write_all(&queries).unwrap();
    connection.0.shutdown(std::net::Shutdown::Write).unwrap();
    for _ in 0..10 {
        assert!(connection.read().is_some());
    }
    assert_eq!(connection.read(), None, "and then the connection ends");
}

#[test]
fn what_is_idle_or_stays_half_is_closed_and_what_asks_is_not() {
    let node = node("[dns]\ntcp_idle_timeout = \"1s\"");
    let mut asking = Connection::open(node.dns[0]);
    for begin in [&b""[..], b"\x00", b"\x00\x20half a message", &framed(&query(1, "web", A))] {
        let mut idle = Connection::open(node.dns[0]);
        idle.0.write_all(begin).unwrap();
        idle.0.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        let (opened, mut octets) = (Instant::now(), 0);
        // The other connection goes on asking all the time.
        let ended = loop {
            match std::io::Read::read(&mut idle.0, &mut [0; 512]) {
                Ok(0) => break opened.elapsed(),
                Ok(read) => octets += read,
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
                Err(_reset) => break opened.elapsed(),
            }
            assert!(opened.elapsed() < PATIENCE, "{begin:?} keeps the connection open");
            assert!(is_served(&mut asking));
        };
        assert!(ended >= Duration::from_millis(900), "closed after {ended:?}");
        assert_eq!(octets > 0, begin.len() > 20, "half a message gets nothing");
    }
    assert!(is_served(&mut asking), "it was open for four times as long");
    let metrics = node.api().text("/metrics");
    assert!(
        metrics.contains("rollcall_dns_connections_timed_out_total{transport=\"tcp\"} 4\n"),
        "{metrics}"
    );
}

#[test]
fn who_reads_nothing_does_not_hold_up_the_end() {
    let mut node = node("[server]\nlame_duck = \"0s\"\n[dns]\ntcp_idle_timeout = \"10m\"");
    register_many(&node.api(), "big", 500);
    let mut greedy = Connection::open(node.dns[0]);
    greedy.0.set_write_timeout(Some(Duration::from_secs(1))).unwrap();
    let queries = framed(&query(1, "big", SRV)).repeat(1_000);
    // Until the server takes no more, because nobody reads its replies.
    while greedy.0.write_all(&queries).is_ok() {}
    node.signal("TERM");
    assert!(node.wait().success());
}

#[test]
fn connections_above_the_limits_are_closed_at_once() {
    let node = node("[dns]\ntcp_connections_max = 5\ntcp_connections_per_client_max = 3");
    let (one, other) = (Ipv4Addr::new(127, 0, 0, 1), Ipv4Addr::new(127, 0, 0, 2));
    let mut inside: Vec<Connection> = Vec::new();
    for client in [one, one, one, other, other] {
        let mut connection = open_from(client, node.dns[0]);
        assert!(is_served(&mut connection), "{client}, after {}", inside.len());
        inside.push(connection);
        if inside.len() == 3 {
            assert!(!is_served(&mut open_from(one, node.dns[0])), "the fourth of one client");
        }
    }
    assert!(!is_served(&mut open_from(other, node.dns[0])), "the sixth of all");
    assert_eq!(node.resolver().service("web").len(), 1, "UDP does not mind");
    assert!(inside.iter_mut().all(is_served), "nor do those inside");
    inside.remove(0);
    eventually("a place that was left is free", || {
        is_served(&mut open_from(one, node.dns[0])).then_some(())
    });
    let metrics = node.api().text("/metrics");
    for limit in ["client_limit", "total_limit"] {
        let labels = format!("transport=\"tcp\",reason=\"{limit}\"");
        let line = format!("rollcall_dns_connections_refused_total{{{labels}}} 0\n");
        assert!(!metrics.contains(&line), "{limit} is counted:\n{metrics}");
    }
}

#[test]
fn a_malformed_message_does_not_end_the_connection() {
    let node = node("");
    let mut connection = Connection::open(node.dns[0]);
    for (message, has_reply) in [
        (&b""[..], false),
        (b"short", false),
        (&query(3, "web", A)[..20], true),
        (&[0xFF; 40], false),
        (&[0; 60_000], true),
    ] {
        connection.send(message);
        if has_reply {
            assert_eq!(connection.read().expect("FORMERR").len(), 12);
        }
        assert!(is_served(&mut connection), "after {} octets", message.len());
    }
}

/// So many instances of the service `many`, all of which carry both tags: which of them are in
/// `v1.v2.many` is worked out for each question.
fn register_tagged(node: &Node, count: usize) {
    let one = |n: usize| {
        json!({ "service": "many", "instance": format!("i{n}"), "tags": ["v1", "v2"],
            "addresses": [format!("10.8.{}.{}", n / 250, n % 250 + 1)] })
    };
    let reply = node.api().post("/api/v1/instances", &(0..count).map(one).collect());
    assert_eq!(reply.status, 200, "{reply:?}");
}

fn ids(connection: &mut Connection, count: usize) -> Vec<u16> {
    let mut id = || {
        let reply = Message::from_vec(&connection.read().expect("a reply to each")).unwrap();
        assert_eq!(reply.answers.len(), if reply.metadata.id < 100 { 8 } else { 1 });
        reply.metadata.id
    };
    (0..count).map(|_| id()).collect()
}

#[test]
fn what_takes_long_does_not_hold_up_what_comes_behind_it() {
    let node = node("");
    register_tagged(&node, 2_000);
    let long = |id: u16| framed(&query(id, "v1.v2.many", A));
    let short = |id: u16| framed(&query(id, "web", A));
    let mut connection = Connection::open(node.dns[0]);
    connection
        .0
        .write_all(&[long(1), short(101), short(102), long(2), short(103)].concat())
        .unwrap();
    let ids_first = ids(&mut connection, 5);
    assert_eq!(ids_first, [101, 102, 103, 1, 2], "as they are ready");

    // More than may be under way at once, and no more to come: all are answered all the same.
    let many: Vec<u8> = (0..50).flat_map(|id| [long(id), short(100 + id)].concat()).collect();
    connection.0.write_all(&many).unwrap();
    connection.0.shutdown(std::net::Shutdown::Write).unwrap();
    let mut all = ids(&mut connection, 100);
    all.sort_unstable();
    assert_eq!(all, (0..50).chain(100..150).collect::<Vec<u16>>());
    assert_eq!(connection.read(), None, "and then the connection ends");
}

#[test]
fn what_takes_long_does_not_hold_up_what_is_merely_odd() {
    let node = node("");
    register_tagged(&node, 2_000);
    let resolver = node.resolver();
    let long: Vec<Vec<u8>> = (0..100).map(|id| query(id, "v1.v2.many", A)).collect();
    // The reply to a question with a cookie, sent behind the others, comes before the last of them.
    let mut replies = resolver.replies_to(&long);
    assert!(replies.len() < long.len(), "all {} were answered before it", long.len());
    while replies.len() < long.len() {
        replies.push(resolver.receive());
    }
    assert!(replies.iter().all(|reply| reply[7] == 8), "eight addresses each");
}
