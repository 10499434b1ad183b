//! What many writes leave in an etcd 3.4: a buffer that it copies for each read and each change, as
//! long as nothing but keys is written. (Later versions have none, and pass as well.)

use serde_json::{Value, json};
use ureq::Agent;

use crate::support::{
    Node,
    command::{rollcall, run},
    etcd::Etcd,
    eventually,
};

/// Instances: so many that the buffer would be seen.
const ALL: usize = 20_000;

/// Octets that a read may take: measured were 37,000 to 95,000, and 250,000 to 380,000 with it.
const READ_MAX: f64 = 150_000.0;

/// Octets that etcd takes from its memory for a read, the least of several times: it does other
/// things as well.
fn octets_of_a_read(etcd: &Etcd) -> f64 {
    const READS: u32 = 20;
    const TIMES: usize = 5;
    let taken = || etcd.metric(0, "go_memstats_alloc_bytes_total").unwrap();
    // By one connection to the gateway: each of etcdctl's own would take more than what is looked
    // for. The key is `x`.
    let (agent, url) = (Agent::new_with_defaults(), format!("{}/v3/kv/range", etcd.endpoints()[0]));
    let read = || agent.post(&url).send(r#"{"key": "eA=="}"#).unwrap().into_body().read_to_string();
    read().unwrap();
    let once = || {
        let before = taken();
        (0..READS).for_each(|_| drop(read().unwrap()));
        (taken() - before) / f64::from(READS)
    };
    std::iter::repeat_with(once).take(TIMES).fold(f64::INFINITY, f64::min)
}

fn instances() -> impl Iterator<Item = Value> {
    (0..ALL).map(|number| {
        let [service, instance] = [number / 5, number % 5];
        json!({ "service": format!("s{service}"), "instance": format!("i{instance}"),
            "addresses": [format!("10.0.{}.{}", number / 250, number % 250)], "port": 80 })
    })
}

/// It was there from an import on.
#[test]
fn an_import_leaves_none() {
    let (etcd, scratch) = (Etcd::single(), tempfile::tempdir().unwrap());
    let head =
        json!({ "rollcall_export": 1, "revision": 1, "exported_at": "2026-01-01T00:00:00Z" });
    let end = json!({ "end": { "instances": ALL, "policies": 0 } });
    let lines = [head].into_iter().chain(instances()).chain([end]);
    let file = scratch.path().join("many.jsonl");
    std::fs::write(&file, lines.map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    let store = format!("etcd={}", etcd.endpoints()[0]);
    let done = run(rollcall(["import", "--store", &store]).arg(&file));
    assert_eq!(done.code, Some(0), "{done:?}");
    let octets = octets_of_a_read(&etcd);
    assert!(octets < READ_MAX, "{octets}");
}

/// And from one request for many instances.
#[test]
fn a_bulk_leaves_none() {
    let etcd = Etcd::single();
    let store = format!("etcd={}", etcd.endpoints()[0]);
    let node = Node::builder().arg("--store").arg(&store).start();
    let reply = node.api().post("/api/v1/instances", &instances().collect());
    assert_eq!(reply.status, 200, "{reply:?}");
    let bulk = || etcd.value("/rollcall/v1/bulk").filter(|value| !value.is_empty());
    eventually("all is in its rows", || bulk().is_none().then_some(()));
    eventually("the buffer is gone", || (octets_of_a_read(&etcd) < READ_MAX).then_some(()));
}
