//! Upstreams that are not like others: what they are asked all the same.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::RecordType,
};

use super::{forwarding, requests};
use crate::support::{
    Node, Upstream,
    dns::{Resolver, framed, lines, question},
    eventually,
    upstream::{Said, record},
};

const A: RecordType = RecordType::A;

/// A server whose TCP connections are dead for ever when they were made before it is revived, and
/// that cuts whatever it says over UDP.
struct Dying {
    address: SocketAddr,
    is_alive: Arc<AtomicBool>,
}

impl Dying {
    fn start() -> Self {
        let (udp, tcp) = loop {
            let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            if let Ok(tcp) = TcpListener::bind(udp.local_addr().unwrap()) {
                break (udp, tcp);
            }
        };
        let (address, is_alive) = (udp.local_addr().unwrap(), Arc::new(AtomicBool::new(false)));
        std::thread::spawn(move || {
            let mut packet = [0; 4096];
            while let Ok((octets, client)) = udp.recv_from(&mut packet) {
                let mut reply = reply(&packet[..octets]);
                reply.metadata.truncation = true;
                reply.answers.clear();
                udp.send_to(&reply.to_vec().unwrap(), client).unwrap();
            }
        });
        let shared = Arc::clone(&is_alive);
        std::thread::spawn(move || {
            for mut stream in tcp.incoming().map_while(Result::ok) {
                let is_alive = shared.load(SeqCst);
                std::thread::spawn(move || {
                    let mut length = [0; 2];
                    while stream.read_exact(&mut length).is_ok() {
                        let mut packet = vec![0; usize::from(u16::from_be_bytes(length))];
                        stream.read_exact(&mut packet).unwrap();
                        if is_alive {
                            let octets = framed(&reply(&packet).to_vec().unwrap());
                            stream.write_all(&octets).unwrap();
                        }
                    }
                });
            }
        });
        Self { address, is_alive }
    }

    /// Has connections answered that are made from now on.
    fn revive(&self) {
        self.is_alive.store(true, SeqCst);
    }
}

/// An address for every name.
fn reply(packet: &[u8]) -> Message {
    let asked = Message::from_vec(packet).unwrap();
    let mut reply = asked.clone().into_response();
    reply.answers.push(record(&asked.queries[0].name().to_string(), "60 A 192.0.2.1"));
    reply.queries = asked.queries;
    reply
}

#[test]
fn an_upstream_is_not_down_with_a_connection_that_is_dead() {
    let upstream = Dying::start();
    let config =
        format!("[forward]\nupstreams = [\"tcp://{}\"]\ntimeout = \"300ms\"\n", upstream.address);
    let node = Node::builder().config(&config).start();
    let reply = node.resolver().ask("first.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    upstream.revive();
    eventually("it is asked over another connection", || {
        let reply = node.resolver().ask("second.example.", A);
        (lines(&reply.answers) == ["second.example. 60 A 192.0.2.1"]).then_some(())
    });
}

#[test]
fn nor_is_it_when_the_next_upstream_stands_in_for_it_each_time() {
    let upstream = Dying::start();
    let other = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.2"]));
    let config = format!(
        "[forward]\nupstreams = [\"{}\", \"{}\"]\ntimeout = \"10s\"\n",
        upstream.address, other.address
    );
    let node = Node::builder().config(&config).start();
    let reply = node.resolver().ask("first.example.", A);
    assert_eq!(lines(&reply.answers), ["first.example. 60 A 192.0.2.2"]);
    assert_eq!(
        requests(&node, upstream.address, "given_up").as_deref(),
        Some("1"),
        "cut over UDP, asked over TCP"
    );
    upstream.revive();
    let mut names = 0;
    eventually("it is asked over another connection", || {
        names += 1;
        let name = format!("n{names}.example.");
        let reply = node.resolver().ask(&name, A);
        (lines(&reply.answers) == [format!("{name} 60 A 192.0.2.1")]).then_some(())
    });
}

#[test]
fn a_question_that_a_closed_connection_left_unanswered_is_asked_again() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.1"]).and_closes());
    let address = upstream.address;
    let config = format!("[forward]\nupstreams = [\"tcp://{address}\"]\ntimeout = \"10s\"\n");
    let node = Node::builder().config(&config).start();
    for n in 0..10 {
        assert_eq!(node.resolver().ask(&format!("n{n}.example."), A).answers.len(), 1);
    }
    // Of those that are under way together on a connection, one has its reply when it ends.
    let address = node.dns[0];
    std::thread::scope(|scope| {
        for n in 0..40 {
            scope.spawn(move || {
                let reply = Resolver::new(address).ask(&format!("m{n}.example."), A);
                assert_eq!(reply.answers.len(), 1, "{reply}");
            });
        }
    });
    assert_eq!(node.find_log("the upstream is down"), None);
}

#[test]
fn an_upstream_that_cannot_read_edns_is_asked_without_it_from_then_on() {
    let upstream = Upstream::start(|seen| match seen.message.edns {
        Some(_) => Said::code(ResponseCode::FormErr),
        None => Said::records(seen, &["60 A 192.0.2.1"]),
    });
    let node = forwarding(&[&upstream], "").start();
    for name in ["first.example.", "second.example."] {
        assert_eq!(node.resolver().ask(name, A).answers.len(), 1, "RFC 6891 §6.2.2");
    }
    // It may have said so before, when it was asked whether it leads back here.
    let seen = upstream.seen();
    let with_edns = seen.iter().filter(|seen| seen.message.edns.is_some()).count();
    assert!(with_edns <= 1 && seen.len() == 2 + with_edns, "{seen:?}");
    assert_eq!(upstream.count("second.example."), 1);
}

#[test]
fn a_question_that_cannot_be_read_at_all_is_the_upstreams_answer() {
    let upstream = Upstream::start(|_| Said::code(ResponseCode::FormErr));
    let node = forwarding(&[&upstream], "").start();
    for name in ["first.example.", "second.example."] {
        let reply = node.resolver().ask(name, A);
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
        assert_eq!(upstream.count(name), 2, "with EDNS, and without");
    }
}

/// Or whatever counts questions would fail on a machine that stands still for a moment.
#[test]
fn what_an_upstream_was_asked_counts_once_however_often_it_is_sent() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.1"]));
    let resolver = Resolver::new(upstream.address);
    let packet = question("www.example.", A, Some(1_232)).to_vec().unwrap();
    for _ in 0..2 {
        assert_eq!(resolver.replies_until(&packet).len(), 1);
    }
    assert_eq!((upstream.count("www.example."), upstream.seen().len()), (1, 1));
    resolver.ask_tcp("www.example.", A);
    assert_eq!(upstream.count("www.example."), 2, "over TCP it is another one");
}
