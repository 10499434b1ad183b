//! DNS over QUIC (RFC 9250): kdig, which has another QUIC than we have, and quinn for what no
//! client would do.

use std::{net::SocketAddr, process::Command, sync::Arc, time::Duration};

use hickory_proto::{op::Message, rr::RecordType};
use quinn::{
    ApplicationClose, ClientConfig, Connection, ConnectionError, Endpoint, ReadToEndError, VarInt,
    crypto::rustls::QuicClientConfig,
};
use serde_json::json;
use tokio::{runtime::Runtime, time::timeout};

use super::{full, register_many, said};
use crate::support::{
    Node, PATIENCE,
    command::run,
    dns::{framed, question},
    eventually,
    tls::Certificate,
};

/// Questions on the long lane at once.
const LONG: usize = 40;

/// A client of QUIC, with a runtime of its own.
pub(crate) struct Client {
    runtime: Runtime,
    endpoint: Endpoint,
    server: SocketAddr,
}

// === impl Client ===

impl Client {
    pub(crate) fn new(node: &Node, certificate: &Certificate) -> Self {
        Self::within(Runtime::new().unwrap(), node, certificate)
    }

    /// One that does nothing, acknowledging included, but while it is told to.
    fn drowsy(node: &Node, certificate: &Certificate) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self::within(runtime.unwrap(), node, certificate)
    }

    fn within(runtime: Runtime, node: &Node, certificate: &Certificate) -> Self {
        let crypto = QuicClientConfig::try_from(certificate.client(&["doq"])).unwrap();
        let _within = runtime.enter();
        let mut endpoint = Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
        endpoint.set_default_client_config(ClientConfig::new(Arc::new(crypto)));
        let server = node.encrypted("quic");
        drop(_within);
        Self { runtime, endpoint, server }
    }

    pub(crate) fn connect(&self) -> Result<Connection, ConnectionError> {
        let connecting = async { self.endpoint.connect(self.server, "localhost").unwrap().await };
        self.run(connecting)
    }

    pub(super) fn run<T>(&self, what: impl Future<Output = T>) -> T {
        self.runtime.block_on(async { timeout(PATIENCE, what).await.expect("in time") })
    }

    /// Sends octets on a stream of their own, ends it, and reads what comes back.
    pub(crate) fn exchange(
        &self,
        connection: &Connection,
        octets: &[u8],
    ) -> Result<Vec<u8>, ReadToEndError> {
        self.run(async {
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            let _stopped = send.write_all(octets).await;
            let _stopped = send.finish();
            receive.read_to_end(70_000).await
        })
    }

    /// With which code of its own the server closes a connection.
    fn closed_with(&self, connection: &Connection) -> u64 {
        match self.run(connection.closed()) {
            ConnectionError::ApplicationClosed(ApplicationClose { error_code, .. }) => {
                error_code.into_inner()
            }
            other => panic!("it was not closed by DNS: {other}"),
        }
    }
}

fn node(config: &str) -> (Node, Certificate) {
    let certificate = Certificate::new();
    let node = Node::builder().config(config).encrypted(&certificate).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "tags": ["v1", "v2"] }));
    (node, certificate)
}

fn query(name: &str) -> Vec<u8> {
    question(&full(name), RecordType::A, Some(1_232)).to_vec().unwrap()
}

/// The message of a stream, which has one whole one.
pub(super) fn message(framed: &[u8]) -> Message {
    let (length, message) = framed.split_first_chunk::<2>().unwrap();
    assert_eq!(usize::from(u16::from_be_bytes(*length)), message.len());
    Message::from_vec(message).unwrap()
}

#[test]
fn kdig_asks_over_quic_tls_and_https_and_trusts_the_certificate() {
    let (node, _) = node("");
    for (option, shown) in [
        ("+quic", "QUIC session (QUICv1)-(TLS1.3)"),
        ("+tls", "TLS session (TLS1.3)"),
        ("+https", "HTTP session (HTTP/2-POST)"),
        ("+https-get +https", "HTTP session (HTTP/2-GET)"),
    ] {
        let transport = option.rsplit('+').next().unwrap();
        let port = node.encrypted(transport).port();
        let line = format!(
            "kdig @127.0.0.1 -p {port} +tls-ca=certificate.pem +tls-hostname=localhost {option} \
             web.service.internal nobody.service.internal"
        );
        let mut words = line.split_whitespace();
        let mut kdig = Command::new(words.next().unwrap());
        let said = run(kdig.args(words).current_dir(node.path("."))).ok();
        assert!(said.contains(shown), "{said}");
        assert!(said.contains("10.0.0.1") && said.contains("NXDOMAIN"), "{said}");
        assert!(said.contains("Received 468 B"), "padded, as it asked for: {said}");
        assert!(!said.contains(";; WARNING") && !said.contains(";; ERROR"), "{said}");
    }
}

#[test]
fn each_question_is_answered_on_its_own_stream() {
    let (node, certificate) = node("");
    let one = |n: usize| {
        json!({ "service": "many", "instance": format!("i{n}"), "tags": ["v1", "v2"],
            "addresses": [format!("10.8.{}.{}", n / 250, n % 250 + 1)] })
    };
    assert_eq!(node.api().post("/api/v1/instances", &(0..2_000).map(one).collect()).status, 200);
    let client = Client::new(&node, &certificate);
    let connection = client.connect().unwrap();
    let (long, local) = (framed(&query("v1.v2.many")), framed(&query("web")));
    let answered = client.run(async {
        // More than have room for the longest reply at once, and what takes little behind them.
        let mut asked = tokio::task::JoinSet::new();
        for (question, answers) in (0..LONG).map(|_| (&long, 8)).chain([(&local, 1)]) {
            let (mut send, mut receive) = connection.open_bi().await.unwrap();
            send.write_all(question).await.unwrap();
            send.finish().unwrap();
            asked.spawn(async move { (answers, receive.read_to_end(70_000).await.unwrap()) });
        }
        let mut answered = Vec::new();
        while let Some(done) = asked.join_next().await {
            answered.push(done.unwrap());
        }
        answered
    });
    assert_eq!(answered.len(), LONG + 1);
    for (answers, reply) in &answered {
        let reply = message(reply);
        assert_eq!((reply.metadata.id, reply.answers.len()), (0, *answers));
    }
}

#[test]
fn who_does_not_keep_to_the_protocol_loses_the_connection() {
    let (node, certificate) = node("");
    let client = Client::new(&node, &certificate);
    let good = framed(&query("web"));
    let mut numbered = good.clone();
    numbered[3] = 1;
    let mut keepalive = query("web");
    let length = keepalive.len();
    keepalive[length - 1] = 4;
    keepalive.extend([0, 11, 0, 0]);
    // Truncated, which no query is: hickory reads it.
    let mut odd = keepalive.clone();
    odd[2] |= 2;
    // An operation that is unknown, so that nobody reads it.
    let mut unknown = keepalive.clone();
    unknown[2] |= 0x58;
    let reply = framed(&[0, 0, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    for (what, octets) in [
        ("an ID", &numbered[..]),
        ("less than a length", &good[..1]),
        ("less than a message", &good[..good.len() - 1]),
        ("two messages", &[&good[..], &good].concat()),
        ("too much", &[0xFF; 66_000]),
        ("edns-tcp-keepalive", &framed(&keepalive)),
        ("the same in an odd query", &framed(&odd)),
        ("the same in what is no query", &framed(&unknown)),
        ("a reply", &reply),
        ("nothing", b""),
    ] {
        let connection = client.connect().unwrap();
        assert_eq!(message(&client.exchange(&connection, &good).unwrap()).answers.len(), 1);
        assert!(client.exchange(&connection, octets).is_err(), "{what}");
        assert_eq!(client.closed_with(&connection), 2, "DOQ_PROTOCOL_ERROR for {what}");
    }
    // Messages that are merely wrong get their reply.
    let connection = client.connect().unwrap();
    let broken = client.exchange(&connection, &framed(&query("web")[..20])).unwrap();
    assert_eq!(broken[2 + 3] & 15, 1, "FORMERR");
    assert_eq!(said(&message(&client.exchange(&connection, &good).unwrap())), "A 10.0.0.1");
}

#[test]
fn a_question_that_is_cancelled_or_never_ends_hurts_nobody() {
    let (node, certificate) = node("[dns.encrypted]\nidle_timeout = \"1s\"");
    let client = Client::new(&node, &certificate);
    let connection = client.connect().unwrap();
    let good = framed(&query("web"));
    client.run(async {
        let (mut send, _receive) = connection.open_bi().await.unwrap();
        send.write_all(&good[..4]).await.unwrap();
        send.reset(VarInt::from_u32(3)).unwrap();
    });
    assert_eq!(message(&client.exchange(&connection, &good).unwrap()).answers.len(), 1);
    let stopped = client.run(async {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&good).await.unwrap();
        receive.read_to_end(70_000).await
    });
    assert!(stopped.is_err(), "without its end a question is none");
    assert_eq!(client.closed_with(&connection), 0, "idle");
    let metrics = node.api().text("/metrics");
    let line = "rollcall_dns_connections_timed_out_total{transport=\"quic\"} 1\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn connections_and_streams_are_limited() {
    let config = "[server]\nlame_duck = \"0s\"\n[dns.encrypted]\nstreams_max = 3\n\
                  connections_max = 4\nconnections_per_client_max = 2";
    let (mut node, certificate) = node(config);
    let client = Client::new(&node, &certificate);
    let (first, second) = (client.connect().unwrap(), client.connect().unwrap());
    assert!(matches!(client.connect(), Err(ConnectionError::ConnectionClosed(_))), "refused");
    second.close(VarInt::from_u32(0), b"");
    let third = eventually("a place that was left is free", || client.connect().ok());
    let streams = client.run(async {
        let mut streams = Vec::new();
        for _ in 0..3 {
            let (mut send, receive) = first.open_bi().await.unwrap();
            send.write_all(&[0]).await.unwrap();
            streams.push((send, receive));
        }
        let fourth = timeout(Duration::from_millis(200), first.open_bi()).await;
        assert!(fourth.is_err(), "the fourth stream waits");
        assert!(timeout(Duration::from_millis(50), first.open_uni()).await.is_err());
        streams
    });
    let good = framed(&query("web"));
    let reply = client.run(async {
        let (mut send, mut receive) = third.open_bi().await.unwrap();
        send.write_all(&good).await.unwrap();
        send.finish().unwrap();
        let reply = receive.read_to_end(70_000).await;
        node.signal("TERM");
        reply
    });
    assert_eq!(message(&reply.unwrap()).answers.len(), 1);
    assert_eq!((client.closed_with(&first), client.closed_with(&third)), (0, 0));
    drop(streams);
    assert!(node.wait().success());
}

#[test]
fn a_stop_sends_the_rest_of_a_reply_that_is_made() {
    let (mut node, certificate) = node("[server]\nlame_duck = \"0s\"");
    register_many(&node.api(), "big", 800);
    // Without acknowledgements the server sends a part of the reply, and has all of it ready.
    let client = Client::drowsy(&node, &certificate);
    let connection = client.connect().unwrap();
    let asked = question(&full("big"), RecordType::SRV, Some(1_232)).to_vec().unwrap();
    let mut receive = client.run(async {
        let (mut send, mut receive) = connection.open_bi().await.unwrap();
        send.write_all(&framed(&asked)).await.unwrap();
        send.finish().unwrap();
        let mut first = [0; 1];
        receive.read_exact(&mut first).await.unwrap();
        (receive, first)
    });
    node.signal("TERM");
    eventually("it has stopped listening", || {
        std::net::TcpStream::connect(node.dns[0]).is_err().then_some(())
    });
    let rest = client.run(receive.0.read_to_end(70_000)).expect("a whole reply");
    let reply = message(&[&receive.1[..], &rest].concat());
    assert_eq!(reply.answers.len(), 800);
    assert_eq!(client.closed_with(&connection), 0);
    assert!(node.wait().success());
}

#[test]
fn with_many_handshakes_under_way_an_address_has_to_be_proven() {
    let (node, certificate) =
        node("[dns.encrypted]\nconnections_per_client_max = 200\nhandshake_timeout = \"1m\"");
    // Connections that are begun and never gone on with, as in a flood from addresses of others.
    let client = Client::new(&node, &certificate);
    let crowd: Vec<std::net::UdpSocket> = initial_packets(&client, 150);
    let retried = || {
        let metrics = node.api().text("/metrics");
        let line = metrics
            .lines()
            .find_map(|it| it.strip_prefix("rollcall_dns_quic_address_proofs_total "));
        line.unwrap().parse::<u64>().unwrap()
    };
    eventually("some are asked for proof", || (retried() > 0).then_some(()));
    let connection = client.connect().expect("who can prove it comes in all the same");
    assert_eq!(
        message(&client.exchange(&connection, &framed(&query("web"))).unwrap()).answers.len(),
        1
    );
    drop(crowd);
}

#[test]
fn handshakes_without_proof_are_counted_over_all_addresses_and_leave_most_places_free() {
    let certificate = Certificate::new();
    let config = "[dns.encrypted]\nhandshake_timeout = \"1m\"";
    let node = Node::builder().config(config).encrypted(&certificate);
    let node = node.arg("--dns-quic").arg("127.0.0.2:0").start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    let of_quic = node.encrypted.iter().filter(|(transport, _)| transport == "quic");
    let clients: Vec<_> = of_quic
        .map(|(_, server)| Client { server: *server, ..Client::new(&node, &certificate) })
        .collect();
    assert_eq!(clients.len(), 2);
    // Forty of the hundred places that one client may have.
    let _crowd: Vec<_> = clients.iter().map(|client| initial_packets(client, 20)).collect();
    eventually("all beyond a quarter of the places are asked for proof", || {
        let metrics = node.api().text("/metrics");
        let line = "rollcall_dns_quic_address_proofs_total 15\n";
        metrics.contains(line).then_some(())
    });
    for client in &clients {
        let connection = client.connect().expect("who can prove it comes in");
        let reply = client.exchange(&connection, &framed(&query("web"))).unwrap();
        assert_eq!(message(&reply).answers.len(), 1);
    }
}

/// Sends the first packet of so many connections, each from a port of its own, and no other.
fn initial_packets(client: &Client, count: usize) -> Vec<std::net::UdpSocket> {
    (0..count)
        .map(|_| {
            // A real first packet is caught on its way.
            let trap = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            trap.set_read_timeout(Some(PATIENCE)).unwrap();
            let to = trap.local_addr().unwrap();
            let connecting =
                client.runtime.block_on(async { client.endpoint.connect(to, "localhost") });
            let mut packet = [0; 2_048];
            let octets = trap.recv(&mut packet).unwrap();
            drop(connecting);
            let socket = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
            socket.send_to(&packet[..octets], client.server).unwrap();
            socket
        })
        .collect()
}
