//! How much is under way upstream, and what happens when that is too much.

use hickory_proto::{op::ResponseCode, rr::RecordType};
use serde_json::json;

use super::{forwarding, is_up, requests};
use crate::support::{
    Node, Upstream,
    dns::{Resolver, extended_errors, lines},
    eventually,
    upstream::{Said, known},
};

const A: RecordType = RecordType::A;

const RECORDS: &[&str] = &["www.example. 60 A 192.0.2.80"];

/// The sockets and files that the server has open.
fn descriptors(node: &Node) -> usize {
    std::fs::read_dir(format!("/proc/{}/fd", node.pid())).unwrap().count()
}

/// Asks for so many names at once, each from a socket of its own.
fn ask_all(node: &Node, names: &[String]) {
    let address = node.dns[0];
    std::thread::scope(|scope| {
        for name in names {
            scope.spawn(move || Resolver::new(address).ask(name, A));
        }
    });
}

#[test]
fn an_upstream_that_was_overtaken_costs_nothing_any_more() {
    let silent = Upstream::start(|_| Said::Nothing);
    let good = Upstream::start(|seen| known(RECORDS, seen));
    let node = forwarding(&[&silent, &good], "timeout = \"10s\"\nin_flight_max = 20").start();
    node.resolver().ask("www.example.", A);
    let before = descriptors(&node);
    // Each of them waits for the silent one first, which nobody has found to be down meanwhile.
    for round in 0..4 {
        let names: Vec<String> = (0..20).map(|n| format!("n{n}.r{round}.example.")).collect();
        ask_all(&node, &names);
    }
    assert!(is_up(&node, &silent), "or there is nothing to be seen");
    eventually("what lost the race is let go", || {
        (descriptors(&node) <= before + 20).then_some(())
    });
    assert_eq!(requests(&node, silent.address, "given_up").as_deref(), Some("81"));
}

#[test]
fn with_every_place_taken_the_next_upstream_is_asked_all_the_same() {
    let silent = Upstream::start(|_| Said::Nothing);
    let good = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.7"]));
    let failing = Upstream::start(|_| Said::code(ResponseCode::ServFail));
    let upstreams = [&silent, &good, &failing];
    let node = forwarding(&upstreams, "timeout = \"10s\"\nin_flight_max = 1").start();
    // An upstream that stands still for its time on a loaded machine is no defect.
    let is_waited_for = (0..3).any(|n| {
        let before = failing.seen().len();
        let is_answered = ["a", "b"].iter().all(|label| {
            let name = format!("{label}{n}.example.");
            let reply = node.resolver().ask(&name, A);
            lines(&reply.answers) == [format!("{name} 60 A 192.0.2.7")] && silent.count(&name) == 1
        });
        is_answered && failing.seen().len() == before
    });
    assert!(is_waited_for, "who has the place of another one is waited for");
}

#[test]
fn want_of_descriptors_is_told_and_is_no_failure_of_the_upstream() {
    let upstream = Upstream::start(|seen| known(RECORDS, seen).held());
    // With a socket for each core there would be no descriptor left on a machine with many.
    let more = "timeout = \"10s\"\n[dns]\nudp_workers = 1";
    let node = forwarding(&[&upstream], more).files(80).start();
    node.api().register("web", "a", &json!({ "addresses": ["10.0.0.1"], "port": 80 }));
    let address = node.dns[0];
    std::thread::scope(|scope| {
        let ask = |n: usize| {
            scope.spawn(move || Resolver::new(address).ask(&format!("n{n}.example."), A))
        };
        let asked: Vec<_> = (0..100).map(ask).collect();
        eventually("some are turned away", || {
            asked.iter().any(std::thread::ScopedJoinHandle::is_finished).then_some(())
        });
        assert_eq!(node.resolver().service("web").len(), 1);
        // Those that find no descriptor for a second packet are turned away as well.
        eventually("all have been answered", || {
            upstream.release();
            asked.iter().all(std::thread::ScopedJoinHandle::is_finished).then_some(())
        });
        for reply in asked {
            let reply = reply.join().unwrap();
            match reply.metadata.response_code {
                ResponseCode::ServFail => assert_eq!(extended_errors(&reply), [0], "{reply}"),
                code => assert_eq!(code, ResponseCode::NXDomain),
            }
        }
    });
    assert_eq!(node.find_log("the upstream is down"), None);
    assert!(requests(&node, upstream.address, "busy").is_some_and(|count| count != "0"));
    upstream.says(|seen| known(RECORDS, seen));
    assert_eq!(node.resolver().ask("www.example.", A).answers.len(), 1);
}
