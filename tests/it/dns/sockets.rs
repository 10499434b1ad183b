//! Where the server listens, and from where its replies leave.

use std::net::SocketAddr;

use hickory_proto::rr::{RecordType, rdata::opt::EdnsOption};
use serde_json::json;

use super::{A, full, said};
use crate::support::{
    Node,
    dns::{Resolver, question},
    namespace::Namespace,
};

/// Asks at `address`, and takes a reply only from there: over the fast path, the full path (several
/// tags, or an option), and TCP.
fn asks(address: SocketAddr) {
    // The sockets of one port share their clients, so that a few of them meet every worker.
    for _ in 0..8 {
        let resolver = Resolver::new(address);
        assert_eq!(said(&resolver.ask(&full("web"), A)), "A 10.0.0.1", "{address}");
        assert_eq!(said(&resolver.ask(&full("v1.eu.web"), A)), "A 10.0.0.1", "{address}");
        let mut message = question(&full("web"), A, Some(1_232));
        let cookie = EdnsOption::Unknown(10, vec![7; 8]);
        message.edns.as_mut().expect("it has EDNS").options_mut().insert(cookie);
        assert_eq!(said(&resolver.exchange(&message)), "A 10.0.0.1", "{address}");
        assert_eq!(said(&resolver.ask_tcp(&full("web"), A)), "A 10.0.0.1", "{address}");
    }
}

fn register(node: &Node) {
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "tags": ["v1", "eu"] }));
}

#[test]
fn a_reply_leaves_from_the_address_that_was_asked() {
    let node = Node::builder().dns("0.0.0.0:0").dns("[::]:0").start();
    register(&node);
    let (v4, v6) = (node.dns[0].port(), node.dns[1].port());
    for address in ["127.0.0.1", "127.0.0.2", "127.1.2.3"] {
        asks(SocketAddr::new(address.parse().unwrap(), v4));
    }
    asks(SocketAddr::new("::1".parse().unwrap(), v6));
}

#[test]
fn every_address_given_is_listened_on() {
    let node = Node::builder().dns("127.0.0.1:0").dns("127.0.0.5:0").dns("[::1]:0").start();
    register(&node);
    assert_eq!(node.dns.len(), 3);
    for address in &node.dns {
        assert_ne!(address.port(), 0, "the log says which port was picked");
        asks(*address);
    }
}

#[test]
fn both_families_may_share_a_port() {
    let one = Node::builder().dns("127.0.0.1:0").start();
    let port = one.dns[0].port();
    let node = Node::builder().dns(&format!("127.0.0.7:{port}")).dns(&format!("[::1]:{port}"));
    let node = node.start();
    register(&node);
    node.dns.iter().copied().for_each(asks);
}

#[test]
fn ns1_is_where_the_server_listens_unless_told_otherwise() {
    let node = Node::builder().dns("127.0.0.5:0").dns("[::1]:0").dns("0.0.0.0:0").start();
    let resolver = node.resolver();
    let reply = resolver.ask("service.internal.", RecordType::NS);
    let glue = crate::support::dns::lines(&reply.additionals);
    assert_eq!(
        glue,
        ["ns1.service.internal. 300 A 127.0.0.5", "ns1.service.internal. 300 AAAA ::1"],
        "a wildcard is no address"
    );
}

#[test]
fn a_reply_that_the_interface_does_not_take_whole_is_fragmented_and_arrives() {
    let body = r#"{"addresses":["10.0.0.1"],"port":80}"#;
    let register = format!(
        "for i in $(seq 20); do curl -sf -X PUT -d '{body}' \
             http://127.0.0.1:8500/api/v1/services/web/instances/i$i > /dev/null; done"
    );
    let dig = "dig @127.0.0.1 -p 8600 +notcp +ignore +tries=1 +time=5 +short";
    // The fast path, and the full path, to which a cookie leads.
    for option in ["+nocookie", "+cookie"] {
        let (server, _) = Namespace::serve(tempfile::tempdir().unwrap(), &[]);
        server.shell(&register).ok();
        // Twenty records of 52 octets: more than this, and less than may be sent.
        server.shell("ip link set lo mtu 600").ok();
        let text = server.shell(&format!("{dig} {option} web.service.internal SRV")).ok();
        assert_eq!(text.lines().count(), 20, "{option}: {text}");
    }
}
