//! EDNS (RFC 6891): our size, flags, versions, and options that we do not know.

use hickory_proto::{
    op::{Edns, Message},
    rr::rdata::opt::EdnsOption,
};
use serde_json::json;

use super::{A, full, said};
use crate::support::{
    Node,
    dns::{Connection, question},
};

/// Options by number and data: those that clients send, and one that is nobody's. What they ask
/// for is not offered, so they are passed over (RFC 6891 §6.1.2).
fn options() -> [(u16, Vec<u8>); 8] {
    [
        (10, vec![7; 8]),                  // COOKIE, the client's (RFC 7873)
        (10, vec![7; 24]),                 // COOKIE, both
        (3, vec![]),                       // NSID (RFC 5001)
        (8, vec![0, 1, 24, 0, 192, 0, 2]), // client subnet (RFC 7871)
        (11, vec![]),                      // TCP keepalive (RFC 7828)
        (12, vec![0; 400]),                // padding (RFC 7830)
        (15, vec![0, 15, b'n', b'o']),     // an extended error (RFC 8914)
        (65_001, vec![1, 2, 3]),           // local use
    ]
}

fn with_edns(change: impl FnOnce(&mut Edns)) -> Message {
    let mut message = question(&full("web"), A, Some(4_096));
    change(message.edns.as_mut().expect("it has EDNS"));
    message
}

fn node() -> Node {
    let node = Node::start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    node
}

#[test]
fn our_opt_says_our_size_and_nothing_else() {
    let node = node();
    let resolver = node.resolver();
    for (name, expected) in [("web", "A 10.0.0.1"), ("nobody", "NXDOMAIN"), ("x.", "REFUSED")] {
        let reply = resolver.exchange(&question(&full(name), A, Some(512)));
        assert_eq!(said(&reply), expected);
        let edns = reply.edns.expect("an OPT for an OPT");
        assert_eq!((edns.max_payload(), edns.version()), (1_232, 0), "{name}");
        assert!(edns.options().as_ref().is_empty() && !edns.flags().dnssec_ok, "{name}");
        assert!(resolver.exchange(&question(&full(name), A, None)).edns.is_none(), "{name}");
    }
}

#[test]
fn unknown_options_are_passed_over() {
    let node = node();
    for (code, data) in options() {
        let message = with_edns(|edns| {
            edns.options_mut().insert(EdnsOption::Unknown(code, data.clone()));
        });
        let mut connection = Connection::open(node.dns[0]);
        connection.send(&message.to_vec().unwrap());
        let over_tcp = Message::from_vec(&connection.read().unwrap()).unwrap();
        for reply in [node.resolver().exchange(&message), over_tcp] {
            assert_eq!(said(&reply), "A 10.0.0.1", "option {code}");
            let edns = reply.edns.expect("an OPT for an OPT");
            assert!(edns.options().as_ref().is_empty(), "option {code}");
        }
    }
    // All of them in one query.
    let all = with_edns(|edns| {
        for (code, data) in options() {
            edns.options_mut().insert(EdnsOption::Unknown(code, data));
        }
    });
    assert_eq!(said(&node.resolver().exchange(&all)), "A 10.0.0.1");
}

#[test]
fn another_version_gets_badvers_and_ours() {
    let node = node();
    for version in [1, 2, 255] {
        let message = with_edns(|edns| {
            edns.set_version(version);
        });
        let reply = node.resolver().exchange(&message);
        // 16 is BADVERS in an OPT record, and BADSIG in a TSIG record.
        assert_eq!(u16::from(reply.metadata.response_code), 16, "version {version}");
        assert_eq!(reply.edns.expect("an OPT for an OPT").version(), 0);
        assert_eq!(reply.queries, message.queries);
        assert!(reply.answers.is_empty() && reply.authorities.is_empty());
        assert!(!reply.metadata.authoritative);
    }
}

#[test]
fn do_and_cd_are_echoed_and_ad_is_never_set() {
    let node = node();
    for (dnssec_ok, checking_disabled) in
        [(false, false), (true, false), (false, true), (true, true)]
    {
        let mut message = with_edns(|edns| {
            edns.set_dnssec_ok(dnssec_ok);
        });
        message.metadata.checking_disabled = checking_disabled;
        message.metadata.authentic_data = true;
        let reply = node.resolver().exchange(&message);
        assert_eq!(said(&reply), "A 10.0.0.1");
        assert_eq!(reply.edns.expect("OPT").flags().dnssec_ok, dnssec_ok, "RFC 3225 §3");
        assert_eq!(reply.metadata.checking_disabled, checking_disabled, "RFC 4035 §3.2.2");
        assert!(!reply.metadata.authentic_data, "nobody here has validated anything");
    }
}

#[test]
fn recursion_is_not_offered_and_rd_is_echoed() {
    let node = node();
    for recursion_desired in [false, true] {
        let mut message = question(&full("web"), A, None);
        message.metadata.recursion_desired = recursion_desired;
        let reply = node.resolver().exchange(&message);
        assert_eq!(reply.metadata.recursion_desired, recursion_desired);
        assert!(!reply.metadata.recursion_available);
    }
}
