//! Many changes at once: in one request, and by many clients.

use std::collections::BTreeSet;

use hickory_proto::op::ResponseCode;
use serde_json::{Value, json};

use crate::support::{Node, api::Api, dns::Resolver};

#[test]
fn ten_thousand_are_registered_at_one_revision() {
    let node = Node::start();
    let (api, resolver) = (node.api(), node.resolver());
    let registrations: Vec<Value> = (0..10_000)
        .map(|n| {
            json!({ "service": format!("s{}", n % 100), "instance": format!("i{n}"), "port": 80,
                "addresses": [format!("10.{}.{}.1", n / 250, n % 250)], "tags": ["bulk"] })
        })
        .collect();
    let reply = api.post("/api/v1/instances", &registrations.clone().into());
    assert_eq!(reply.status, 200, "{:?}", reply.body);
    assert_eq!(reply.body["created"], 10_000);
    assert!(node.is_at(&reply.body["revision"]));
    for n in 0..100 {
        assert_eq!(resolver.service(&format!("s{n}")).len(), 8, "the answer limit");
    }
    let again = api.post("/api/v1/instances", &registrations.into());
    assert_eq!((&again.body["created"], &again.body["changed"]), (&0.into(), &false.into()));
    let node = node.kill_and_restart();
    let list = node.api().get("/api/v1/services").body;
    let services = list["services"].as_array().unwrap();
    let instances: u64 = services.iter().map(|s| s["instances"].as_u64().unwrap()).sum();
    assert_eq!((services.len(), instances), (100, 10_000));
}

#[test]
fn sixty_four_writers_at_once_each_see_their_own_writes() {
    const WRITERS: usize = 64;
    const ROUNDS: usize = 30;
    let node = Node::start();
    let (http, dns) = (node.http[0], node.dns[0]);
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            std::thread::spawn(move || {
                let (api, resolver) = (Api::new(http), Resolver::new(dns));
                let (service, mut revisions) = (format!("s{writer}"), Vec::new());
                for round in 0..ROUNDS {
                    let body = json!({ "addresses": [format!("10.{writer}.{round}.1")] });
                    let reply = api.register(&service, "i", &body);
                    revisions.push(reply.body["revision"].as_u64().unwrap());
                    let expected: std::net::IpAddr =
                        format!("10.{writer}.{round}.1").parse().unwrap();
                    assert_eq!(resolver.service(&service), [expected]);
                }
                api.deregister(&service, "i");
                let name = format!("{service}.service.internal.");
                assert_eq!(resolver.rcode(&name), ResponseCode::NXDomain);
                revisions
            })
        })
        .collect();
    let mut all = BTreeSet::new();
    for writer in writers {
        let revisions = writer.join().unwrap();
        assert!(revisions.is_sorted_by(|earlier, later| earlier < later), "{revisions:?}");
        all.extend(revisions);
    }
    // What was written to etcd at once has one revision there.
    let least = if node.is_shared() { ROUNDS } else { WRITERS * ROUNDS };
    assert!(all.len() >= least, "each change has a revision of its own: {}", all.len());
    assert!(node.revision() > *all.last().unwrap(), "so have those that deregister");
}
