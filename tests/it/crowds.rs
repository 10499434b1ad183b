//! Crowds: thousands that fail at once, thousands of connections that do nothing, clients that ask
//! and never read, and more packets than can be taken. Everybody else is answered as ever.

use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use hickory_proto::rr::RecordType;
use serde_json::{Value, json};
use socket2::{Domain, SockRef, Socket, Type};

use crate::support::{
    Node,
    api::instance_path,
    dns::question,
    eventually,
    peer::Peer,
    raw,
    tls::{Certificate, TlsConnection},
};

/// The longest time that a question took.
fn slowest(start: Instant, worst: &mut Duration) {
    *worst = (*worst).max(start.elapsed());
}

#[test]
fn when_two_thousand_fail_at_once_everything_stays_quick() {
    const INSTANCES: usize = 2_000;
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    let fleet = |port: u16| -> Value {
        (0..INSTANCES)
            .map(|n| {
                json!({ "service": "web", "instance": format!("i{n}"), "port": port,
                    "addresses": [format!("127.1.{}.{}", n / 250, n % 250 + 1)],
                    "checks": [{ "type": "tcp", "interval": "2s", "timeout": "2s", "fall": 1 }] })
            })
            .collect::<Vec<_>>()
            .into()
    };
    let peer = Peer::start_on("0.0.0.0:0", |_, _| {});
    assert_eq!(api.post("/api/v1/instances", &fleet(peer.address.port())).status, 200);
    let passing = || api.get("/api/v1/services/web").body["passing"].as_u64().unwrap();
    eventually("all pass", || (passing() == INSTANCES as u64).then_some(()));
    drop(peer); // all at once
    let (mut dns, mut read, mut write) = (Duration::ZERO, Duration::ZERO, Duration::ZERO);
    let died = Instant::now();
    let mut rounds = 0;
    while passing() > 0 {
        assert!(died.elapsed() < Duration::from_secs(30), "{} still pass", passing());
        for _ in 0..50 {
            let start = Instant::now();
            resolver.service("web");
            slowest(start, &mut dns);
        }
        let start = Instant::now();
        assert_eq!(api.get(&instance_path("web", "i7")).status, 200);
        slowest(start, &mut read);
        let start = Instant::now();
        api.register("other", "i", &json!({ "addresses": ["10.0.0.1"], "weight": rounds }));
        slowest(start, &mut write);
        rounds += 1;
    }
    assert_eq!(resolver.service("web").len(), 0);
    // Far above what is seen (milliseconds), far below a client's patience: a loaded machine.
    for (what, took) in [("DNS", dns), ("a read", read), ("a write", write)] {
        assert!(took < Duration::from_secs(2), "{what} took {took:?}");
    }
}

/// A connection from another address of this machine.
fn connect_from(source: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&format!("{source}:0").parse::<SocketAddr>().unwrap().into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    stream
}

/// Asks over a connection, and says whether there was an answer.
fn is_served(mut stream: &TcpStream) -> bool {
    let bytes = question("web.service.internal.", RecordType::A, None).to_vec().unwrap();
    let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
    // A connection that was refused is closed: writing may fail, reading ends.
    let _closed = stream.write_all(&[&length[..], &bytes].concat());
    let mut first = [0; 1];
    matches!(std::io::Read::read(&mut stream, &mut first), Ok(1))
}

#[test]
fn idle_dns_connections_are_bounded_and_disturb_nobody() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let node = Node::builder().config("[dns]\ntcp_idle_timeout = \"5s\"").start();
    node.api().register("web", "i", &json!({ "addresses": ["10.0.0.1"] }));
    let dns = node.dns[0];
    let open = |count: usize| {
        let line = format!("rollcall_dns_connections{{transport=\"tcp\"}} {count}");
        node.api().text("/metrics").lines().any(|said| said == line)
    };
    let of = |client: usize| format!("127.0.1.{client}");
    let hundred = |client| (0..100).map(move |_| connect_from(&of(client), dns));
    let mut crowd: Vec<TcpStream> = hundred(1).collect();
    eventually("a hundred are let in", || open(100).then_some(()));
    assert!(!is_served(&connect_from(&of(1), dns)), "one client's limit");
    assert!(is_served(&connect_from(&of(2), dns)), "which is not the others'");
    eventually("it has gone", || open(100).then_some(()));
    crowd.extend((2..=10).flat_map(hundred));
    eventually("all are let in", || open(1_000).then_some(()));
    assert!(!is_served(&connect_from("127.0.2.1", dns)), "the limit of all");
    for _ in 0..1_000 {
        assert_eq!(node.resolver().service("web").len(), 1, "UDP goes on");
    }
    assert!(open(1_000));
    eventually("the idle are let go", || open(0).then_some(()));
    assert!(is_served(&connect_from("127.0.1.1", dns)), "and there is room again");
    drop(crowd);
}

#[test]
fn a_thousand_idle_connections_over_tls_take_little_memory_and_disturb_nobody() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let certificate = Certificate::new();
    let config = "[dns.encrypted]\nidle_timeout = \"10m\"";
    let node = Node::builder().config(config).encrypted(&certificate).start();
    node.api().register("web", "i", &json!({ "addresses": ["10.0.0.1"] }));
    let (tls, trusting) =
        (node.encrypted("tls"), std::sync::Arc::new(certificate.client(&["dot"])));
    let message = question("web.service.internal.", RecordType::A, None).to_vec().unwrap();
    let before = node.resident_kib();
    let mut crowd: Vec<TlsConnection> = (0..1_000)
        .map(|n| {
            let stream = connect_from(&format!("127.0.1.{}", n / 100 + 1), tls);
            TlsConnection::over(stream, std::sync::Arc::clone(&trusting)).unwrap()
        })
        .collect();
    for connection in &mut crowd {
        connection.send(&[&message]).unwrap();
        assert!(connection.read().is_some());
    }
    let each = node.resident_kib().saturating_sub(before) / crowd.len();
    eprintln!("{each} KiB for each idle connection over TLS");
    assert!(each <= 64, "{each} KiB for each");
    let refused = connect_from("127.0.2.1", tls);
    assert!(TlsConnection::over(refused, trusting).is_err(), "the limit of all");
    for _ in 0..100 {
        assert_eq!(node.resolver().service("web").len(), 1);
    }
    assert!(is_served(&connect_from("127.0.2.1", node.dns[0])), "nor does plain TCP mind");
}

/// The value of a counter, over all its labels that begin so.
fn counted(metrics: &str, start: &str) -> u64 {
    let lines = metrics.lines().filter(|line| line.starts_with(start));
    lines.map(|line| line.rsplit(' ').next().unwrap().parse::<u64>().unwrap()).sum()
}

#[test]
fn who_asks_and_never_reads_is_bounded_and_let_go() {
    const CROWD: usize = 50;
    let node = Node::builder().config("[dns]\ntcp_idle_timeout = \"3s\"").start();
    let many: Vec<Value> = (0..200)
        .map(|n| {
            json!({ "service": "web", "instance": format!("i{n}"), "port": 80,
            "addresses": [format!("10.0.0.{n}")], "tags": ["v1", "v2"] })
        })
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &many.into()).status, 200);
    let before = node.resident_kib();
    // The longest replies that there are, half of them from the long lane.
    let framed = |name: &str| {
        let bytes = question(name, RecordType::SRV, None).to_vec().unwrap();
        [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], &bytes].concat()
    };
    let queries = ["web.service.internal.", "v1.v2.web.service.internal."].map(framed).concat();
    let queries = queries.repeat(500);
    let crowd: Vec<TcpStream> = (0..CROWD)
        .map(|_| {
            let mut stream = connect_from("127.0.1.1", node.dns[0]);
            stream.set_write_timeout(Some(Duration::from_millis(20))).unwrap();
            while stream.write(&queries).is_ok() {}
            stream
        })
        .collect();
    assert!(is_served(&connect_from("127.0.1.2", node.dns[0])), "the others do not wait");
    assert_eq!(node.resolver().service("web").len(), 8);
    assert_eq!(node.api().get(&instance_path("web", "i7")).status, 200);
    // What a connection may hold (see `ConnectionLimits`), and as much again for the rest of the
    // process.
    let grown = node.resident_kib().saturating_sub(before);
    assert!(grown < 2 * CROWD * 416, "{grown} KiB for {CROWD} connections");
    let all = format!("rollcall_dns_connections_timed_out_total{{transport=\"tcp\"}} {CROWD}\n");
    eventually("they are let go", || node.api().text("/metrics").contains(&all).then_some(()));
    drop(crowd);
}

#[test]
fn who_asks_over_https_and_never_reads_is_bounded_and_let_go() {
    const CROWD: usize = 20;
    let certificate = Certificate::new();
    let config = "[dns.encrypted]\nidle_timeout = \"3s\"";
    let node = Node::builder().config(config).encrypted(&certificate).start();
    let many: Vec<Value> = (0..200)
        .map(|n| {
            json!({ "service": "web", "instance": format!("i{n}"), "port": 80,
            "addresses": [format!("10.0.0.{n}")], "tags": ["v1", "v2"] })
        })
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &many.into()).status, 200);
    let trusting = std::sync::Arc::new(certificate.client(&["h2"]));
    let before = node.resident_kib();
    // A client that grants all the room there is, asks for the longest replies on as many streams
    // as it may, and takes nothing from its socket.
    let window = [
        &b"\0\0\x06\x04\0\0\0\0\0\0\x04\x7F\xFF\xFF\xFF"[..],
        b"\0\0\x04\x08\0\0\0\0\0\x7F\xFF\0\0",
    ]
    .concat();
    let mut octets = [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"[..], &window].concat();
    for stream in 0..64_u32 {
        let name = ["web.service.internal.", "v1.v2.web.service.internal."][stream as usize % 2];
        let message = question(name, RecordType::SRV, None).to_vec().unwrap();
        let path =
            base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, message);
        let path = format!("/dns-query?dns={path}");
        // GET, https, authority a, and the path as it stands.
        let length = u8::try_from(path.len()).unwrap();
        let block = [&b"\x82\x87\x41\x01a\x04"[..], &[length], path.as_bytes()].concat();
        let frame = [0, 0, u8::try_from(block.len()).unwrap(), 1, 5];
        octets.extend([&frame[..], &(2 * stream + 1).to_be_bytes(), &block].concat());
    }
    let crowd: Vec<TlsConnection> = (0..CROWD)
        .map(|_| {
            let stream = connect_from("127.0.1.1", node.encrypted("https"));
            SockRef::from(&stream).set_recv_buffer_size(4_096).unwrap();
            let mut connection =
                TlsConnection::over(stream, std::sync::Arc::clone(&trusting)).unwrap();
            connection.0.write_all(&octets).unwrap();
            connection
        })
        .collect();
    let asked = || {
        counted(&node.api().text("/metrics"), "rollcall_dns_responses_total{transport=\"https\"")
    };
    eventually("as many are answered as there is room for", || (asked() >= 8 * 20).then_some(()));
    assert_eq!(node.resolver().service("web").len(), 8, "the others do not wait");
    let all = format!("rollcall_dns_connections_timed_out_total{{transport=\"https\"}} {CROWD}\n");
    let mut most = 0;
    eventually("they are let go", || {
        most = most.max(node.resident_kib().saturating_sub(before));
        node.api().text("/metrics").contains(&all).then_some(())
    });
    eprintln!("{} KiB for each connection whose client reads nothing", most / CROWD);
    // What a connection may hold (see `ConnectionLimits`), and half as much again.
    assert!(most < CROWD * 3_072, "{most} KiB for {CROWD} connections");
    drop(crowd);
}

#[test]
fn of_a_flood_every_packet_is_answered_or_counted_and_it_is_over_at_once() {
    const PACKETS: u64 = 30_000;
    let node = Node::start();
    node.api().register("web", "i", &json!({ "addresses": ["10.0.0.1"] }));
    let flood = UdpSocket::bind("127.0.0.1:0").unwrap();
    flood.connect(node.dns[0]).unwrap();
    let packet = question("web.service.internal.", RecordType::A, None).to_vec().unwrap();
    // So long that it takes none: more come than its buffer holds, whatever the machine.
    node.signal("STOP");
    for _ in 0..PACKETS {
        assert_eq!(flood.send(&packet).unwrap(), packet.len());
    }
    node.signal("CONT");
    let [answered, dropped] = eventually("all are accounted for", || {
        let metrics = node.api().text("/metrics");
        let answered = counted(&metrics, "rollcall_dns_responses_total{transport=\"udp\"");
        let dropped = counted(&metrics, "rollcall_dns_dropped_total");
        (answered + dropped >= PACKETS).then_some([answered, dropped])
    });
    assert_eq!(answered + dropped, PACKETS, "{answered} answered, {dropped} dropped");
    assert!(answered > 0 && dropped > 0, "{answered} answered, {dropped} dropped");
    assert_eq!(node.resolver().service("web").len(), 1, "who asks next is answered");
}

#[test]
fn idle_http_connections_are_bounded_and_disturb_nobody() {
    rlimit::increase_nofile_limit(u64::MAX).unwrap();
    let node = Node::builder().config("[http]\nheader_timeout = \"5s\"").start();
    let http = node.http[0];
    let crowd: Vec<TcpStream> = (0..1_000).map(|_| raw::connect(http)).collect();
    eventually("all are let in", || {
        let connections = raw::call(http, ("GET", "/metrics"), &[], b"").text;
        connections.contains("rollcall_http_connections 1001\n").then_some(())
    });
    node.api().register("web", "i", &json!({ "addresses": ["10.0.0.1"] }));
    assert_eq!(node.resolver().service("web").len(), 1);
    for stream in &crowd {
        assert_eq!(raw::read_to_close(stream), b"", "let go without a word");
    }

    // At the limit the next one waits until another goes, and DNS does not care.
    let config = "[http]\nheader_timeout = \"2s\"\nconnections_max = 10";
    let node = Node::builder().config(config).start();
    node.api().register("web", "i", &json!({ "addresses": ["10.0.0.1"] }));
    let start = Instant::now();
    let crowd: Vec<TcpStream> = (0..20).map(|_| raw::connect(node.http[0])).collect();
    let mut last = raw::connect(node.http[0]);
    last.write_all(b"GET /health HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
    for _ in 0..100 {
        assert_eq!(node.resolver().service("web").len(), 1);
    }
    let reply = raw::read_reply(&mut BufReader::new(&last), false);
    assert_eq!(reply.status, 200);
    assert!(start.elapsed() > Duration::from_secs(1), "it waited for its turn");
    drop(crowd);
}
