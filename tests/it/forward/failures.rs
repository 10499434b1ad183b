//! Upstreams that fail: who is asked then, and what clients get meanwhile.

use std::{
    net::UdpSocket,
    time::{Duration, Instant},
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType},
};
use serde_json::json;

use super::{forwarding, is_up, metric, requests};
use crate::support::{
    Node, Upstream,
    dns::{Connection, Resolver, extended_errors, lines, question},
    eventually,
    upstream::{Said, known},
};

const A: RecordType = RecordType::A;

const RECORDS: &[&str] = &["www.example. 60 A 192.0.2.80", "short.example. 1 A 192.0.2.81"];

#[test]
fn the_next_upstream_stands_in_for_a_silent_one_until_that_is_back() {
    let (first, second) = (Upstream::start(|_| Said::Nothing), Upstream::of(RECORDS));
    let node = forwarding(&[&first, &second], "max_ttl = \"1s\"").start();
    let reply = node.resolver().ask("www.example.", A);
    assert_eq!(reply.answers.len(), 1);
    assert_eq!(
        requests(&node, first.address, "given_up").as_deref(),
        Some("1"),
        "before its time was over"
    );
    // Each question that it leaves unanswered counts, and then it is out.
    eventually("the first one is down", || {
        node.resolver().ask("nobody.example.", A);
        node.resolver().ask("www.example.", A);
        (!is_up(&node, &first)).then_some(())
    });
    assert!(is_up(&node, &second));
    node.wait_for_log("the upstream is down");
    let ready = node.api().get("/ready");
    let said = ready.body.to_string();
    assert_eq!(ready.status, 200, "it is a note");
    assert!(said.contains(&first.address.to_string()), "{said}");
    // Nobody waits for it now.
    let seen = first.seen().len();
    let reply = node.resolver().ask("nobody2.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(first.seen().len(), seen);
    first.says(|seen| known(RECORDS, seen));
    eventually("it is up again", || is_up(&node, &first).then_some(()));
    node.wait_for_log("the upstream is up again");
    node.resolver().ask("third.example.", A);
    assert!(first.count("third.example.") >= 1, "and first again");
    let said = node.api().get("/ready").body.to_string();
    assert!(!said.contains(&first.address.to_string()), "{said}");
}

#[test]
fn an_upstream_that_is_slow_with_some_names_is_not_down() {
    let upstream = Upstream::start(|seen| match seen.name.starts_with("slow") {
        true => Said::Nothing,
        false => known(RECORDS, seen),
    });
    let node = forwarding(&[&upstream], "timeout = \"300ms\"").start();
    for n in 0..6 {
        let reply = node.resolver().ask(&format!("slow{n}.example."), A);
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
        assert_eq!(extended_errors(&reply), [22]);
    }
    assert!(upstream.count(".") >= 1, "it was examined");
    assert_eq!(node.find_log("the upstream is down"), None);
    assert_eq!(node.resolver().ask("www.example.", A).answers.len(), 1);
}

#[test]
fn a_lie_is_no_answer() {
    // The wrong number, the answer to another question, and a referral to others.
    let liar = Upstream::start(|seen| {
        let other = |message: &mut Message| {
            *message = question("other.example.", A, None).into_response();
            message.metadata.id = seen.message.metadata.id;
        };
        let mut message = seen.message.clone().into_response();
        match &*seen.name {
            "number.example." => message.metadata.id = message.metadata.id.wrapping_add(1),
            "question.example." => other(&mut message),
            "referral.example." => {
                let name = Name::from_ascii("example.").unwrap();
                let server = Name::from_ascii("ns.example.").unwrap();
                let ns = RData::NS(hickory_proto::rr::rdata::NS(server));
                message.authorities.push(Record::from_rdata(name, 60, ns));
            }
            _ => return known(RECORDS, seen),
        }
        Said::Octets(message.to_vec().unwrap())
    });
    let good = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.7"]));
    let node = forwarding(&[&liar, &good], "").start();
    for name in ["number.example.", "question.example.", "referral.example."] {
        let reply = node.resolver().ask(name, A);
        assert_eq!(lines(&reply.answers), [format!("{name} 60 A 192.0.2.7")]);
    }
    // Not those of the store, which has troubles of its own.
    let warnings = ["WARN", "ERROR"]
        .map(|level| node.count_log(&format!("\"level\":\"{level}\",\"target\":\"rollcall::dns")));
    assert_eq!(warnings, [0, 0], "whoever forges replies does not fill the log");
}

#[test]
fn an_upstream_may_be_asked_over_tcp_alone() {
    let upstream = Upstream::of(RECORDS);
    let config = format!("[forward]\nupstreams = [\"tcp://{}\"]\n", upstream.address);
    let node = Node::builder().config(&config).start();
    for name in ["www.example.", "short.example."] {
        assert_eq!(node.resolver().ask(name, A).answers.len(), 1);
    }
    assert!(upstream.seen().iter().all(|seen| seen.over_tcp));
}

#[test]
fn an_upstream_that_fails_or_is_gone_is_passed_over_at_once() {
    // Nobody else gets its port meanwhile, and what comes to it is refused all the same.
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let closed = socket.local_addr().unwrap();
    socket.connect(closed).unwrap();
    let failing = Upstream::start(|_| Said::code(ResponseCode::ServFail));
    let refusing = Upstream::start(|_| Said::code(ResponseCode::Refused));
    let good = Upstream::of(RECORDS);
    let config = format!(
        "[forward]\nupstreams = [\"{closed}\", \"{}\", \"{}\", \"{}\"]\ntimeout = \"10s\"\n",
        failing.address, refusing.address, good.address
    );
    let node = Node::builder().config(&config).start();
    // Who is only overtaken by the next one is given up when that one answers. That happens to
    // whoever stands still for that long on a loaded machine, but not each time.
    let given_up = || {
        [closed, failing.address, refusing.address]
            .map(|address| requests(&node, address, "given_up"))
    };
    let passed_over = (0..5).map(|n| {
        let before = given_up();
        let reply = node.resolver().ask(&format!("nobody{n}.example."), A);
        assert_eq!(reply.metadata.response_code, ResponseCode::NXDomain);
        given_up() == before
    });
    let passed_over: Vec<bool> = passed_over.collect();
    assert!(passed_over.contains(&true), "{passed_over:?}");
    assert!(failing.seen().len() >= 3 && refusing.seen().len() >= 3);
    // They answer, if not much: they are up.
    assert!(is_up(&node, &failing) && is_up(&node, &refusing));
}

#[test]
fn with_every_upstream_dead_names_of_ours_are_as_quick_as_ever() {
    let dead = Upstream::start(|_| Said::Nothing);
    let node = forwarding(&[&dead], "timeout = \"1s\"").start();
    let api = node.api();
    api.register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    api.register("out", "a", &json!({ "addresses": ["www.example"], "port": 80 }));
    let quickest = |count: usize| {
        let resolver = node.resolver();
        let one = |_| {
            let began = Instant::now();
            assert_eq!(resolver.service("web").len(), 1);
            began.elapsed()
        };
        let mut times: Vec<Duration> = (0..count).map(one).collect();
        times.sort();
        times[count / 2]
    };
    let before = quickest(200);
    let client = node.resolver();
    let asks: Vec<Message> =
        (0..100).map(|n| question(&format!("n{n}.example."), A, Some(1232))).collect();
    let address = node.dns[0];
    std::thread::scope(|scope| {
        for ask in &asks {
            scope.spawn(move || {
                let reply = Resolver::new(address).exchange(ask);
                assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
                assert!(matches!(extended_errors(&reply)[..], [22 | 23]), "{reply}");
                assert!(reply.metadata.recursion_available);
            });
        }
        eventually("they wait", || (dead.seen().len() >= 50).then_some(()));
        let meanwhile = quickest(200);
        assert!(meanwhile < before * 10 + Duration::from_millis(2), "{before:?}, {meanwhile:?}");
    });
    // Once it is known to be down that is said at once. So it is of an alias of ours, which comes
    // along: alone it would mean that where it leads to there is no address (RFC 6604 §3).
    node.wait_for_log("the upstream is down");
    let reply = client.ask("late.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(extended_errors(&reply), [22]);
    assert_eq!(dead.count("late.example."), 0);
    let reply = client.ask("out.service.internal.", A);
    assert_eq!(lines(&reply.answers), ["out.service.internal. 5 CNAME www.example."]);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
}

/// The response code is that of the last name (RFC 6604 §3).
#[test]
fn an_alias_of_ours_fails_with_what_it_leads_to() {
    let failing = Upstream::start(|_| Said::code(ResponseCode::ServFail));
    let links: String = (0..20).map(|n| format!("c{n} CNAME c{}\n", n + 1)).collect();
    let zone = "$TTL 300\n@ SOA ns hostmaster 1 3600 600 86400 60\n@ NS ns\nns A 192.0.2.53\n\
        out CNAME www.example.\nround CNAME around\naround CNAME round\n";
    let node = forwarding(&[&failing], "allow = [\"127.0.0.1/32\"]");
    let node = node.zone("corp.zone", &format!("{zone}{links}")).start();
    let alias = |service: &str, host: &str| {
        node.api().register(service, "a", &json!({ "addresses": [host], "port": 80 }));
    };
    alias("out", "www.example");
    alias("there", "back.service.internal");
    alias("back", "there.service.internal");
    (0..20).for_each(|n| alias(&format!("s{n}"), &format!("s{}.service.internal", n + 1)));
    let stranger = Resolver::from("127.0.0.2:0", node.dns[0]);
    for (name, aliases) in [
        ("out.service.internal.", 1),
        ("out.corp.", 1),
        // Nobody comes to their end either.
        ("there.service.internal.", 2),
        ("round.corp.", 2),
        ("c0.corp.", 16),
        ("s0.service.internal.", 9),
    ] {
        let mut ask = question(name, A, Some(1232));
        let reply = node.resolver().exchange(&ask);
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail, "{reply}");
        assert_eq!(reply.answers.len(), aliases, "{reply}");
        assert_eq!(extended_errors(&reply), [0]);
        assert!(reply.metadata.authoritative, "the first name is ours: {name}");
        // Whoever is not forwarded for goes on where this ends.
        let as_stranger = stranger.exchange(&ask);
        ask.metadata.recursion_desired = false;
        for reply in [as_stranger, node.resolver().exchange(&ask)] {
            assert_eq!(reply.metadata.response_code, ResponseCode::NoError, "{reply}");
            assert_eq!(reply.answers.len(), aliases, "{reply}");
            assert!(extended_errors(&reply).is_empty());
        }
    }
}

#[test]
fn a_slow_name_holds_up_nothing_behind_it_on_a_connection() {
    let upstream = Upstream::start(|seen| known(RECORDS, seen).held());
    let node = forwarding(&[&upstream], "timeout = \"10s\"").start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    let mut connection = Connection::open(node.dns[0]);
    let mut send = |id: u16, name: &str| {
        let mut message = question(name, A, Some(1232));
        message.metadata.id = id;
        connection.send(&message.to_vec().unwrap());
    };
    // More than may take long at once for other reasons.
    (0..50).for_each(|id| send(id, &format!("n{id}.example.")));
    send(1_000, "web.service.internal.");
    let first = Message::from_vec(&connection.read().unwrap()).unwrap();
    assert_eq!(first.metadata.id, 1_000, "out of order (RFC 7766 §6.2.1.1)");
    eventually("all are asked", || (upstream.seen().len() >= 50).then_some(()));
    upstream.release();
    let mut ids: Vec<u16> = (0..50)
        .map(|_| Message::from_vec(&connection.read().unwrap()).unwrap().metadata.id)
        .collect();
    ids.sort_unstable();
    assert_eq!(ids, (0..50).collect::<Vec<_>>());
}

#[test]
fn above_a_clients_limit_servfail_says_why_and_others_are_served() {
    let upstream = Upstream::start(|seen| known(RECORDS, seen).held());
    let node = forwarding(&[&upstream], "timeout = \"10s\"\nin_flight_per_client_max = 3").start();
    let sockets: Vec<Resolver> =
        (0..3).map(|_| Resolver::from("127.0.0.2:0", node.dns[0])).collect();
    std::thread::scope(|scope| {
        for (n, resolver) in sockets.into_iter().enumerate() {
            scope.spawn(move || resolver.ask(&format!("n{n}.example."), A));
        }
        eventually("three wait", || (upstream.held() == 3).then_some(()));
        let reply = Resolver::from("127.0.0.2:0", node.dns[0]).ask("n3.example.", A);
        assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
        assert_eq!(extended_errors(&reply), [0]);
        let of_client = "rollcall_forward_rejected_total{reason=\"client_limit\"}";
        assert_eq!(metric(&node, of_client).as_deref(), Some("1"));
        assert_eq!(metric(&node, "rollcall_forward_in_flight ").as_deref(), Some("3"));
        let address = node.dns[0];
        scope.spawn(move || Resolver::from("127.0.0.3:0", address).ask("n4.example.", A));
        eventually("another client's waits", || (upstream.held() == 4).then_some(()));
        upstream.release();
    });
    assert_eq!(metric(&node, "rollcall_forward_in_flight ").as_deref(), Some("0"));
}

#[test]
fn an_answer_is_given_after_its_time_while_no_upstream_answers() {
    let upstream = Upstream::of(RECORDS);
    let node = forwarding(&[&upstream], "timeout = \"6s\"").start();
    let resolver = node.resolver();
    let fresh = resolver.ask("short.example.", A);
    assert_eq!(lines(&fresh.answers), ["short.example. 1 A 192.0.2.81"]);
    upstream.says(|_| Said::Nothing);
    let stale = eventually("a stale answer", || {
        let began = Instant::now();
        let reply = resolver.ask("short.example.", A);
        assert_eq!(reply.answers.len(), 1, "{reply}");
        assert!(began.elapsed() < Duration::from_secs(5), "before the upstream's time is over");
        (reply.answers[0].ttl == 30).then_some(reply)
    });
    assert_eq!(extended_errors(&stale), [3]);
    let count = metric(&node, "rollcall_forward_cache_stale_total ").unwrap();
    assert!(count.parse::<u64>().unwrap() >= 1);
    upstream.says(|seen| Said::records(seen, &["1 A 192.0.2.99"]));
    eventually("the new one", || {
        let reply = resolver.ask("short.example.", A);
        (lines(&reply.answers) == ["short.example. 1 A 192.0.2.99"]).then_some(())
    });
}

#[test]
fn that_there_was_no_such_name_is_told_after_its_time_as_that() {
    let upstream = Upstream::start(|_| Said::nothing(ResponseCode::NXDomain, "example.", (1, 1)));
    let node = forwarding(&[&upstream], "").start();
    let fresh = node.resolver().ask("none.example.", A);
    assert_eq!(extended_errors(&fresh), [0; 0]);
    upstream.says(|_| Said::code(ResponseCode::ServFail));
    let stale = eventually("its time is over", || {
        let reply = node.resolver().ask("none.example.", A);
        (!extended_errors(&reply).is_empty()).then_some(reply)
    });
    assert_eq!(stale.metadata.response_code, ResponseCode::NXDomain);
    assert_eq!(extended_errors(&stale), [19], "RFC 8914 §4.20");
}

#[test]
fn one_question_becomes_four_at_the_most() {
    let upstreams: Vec<Upstream> =
        (0..6).map(|_| Upstream::start(|_| Said::code(ResponseCode::ServFail))).collect();
    let node = forwarding(&upstreams.iter().collect::<Vec<_>>(), "").start();
    let reply = node.resolver().ask("www.example.", A);
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    let asked = upstreams.iter().filter(|upstream| !upstream.seen().is_empty());
    assert_eq!(asked.count(), 4);
}

#[test]
fn over_tcp_as_well_who_is_above_the_limit_is_told_so() {
    let upstream = Upstream::start(|seen| known(RECORDS, seen).held());
    let node = forwarding(&[&upstream], "timeout = \"10s\"\nin_flight_max = 1").start();
    let mut connection = Connection::open(node.dns[0]);
    connection.send(&question("www.example.", A, Some(1232)).to_vec().unwrap());
    eventually("it waits", || (upstream.held() == 1).then_some(()));
    connection.send(&question("short.example.", A, Some(1232)).to_vec().unwrap());
    let reply = Message::from_vec(&connection.read().unwrap()).unwrap();
    assert_eq!(reply.metadata.response_code, ResponseCode::ServFail);
    assert_eq!(extended_errors(&reply), [0]);
    upstream.release();
    let reply = Message::from_vec(&connection.read().unwrap()).unwrap();
    assert_eq!(lines(&reply.answers), ["www.example. 60 A 192.0.2.80"]);
}

#[test]
fn who_waits_for_an_upstream_over_tcp_is_not_idle() {
    let upstream = Upstream::start(|seen| known(RECORDS, seen).held());
    let node =
        forwarding(&[&upstream], "timeout = \"10s\"\n[dns]\ntcp_idle_timeout = \"1s\"").start();
    let mut waiting = Connection::open(node.dns[0]);
    waiting.send(&question("www.example.", A, Some(1232)).to_vec().unwrap());
    eventually("it waits", || (upstream.held() == 1).then_some(()));
    let mut idle = Connection::open(node.dns[0]);
    assert!(idle.read().is_none(), "who came later and says nothing is let go");
    upstream.release();
    let reply = Message::from_vec(&waiting.read().expect("a reply")).unwrap();
    assert_eq!(lines(&reply.answers), ["www.example. 60 A 192.0.2.80"]);
}

#[test]
fn how_long_answers_outlive_their_time_is_limited() {
    let upstream = Upstream::of(RECORDS);
    let node = forwarding(&[&upstream], "stale_max = \"0s\"").start();
    let resolver = node.resolver();
    resolver.ask("short.example.", A);
    upstream.says(|_| Said::code(ResponseCode::ServFail));
    eventually("its time is over", || {
        let reply = resolver.ask("short.example.", A);
        assert!(reply.answers.iter().all(|record| record.ttl <= 1), "{reply}");
        (reply.metadata.response_code == ResponseCode::ServFail).then_some(())
    });
}
