//! EDNS (RFC 6891): our size, flags, versions, and options.

use std::{fs, process::Command};

use hickory_proto::{
    op::{Edns, Message},
    rr::rdata::opt::{EdnsCode, EdnsOption},
};
use serde_json::json;

use super::{A, full, register_ill, said};
use crate::support::{
    Node,
    dns::{Connection, question},
};

/// Options by number and data, as clients send them over UDP, and whether they are answered. What
/// means nothing to us is passed over (RFC 6891 §6.1.2).
fn options() -> [(u16, Vec<u8>, bool); 8] {
    [
        (10, vec![7; 8], true),                   // COOKIE, the client's (RFC 7873)
        (10, vec![7; 24], true),                  // COOKIE, both
        (3, vec![], false),                       // NSID (RFC 5001), which is not configured
        (8, vec![0, 1, 24, 0, 192, 0, 2], false), // client subnet (RFC 7871)
        (11, vec![], false),                      // TCP keepalive (RFC 7828), not over UDP
        (12, vec![0; 400], false),                // padding (RFC 7830), not over UDP
        (15, vec![0, 15, b'n', b'o'], false),     // an extended error (RFC 8914)
        (65_001, vec![1, 2, 3], false),           // local use
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
        let told: Vec<u16> =
            edns.options().as_ref().iter().map(|(code, _)| (*code).into()).collect();
        // Why something is refused, and nothing else (RFC 8914).
        assert_eq!(told, if expected == "REFUSED" { &[15][..] } else { &[] }, "{name}");
        assert!(!edns.flags().dnssec_ok, "{name}");
        assert!(resolver.exchange(&question(&full(name), A, None)).edns.is_none(), "{name}");
    }
}

#[test]
fn options_are_answered_or_passed_over() {
    let node = node();
    for (code, data, is_answered) in options() {
        let message = with_edns(|edns| {
            edns.options_mut().insert(EdnsOption::Unknown(code, data));
        });
        let reply = node.resolver().exchange(&message);
        assert_eq!(said(&reply), "A 10.0.0.1", "option {code}");
        let edns = reply.edns.expect("an OPT for an OPT");
        assert_eq!(!edns.options().as_ref().is_empty(), is_answered, "option {code}");
    }
    // All of them in one query.
    let all = with_edns(|edns| {
        for (code, data, _) in options() {
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

/// What of a server's options comes back, with its cookie (RFC 7873 §5.2.3).
fn cookie_of(reply: &Message) -> Vec<u8> {
    let edns = reply.edns.as_ref().expect("an OPT for an OPT");
    match edns.option(EdnsCode::Cookie) {
        Some(EdnsOption::Unknown(_, data)) => data.clone(),
        other => panic!("a cookie: {other:?}"),
    }
}

fn with_cookie(cookie: &[u8]) -> Message {
    with_edns(|edns| edns.options_mut().insert(EdnsOption::Unknown(10, cookie.to_vec())))
}

#[test]
fn servers_with_one_secret_file_accept_each_others_cookies() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("cookies");
    fs::write(&file, "445536bcd2513298075a5d379663c962\n").unwrap();
    let start = || {
        let config = format!("[dns]\ncookie_secret_file = {:?}", file.display().to_string());
        let node = Node::builder().config(&config).start();
        node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"] }));
        node
    };
    let (first, second, alone) = (start(), start(), node());
    let ask = |node: &Node, cookie: &[u8]| {
        let reply = node.resolver().exchange(&with_cookie(cookie));
        assert_eq!(said(&reply), "A 10.0.0.1");
        cookie_of(&reply)
    };
    let given = ask(&first, &[1, 2, 3, 4, 5, 6, 7, 8]);
    assert_eq!((given.len(), &given[..12]), (24, &[1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0][..]));
    // What is good and young comes back as it is.
    assert_eq!(ask(&first, &given), given);
    assert_eq!(ask(&second, &given), given);
    let others = ask(&alone, &given);
    assert_eq!(others[..8], given[..8]);
    assert_ne!(others[16..], given[16..], "made with a secret of its own");
    // A new file is read on SIGHUP; one with a mistake is refused, and what was stays.
    fs::write(&file, "not a secret\n").unwrap();
    second.signal("HUP");
    let told = second.wait_for_log("the configuration stays").to_string();
    assert!(told.contains("cookies:1` is not 32") && !told.contains("not a secret"), "{told}");
    assert_eq!(ask(&second, &given), given);
    fs::write(&file, "dd3bdf9344b678b185a6f5cb60fca715\n").unwrap();
    second.signal("HUP");
    let told = second.wait_for_log("configuration reloaded").to_string();
    assert!(told.contains("dns.cookie_secret_file"), "the same name for another content: {told}");
    assert_ne!(ask(&second, &given), given);
}

#[test]
fn a_message_without_a_question_may_ask_for_a_cookie() {
    let node = node();
    let ask = |cookie: &[u8]| {
        let mut message = with_cookie(cookie);
        message.queries.clear();
        node.resolver().exchange(&message)
    };
    let reply = ask(&[9; 8]);
    assert_eq!(said_code(&reply), 0);
    assert!(reply.queries.is_empty() && reply.answers.is_empty());
    let given = cookie_of(&reply);
    assert_eq!(said_code(&ask(&given)), 0);
    let mut forged = given;
    forged[23] ^= 1;
    let reply = ask(&forged);
    // BADCOOKIE, and a good one along with it (RFC 7873 §5.4).
    assert_eq!(said_code(&reply), 23);
    assert_eq!(said_code(&ask(&cookie_of(&reply))), 0);
}

#[test]
fn a_message_with_neither_question_nor_cookie_to_give_is_malformed() {
    let mut asked = with_cookie(&[9; 8]);
    asked.queries.clear();
    let silent = Node::builder().config("[dns]\ncookies = false").start();
    let reply = silent.resolver().exchange(&asked);
    assert_eq!(said(&reply), "FORMERR", "no cookie is given here");
    assert!(reply.edns.is_some_and(|edns| edns.options().as_ref().is_empty()));
    // What is wrong with its options counts as well (RFC 7828 §3.2.1).
    let edns = asked.edns.as_mut().expect("it has a cookie");
    edns.options_mut().insert(EdnsOption::Unknown(11, vec![0, 100]));
    let node = node();
    assert_eq!(said(&over_tcp(&node, &asked)), "FORMERR");
    assert_eq!(said_code(&node.resolver().exchange(&asked)), 0, "passed over on UDP");
}

fn over_tcp(node: &Node, message: &Message) -> Message {
    let mut connection = Connection::open(node.dns[0]);
    connection.send(&message.to_vec().unwrap());
    Message::from_vec(&connection.read().unwrap()).unwrap()
}

fn said_code(reply: &Message) -> u16 {
    reply.metadata.response_code.into()
}

#[test]
fn an_option_of_a_wrong_length_is_malformed() {
    let node = node();
    for octets in [0, 7, 9, 15, 41] {
        let reply = node.resolver().exchange(&with_cookie(&vec![1; octets]));
        assert_eq!(said(&reply), "FORMERR", "a cookie of {octets} octets (RFC 7873 §5.2.2)");
        assert!(reply.edns.is_some() && reply.queries.len() == 1);
    }
    // A timeout is for servers to state, over TCP (RFC 7828 §3.2.1).
    let stated = with_edns(|edns| edns.options_mut().insert(EdnsOption::Unknown(11, vec![0, 100])));
    assert_eq!(said(&node.resolver().exchange(&stated)), "A 10.0.0.1", "passed over on UDP");
    assert_eq!(said(&over_tcp(&node, &stated)), "FORMERR");
}

#[test]
fn who_asks_over_tcp_is_told_how_long_it_may_be_idle() {
    let config = "[dns]\ntcp_idle_timeout = \"12500ms\"";
    let node = Node::builder().config(config).start();
    let asked = with_edns(|edns| edns.options_mut().insert(EdnsOption::Unknown(11, vec![])));
    let reply = over_tcp(&node, &asked);
    let edns = reply.edns.expect("an OPT for an OPT");
    let Some(EdnsOption::Unknown(11, data)) = edns.option(EdnsCode::Keepalive) else {
        panic!("{edns}")
    };
    assert_eq!(data[..], 125_u16.to_be_bytes(), "units of 100 ms");
}

#[test]
fn the_server_tells_of_itself_what_it_is_told_to_tell() {
    let config = "[dns]\nidentity = \"ns-7.example\"\nversion = \"Rollcall\"\nnsid = \"ns-7\"";
    let node = Node::builder().config(config).start();
    let dig = |rest: &str| {
        let port = node.dns[0].port();
        let line = format!("dig @127.0.0.1 -p {port} +norec {rest}");
        let output = Command::new("sh").args(["-c", &line]).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    for (name, expected) in [
        ("version.bind", "\"Rollcall\""),
        ("VERSION.SERVER", "\"Rollcall\""),
        ("id.server", "\"ns-7.example\""),
        ("hostname.bind", "\"ns-7.example\""),
    ] {
        assert_eq!(dig(&format!("+short {name} CH TXT")).trim(), expected, "{name}");
    }
    assert!(dig("authors.bind CH TXT").contains("status: REFUSED"));
    assert!(dig("+nsid web.service.internal").contains("NSID: 6e 73 2d 37 (\"ns-7\")"));
    assert!(!dig("web.service.internal").contains("NSID"));
}

#[test]
fn why_nothing_is_answered_is_told() {
    let node = node();
    register_ill(&node.api(), "ill", "a", &json!({ "addresses": ["10.0.0.1"] }));
    let told = |name: &str| {
        let reply = node.resolver().exchange(&question(name, A, Some(1_232)));
        let edns = reply.edns.expect("an OPT for an OPT");
        match edns.option(EdnsCode::Unknown(15)) {
            Some(EdnsOption::Unknown(_, data)) => {
                (u16::from_be_bytes([data[0], data[1]]), String::from_utf8_lossy(&data[2..]).into())
            }
            _ => (u16::MAX, String::new()),
        }
    };
    assert_eq!(told(&full("ill")), (0, "no healthy instance".to_owned()));
    assert_eq!(told("example.com."), (20, String::new()));
    assert_eq!(told(&full("web")), (u16::MAX, String::new()), "nothing is wrong");
}
