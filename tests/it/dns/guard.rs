//! Access by zone, and what strangers get, through a running server. Here nobody is exempt, so that
//! this machine itself is a stranger.

use serde_json::json;

use super::{A, SRV, full, register_many, said};
use crate::support::{
    Node,
    dns::{Connection, Resolver, question},
    eventually,
};

fn node(config: &str) -> Node {
    let node = Node::builder().config(config).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    node
}

fn counter(node: &Node, name: &str) -> u64 {
    let metrics = node.api().text("/metrics");
    let line = metrics.lines().find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("{name} is missing from:\n{metrics}")).parse().unwrap()
}

#[test]
fn a_stranger_who_asks_too_much_gets_every_other_reply_empty_or_none() {
    let node = node("[dns.rate_limit]\nexempt = []\nresponses_per_second = 20");
    let packets: Vec<Vec<u8>> = (0..200_u16)
        .map(|id| {
            let mut packet = question(&full("web"), A, None).to_vec().unwrap();
            packet[..2].copy_from_slice(&id.to_be_bytes());
            packet
        })
        .collect();
    let replies = node.resolver().replies_to(&packets);
    let cut = replies.iter().filter(|reply| reply[2] & 2 != 0 && reply[7] == 0).count();
    let whole = replies.len() - cut;
    // As many more as the time that it took is worth.
    assert!((20..=60).contains(&whole), "{whole} whole replies");
    assert!((40..=140).contains(&cut), "{cut} cut replies");
    let slipped = counter(&node, "rollcall_dns_rate_limited_total{action=\"slip\"}");
    let dropped = counter(&node, "rollcall_dns_rate_limited_total{action=\"drop\"}");
    assert_eq!(slipped, cut as u64);
    assert_eq!(dropped, 200 - replies.len() as u64);
    assert_eq!(counter(&node, "rollcall_dns_dropped_total{reason=\"rate_limited\"}"), dropped);
    // Over TCP the address is proven.
    let mut connection = Connection::open(node.dns[0]);
    for packet in &packets {
        connection.send(packet);
        assert_eq!(connection.read().expect("a reply")[7], 1);
    }
}

#[test]
fn a_long_reply_comes_to_those_who_have_proven_their_address() {
    let node = node("[dns.rate_limit]\nexempt = []\nunproven_udp_size = 0");
    register_many(&node.api(), "big", 30);
    let resolver = node.resolver();
    let asked = question(&full("big"), SRV, Some(1_232));
    let reply = resolver.exchange_octets(&asked);
    assert!(reply.len() <= asked.to_vec().unwrap().len() && reply[2] & 2 != 0);
    assert_eq!(counter(&node, "rollcall_dns_unproven_cut_total"), 1);
    let over_tcp = resolver.ask_tcp(&full("big"), SRV);
    assert_eq!(over_tcp.answers.len(), 30);
    // dig asks again with the cookie that it is given, and then by TCP because it is so much.
    let line = format!(
        "dig @127.0.0.1 -p {} +norec +stats +bufsize=4096 web.service.internal",
        node.dns[0].port()
    );
    let output = std::process::Command::new("sh").args(["-c", &line]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("10.0.0.1") && text.contains("(UDP)"), "{text}");
    assert!(text.contains("BADCOOKIE, retrying"), "{text}");
}

#[test]
fn networks_may_ask_or_not_by_zone_and_by_reload() {
    let rule = |networks: &str| {
        format!("version = 1\n[dns]\naccess = [{{ zone = \"service.internal\", {networks} }}]\n")
    };
    let builder = Node::builder().dns("127.0.0.1:0").dns("[::1]:0").config("");
    let node = builder.start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
    let said_over = |server| said(&Resolver::new(server).ask(&full("web"), A));
    let both = || (said_over(node.dns[0]), said_over(node.dns[1]));
    let (answer, refused) = ("A 10.0.0.1".to_owned(), "REFUSED".to_owned());
    assert_eq!(both(), (answer.clone(), answer.clone()));
    for (networks, expected) in [
        ("allow = [\"::1\"]", (refused.clone(), answer.clone())),
        ("allow = [\"127.0.0.0/8\"]", (answer.clone(), refused.clone())),
        ("deny = [\"127.0.0.0/8\", \"::1\"]", (refused.clone(), refused)),
        ("deny = [\"10.0.0.0/8\"]", (answer.clone(), answer)),
    ] {
        std::fs::write(node.path("rollcall.toml"), rule(networks)).unwrap();
        node.signal("HUP");
        eventually(networks, || (both() == expected).then_some(()));
        let octets = node.resolver().exchange_octets(&question(&full("web"), A, Some(1_232)));
        assert_eq!(octets.ends_with(b"dns.access"), expected.0 == "REFUSED", "{octets:?}");
    }
    assert!(counter(&node, "rollcall_dns_access_denied_total") >= 4);
    // What makes no sense is refused, and what was stays.
    std::fs::write(node.path("rollcall.toml"), rule("allow = [\"10.0.0.1/8\"]")).unwrap();
    node.signal("HUP");
    let told = node.wait_for_log("the configuration stays").to_string();
    assert!(told.contains("dns.access[0].allow[0]") && told.contains("10.0.0.0/8"), "{told}");
}
