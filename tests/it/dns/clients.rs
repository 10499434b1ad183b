//! Clients that people use: dig, kdig, host. (glibc's own is in `tests/steps/resolv-conf`.)

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
    let complaints = ["WARNING", "rror", "malformed", "nexpected", "extra"];
    assert!(complaints.iter().all(|part| !said.contains(part)), "{line}: {said}");
    assert!(output.status.success(), "{line}: {said}{}", String::from_utf8_lossy(&output.stderr));
    said
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
        assert!(any.contains("ANSWER: 0, AUTHORITY: 1"), "{options}: {any}");
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
