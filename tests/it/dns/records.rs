//! What the records of names say beyond their own line: additionals, strings, serials, owners.

use hickory_proto::rr::{RData, RecordType};
use serde_json::json;

use super::{SRV, TXT, full, node, said, world};
use crate::support::{Node, dns::lines};

const NS: RecordType = RecordType::NS;
const PTR: RecordType = RecordType::PTR;
const SOA: RecordType = RecordType::SOA;

#[test]
fn srv_brings_the_addresses_of_its_targets() {
    let node = world();
    let addresses = [
        "a.instance.web.service.internal. 5 A 10.0.0.1",
        "a.instance.web.service.internal. 5 AAAA fd00::1",
        "b.instance.web.service.internal. 5 A 10.0.0.2",
    ];
    for name in ["web", "eu.web", "_web._tcp", "_web._eu"] {
        let reply = node.resolver().ask(&full(name), SRV);
        assert_eq!(lines(&reply.additionals), addresses, "{name}");
    }
    // The addresses of a host elsewhere are not ours to tell.
    let reply = node.resolver().ask(&full("_mail._tcp"), SRV);
    assert_eq!(lines(&reply.additionals), [] as [&str; 0]);
}

#[test]
fn txt_has_one_string_for_each_piece_of_metadata() {
    let node = world();
    let reply = node.resolver().ask(&full("web"), TXT);
    let [record] = &reply.answers[..] else { panic!("one instance has metadata: {reply}") };
    let RData::TXT(txt) = &record.data else { panic!("TXT: {reply}") };
    let strings: Vec<&[u8]> = txt.txt_data.iter().map(|string| &**string).collect();
    assert_eq!(strings, [&b"version=1.4.2"[..], b"zone=a"]);
}

#[test]
fn the_apex_has_soa_and_ns_with_glue() {
    let node = world();
    for (zone, resolver) in
        [("service.internal.", node.resolver()), ("10.in-addr.arpa.", node.resolver())]
    {
        let reply = resolver.ask(zone, SOA);
        let RData::SOA(soa) = &reply.answers[0].data else { panic!("an SOA: {reply}") };
        assert_eq!(soa.mname.to_string(), "ns1.service.internal.");
        assert_eq!(soa.rname.to_string(), "hostmaster.service.internal.");
        assert_eq!((reply.answers[0].ttl, soa.minimum), (5, 5));
        let glue = [
            "ns1.service.internal. 300 A 192.0.2.1",
            "ns1.service.internal. 300 AAAA 2001:db8::1",
            "ns2.service.internal. 300 A 192.0.2.2",
        ];
        assert_eq!(lines(&resolver.ask(zone, NS).additionals), glue, "{zone}");
    }
}

#[test]
fn the_serial_grows_with_every_change() {
    let node = Node::start();
    let serial = || {
        let reply = node.resolver().ask("service.internal.", SOA);
        let RData::SOA(soa) = &reply.answers[0].data else { panic!("an SOA: {reply}") };
        soa.serial
    };
    let api = node.api();
    let register = |name| drop(api.register("web", name, &json!({ "addresses": ["10.0.0.1"] })));
    let changes: [&dyn Fn(); 3] =
        [&|| register("a"), &|| register("b"), &|| api.deregister("web", "a")];
    for change in changes {
        let before = serial();
        change();
        // What grows by less than 2³¹ is greater, as RFC 1982 §3.2 compares.
        let growth = serial().wrapping_sub(before);
        assert!((1..1 << 31).contains(&growth), "{growth} above {before}");
    }
}

#[test]
fn an_address_of_two_instances_leads_to_both() {
    let node = node();
    for service in ["web", "api"] {
        node.api().register(service, "one", &json!({ "addresses": ["10.0.0.1"] }));
    }
    let reply = node.resolver().ask("1.0.0.10.in-addr.arpa.", PTR);
    let both = "PTR one.instance.api.service.internal., PTR one.instance.web.service.internal.";
    assert_eq!(said(&reply), both);
    node.api().deregister("web", "one");
    let reply = node.resolver().ask("1.0.0.10.in-addr.arpa.", PTR);
    assert_eq!(said(&reply), "PTR one.instance.api.service.internal.");
}
