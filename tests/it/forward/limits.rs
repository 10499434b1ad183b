//! How much is under way upstream, and what happens when that is too much.

use hickory_proto::rr::RecordType;

use super::{forwarding, is_up, metric};
use crate::support::{
    Node, Upstream,
    dns::{Resolver, lines},
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
    let given_up = format!(
        "rollcall_forward_requests_total{{upstream=\"{}\",rcode=\"given_up\"}}",
        silent.address
    );
    assert_eq!(metric(&node, &given_up).as_deref(), Some("81"));
}

#[test]
fn with_every_place_taken_the_next_upstream_is_asked_all_the_same() {
    let silent = Upstream::start(|_| Said::Nothing);
    let good = Upstream::start(|seen| Said::records(seen, &["60 A 192.0.2.7"]));
    let node = forwarding(&[&silent, &good], "timeout = \"10s\"\nin_flight_max = 1").start();
    for name in ["a.example.", "b.example."] {
        let reply = node.resolver().ask(name, A);
        assert_eq!(lines(&reply.answers), [format!("{name} 60 A 192.0.2.7")]);
    }
}
