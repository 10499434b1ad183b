//! Long replies: what a client can take, what we send at the most, and TCP for the rest.

use hickory_proto::{op::Message, rr::RecordType};
use serde_json::json;

use super::{A, SRV, TXT, full, register_many, set_policy};
use crate::support::{
    Node,
    dns::{Connection, Resolver, lines, question},
};

/// What a client says of EDNS, and how long a reply to it may be.
const SIZES: [(Option<u16>, usize); 8] = [
    (None, 512),
    (Some(0), 512), // below 512 counts as 512 (RFC 6891 §6.2.3)
    (Some(511), 512),
    (Some(512), 512),
    (Some(1_231), 1_231),
    (Some(1_232), 1_232),
    (Some(4_096), 1_232),
    (Some(65_535), 1_232),
];

/// The octets of one record whose owner is compressed, for the records of `register_many`.
fn record_octets(rtype: RecordType) -> usize {
    12 + match rtype {
        RecordType::A => 4,
        // Numbers of three digits: the longest.
        RecordType::SRV => 6 + "4i100".len() + "8instance".len() + "3big".len() + 18,
        _ => "40filler=".len() + 40 + "10number=100".len() - 3,
    }
}

/// Holds a reply to `size`: as many records as fit, TC, and OPT for whom it is due.
fn check_cut(resolver: &Resolver, rtype: RecordType, (edns, size): (Option<u16>, usize)) {
    let octets = resolver.exchange_octets(&question(&full("big"), rtype, edns));
    let reply = Message::from_vec(&octets).expect("a cut reply is a whole message");
    let what = format!("{rtype} {edns:?}: {} octets", octets.len());
    assert!(reply.metadata.truncation, "{what}");
    assert!(octets.len() <= size, "{what}");
    assert!(octets.len() + record_octets(rtype) > size, "another would have fitted: {what}");
    assert!(!reply.answers.is_empty(), "{what}");
    assert!(reply.authorities.is_empty() && reply.additionals.is_empty(), "{what}");
    let mut once = lines(&reply.answers);
    once.dedup();
    assert_eq!(once.len(), reply.answers.len(), "{what}");
    assert_eq!(reply.edns.is_some(), edns.is_some(), "{what}");
    if let Some(edns) = reply.edns {
        assert_eq!(edns.max_payload(), 1_232, "{what}");
    }
}

#[test]
fn udp_replies_hold_as_much_as_both_sides_take_and_tcp_the_whole() {
    let node = Node::start();
    let resolver = node.resolver();
    register_many(&node.api(), "big", 300);
    set_policy(&node.api(), "big", &json!({ "answer_limit": 1000 }));
    for rtype in [A, SRV, TXT] {
        for size in SIZES {
            check_cut(&resolver, rtype, size);
        }
        let whole = resolver.ask_tcp(&full("big"), rtype);
        assert!(!whole.metadata.truncation, "{rtype}");
        assert_eq!(whole.answers.len(), 300, "{rtype}");
        assert_eq!(whole.additionals.len(), if rtype == SRV { 300 } else { 0 }, "{rtype}");
        assert!(whole.edns.is_some(), "{rtype}");
    }
}

#[test]
fn additional_addresses_that_do_not_fit_are_no_truncation() {
    let node = Node::start();
    let resolver = node.resolver();
    register_many(&node.api(), "big", 18);
    for edns in [None, Some(1_232)] {
        let reply = resolver.exchange(&question(&full("big"), SRV, edns));
        let fits = edns.is_some();
        assert_eq!(reply.metadata.truncation, !fits, "{edns:?}");
        assert_eq!(reply.answers.len() == 18, fits, "{edns:?}");
        assert!(reply.additionals.len() < 18, "{edns:?}: not all of them fit");
    }
    assert_eq!(resolver.ask_tcp(&full("big"), SRV).additionals.len(), 18);
}

#[test]
fn a_reply_over_tcp_that_is_above_64_kib_is_cut_as_well() {
    let node = Node::start();
    register_many(&node.api(), "big", 2_000);
    let mut connection = Connection::open(node.dns[0]);
    connection.send(&question(&full("big"), SRV, None).to_vec().unwrap());
    let octets = connection.read().expect("a reply");
    let reply = Message::from_vec(&octets).unwrap();
    assert!(reply.metadata.truncation);
    assert!(octets.len() > 65_400, "{} octets", octets.len());
    // The connection is good for the next question.
    connection.send(&question(&full("nobody"), SRV, None).to_vec().unwrap());
    assert!(connection.read().is_some());
}

#[test]
fn the_operator_may_allow_other_sizes() {
    for (udp_size, edns, expected) in [(512, 4_096, 512), (4_096, 4_096, 4_096), (4_096, 900, 900)]
    {
        let node = Node::builder().config(&format!("[dns]\nudp_size = {udp_size}")).start();
        register_many(&node.api(), "big", 300);
        set_policy(&node.api(), "big", &json!({ "answer_limit": 1000 }));
        let octets = node.resolver().exchange_octets(&question(&full("big"), A, Some(edns)));
        assert!(octets.len() <= expected && octets.len() + 16 > expected, "{}", octets.len());
        let own = Message::from_vec(&octets).unwrap().edns.expect("OPT is kept").max_payload();
        assert_eq!(own, udp_size);
    }
}
