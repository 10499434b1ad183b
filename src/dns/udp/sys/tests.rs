//! The system calls on real sockets: what goes out is what came in, by slot and by address.

use std::{net::UdpSocket, os::fd::AsFd, time::Duration};

use super::{
    Arena, ReturnPath, Sent, WIDTH, enable_packet_info, forbid_fragments, kernel_drops,
    mtu_discovery,
};
use crate::dns::udp::Socket;

fn bound(address: &str) -> UdpSocket {
    let socket = UdpSocket::bind(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    socket
}

/// Receives one batch and sends each packet back in capitals.
fn echo(arena: &mut Arena, server: &UdpSocket) -> Sent {
    let count = arena.receive(server.as_fd()).unwrap();
    for slot in 0..count {
        let (packet, room) = arena.exchange(slot);
        let octets = packet.len();
        room[..octets].copy_from_slice(&packet.to_ascii_uppercase());
        arena.queue(slot, octets);
    }
    arena.send(server.as_fd())
}

#[test]
fn a_batch_is_received_and_sent_back_by_slot() {
    let (server, mut arena) = (bound("127.0.0.1:0"), Arena::new());
    let client = bound("127.0.0.1:0");
    client.connect(server.local_addr().unwrap()).unwrap();
    let texts: Vec<String> = (0..WIDTH + 3).map(|n| "x".repeat(n + 1)).collect();
    for text in &texts {
        client.send(text.as_bytes()).unwrap();
    }
    let mut sent = 0;
    while sent < texts.len() as u64 {
        let batch = echo(&mut arena, &server);
        assert!(batch.sent <= WIDTH as u64 && batch.refused + batch.blocked == 0);
        sent += batch.sent;
    }
    let mut buffer = [0; 64];
    for text in &texts {
        let length = client.recv(&mut buffer).unwrap();
        assert_eq!(buffer[..length], *text.to_ascii_uppercase().as_bytes());
    }
}

#[test]
fn on_a_wildcard_the_reply_leaves_from_the_address_that_was_asked() {
    for (wildcard, asked, is_v6) in [("0.0.0.0:0", "127.0.0.2", false), ("[::]:0", "::1", true)] {
        let server = bound(wildcard);
        enable_packet_info(server.as_fd(), is_v6).unwrap();
        // A connected socket takes packets from its peer's address only.
        let client = bound(if is_v6 { "[::1]:0" } else { "127.0.0.1:0" });
        let port = server.local_addr().unwrap().port();
        client.connect((asked.parse::<std::net::IpAddr>().unwrap(), port)).unwrap();
        client.send(b"hello").unwrap();
        let mut arena = Arena::new();
        assert_eq!(echo(&mut arena, &server), Sent { sent: 1, ..Sent::default() });
        let mut buffer = [0; 64];
        assert_eq!(client.recv(&mut buffer).unwrap(), 5);

        let path = arena.return_path(0).unwrap();
        assert_eq!(path.peer, client.local_addr().unwrap());
        path.send(server.as_fd(), b"again").unwrap();
        assert_eq!(client.recv(&mut buffer).unwrap(), 5);
        assert_eq!(&buffer[..5], b"again");
    }
}

#[test]
fn a_reply_that_cannot_be_sent_does_not_hold_up_the_next() {
    let server = bound("127.0.0.1:0");
    let (first, second) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
    for client in [&first, &second] {
        client.connect(server.local_addr().unwrap()).unwrap();
        client.send(b"hello").unwrap();
    }
    let mut arena = Arena::new();
    let count = arena.receive(server.as_fd()).unwrap();
    assert_eq!(count, 2, "both were waiting in the socket");
    // An address of one octet is none.
    arena.inbox[0].msg_hdr.msg_namelen = 1;
    arena.queue(0, 10);
    arena.queue(1, 10);
    assert_eq!(arena.send(server.as_fd()), Sent { sent: 1, refused: 1, blocked: 0 });
    assert_eq!(second.recv(&mut [0; 64]).unwrap(), 10);
}

#[test]
fn replies_forbid_fragments() {
    let server = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    assert_eq!(mtu_discovery(server.as_fd()), libc::IP_PMTUDISC_PROBE);
}

/// One reply that was too long allowed fragments for good, to all clients of the socket.
#[test]
fn after_a_reply_that_is_too_long_fragments_are_forbidden_again() {
    let server = Socket::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let client = bound("127.0.0.1:0");
    let path = ReturnPath { peer: client.local_addr().unwrap(), local: None };
    // More than any datagram holds, so that our own interface needs no MTU of its own.
    let error = path.send(server.as_fd(), &[7; 65_508]).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(libc::EMSGSIZE));
    assert_eq!(mtu_discovery(server.as_fd()), libc::IP_PMTUDISC_PROBE);
    path.send(server.as_fd(), b"again").unwrap();
    assert_eq!(client.recv(&mut [0; 64]).unwrap(), 5);
}

/// The same for a batch, of which the others go on.
#[test]
fn a_reply_of_a_batch_that_is_too_long_leaves_fragments_forbidden() {
    let (server, mut arena) = (bound("127.0.0.1:0"), Arena::new());
    forbid_fragments(server.as_fd(), false).unwrap();
    let client = bound("127.0.0.1:0");
    client.connect(server.local_addr().unwrap()).unwrap();
    client.send(b"first").unwrap();
    client.send(b"second").unwrap();
    assert_eq!(arena.receive(server.as_fd()).unwrap(), 2, "both were waiting in the socket");
    arena.queue(0, 5);
    arena.queue(1, 6);
    let large = [7_u8; 65_508];
    let mut vector =
        libc::iovec { iov_base: large.as_ptr().cast_mut().cast(), iov_len: large.len() };
    arena.outbox[0].msg_hdr.msg_iov = &raw mut vector;
    assert_eq!(arena.send(server.as_fd()), Sent { sent: 1, refused: 1, blocked: 0 });
    assert_eq!(mtu_discovery(server.as_fd()), libc::IP_PMTUDISC_PROBE);
    assert_eq!(client.recv(&mut [0; 64]).unwrap(), 6);
}

#[test]
fn an_overlong_packet_is_marked_and_waiting_in_vain_is_no_error() {
    let (server, client) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
    client.send_to(&[7; 5_000], server.local_addr().unwrap()).unwrap();
    let mut arena = Arena::new();
    assert_eq!(arena.receive(server.as_fd()).unwrap(), 1);
    assert!(arena.is_cut(0));
    server.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    assert_eq!(arena.receive(server.as_fd()).unwrap(), 0);
}

#[test]
fn the_kernel_counts_what_nobody_took() {
    let (server, client) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
    assert_eq!(kernel_drops(server.as_fd()).unwrap(), 0);
    socket2::SockRef::from(&server).set_recv_buffer_size(4_096).unwrap();
    for _ in 0..100 {
        client.send_to(&[7; 1_000], server.local_addr().unwrap()).unwrap();
    }
    assert!(kernel_drops(server.as_fd()).unwrap() > 0);
}
