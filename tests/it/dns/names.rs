//! Every row of DESIGN's table of names, and what is no name.

use hickory_proto::{
    op::Message,
    rr::{DNSClass, RecordType},
};
use serde_json::json;

use super::{A, AAAA, SRV, TXT, full, negative_ttl, said, world};
use crate::support::{
    Node,
    dns::{lines, question},
};

const ANY: RecordType = RecordType::ANY;
/// The least that may be said to who asks for all (RFC 8482 §4.2).
const RFC8482: &str = "HINFO RFC8482 ";
const CNAME: RecordType = RecordType::CNAME;
const HTTPS: RecordType = RecordType::HTTPS;
const MX: RecordType = RecordType::MX;
const NS: RecordType = RecordType::NS;
const PTR: RecordType = RecordType::PTR;
const SOA: RecordType = RecordType::SOA;
const SVCB: RecordType = RecordType::SVCB;
const UNKNOWN: RecordType = RecordType::Unknown(65_280);

/// What the names of [`world`] say.
const NAMES: &[(&str, RecordType, &str)] = &[
    // S
    ("web", A, "A 10.0.0.1, A 10.0.0.2"),
    ("WEB", A, "A 10.0.0.1, A 10.0.0.2"),
    ("web", AAAA, "AAAA fd00::1"),
    (
        "web",
        SRV,
        "SRV 1 1 81 b.instance.web.service.internal., SRV 1 5 80 a.instance.web.service.internal.",
    ),
    ("web", TXT, "TXT version=1.4.2zone=a"),
    ("web", ANY, RFC8482),
    ("web", HTTPS, "NODATA"),
    ("web", SVCB, "NODATA"),
    ("web", MX, "NODATA"),
    ("web", NS, "NODATA"),
    ("web", SOA, "NODATA"),
    ("web", PTR, "NODATA"),
    ("web", CNAME, "NODATA"),
    ("web", UNKNOWN, "NODATA"),
    ("v4only", AAAA, "NODATA"),
    ("v4only", TXT, "NODATA"),
    ("planned", A, "NODATA"),
    ("nobody", A, "NXDOMAIN"),
    ("nobody", AAAA, "NXDOMAIN"),
    ("nobody", ANY, "NXDOMAIN"),
    ("nobody", UNKNOWN, "NXDOMAIN"),
    // T.S, T1.T2.S
    ("v1.web", A, "A 10.0.0.1"),
    ("V1.Web", AAAA, "AAAA fd00::1"),
    ("v2.web", AAAA, "NODATA"),
    ("v2.web", SRV, "SRV 1 1 81 b.instance.web.service.internal."),
    ("v1.web", TXT, "TXT version=1.4.2zone=a"),
    ("v3.web", A, "NODATA"), // carried by the ill one only
    ("v4.web", A, "NODATA"), // carried by the drained one only
    ("v9.web", A, "NXDOMAIN"),
    ("v1.nobody", A, "NXDOMAIN"),
    ("v1.eu.web", A, "A 10.0.0.1"),
    ("eu.v1.web", A, "A 10.0.0.1"),
    ("eu.v2.web", SRV, "SRV 1 1 81 b.instance.web.service.internal."),
    ("v1.v2.web", A, "NXDOMAIN"), // each is carried, both are not
    ("v1.v9.web", A, "NXDOMAIN"),
    ("eu.v1.nobody", A, "NXDOMAIN"),
    // _S._tcp, _S._udp, _S._T
    (
        "_web._tcp",
        SRV,
        "SRV 1 1 81 b.instance.web.service.internal., SRV 1 5 80 a.instance.web.service.internal.",
    ),
    (
        "_WEB._udp",
        SRV,
        "SRV 1 1 81 b.instance.web.service.internal., SRV 1 5 80 a.instance.web.service.internal.",
    ),
    ("_web._v1", SRV, "SRV 1 5 80 a.instance.web.service.internal."),
    ("_web._v3", SRV, "NODATA"),
    ("_web._v9", SRV, "NXDOMAIN"),
    ("_web._tcp", A, "NODATA"),
    ("_web._v1", AAAA, "NODATA"),
    ("_nobody._tcp", SRV, "NXDOMAIN"),
    ("_web.tcp", SRV, "NXDOMAIN"),
    ("x._web._tcp", SRV, "NXDOMAIN"),
    // What browsers of services ask (RFC 6763)
    ("b._dns-sd._udp", PTR, "PTR service.internal."),
    ("lb._dns-sd._udp", PTR, "PTR service.internal."),
    ("r._dns-sd._udp", PTR, "NXDOMAIN"),
    ("_dns-sd._udp", PTR, "NODATA"),
    ("_web._tcp", PTR, "PTR a._web._tcp.service.internal., PTR b._web._tcp.service.internal."),
    ("_web._udp", PTR, "PTR a._web._udp.service.internal., PTR b._web._udp.service.internal."),
    ("_planned._tcp", PTR, "NODATA"),
    ("_nobody._tcp", PTR, "NXDOMAIN"),
    ("_v1._sub._web._tcp", PTR, "PTR a._web._tcp.service.internal."),
    ("_v3._sub._web._tcp", PTR, "NODATA"),
    ("_v9._sub._web._tcp", PTR, "NXDOMAIN"),
    ("_sub._web._tcp", PTR, "NODATA"),
    ("_sub._v4only._tcp", PTR, "NXDOMAIN"),
    ("a._web._tcp", SRV, "SRV 1 5 80 a.instance.web.service.internal."),
    ("a._web._tcp", TXT, "TXT version=1.4.2zone=a"),
    ("b._web._tcp", TXT, "TXT "),
    ("ill._web._tcp", SRV, "SRV 1 1 82 ill.instance.web.service.internal."),
    ("one._mail._tcp", SRV, "SRV 1 1 25 mx.example.com."),
    ("a._web._tcp", A, "NODATA"),
    ("c._web._tcp", SRV, "NXDOMAIN"),
    // I.instance.S, whatever its health
    ("a.instance.web", A, "A 10.0.0.1"),
    ("a.instance.web", AAAA, "AAAA fd00::1"),
    ("a.instance.web", TXT, "TXT version=1.4.2zone=a"),
    ("b.instance.web", AAAA, "NODATA"),
    ("ill.instance.web", A, "A 10.0.0.3"),
    ("out.instance.web", A, "A 10.0.0.4"),
    ("c.instance.web", A, "NXDOMAIN"),
    ("a.instance.nobody", A, "NXDOMAIN"),
    ("x.a.instance.web", A, "NXDOMAIN"),
    // Empty non-terminals
    ("instance.web", A, "NODATA"),
    ("instance.web", ANY, RFC8482),
    ("_tcp", SRV, "NODATA"),
    ("_udp", A, "NODATA"),
    ("_v1", SRV, "NODATA"),
    ("_v9", SRV, "NXDOMAIN"),
    ("instance.nobody", A, "NXDOMAIN"),
    // A host name in place of addresses
    ("mail", A, "CNAME mx.example.com."),
    ("mail", AAAA, "CNAME mx.example.com."),
    ("mail", CNAME, "CNAME mx.example.com."),
    ("mail", SRV, "SRV 1 1 25 mx.example.com."),
    ("one.instance.mail", A, "CNAME mx.example.com."),
    (
        "alias",
        A,
        "CNAME web.service.internal., web.service.internal. A 10.0.0.1, \
         web.service.internal. A 10.0.0.2",
    ),
    ("alias", CNAME, "CNAME web.service.internal."),
    // The apex and its servers
    ("", NS, "NS ns1.service.internal., NS ns2.service.internal."),
    ("", A, "NODATA"),
    ("", ANY, RFC8482),
    ("ns1", A, "A 192.0.2.1"),
    ("ns1", AAAA, "AAAA 2001:db8::1"),
    ("ns2", AAAA, "NODATA"),
    ("ns3", A, "NXDOMAIN"),
];

/// What reverse names say.
const REVERSE: &[(&str, RecordType, &str)] = &[
    ("1.0.0.10.in-addr.arpa.", PTR, "PTR a.instance.web.service.internal."),
    ("3.0.0.10.IN-ADDR.arpa.", PTR, "PTR ill.instance.web.service.internal."),
    (
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.D.F.ip6.arpa.",
        PTR,
        "PTR a.instance.web.service.internal.",
    ),
    ("1.0.0.10.in-addr.arpa.", A, "NODATA"),
    ("0.0.10.in-addr.arpa.", PTR, "NODATA"),
    ("10.in-addr.arpa.", PTR, "NODATA"),
    ("10.in-addr.arpa.", NS, "NS ns1.service.internal., NS ns2.service.internal."),
    ("9.9.9.10.in-addr.arpa.", PTR, "NXDOMAIN"),
    ("0.in-addr.arpa.", PTR, "REFUSED"),
    ("1.0.0.11.in-addr.arpa.", PTR, "REFUSED"),
];

/// Names that nobody has made ours.
const ELSEWHERE: &[&str] =
    &[".", "internal.", "web.internal.", "example.com.", "xservice.internal.", "service.example."];

/// Holds a reply to all that every reply has in common.
fn check_form(question: &Message, reply: &Message, zone: &str) {
    let (asked, head) = (&question.queries[0], &reply.metadata);
    assert_eq!(reply.queries, question.queries, "the question is echoed");
    assert!(head.recursion_desired && !head.recursion_available, "{reply}");
    assert!(!head.authentic_data && !head.truncation, "{reply}");
    let said = said(reply);
    let is_ours = said != "REFUSED";
    assert_eq!(head.authoritative, is_ours, "{reply}");
    if matches!(&*said, "NODATA" | "NXDOMAIN") {
        assert_eq!(negative_ttl(reply, zone), 5, "{asked}");
    } else {
        assert_eq!(lines(&reply.authorities), [] as [&str; 0], "{asked}");
    }
    let name = asked.name().to_string();
    let is_apex = asked.query_type == NS || name.starts_with("ns") || name.contains("b._dns-sd.");
    for record in &reply.answers {
        assert_eq!(record.ttl, if is_apex { 300 } else { 5 }, "{record}");
    }
}

#[test]
fn every_form_of_name_answers_alike_over_udp_with_and_without_edns_and_over_tcp() {
    let node = world();
    let resolver = node.resolver();
    for (names, zone_of) in [(NAMES, None), (REVERSE, Some(()))] {
        for &(name, rtype, expected) in names {
            let name = full(name);
            let zone = match zone_of {
                None => "service.internal.",
                Some(()) if name.ends_with("ip6.arpa.") => "d.f.ip6.arpa.",
                Some(()) => "10.in-addr.arpa.",
            };
            let asked = question(&name, rtype, Some(1232));
            let whole = resolver.exchange(&asked);
            assert_eq!(said(&whole), expected, "{name} {rtype}");
            let plain = resolver.ask_plain(&name, rtype);
            for (how, reply) in
                [("EDNS", &whole), ("no EDNS", &plain), ("TCP", &resolver.ask_tcp(&name, rtype))]
            {
                check_form(&asked, reply, zone);
                assert_eq!(said(reply), expected, "{name} {rtype} {how}");
                assert_eq!(lines(&reply.additionals), lines(&whole.additionals), "{name} {how}");
                assert_eq!(reply.edns.is_some(), how != "no EDNS", "{name} {how}");
            }
        }
    }
}

#[test]
fn what_is_not_ours_is_refused() {
    let node = world();
    let resolver = node.resolver();
    for name in ELSEWHERE {
        for rtype in [A, SOA, NS, ANY, UNKNOWN] {
            let asked = question(name, rtype, Some(1232));
            let reply = resolver.exchange(&asked);
            assert_eq!(said(&reply), "REFUSED", "{name} {rtype}");
            check_form(&asked, &reply, "");
        }
    }
    for class in [DNSClass::CH, DNSClass::HS, DNSClass::ANY, DNSClass::NONE] {
        for name in ["web.service.internal.", "version.bind."] {
            let mut asked = question(name, TXT, Some(1232));
            asked.queries[0].set_query_class(class);
            let reply = resolver.exchange(&asked);
            assert_eq!(said(&reply), "REFUSED", "{name} {class}");
            check_form(&asked, &reply, "");
        }
    }
    for rtype in [RecordType::AXFR, RecordType::IXFR] {
        for reply in
            [resolver.ask("service.internal.", rtype), resolver.ask_tcp("service.internal.", rtype)]
        {
            assert_eq!(said(&reply), "REFUSED", "{rtype}");
        }
    }
}

#[test]
fn without_configuration_no_reverse_name_is_ours() {
    let node = Node::start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    for name in ["1.0.0.10.in-addr.arpa.", "10.in-addr.arpa.", "arpa."] {
        assert_eq!(said(&node.resolver().ask(name, PTR)), "REFUSED", "{name}");
    }
}

#[test]
fn another_domain_has_the_same_names() {
    let node = Node::builder().arg("--domain").arg("Corp.Example").start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    let reply = node.resolver().ask("web.service.corp.example.", SRV);
    assert_eq!(said(&reply), "SRV 1 1 80 a.instance.web.service.corp.example.");
    let reply = node.resolver().ask("web.service.internal.", SRV);
    assert_eq!(said(&reply), "REFUSED");
}

#[test]
fn the_letters_of_the_question_come_back_as_they_were() {
    let node = world();
    // 0x20: a resolver checks them, so that a forged reply has more to guess.
    let mut case = fastrand::Rng::with_seed(20);
    for _ in 0..50 {
        for name in ["web", "v1.eu.web", "_web._tcp", "a.instance.web", "nobody", "", "example."] {
            let mixed: String = full(name)
                .chars()
                .map(|c| if case.bool() { c.to_ascii_uppercase() } else { c })
                .collect();
            let asked = question(&mixed, A, Some(1232));
            let sent = asked.to_vec().unwrap();
            let reply = node.resolver().exchange_octets(&asked);
            let end = 12 + mixed.trim_end_matches('.').len() + 2 + 4;
            assert_eq!(reply[12..end], sent[12..end], "{mixed}");
            for record in Message::from_vec(&reply).unwrap().answers {
                assert_eq!(record.name.to_string(), mixed, "the owner too");
            }
        }
    }
}
