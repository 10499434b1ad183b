//! The whole DNS door on real sockets.

use std::{net::SocketAddr, num::NonZeroUsize, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{DnsConfig, DnsServer, EncryptedListen, RunningDns, Wiring};
use crate::{
    dns::{
        ConnectionLimits, Limits, Settings, SettingsSpec, forward::ForwardHandle, zone::ZonesHandle,
    },
    model::{Addresses, Command, DnsName, Instance},
    registry::{Registry, testing},
    telemetry::{Board, Metrics},
    util::Clock,
};

/// What nothing here should take.
const PATIENCE: Duration = Duration::from_secs(10);

struct Harness {
    address: SocketAddr,
    running: RunningDns,
    stop: CancellationToken,
    metrics: Metrics,
    registry: Registry,
}

impl Harness {
    fn start(listen: &str, tcp: ConnectionLimits) -> Self {
        let config = DnsConfig {
            listen: vec![listen.parse().unwrap()],
            workers: NonZeroUsize::new(2),
            encrypted: EncryptedListen::default(),
        };
        let server = DnsServer::bind(&config).unwrap();
        let address = server.local_addrs()[0];
        let spec = SettingsSpec::new(DnsName::parse("internal").unwrap());
        let metrics = Metrics::new();
        let wiring = Wiring {
            registry: testing::registry(),
            zones: ZonesHandle::default(),
            settings: Arc::new(ArcSwap::from_pointee(Settings::new(&spec).unwrap())),
            forward: ForwardHandle::new(Board::default(), &metrics, Clock::system()),
            limits: Arc::new(ArcSwap::from_pointee(Limits { tcp, ..Limits::default() })),
            encryption: None,
            metrics,
            clock: Clock::system(),
            stop: CancellationToken::new(),
        };
        let running = server.start(&wiring).unwrap();
        let Wiring { stop, metrics, registry, .. } = wiring;
        Self { address, running, stop, metrics, registry }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address).await.unwrap()
    }

    /// Waits until the metrics say `line`.
    async fn until(&self, line: &str) {
        let said = async {
            while !self.metrics.encode().unwrap().lines().any(|said| said == line) {
                tokio::task::yield_now().await;
            }
        };
        if timeout(PATIENCE, said).await.is_err() {
            panic!("never said {line}:\n{}", self.metrics.encode().unwrap());
        }
    }

    /// What the metrics say of `name`.
    fn count(&self, name: &str) -> usize {
        let metrics = self.metrics.encode().unwrap();
        let count = metrics.lines().find_map(|line| line.strip_prefix(name));
        count.map_or(0, |count| count.trim().parse().unwrap())
    }

    async fn stop(self) {
        self.stop.cancel();
        timeout(PATIENCE, self.running.stopped()).await.expect("it stops");
    }
}

/// A query for the SOA of the zone, with a number of its own; odd ones take the full path.
fn query(id: u16, is_odd: bool) -> Vec<u8> {
    let [high, low] = id.to_be_bytes();
    let truncated = if is_odd { 2 } else { 0 };
    let mut message = vec![high, low, truncated, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(b"\x07sErvice\x08internal\x00\x00\x06\x00\x01");
    message
}

fn framed(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    [&length, message].concat()
}

async fn read_reply(stream: &mut TcpStream) -> Vec<u8> {
    let read = async {
        let length = stream.read_u16().await?;
        let mut reply = vec![0; length.into()];
        stream.read_exact(&mut reply).await?;
        std::io::Result::Ok(reply)
    };
    timeout(PATIENCE, read).await.expect("a reply in time").expect("a reply")
}

/// Reads until the connection ends, which it does in time.
async fn read_end(stream: &mut TcpStream) -> usize {
    let mut rest = Vec::new();
    // A reset is an end too.
    let _ = timeout(PATIENCE, stream.read_to_end(&mut rest)).await.expect("an end in time");
    rest.len()
}

fn idle_after(milliseconds: u64) -> ConnectionLimits {
    ConnectionLimits {
        idle_timeout: Duration::from_millis(milliseconds),
        ..ConnectionLimits::default()
    }
}

#[tokio::test]
async fn a_udp_reply_leaves_from_the_address_that_was_asked() {
    for (listen, own, asked) in [
        ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.2"),
        ("0.0.0.0:0", "127.0.0.1:0", "127.0.0.1"),
        ("127.0.0.3:0", "127.0.0.1:0", "127.0.0.3"),
        ("[::]:0", "[::1]:0", "::1"),
    ] {
        let server = Harness::start(listen, ConnectionLimits::default());
        // A connected socket takes packets from its peer's address only. Many of them, so that
        // each worker gets some.
        for id in 0..16 {
            let client = UdpSocket::bind(own).await.unwrap();
            let asked: std::net::IpAddr = asked.parse().unwrap();
            client.connect((asked, server.address.port())).await.unwrap();
            let message = query(id, id % 2 == 1);
            client.send(&message).await.unwrap();
            let mut reply = [0; 512];
            let length = timeout(PATIENCE, client.recv(&mut reply)).await.expect(listen).unwrap();
            assert_eq!(reply[..2], message[..2]);
            assert_eq!(reply[12..message.len()], message[12..], "the question in its own letters");
            assert!(length >= message.len() && reply[2] & 0x80 != 0);
        }
        server.until("rollcall_dns_queries_total{transport=\"udp\",type=\"SOA\"} 16").await;
        server.until("rollcall_dns_full_path_total 8").await;
        server.until("rollcall_dns_response_duration_seconds_count{transport=\"udp\"} 16").await;
        server.stop().await;
    }
}

#[tokio::test]
async fn what_the_registry_has_said_is_what_the_next_query_sees() {
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect(server.address).await.unwrap();
    let mut tcp = server.connect().await;
    let mut message = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(b"\x03web\x07service\x08internal\x00\x00\x01\x00\x01");
    let instance = Arc::new(testing::instance("web/a", "10.0.0.1"));
    let steps = [
        (Command::Register(vec![instance]), (1, 0)),
        (Command::Deregister(testing::key("web/a")), (0, 3)),
    ];
    for (command, expected) in steps.iter().cycle().take(500) {
        server.registry.submit(command.clone()).await.unwrap();
        udp.send(&message).await.unwrap();
        tcp.write_all(&framed(&message)).await.unwrap();
        let mut reply = [0; 512];
        timeout(PATIENCE, udp.recv(&mut reply)).await.expect("a reply").unwrap();
        for reply in [&reply[..], &read_reply(&mut tcp).await] {
            assert_eq!((reply[7], reply[3] & 0x0F), *expected, "answers and code");
        }
    }
    server.stop().await;
}

/// A snapshot of a large registry is gigabytes: no connection, task or worker that waits for its
/// next message may be what keeps an old one.
#[tokio::test]
async fn who_waits_keeps_no_old_world_alive() {
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    let udp = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    udp.connect(server.address).await.unwrap();
    let mut tcp = server.connect().await;
    tcp.write_all(&framed(&query(1, false))).await.unwrap();
    read_reply(&mut tcp).await;
    for is_odd in [false, true] {
        udp.send(&query(2, is_odd)).await.unwrap();
        timeout(PATIENCE, udp.recv(&mut [0; 512])).await.expect("a reply").unwrap();
    }
    let old = Arc::downgrade(&server.registry.snapshot());
    let instance = Arc::new(testing::instance("web/a", "10.0.0.1"));
    server.registry.submit(Command::Register(vec![instance])).await.unwrap();
    let gone = async {
        while old.strong_count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("nobody holds the old snapshot");
    server.stop().await;
}

#[tokio::test]
async fn a_udp_packet_that_is_no_query_gets_no_reply() {
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    let client = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    client.connect(server.address).await.unwrap();
    let mut is_reply = query(1, false);
    is_reply[2] |= 0x80;
    for packet in [&b""[..], b"short", &is_reply, &vec![0; 5_000]] {
        client.send(packet).await.unwrap();
    }
    // The same client is the same worker's, so what comes first is the reply to this one.
    client.send(&query(2, false)).await.unwrap();
    let mut reply = [0; 512];
    timeout(PATIENCE, client.recv(&mut reply)).await.expect("a reply").unwrap();
    assert_eq!(reply[..2], [0, 2]);
    server.until("rollcall_dns_dropped_total{reason=\"not_a_query\"} 3").await;
    server.until("rollcall_dns_dropped_total{reason=\"overlong\"} 1").await;
    server.stop().await;
}

#[tokio::test]
async fn pipelined_queries_are_all_answered() {
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    let mut stream = server.connect().await;
    let all: Vec<u8> = (0..100).flat_map(|id| framed(&query(id, id % 3 == 0))).collect();
    stream.write_all(&all).await.unwrap();
    let mut ids = Vec::new();
    for _ in 0..100 {
        let reply = read_reply(&mut stream).await;
        ids.push(u16::from_be_bytes([reply[0], reply[1]]));
    }
    ids.sort_unstable();
    assert_eq!(ids, (0..100).collect::<Vec<u16>>());
    server.until("rollcall_dns_queries_total{transport=\"tcp\",type=\"SOA\"} 100").await;
    server.stop().await;
}

#[tokio::test]
async fn who_asks_and_closes_its_side_is_still_answered() {
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    let mut stream = server.connect().await;
    stream.write_all(&framed(&query(7, false))).await.unwrap();
    stream.shutdown().await.unwrap();
    assert_eq!(read_reply(&mut stream).await[..2], [0, 7]);
    assert_eq!(read_end(&mut stream).await, 0);
    server.stop().await;
}

#[tokio::test]
async fn an_idle_connection_is_closed() {
    let server = Harness::start("127.0.0.1:0", idle_after(100));
    let mut stream = server.connect().await;
    stream.write_all(&framed(&query(7, false))).await.unwrap();
    read_reply(&mut stream).await;
    assert_eq!(read_end(&mut stream).await, 0);
    server.until("rollcall_dns_connections_timed_out_total{transport=\"tcp\"} 1").await;
    server.until("rollcall_dns_connections{transport=\"tcp\"} 0").await;
    server.stop().await;
}

#[tokio::test]
async fn half_a_message_keeps_no_connection_open() {
    let server = Harness::start("127.0.0.1:0", idle_after(200));
    let mut stream = server.connect().await;
    stream.write_all(&[0xFF, 0xFF]).await.unwrap();
    let (mut from, mut to) = stream.split();
    let mut ticks = tokio::time::interval(Duration::from_millis(20));
    // An octet now and then: never whole, never quite idle.
    let drip = async {
        while to.write_all(&[0]).await.is_ok() {
            ticks.tick().await;
        }
    };
    let ended = async { matches!(from.read(&mut [0; 1]).await, Ok(0) | Err(_)) };
    let race = async {
        tokio::select! { () = drip => true, ended = ended => ended }
    };
    assert!(timeout(PATIENCE, race).await.expect("closed although octets came"));
    server.until("rollcall_dns_connections_timed_out_total{transport=\"tcp\"} 1").await;
    server.stop().await;
}

#[tokio::test]
async fn who_never_reads_is_closed() {
    let server = Harness::start("127.0.0.1:0", idle_after(300));
    let mut stream = server.connect().await;
    socket2::SockRef::from(&stream).set_recv_buffer_size(4_096).unwrap();
    let queries = framed(&query(7, false)).repeat(1_000);
    let flood = async { while stream.write_all(&queries).await.is_ok() {} };
    timeout(PATIENCE, flood).await.expect("closed although it asks");
    server.until("rollcall_dns_connections_timed_out_total{transport=\"tcp\"} 1").await;
    server.stop().await;
}

/// 300 questions in one write were worked off before any other connection had its turn.
#[tokio::test]
async fn many_slow_questions_in_one_write_leave_the_others_their_turn() {
    const MANY: usize = 300;
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    // All are one SRV record, which has to be found out for each question.
    let host = Addresses::Host(DnsName::parse("db.example.com").unwrap());
    let one = |n: usize| {
        let instance = testing::instance(&format!("web/i{n}"), "10.0.0.1");
        Arc::new(Instance { addresses: host.clone(), ..instance })
    };
    server.registry.submit(Command::Register((0..150).map(one).collect())).await.unwrap();
    let mut slow = vec![0, 7, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    slow.extend(b"\x03web\x07service\x08internal\x00\x00\x21\x00\x01");
    // The threads that serve connections take turns: the first and the third are on one.
    let (mut busy, _spare) = (server.connect().await, server.connect().await);
    let mut other = server.connect().await;
    let asked = "rollcall_dns_queries_total{transport=\"tcp\",type=\"SRV\"}";
    let mut has_overtaken = false;
    for round in 1..=20 {
        busy.write_all(&framed(&slow).repeat(MANY)).await.unwrap();
        other.write_all(&framed(&query(8, false))).await.unwrap();
        read_reply(&mut other).await;
        has_overtaken |= server.count(asked) < round * MANY;
        for _ in 0..MANY {
            assert_eq!(read_reply(&mut busy).await[7], 1, "one answer");
        }
        if has_overtaken {
            break;
        }
    }
    assert!(has_overtaken, "the other one is always answered behind all that came before it");
    server.stop().await;
}

#[tokio::test]
async fn connections_above_the_limit_are_closed_at_once() {
    let limits = ConnectionLimits { connections_per_client: 2, ..ConnectionLimits::default() };
    let server = Harness::start("127.0.0.1:0", limits);
    let (first, mut second) = (server.connect().await, server.connect().await);
    server.until("rollcall_dns_connections{transport=\"tcp\"} 2").await;
    let mut third = server.connect().await;
    assert_eq!(read_end(&mut third).await, 0);
    server
        .until(
            "rollcall_dns_connections_refused_total{transport=\"tcp\",reason=\"client_limit\"} 1",
        )
        .await;
    drop(first);
    server.until("rollcall_dns_connections{transport=\"tcp\"} 1").await;
    let mut fourth = server.connect().await;
    for stream in [&mut second, &mut fourth] {
        stream.write_all(&framed(&query(7, false))).await.unwrap();
        assert_eq!(read_reply(stream).await[..2], [0, 7]);
    }
    server.stop().await;
}

#[tokio::test]
async fn a_malformed_message_over_tcp_is_refused_and_the_next_is_answered() {
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    let mut stream = server.connect().await;
    stream.write_all(&framed(&query(7, false)[..20])).await.unwrap();
    let reply = read_reply(&mut stream).await;
    assert_eq!((reply.len(), reply[3] & 0x0F), (12, 1), "FORMERR, a header only");
    stream.write_all(&framed(&query(8, false))).await.unwrap();
    assert_eq!(read_reply(&mut stream).await[..2], [0, 8]);
    server.stop().await;
}

#[tokio::test]
async fn a_stop_answers_what_was_asked_and_ends_what_is_idle() {
    let server = Harness::start("127.0.0.1:0", ConnectionLimits::default());
    let (mut idle, mut busy) = (server.connect().await, server.connect().await);
    let address = server.address;
    server.until("rollcall_dns_connections{transport=\"tcp\"} 2").await;
    let all: Vec<u8> = (0..50).flat_map(|id| framed(&query(id, false))).collect();
    busy.write_all(&all).await.unwrap();
    let _metrics = server.metrics.clone();
    server.stop().await;
    for id in 0..50 {
        assert_eq!(read_reply(&mut busy).await[..2], [0, id]);
    }
    assert_eq!(read_end(&mut busy).await, 0);
    assert_eq!(read_end(&mut idle).await, 0);
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
    std::net::UdpSocket::bind(address).expect("the port is free, although the metrics are kept");
}
