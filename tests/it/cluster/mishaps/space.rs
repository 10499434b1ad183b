//! An etcd without room, as its quota has it.

use serde_json::json;

use super::{Checked, Servers};
use crate::support::{api::instance_path, etcd::Etcd, eventually};

#[test]
fn without_room_changes_are_refused_and_health_goes_on_until_there_is_some() {
    let etcd = Etcd::builder().flag("--quota-backend-bytes=2097152").start();
    let servers = Servers::start(&etcd, |builder| builder);
    let beating = json!({ "addresses": ["10.0.0.3"], "checks": [{ "type": "ttl", "ttl": "3s" }] });
    servers.api(0).register("beating", "i", &beating);
    let checked = Checked::register(&servers);
    let value = "v".repeat(100_000);
    let mut fillers = (0..50).map(|n| etcd.ctl(&["put", &format!("filler-{n}"), &value]));
    assert!(fillers.any(|done| done.stderr.contains("database space exceeded")));

    // Nobody has changed anything yet.
    servers.all_note("etcd space", &["changes are refused"]);
    checked.dies_and_stays_dead_at_all(&servers);
    let said = servers.all_refuse(507, "store-full");
    assert!(said.contains("compact") || said.contains("space"), "{said}");
    servers.all_note("etcd space", &["etcdctl alarm disarm"]);
    // Its owner knows that it is silent, which nobody can write.
    eventually("health goes on", || {
        let mut all = (0..2).map(|at| servers.api(at).status("beating", "i"));
        all.any(|status| status.as_deref() == Some("critical")).then_some(())
    });

    etcd.ctl(&["del", "--prefix", "filler-"]).ok();
    let status = etcd.ctl(&["endpoint", "status", "--write-out=json"]).json();
    let revision = status[0]["Status"]["header"]["revision"].to_string();
    for words in [&["compact", &revision][..], &["defrag"], &["alarm", "disarm"]] {
        etcd.ctl(words).ok();
    }
    // Nobody has to change anything for it.
    servers.none_notes(&["etcd space", "store"]);
    for at in 0..2 {
        eventually("all know that it is silent", || {
            (servers.api(at).status("beating", "i").as_deref() == Some("critical")).then_some(())
        });
        let path = format!("{}/heartbeat", instance_path("beating", "i"));
        assert_eq!(servers.api(at).put(&path, &json!(null)).status, 200);
    }
    servers.end_well(&["etcd", "etcd space", "store"]);
}
