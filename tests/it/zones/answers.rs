//! The zone that is shipped as an example, with a question for each thing that it shows.

use std::path::Path;

use hickory_proto::rr::RecordType;
use serde_json::json;

use super::{has_metric, notes, whole};
use crate::support::Node;

const A: RecordType = RecordType::A;
const AAAA: RecordType = RecordType::AAAA;
const CNAME: RecordType = RecordType::CNAME;
const NS: RecordType = RecordType::NS;
const TXT: RecordType = RecordType::TXT;

const SOA: &str = "ns example.internal. 30 SOA ns1.example.internal. hostmaster.example.internal. \
                   2026112001 3600 600 604800 30";
const PAY: &str = "an _pay._tcp.example.internal. 300 SRV 0 0 8080 payment.service.internal.";
const BRANCH: [&str; 6] = [
    "NOERROR",
    "ns branch.example.internal. 300 NS ns1.branch.example.internal.",
    "ns branch.example.internal. 300 NS ns2.example.internal.",
    "ar ns1.branch.example.internal. 300 A 198.51.100.53",
    "ar ns1.branch.example.internal. 300 AAAA 2001:db8:b::53",
    "ar ns2.example.internal. 300 A 192.0.2.54",
];

/// Names under `example.internal`, types, and whole replies.
const EXAMPLE: &[(&str, RecordType, &[&str])] = &[
    // The apex; its name servers and mail servers bring their addresses.
    (
        "",
        RecordType::SOA,
        &[
            "NOERROR aa",
            "an example.internal. 300 SOA ns1.example.internal. hostmaster.example.internal. \
             2026112001 3600 600 604800 30",
        ],
    ),
    (
        "",
        NS,
        &[
            "NOERROR aa",
            "an example.internal. 300 NS ns1.example.internal.",
            "an example.internal. 300 NS ns2.example.internal.",
            "ar ns1.example.internal. 300 A 192.0.2.53",
            "ar ns1.example.internal. 300 AAAA 2001:db8::53",
            "ar ns2.example.internal. 300 A 192.0.2.54",
        ],
    ),
    (
        "",
        RecordType::MX,
        &[
            "NOERROR aa",
            "an example.internal. 300 MX 10 mail.example.internal.",
            "an example.internal. 300 MX 20 mail.example.net.",
            "ar mail.example.internal. 300 A 192.0.2.25",
        ],
    ),
    ("", TXT, &["NOERROR aa", "an example.internal. 300 TXT v=spf1 mx -all"]),
    ("", A, &["NOERROR aa", SOA]),
    // Hosts out of the included file; a type that is missing, a name that is missing.
    ("web1", A, &["NOERROR aa", "an web1.example.internal. 300 A 192.0.2.10"]),
    ("WEB1", AAAA, &["NOERROR aa", "an WEB1.example.internal. 300 AAAA 2001:db8::10"]),
    ("web2", AAAA, &["NOERROR aa", SOA]),
    ("web2", RecordType::HTTPS, &["NOERROR aa", SOA]),
    ("web3", A, &["NXDOMAIN aa", SOA]),
    ("x.web1", A, &["NXDOMAIN aa", SOA]),
    // An alias, and aliases of a whole tree.
    (
        "www",
        A,
        &[
            "NOERROR aa",
            "an web1.example.internal. 300 A 192.0.2.10",
            "an www.example.internal. 300 CNAME web1.example.internal.",
        ],
    ),
    ("www", CNAME, &["NOERROR aa", "an www.example.internal. 300 CNAME web1.example.internal."]),
    ("www", TXT, &["NOERROR aa", "an www.example.internal. 300 CNAME web1.example.internal.", SOA]),
    (
        "db.old",
        A,
        &[
            "NOERROR aa",
            "an db.lab.example.internal. 300 A 192.0.2.40",
            "an db.old.example.internal. 300 CNAME db.lab.example.internal.",
            "an old.example.internal. 300 DNAME lab.example.internal.",
        ],
    ),
    (
        "x.y.old",
        A,
        &[
            "NXDOMAIN aa",
            "an old.example.internal. 300 DNAME lab.example.internal.",
            "an x.y.old.example.internal. 300 CNAME x.y.lab.example.internal.",
            SOA,
        ],
    ),
    ("old", A, &["NOERROR aa", SOA]),
    // Empty non-terminals.
    ("lab", A, &["NOERROR aa", SOA]),
    ("_tcp", A, &["NOERROR aa", SOA]),
    ("dev", A, &["NOERROR aa", SOA]),
    (
        "_ldap._tcp",
        RecordType::SRV,
        &[
            "NOERROR aa",
            "an _ldap._tcp.example.internal. 300 SRV 10 40 389 web2.example.internal.",
            "an _ldap._tcp.example.internal. 300 SRV 10 60 389 web1.example.internal.",
            "an _ldap._tcp.example.internal. 300 SRV 20 0 389 mail.example.internal.",
            "ar mail.example.internal. 300 A 192.0.2.25",
            "ar web1.example.internal. 300 A 192.0.2.10",
            "ar web1.example.internal. 300 AAAA 2001:db8::10",
            "ar web2.example.internal. 300 A 192.0.2.11",
        ],
    ),
    ("_pay._tcp", RecordType::SRV, &["NOERROR aa", PAY]),
    (
        "site",
        RecordType::HTTPS,
        &[
            "NOERROR aa",
            "an site.example.internal. 300 HTTPS 1 web1.example.internal. alpn=h2,h3,",
            "ar web1.example.internal. 300 A 192.0.2.10",
            "ar web1.example.internal. 300 AAAA 2001:db8::10",
        ],
    ),
    // The wildcard, and where it does not reach.
    ("x.dev", A, &["NOERROR aa", "an x.dev.example.internal. 60 A 192.0.2.80"]),
    ("Y.x.dev", A, &["NOERROR aa", "an Y.x.dev.example.internal. 60 A 192.0.2.80"]),
    ("x.dev", TXT, &["NOERROR aa", "an x.dev.example.internal. 60 TXT no such branch"]),
    ("x.dev", AAAA, &["NOERROR aa", SOA]),
    ("*.dev", A, &["NOERROR aa", "an *.dev.example.internal. 60 A 192.0.2.80"]),
    ("api.dev", A, &["NOERROR aa", "an api.dev.example.internal. 300 A 192.0.2.81"]),
    ("api.dev", TXT, &["NOERROR aa", SOA]),
    ("v1.api.dev", A, &["NXDOMAIN aa", SOA]),
    // What others answer for: no AA, and the addresses without which nobody could ask them.
    ("branch", A, &BRANCH),
    ("branch", NS, &BRANCH),
    ("a.b.branch", TXT, &BRANCH),
    ("ns1.branch", A, &BRANCH),
    ("branch", RecordType::DS, &["NOERROR aa", SOA]),
    // A type without a name.
    (
        "sensor",
        RecordType::Unknown(65_280),
        &["NOERROR aa", "an sensor.example.internal. 300 Unknown CgAAAQ=="],
    ),
];

/// A server on the folder that is shipped.
fn node() -> Node {
    let zones = Path::new(env!("CARGO_MANIFEST_DIR")).join("zones");
    Node::builder().arg("--zones").arg(zones.to_str().unwrap()).start()
}

#[test]
fn the_shipped_example_is_served_as_it_says() {
    let node = node();
    assert_eq!(notes(&node), [] as [&str; 0], "there is no mistake in it");
    assert!(has_metric(&node, "rollcall_zones_loaded 1"));
    let resolver = node.resolver();
    for &(name, rtype, expected) in EXAMPLE {
        let name = match name {
            "" => "example.internal.".to_owned(),
            _ => format!("{name}.example.internal."),
        };
        let told = whole(&resolver.ask(&name, rtype));
        assert_eq!(told, expected, "{name} {rtype}");
        assert_eq!(whole(&resolver.ask_tcp(&name, rtype)), expected, "{name} {rtype} TCP");
    }
}

#[test]
fn an_alias_may_lead_to_a_service_and_a_service_to_a_static_name() {
    let node = node();
    let (api, resolver) = (node.api(), node.resolver());
    let alias = "an shop.example.internal. 300 CNAME payment.service.internal.";
    let told = whole(&resolver.ask("shop.example.internal.", A));
    assert_eq!(told[..2], ["NXDOMAIN aa", alias], "nobody is there yet");
    assert!(told[2].starts_with("ns service.internal. 5 SOA "), "{told:?}");
    api.register("payment", "one", &json!({ "addresses": ["10.0.0.1"] }));
    let told = whole(&resolver.ask("shop.example.internal.", A));
    assert_eq!(told, ["NOERROR aa", "an payment.service.internal. 5 A 10.0.0.1", alias]);
    let told = whole(&resolver.ask("_pay._tcp.example.internal.", RecordType::SRV));
    assert_eq!(told, ["NOERROR aa", PAY, "ar payment.service.internal. 5 A 10.0.0.1"]);
    let told = whole(&resolver.ask("shop.example.internal.", AAAA));
    assert_eq!(told[..2], ["NOERROR aa", alias]);
    assert!(told[2].starts_with("ns service.internal. 5 SOA "), "{told:?}");
    api.register("ldap", "one", &json!({ "addresses": ["www.example.internal"], "port": 389 }));
    let told = whole(&resolver.ask("ldap.service.internal.", AAAA));
    let chain = [
        "NOERROR aa",
        "an ldap.service.internal. 5 CNAME www.example.internal.",
        "an web1.example.internal. 300 AAAA 2001:db8::10",
        "an www.example.internal. 300 CNAME web1.example.internal.",
    ];
    assert_eq!(told, chain);
}

#[test]
fn a_long_answer_of_a_zone_is_cut_over_udp_and_whole_over_tcp() {
    let many: String = (1..=100).map(|n| format!("many A 192.0.2.{n}\n")).collect();
    let node = Node::builder().zone("long.test.zone", &super::zone(1, "192.0.2.1", &many)).start();
    let cut = node.resolver().ask("many.long.test.", A);
    assert!(cut.metadata.truncation && cut.edns.is_some());
    // 12 of the header, 16 and 4 of the question, 11 of OPT, 16 for each address.
    assert_eq!(cut.answers.len(), (1_232 - 12 - 20 - 11) / 16);
    let whole = node.resolver().ask_tcp("many.long.test.", A);
    assert!(!whole.metadata.truncation);
    assert_eq!(whole.answers.len(), 100);
}

#[test]
fn a_zone_above_the_services_leaves_them_their_names() {
    let text = super::zone(1, "192.0.2.1", "* A 192.0.2.9\nweb.service A 192.0.2.66\n");
    let node = Node::builder().zone("internal.zone", &text).start();
    node.api().register("web", "one", &json!({ "addresses": ["10.0.0.1"] }));
    for (name, expected) in [
        ("www.internal.", "an www.internal. 60 A 192.0.2.1"),
        ("x.internal.", "an x.internal. 60 A 192.0.2.9"),
        ("web.service.internal.", "an web.service.internal. 5 A 10.0.0.1"),
    ] {
        assert_eq!(whole(&node.resolver().ask(name, A)), ["NOERROR aa", expected]);
    }
    let told = whole(&node.resolver().ask("x.service.internal.", A));
    assert_eq!(told[0], "NXDOMAIN aa", "the wildcard ends where the services begin");
    // The record that nobody will ever see is not passed over in silence.
    let warning = node.wait_for_log("internal.zone:7");
    assert_eq!(warning["level"], "WARN", "{warning}");
}

#[test]
fn of_two_zones_the_closer_one_answers() {
    let (outer, inner) = (
        super::zone(1, "192.0.2.1", "sub NS ns.sub\nns.sub A 192.0.2.99\nx.sub A 192.0.2.98\n"),
        super::zone(2, "192.0.2.2", ""),
    );
    let node = Node::builder().zone("example.zone", &outer).zone("sub.example.zone", &inner);
    let node = node.start();
    for (name, expected) in [
        ("www.example.", "an www.example. 60 A 192.0.2.1"),
        ("www.sub.example.", "an www.sub.example. 60 A 192.0.2.2"),
    ] {
        assert_eq!(whole(&node.resolver().ask(name, A)), ["NOERROR aa", expected]);
    }
    assert_eq!(whole(&node.resolver().ask("x.sub.example.", A))[0], "NXDOMAIN aa");
}
