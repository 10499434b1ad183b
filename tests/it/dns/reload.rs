//! What the operator may change of DNS while the server runs.

use hickory_proto::rr::{RData, RecordType};
use serde_json::json;

use super::{A, full, negative_ttl, register_many, set_policy};
use crate::support::{
    Node,
    dns::{Connection, lines, question},
    eventually,
};

/// It was said to be at the port that is configured, which is 0 where the system chooses one.
#[test]
fn consul_s_clients_find_this_server_where_it_listens_also_after_a_reload() {
    let node = Node::builder().config("").start();
    let resolver = node.resolver();
    let told = || {
        let reply = resolver.ask("consul.service.consul.", RecordType::SRV);
        let RData::SRV(srv) = &reply.answers[0].data else { panic!("{reply}") };
        (reply.answers[0].ttl, srv.port, lines(&reply.additionals))
    };
    let (ttl, port, address) = told();
    assert_eq!((ttl, port), (0, node.http[0].port()));
    let changed = "version = 1\nconsul.dns.service_ttl = { consul = '7s' }";
    std::fs::write(node.path("rollcall.toml"), changed).unwrap();
    node.signal("HUP");
    eventually("the new TTL is answered", || (told().0 == 7).then_some(()));
    let address = address.iter().map(|line| line.replace(" 0 A", " 7 A")).collect();
    assert_eq!(told(), (7, port, address));
}

#[test]
fn sighup_changes_the_answers() {
    let node = Node::builder().config("").start();
    register_many(&node.api(), "big", 100);
    set_policy(&node.api(), "big", &json!({ "answer_limit": 1000 }));
    let resolver = node.resolver();
    let ttl = || negative_ttl(&resolver.ask(&full("nobody"), A), "service.internal.");
    assert_eq!(ttl(), 5);
    let changed = r#"
        version = 1
        [dns]
        negative_ttl = "2s"
        udp_size = 512
        hostmaster = "dns.team@example.com"
        nameservers = [
            { name = "ns1", addresses = ["192.0.2.1"] },
            { name = "ns2", addresses = ["2001:db8::2"] },
        ]
        tcp_connections_max = 1
    "#;
    std::fs::write(node.path("rollcall.toml"), changed).unwrap();
    node.signal("HUP");
    eventually("the new TTL is answered", || (ttl() == 2).then_some(()));
    let cut = resolver.exchange_octets(&question(&full("big"), A, Some(4_096)));
    assert!(cut.len() <= 512, "{} octets", cut.len());
    let soa = resolver.ask("service.internal.", RecordType::SOA);
    let RData::SOA(soa) = &soa.answers[0].data else { panic!("an SOA: {soa}") };
    assert_eq!(soa.rname.to_ascii(), "dns\\.team.example.com.");
    let ns = resolver.ask("service.internal.", RecordType::NS);
    let glue =
        ["ns1.service.internal. 300 A 192.0.2.1", "ns2.service.internal. 300 AAAA 2001:db8::2"];
    assert_eq!(lines(&ns.additionals), glue);
    let query = question(&full("big"), A, None).to_vec().unwrap();
    let mut first = Connection::open(node.dns[0]);
    first.send(&query);
    assert!(first.read().is_some());
    assert_eq!(Connection::open(node.dns[0]).read(), None, "one at a time now");
}
