//! Servers of this version beside later ones, which etcdctl stands for: it writes what they may.

use super::Servers;
use crate::support::{etcd::Etcd, eventually};

/// What this version knows of a registration.
const KNOWN: &str =
    r#""addresses":["10.0.0.7"],"port":80,"registered_at":"2026-01-01T00:00:00.000Z""#;

#[test]
fn what_a_later_version_writes_is_passed_over_and_the_rest_is_answered() {
    let etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    let later = &format!(r#"{{{KNOWN},"mood":"good"}}"#);
    etcd.put("/rollcall/v1/instances/later/i/registration", later);
    etcd.put("/rollcall/v1/wonders/one", "{}");
    servers.all_note("etcd later", &["mood", "wonders", "upgrade this server"]);
    for at in 0..2 {
        eventually("what is known of it is shown", || servers.api(at).status("later", "i"));
    }
    // Who replaces it writes what is known here.
    servers.register(0, "later", "10.0.0.8");
    servers.end_well(&["etcd", "store", "etcd rows"]);
}

#[test]
fn a_later_schema_is_answered_and_not_written_until_it_is_taken_back() {
    let etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    let meta = etcd.value("/rollcall/v1/meta").expect("the first server has written it");
    etcd.put("/rollcall/v1/meta", &meta.replace(r#""schema":1"#, r#""schema":2"#));
    let said = servers.all_refuse(503, "store-unreachable");
    assert!(said.contains("schema 2") && said.contains("upgrade this server"), "{said}");
    servers.all_note("etcd schema", &["schema 2", "writes nothing"]);
    let later = &format!("{{{KNOWN}}}");
    etcd.put("/rollcall/v1/instances/later/i/registration", later);
    for at in 0..2 {
        eventually("others' changes are followed", || servers.api(at).status("later", "i"));
    }
    etcd.put("/rollcall/v1/meta", &meta);
    servers.end_well(&["etcd", "etcd schema", "store"]);
}
