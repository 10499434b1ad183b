//! Clients that people use: dig, kdig, host. (More of them are in `tests/steps/clients`.)

use std::process::Command;

use serde_json::json;

use super::{register_many, set_policy};
use crate::support::Node;

/// Runs a client against the server and returns what it says; warnings of its own are failures.
fn run(node: &Node, line: &str) -> String {
    let port = node.dns[0].port().to_string();
    let mut words = line.split_whitespace().map(|word| word.replace("PORT", &port));
    let output = Command::new(words.next().unwrap()).args(words).output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    // A datagram may be lost, as on a machine that has too much to do: dig asks again, and says so.
    let said: String = said.split_inclusive('\n').filter(|line| !is_of_loss(line)).collect();
    let complaints = ["WARNING", "rror", "malformed", "nexpected", "extra"];
    assert!(complaints.iter().all(|part| !said.contains(part)), "{line}: {said}");
    assert!(output.status.success(), "{line}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
}

fn is_of_loss(line: &str) -> bool {
    line.starts_with(";; communications error") && line.trim_end().ends_with(": timed out")
}

fn node() -> Node {
    let node = Node::start();
    let api = node.api();
    let body = json!({ "addresses": ["10.0.0.1", "fd00::1"], "port": 80, "meta": { "k": "v" } });
    api.register("web", "a", &body);
    register_many(&api, "big", 100);
    set_policy(&api, "big", &json!({ "answer_limit": 1000 }));
    node
}

#[test]
fn dig_has_nothing_to_complain_about() {
    let node = node();
    for options in [
        "",
        "+tcp",
        "+noedns",
        "+bufsize=512",
        "+nocookie",
        "+dnssec",
        "+nsid +subnet=192.0.2.0/24 +padding=128",
    ] {
        let dig =
            |rest: &str| run(&node, &format!("dig @127.0.0.1 -p PORT +norec {options} {rest}"));
        let a = dig("web.service.internal A");
        assert!(a.contains("status: NOERROR") && a.contains("10.0.0.1"), "{options}: {a}");
        assert!(a.contains("flags: qr aa"), "{options}: {a}");
        let srv = dig("_web._tcp.service.internal SRV");
        assert!(srv.contains("1 1 80 a.instance.web.service.internal."), "{options}: {srv}");
        let nobody = dig("nobody.service.internal AAAA");
        assert!(nobody.contains("status: NXDOMAIN") && nobody.contains("SOA"), "{nobody}");
        let any = dig("web.service.internal ANY");
        assert!(any.contains("HINFO\t\"RFC8482\" \"\""), "{options}: {any}");
    }
    assert_eq!(run(&node, "dig @127.0.0.1 -p PORT +short web.service.internal TXT"), "\"k=v\"\n");
}

#[test]
fn dig_goes_on_over_tcp_when_a_reply_is_cut() {
    let node = node();
    for options in ["", "+noedns", "+bufsize=512", "+bufsize=4096"] {
        let line = format!("dig @127.0.0.1 -p PORT +short {options} big.service.internal A");
        let said = run(&node, &line);
        assert_eq!(said.lines().filter(|line| line.starts_with("10.")).count(), 100, "{said}");
    }
    let cut = run(&node, "dig @127.0.0.1 -p PORT +ignore +norec big.service.internal A");
    assert!(cut.contains("flags: qr aa tc;") && cut.contains("EDNS: version: 0"), "{cut}");
}

#[test]
fn kdig_and_host_get_their_answers() {
    let node = node();
    for options in ["", "+tcp", "+noedns", "+bufsize=512", "+cookie", "+padding=128"] {
        let line = format!("kdig @127.0.0.1 -p PORT {options} web.service.internal AAAA");
        let said = run(&node, &line);
        assert!(said.contains("NOERROR") && said.contains("fd00::1"), "{options}: {said}");
    }
    let said = run(&node, "host -p PORT web.service.internal 127.0.0.1");
    assert!(said.contains("has address 10.0.0.1"), "{said}");
    assert!(said.contains("has IPv6 address fd00::1"), "{said}");
    let said = run(&node, "host -p PORT -t SRV -T _web._tcp.service.internal 127.0.0.1");
    assert!(said.contains("has SRV record 1 1 80 a.instance.web.service.internal."), "{said}");
}

/// The way of a browser without mDNS (RFC 6763 §4 and §11): domain, services, instances, and where
/// one is.
#[test]
fn dig_walks_from_the_domain_to_an_instance() {
    let node = node();
    let dig = |rest: &str| {
        let said = run(&node, &format!("dig @127.0.0.1 -p PORT +short {rest}"));
        let mut lines: Vec<String> = said.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    let domain = dig("lb._dns-sd._udp.service.internal PTR");
    assert_eq!(domain, ["service.internal."]);
    let services = dig(&format!("_services._dns-sd._udp.{} PTR", domain[0]));
    assert_eq!(services, ["_big._tcp.service.internal.", "_web._tcp.service.internal."]);
    let instances = dig(&format!("{} PTR", services[1]));
    assert_eq!(instances, ["a._web._tcp.service.internal."]);
    assert_eq!(dig(&format!("{} TXT", instances[0])), ["\"k=v\""]);
    let srv = dig(&format!("{} SRV", instances[0]));
    assert_eq!(srv, ["1 1 80 a.instance.web.service.internal."]);
    let (_, target) = srv[0].rsplit_once(' ').unwrap();
    assert_eq!(dig(&format!("{target} AAAA")), ["fd00::1"]);
    // Cut over UDP, so that dig asks again over TCP.
    assert_eq!(dig("_big._tcp.service.internal PTR").len(), 100);
    let said = run(&node, "kdig @127.0.0.1 -p PORT _web._tcp.service.internal PTR");
    assert!(said.contains("a._web._tcp.service.internal."), "{said}");
    assert!(said.contains("\"k=v\"") && said.contains("fd00::1"), "{said}");
}
