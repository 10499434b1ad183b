//! DNS over TLS (RFC 7858): what plain TCP does, within TLS; handshakes and limits.

use std::{
    io::Write,
    net::{Ipv4Addr, SocketAddr, TcpStream},
    sync::Arc,
    time::{Duration, Instant},
};

use hickory_proto::{op::Message, rr::RecordType};
use serde_json::json;

use super::{A, full, said};
use crate::support::{
    Node, PATIENCE,
    dns::question,
    eventually,
    tls::{Certificate, TlsConnection},
};

fn query(id: u16, name: &str) -> Vec<u8> {
    let mut message = question(&full(name), RecordType::A, Some(1_232));
    message.metadata.id = id;
    message.to_vec().unwrap()
}

fn node(config: &str) -> (Node, Certificate) {
    let certificate = Certificate::new();
    let node = Node::builder().config(config).encrypted(&certificate).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "tags": ["v1", "v2"] }));
    (node, certificate)
}

fn is_served(connection: &mut TlsConnection) -> bool {
    let _refused = connection.send(&[&query(9, "web")]);
    connection.read().is_some()
}

/// A handshake from another of this host's addresses: another client.
fn open_from(client: u8, server: SocketAddr, certificate: &Certificate) -> Option<TlsConnection> {
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let client = Ipv4Addr::new(127, 0, 0, client);
    socket.bind(&SocketAddr::from((client, 0)).into()).unwrap();
    socket.connect(&server.into()).unwrap();
    TlsConnection::over(socket.into(), Arc::new(certificate.client(&[]))).ok()
}

#[test]
fn questions_in_one_write_are_answered_and_what_takes_long_comes_last() {
    let (node, certificate) = node("");
    let one = |n: usize| {
        json!({ "service": "many", "instance": format!("i{n}"), "tags": ["v1", "v2"],
            "addresses": [format!("10.8.{}.{}", n / 250, n % 250 + 1)] })
    };
    assert_eq!(node.api().post("/api/v1/instances", &(0..2_000).map(one).collect()).status, 200);
    let mut connection = TlsConnection::open(node.encrypted("tls"), &certificate);
    let messages = [(1, "v1.v2.many"), (2, "web"), (3, "nobody"), (4, "v1.v2.many"), (5, "web")];
    let messages = messages.map(|(id, name)| query(id, name));
    connection.send(&messages.each_ref().map(Vec::as_slice)).unwrap();
    let mut replies = (0..5).map(|_| Message::from_vec(&connection.read().unwrap()).unwrap());
    let ids: Vec<u16> = replies.by_ref().map(|reply| reply.metadata.id).collect();
    assert_eq!(ids, [2, 3, 5, 1, 4], "as they are ready");

    // Each in a record of its own, and more than the server reads at once.
    for id in 0..300 {
        connection.send(&[&query(id, "web")]).unwrap();
    }
    for id in 0..300 {
        let reply = Message::from_vec(&connection.read().unwrap()).unwrap();
        assert_eq!((reply.metadata.id, &*said(&reply)), (id, "A 10.0.0.1"));
    }
    let metrics = node.api().text("/metrics");
    let line = "rollcall_dns_queries_total{transport=\"tls\",type=\"A\"} 305\n";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn who_ends_with_a_word_of_tls_or_without_is_answered_first() {
    let (node, certificate) = node("");
    for has_manners in [true, false] {
        let mut connection = TlsConnection::open(node.encrypted("tls"), &certificate);
        let messages: Vec<Vec<u8>> = (0..10).map(|id| query(id, "web")).collect();
        connection.send(&messages.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        if has_manners {
            connection.0.conn.send_close_notify();
            connection.0.flush().unwrap();
        }
        connection.0.sock.shutdown(std::net::Shutdown::Write).unwrap();
        for _ in 0..10 {
            assert!(connection.read().is_some(), "with manners: {has_manners}");
        }
        assert_eq!(connection.end(PATIENCE).unwrap(), 0, "the server has manners");
    }
}

#[test]
fn a_stop_answers_what_was_asked_and_says_goodbye() {
    let (mut node, certificate) = node("[server]\nlame_duck = \"0s\"");
    let mut connection = TlsConnection::open(node.encrypted("tls"), &certificate);
    assert!(is_served(&mut connection));
    connection.send(&[&query(1, "web"), &query(2, "web")]).unwrap();
    node.signal("TERM");
    assert!(connection.read().is_some() && connection.read().is_some());
    assert_eq!(connection.end(PATIENCE).unwrap(), 0, "close_notify");
    assert!(node.wait().success());
}

#[test]
fn a_handshake_that_is_not_done_in_time_is_given_up() {
    let (node, certificate) = node("[dns.encrypted]\nhandshake_timeout = \"1s\"");
    for transport in ["tls", "https"] {
        let began = Instant::now();
        let silent = TcpStream::connect(node.encrypted(transport)).unwrap();
        // A record that never ends, an octet at a time.
        let mut slow = TcpStream::connect(node.encrypted(transport)).unwrap();
        slow.write_all(&[22, 3, 1, 2, 0]).unwrap();
        for (mut stream, says_more) in [(silent, false), (slow, true)] {
            stream.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
            eventually("it is closed", || {
                let _closed = says_more.then(|| stream.write_all(&[0]));
                match std::io::Read::read(&mut stream, &mut [0; 16]) {
                    Ok(0) => Some(()),
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => None,
                    Err(_reset) => Some(()),
                    Ok(_alert) => None,
                }
            });
            // Both were opened at that time, and neither is let go before.
            assert!(began.elapsed() > Duration::from_millis(900));
        }
        let metrics = node.api().text("/metrics");
        let failed = format!("rollcall_dns_handshakes_failed_total{{transport=\"{transport}\"");
        assert!(metrics.contains(&failed), "{metrics}");
        assert!(!metrics.contains(&format!("{failed},reason=\"timed_out\"}} 0")), "{metrics}");
    }
    assert!(is_served(&mut TlsConnection::open(node.encrypted("tls"), &certificate)));
}

#[test]
fn who_names_another_protocol_is_refused_and_who_names_none_is_not() {
    let (node, certificate) = node("");
    let open = |transport: &str, protocols: &[&str]| {
        TlsConnection::try_open(node.encrypted(transport), Arc::new(certificate.client(protocols)))
    };
    for protocols in [&["dot"][..], &[], &["h2", "dot"]] {
        assert!(is_served(&mut open("tls", protocols).unwrap()), "{protocols:?}");
    }
    for (transport, protocols) in [("tls", ["h2"]), ("tls", ["doq"]), ("https", ["dot"])] {
        let refused = open(transport, &protocols).err().expect("an alert");
        assert!(refused.to_string().contains("NoApplicationProtocol"), "{refused}");
    }
    let mut plain = TcpStream::connect(node.encrypted("tls")).unwrap();
    plain.write_all(&crate::support::dns::framed(&query(1, "web"))).unwrap();
    let mut alert = Vec::new();
    let _reset = std::io::Read::read_to_end(&mut plain, &mut alert);
    assert!(alert.len() <= 7, "nothing but an alert: {alert:?}");
}

#[test]
fn sessions_are_resumed_and_nothing_is_taken_before_the_handshake() {
    let (node, certificate) = node("");
    let mut config = certificate.client(&["dot"]);
    config.enable_early_data = true;
    let config = Arc::new(config);
    let kinds = [(); 2].map(|()| {
        let server = node.encrypted("tls");
        let mut connection = TlsConnection::try_open(server, Arc::clone(&config)).unwrap();
        assert!(is_served(&mut connection));
        assert!(!connection.0.conn.is_early_data_accepted());
        connection.0.conn.handshake_kind().unwrap()
    });
    assert_eq!(kinds, [rustls::HandshakeKind::Full, rustls::HandshakeKind::Resumed]);
}

#[test]
fn encrypted_connections_have_limits_of_their_own() {
    let config = "[dns]\ntcp_connections_max = 1\ntcp_connections_per_client_max = 1\n\
                  [dns.encrypted]\nconnections_max = 5\nconnections_per_client_max = 3\n\
                  idle_timeout = \"10m\"";
    let (node, certificate) = node(config);
    let mut inside: Vec<TlsConnection> = Vec::new();
    for (client, transport) in [(1, "tls"), (1, "https"), (1, "tls"), (2, "tls"), (2, "tls")] {
        let connection = open_from(client, node.encrypted(transport), &certificate);
        inside.push(connection.expect("there is room"));
        if inside.len() == 3 {
            for transport in ["tls", "https"] {
                let fourth = open_from(1, node.encrypted(transport), &certificate);
                assert!(fourth.is_none(), "the fourth of one client");
            }
        }
    }
    assert!(open_from(3, node.encrypted("tls"), &certificate).is_none(), "the sixth of all");
    let resolver = node.resolver();
    assert_eq!(said(&resolver.ask_tcp(&full("web"), A)), "A 10.0.0.1", "plain TCP does not mind");
    assert!(is_served(&mut inside[0]) && is_served(&mut inside[4]), "nor do those inside");
    let metrics = node.api().text("/metrics");
    for (transport, limit) in
        [("tls", "client_limit"), ("https", "client_limit"), ("tls", "total_limit")]
    {
        let labels = format!("transport=\"{transport}\",reason=\"{limit}\"");
        let line = format!("rollcall_dns_connections_refused_total{{{labels}}} 1\n");
        assert!(metrics.contains(&line), "{line} is missing in {metrics}");
    }
    inside.remove(0);
    eventually("a place that was left is free", || {
        open_from(1, node.encrypted("tls"), &certificate)
    });
}

#[test]
fn the_limits_change_on_a_signal() {
    let (node, certificate) = node("");
    let mut first = TlsConnection::open(node.encrypted("tls"), &certificate);
    let changed = "version = 1\n[dns.encrypted]\nconnections_max = 1\nidle_timeout = \"10m\"\n\
                   connections_per_client_max = 1\n";
    std::fs::write(node.path("rollcall.toml"), changed).unwrap();
    node.signal("HUP");
    node.wait_for_log("configuration reloaded");
    assert!(open_from(2, node.encrypted("tls"), &certificate).is_none(), "there is one already");
    assert!(is_served(&mut first));
    // What clients are told of idleness, in tenths of a second (RFC 7828).
    let mut asking = query(1, "web");
    let length = asking.len();
    asking[length - 1] = 4;
    asking.extend([0, 11, 0, 0]);
    first.send(&[&asking]).unwrap();
    let reply = first.read().unwrap();
    assert_eq!(reply[reply.len() - 6..], [0, 11, 0, 2, 0x17, 0x70], "6000: {reply:?}");
}

#[test]
fn handshakes_are_in_the_way_of_no_plain_connection() {
    let threads = |node: &Node| {
        let tasks = std::fs::read_dir(format!("/proc/{}/task", node.pid())).unwrap();
        let names = tasks.map(|task| std::fs::read_to_string(task.unwrap().path().join("comm")));
        let names: Vec<String> = names.map(Result::unwrap).collect();
        ["dns-tcp-", "dns-tls-"].map(|begin| names.iter().any(|name| name.starts_with(begin)))
    };
    // A thread names itself when it runs, which may be after the server said that it is ready.
    let encrypted = node("").0;
    eventually("both kinds of thread", || (threads(&encrypted) == [true, true]).then_some(()));
    let plain = Node::start();
    eventually("one kind of thread", || threads(&plain)[0].then_some(()));
    plain.resolver().ask_tcp("web.service.internal.", RecordType::A);
    assert_eq!(threads(&plain), [true, false]);
}

#[test]
fn a_reply_is_padded_when_the_question_was() {
    let (node, certificate) = node("");
    let mut connection = TlsConnection::open(node.encrypted("tls"), &certificate);
    let mut padded = query(1, "web");
    let length = padded.len();
    // The OPT record is the last, and so are the octets of its length.
    padded[length - 2..].copy_from_slice(&8_u16.to_be_bytes());
    padded.extend([0, 12, 0, 4, 0, 0, 0, 0]);
    for (message, expected) in [(&padded, true), (&query(2, "web"), false)] {
        connection.send(&[message]).unwrap();
        let octets = connection.read().unwrap().len();
        assert_eq!(octets.is_multiple_of(468), expected, "{octets} octets");
    }
}
