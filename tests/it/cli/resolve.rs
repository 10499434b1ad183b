//! `rollcall resolve`, which asks by DNS as any client would.

use serde_json::json;

use crate::support::{
    Node,
    command::{Done, run},
};

fn resolve(node: &Node, line: &str) -> Done {
    node.cli(&format!("resolve --dns {} {line}", node.dns[0]))
}

fn node() -> Node {
    let reverse = "[dns]\nreverse = [\"10.0.0.0/16\", \"fd00::/16\"]";
    let node = Node::builder().config(reverse).start();
    let meta = "--meta version=1.4 --tag v1";
    let addresses = "--address 10.0.1.6 --address fd00::6";
    node.cli(&format!("register payment payment-1 --port 8080 {addresses} {meta}")).ok();
    node
}

#[test]
fn a_service_a_name_an_instance_and_an_address_are_resolved() {
    let node = node();
    assert_eq!(
        resolve(&node, "payment").ok(),
        "\
;; payment.service.internal A: NOERROR (qr aa rd) udp
;; payment.service.internal AAAA: NOERROR (qr aa rd) udp
NAME                       TTL  TYPE  DATA
payment.service.internal.    5  A     10.0.1.6
payment.service.internal.    5  AAAA  fd00::6
"
    );
    let target = "payment-1.instance.payment.service.internal.";
    for (line, rows) in [
        ("v1.payment.service.internal --type a", &["A 10.0.1.6"][..]),
        ("payment --type SRV", &["SRV 1 1 8080 ", "A 10.0.1.6", "AAAA fd00::6"]),
        ("_payment._tcp.service.internal. --type srv", &["SRV 1 1 8080 ", "A 10.", "AAAA fd"]),
        ("payment --type TXT", &["TXT \"version=1.4\""]),
        (target, &["A 10.0.1.6", "AAAA fd00::6"]),
        ("10.0.1.6", &["PTR payment-1.instance.payment."]),
        ("fd00::6", &["PTR payment-1.instance.payment."]),
        ("service.internal --type SOA --type NS", &["SOA ns1.", "NS ns1.", "A 127.0.0.1"]),
        ("payment --type TYPE1", &["A 10.0.1.6"]),
    ] {
        let words = resolve(&node, line).words();
        let words = words.iter().filter(|words| words[0] != ";;" && words[0] != "NAME");
        let seen: Vec<_> = words.map(|words| words[2..].join(" ")).collect();
        assert_eq!(seen.len(), rows.len(), "{line}: {seen:?}");
        for (seen, row) in seen.iter().zip(rows) {
            assert!(seen.starts_with(row), "{line}: `{row}` is not {seen}");
        }
    }
}

#[test]
fn the_domain_is_that_of_the_server_when_it_is_told() {
    let node = Node::builder().arg("--domain").arg("corp.example").start();
    node.cli("register web web-1 --port 80 --address 10.0.0.1").ok();
    let text = resolve(&node, "web --domain corp.example").ok();
    assert!(text.contains("web.service.corp.example."), "{text}");
    let mut command = node.cli_command(&format!("resolve web --dns {}", node.dns[0]));
    command.env("ROLLCALL_SERVER_DOMAIN", "corp.example");
    run(&mut command).ok();
    resolve(&node, "web").fails(1, "`web.service.internal` is not answered (REFUSED)");
}

#[test]
fn what_is_not_there_is_code_1_and_says_how_it_is_not_there() {
    let node = node();
    for (line, said) in [
        ("nobody", "there is no name `nobody.service.internal` (NXDOMAIN)"),
        ("payment --type MX", "`payment.service.internal` has no records of type MX (NODATA)"),
        ("www.example.org", "`www.example.org` is not answered (REFUSED)"),
        ("v1.payment", "is `v1.payment.service.internal` meant?"),
        ("192.0.2.1", "`dns.reverse` of the server's configuration names the networks"),
    ] {
        let done = resolve(&node, line);
        done.fails(1, said);
        assert!(done.stdout.starts_with(";; "), "the reply is shown all the same: {done:#?}");
    }
    let done = resolve(&node, "nobody --json");
    let document: serde_json::Value = serde_json::from_str(&done.stdout).unwrap();
    assert_eq!((done.code, &document["replies"][0]["rcode"]), (Some(1), &json!("NXDOMAIN")));
    assert_eq!(document["replies"][0]["authorities"][0]["type"], "SOA");
}

#[test]
fn what_does_not_fit_into_a_packet_is_asked_for_again_over_tcp() {
    let node = Node::start();
    let many: Vec<_> = (1..=60)
        .map(|n| {
            json!({"service": "web", "instance": format!("an-instance-with-a-long-name-{n}"),
                   "addresses": [format!("10.0.0.{n}")], "port": 80})
        })
        .collect();
    assert_eq!(node.api().post("/api/v1/instances", &json!(many)).status, 200);
    let first = |line| resolve(&node, line).ok().lines().next().unwrap().to_owned();
    assert_eq!(first("web --type A"), ";; web.service.internal A: NOERROR (qr aa rd) udp");
    assert_eq!(first("web --type SRV"), ";; web.service.internal SRV: NOERROR (qr aa rd) tcp");
    assert_eq!(first("web --type A --tcp"), ";; web.service.internal A: NOERROR (qr aa rd) tcp");
    let document = resolve(&node, "web --type SRV --json").json();
    let reply = &document["replies"][0];
    assert_eq!(
        (reply["answers"].as_array().unwrap().len(), &reply["transport"]),
        (60, &json!("tcp"))
    );
}
