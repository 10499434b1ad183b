//! A reply is made from one moment: tags, weights and addresses in it never disagree, however fast
//! they change.

use hickory_proto::rr::RData;
use serde_json::json;

use super::{SRV, TXT, full};
use crate::support::{Node, api::instance_path};

/// Registrations that follow one another while the questions are asked.
const CHANGES: u16 = 400;

#[test]
fn a_reply_is_of_one_moment() {
    let node = Node::start();
    let body = |n: u16| {
        json!({
            "addresses": [format!("10.0.{}.{}", n / 256, n % 256), format!("fd00::{n:x}")],
            "port": n, "weight": n, "tags": [if n.is_multiple_of(2) { "even" } else { "odd" }],
            "meta": { "n": n.to_string() },
        })
    };
    node.api().register("web", "a", &body(1));
    let api = node.api();
    std::thread::scope(|scope| {
        let writer = scope.spawn(move || {
            for n in 2..=CHANGES {
                assert_eq!(api.put(&instance_path("web", "a"), &body(n)).status, 200);
            }
        });
        let resolver = node.resolver();
        let mut last = 0;
        while !writer.is_finished() {
            for (name, remainder) in [("web", None), ("even.web", Some(0)), ("odd.web", Some(1))] {
                let reply = resolver.ask(&full(name), SRV);
                let Some(record) = reply.answers.first() else {
                    assert!(remainder.is_some(), "the service itself is always there: {reply}");
                    continue;
                };
                let RData::SRV(srv) = &record.data else { panic!("{reply}") };
                let n = srv.port;
                assert!(n >= last, "back from {last} to {n}");
                last = n;
                assert_eq!(srv.weight, n, "{reply}");
                assert!(remainder.is_none_or(|remainder| n % 2 == remainder), "{name}: {reply}");
                let addresses: Vec<_> =
                    reply.additionals.iter().map(|record| record.data.to_string()).collect();
                let expected = [format!("10.0.{}.{}", n / 256, n % 256), format!("fd00::{n:x}")];
                assert_eq!(addresses, expected, "{reply}");
            }
        }
    });
    let reply = node.resolver().ask(&full("web"), TXT);
    assert_eq!(reply.answers[0].data.to_string(), format!("n={CHANGES}"));
}
