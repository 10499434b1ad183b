//! Upstreams that are not like others: what they are asked all the same.

use hickory_proto::{op::ResponseCode, rr::RecordType};

use super::forwarding;
use crate::support::{Node, Upstream, dns::Resolver, upstream::Said};

const A: RecordType = RecordType::A;

#[test]
fn a_question_that_a_closed_connection_left_unanswered_is_asked_again() {
    let upstream = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.1"]).and_closes());
    let config = format!("[forward]\nupstreams = [\"tcp://{}\"]\n", upstream.address);
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
