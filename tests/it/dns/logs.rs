//! What clients can have written to the log, and what an operator learns of those who get nothing.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::{A, full};
use crate::support::{
    Node, PATIENCE,
    dns::question,
    eventually,
    tls::{Certificate, TlsConnection},
};

/// The first message of a TLS client (RFC 8446 §4.1.2) that wants a name which is none.
fn hello(name: &[u8]) -> Vec<u8> {
    let behind_length = |data: &[u8], octets: usize| {
        let length = u32::try_from(data.len()).unwrap().to_be_bytes();
        [&length[4 - octets..], data].concat()
    };
    let names = [&[0][..], &behind_length(name, 2)].concat();
    let server_name = [&[0, 0][..], &behind_length(&behind_length(&names, 2), 2)].concat();
    let body = [
        &[3, 3][..],
        &[7; 32],
        &[0],
        &behind_length(&[0x13, 0x01, 0xC0, 0x2B], 2),
        &[1, 0],
        &behind_length(&server_name, 2),
    ];
    let message = [&[1][..], &behind_length(&body.concat(), 3)].concat();
    [&[22, 3, 1][..], &behind_length(&message, 2)].concat()
}

/// Says it to a port of TLS, and waits until the server has closed.
fn say(server: SocketAddr, octets: &[u8]) {
    let mut stream = TcpStream::connect(server).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(octets).unwrap();
    let _reset = stream.read_to_end(&mut Vec::new());
}

fn node(filter: &str, handshake_timeout: &str) -> Node {
    let config = format!("[dns.encrypted]\nhandshake_timeout = \"{handshake_timeout}\"");
    let builder = Node::builder().config(&config).encrypted(&Certificate::new());
    builder.arg("--log-filter").arg(filter).start()
}

/// Waits until all that was logged before is here.
fn flush_log(node: &Node) {
    let before = node.count_log("configuration reloaded");
    node.signal("HUP");
    eventually("the log has come", || {
        (node.count_log("configuration reloaded") > before).then_some(())
    });
}

#[test]
fn a_client_has_no_line_written_at_the_default_level() {
    // What it says is worth a warning to the library, which shows that this test is one.
    let talkative = node("info,rustls=warn", "1m");
    say(talkative.encrypted("tls"), &hello(b"a..b_!"));
    talkative.wait_for_log("rustls");
    let node = node("info", "1m");
    for transport in ["tls", "https"] {
        say(node.encrypted(transport), &hello(b"a..b_!"));
        say(node.encrypted(transport), b"GET / HTTP/1.0\r\n\r\n");
    }
    flush_log(&node);
    for part in ["rustls", "a..b_!", "handshake"] {
        assert_eq!(node.count_log(part), 0, "{part}: {:?}", node.find_log(part));
    }
}

#[test]
fn a_handshake_that_fails_is_told_of_at_debug() {
    const FILTER: &str = "info,rollcall::dns=debug";
    let told = |node: &Node, transport: &str, reason: &str| {
        eventually(&format!("{transport}: {reason}"), || {
            let line = node.find_log(reason)?;
            let fields = &line["fields"];
            assert_eq!(fields["message"], "handshake failed");
            assert_eq!(
                (&fields["transport"], &fields["client"]),
                (&transport.into(), &"127.0.0.1".into())
            );
            Some(())
        });
    };
    let patient = node(FILTER, "1m");
    say(patient.encrypted("https"), b"GET / HTTP/1.0\r\n\r\n");
    told(&patient, "https", "corrupt message");
    let other = Certificate::new().client(&["dot"]);
    assert!(TlsConnection::try_open(patient.encrypted("tls"), other.into()).is_err());
    told(&patient, "tls", "received fatal alert");
    assert_eq!(patient.count_log("deadline"), 0);
    let hasty = node(FILTER, "1s");
    let _silent = TcpStream::connect(hasty.encrypted("tls")).unwrap();
    told(&hasty, "tls", "deadline has elapsed");
}

#[test]
fn a_network_that_begins_to_be_limited_is_told_of_in_one_line() {
    let config = "[dns.rate_limit]\nexempt = []\nresponses_per_second = 20";
    let node = Node::builder().config(config).start();
    let packets = |count: u16| -> Vec<Vec<u8>> {
        let packet = |id: u16| {
            let mut packet = question(&full("web"), A, None).to_vec().unwrap();
            packet[..2].copy_from_slice(&id.to_be_bytes());
            packet
        };
        (0..count).map(packet).collect()
    };
    node.resolver().replies_to(&packets(5));
    flush_log(&node);
    assert_eq!(node.count_log("are limited"), 0);
    for _ in 0..2 {
        node.resolver().replies_to(&packets(200));
        let line = node.wait_for_log("replies to strangers are limited (`dns.rate_limit`)");
        assert_eq!(
            (&line["level"], &line["fields"]["network"]),
            (&"WARN".into(), &"127.0.0.0/24".into())
        );
        let replies = line["fields"]["replies"].as_u64().unwrap();
        assert!((1..200).contains(&replies), "{line}");
    }
    flush_log(&node);
    assert_eq!(node.count_log("are limited"), 1, "within the minute");
}
