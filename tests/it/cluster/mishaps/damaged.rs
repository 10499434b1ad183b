//! Rows of etcd that somebody has damaged.

use serde_json::{Value, json};

use super::Servers;
use crate::support::{Node, etcd::Etcd, eventually};

/// It was told that all is well, and a server that was started later did not have it.
#[test]
fn who_registers_again_as_before_mends_a_row_that_cannot_be_read() {
    let etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    let native = json!({ "addresses": ["10.0.0.7"], "port": 80,
        "checks": [{ "type": "ttl", "ttl": "1h" }] });
    let consul = json!({ "Name": "web", "ID": "w-1", "Address": "10.0.0.7", "Port": 80 });
    let doors = [
        ("native", "/api/v1/services/native/instances/i", native),
        ("web", "/v1/agent/service/register", consul),
    ];
    for (at, (service, path, body)) in doors.iter().enumerate() {
        let api = servers.api(at);
        assert!(matches!(api.put(path, body).status, 200 | 201));
        let key = registration(&etcd, service);
        let read = || serde_json::from_str::<Value>(&etcd.value(&key).unwrap()).ok();
        let whole = read().unwrap();
        etcd.put(&key, "{bad");
        servers.all_note(&format!("etcd row {key}"), &["mend the row"]);
        let again = api.put(path, body);
        assert_eq!(again.status, 200, "{again:?}");
        let mended = read().unwrap_or_else(|| panic!("{key} is not mended: {again:?}"));
        for field in ["addresses", "port", "registered_at"] {
            assert_eq!(mended[field], whole[field], "{mended}");
        }
        servers.none_notes(&[&format!("etcd row {key}")]);
        // Once, and not each time from then on.
        let written = etcd.value(&key);
        assert_eq!(api.put(path, body).status, 200);
        assert_eq!(etcd.value(&key), written);
    }
    let store = format!("etcd={}", etcd.endpoints().join(","));
    let later = Node::builder().arg("--store").arg(store).start();
    eventually("one that is started later has it", || later.api().status("native", "i"));
    let found = || later.resolver().service("web").len() == 1;
    eventually("and what Consul's client has", || found().then_some(()));
    servers.end_well(&["etcd", "store", "etcd rows"]);
}

/// The key of the only registration of a service.
fn registration(etcd: &Etcd, service: &str) -> String {
    let below = format!("/rollcall/v1/instances/{service}/");
    let keys = etcd.ctl(&["get", "--prefix", "--keys-only", &below]).ok();
    let mut keys = keys.lines().filter(|key| key.ends_with("/registration"));
    let (key, None) = (keys.next().unwrap(), keys.next()) else { panic!("more than one") };
    key.to_owned()
}
