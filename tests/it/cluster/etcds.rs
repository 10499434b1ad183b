//! The etcd of the tests does what the tests take for granted.

use crate::support::{authority::Authority, etcd::Etcd, eventually};

#[test]
fn a_member_that_is_killed_has_all_its_data_when_it_starts_again() {
    let mut etcd = Etcd::single();
    etcd.put("key", "before");
    etcd.kill(0);
    assert_ne!(etcd.ctl(&["get", "key"]).code, Some(0), "nobody is there");
    etcd.start(0);
    etcd.wait_until_healthy();
    assert_eq!(etcd.value("key").as_deref(), Some("before"));
    etcd.put("key", "after");
    etcd.stop(0);
    etcd.start(0);
    etcd.wait_until_healthy();
    assert_eq!(etcd.value("key").as_deref(), Some("after"));
    assert_eq!(etcd.value("other"), None);
}

#[test]
fn three_members_go_on_without_any_one_and_stop_without_two() {
    let mut etcd = Etcd::cluster(3);
    let first = etcd.leader();
    etcd.kill(first);
    let second = etcd.leader_after(first);
    etcd.put("key", "two are a majority");
    etcd.start(first);
    etcd.wait_until_healthy();
    // One that stands still does not lead for long.
    let paused = etcd.pause(second);
    let third = etcd.leader_after(second);
    drop(paused);
    eventually("it follows", || {
        (etcd.metric(second, "etcd_server_is_leader") == Some(0.0)).then_some(())
    });
    let others: Vec<usize> = (0..3).filter(|at| *at != third).collect();
    others.iter().for_each(|at| etcd.kill(*at));
    assert_eq!(etcd.running(), [third]);
    // It stays in the log of the one that is left, and may be taken when there are two again: who
    // is not told that a change was made has not been told that it will not be.
    assert_ne!(etcd.ctl(&["put", "other", "one is none"]).code, Some(0));
    etcd.start(others[0]);
    etcd.wait_until_healthy();
    assert_eq!(etcd.value("key").as_deref(), Some("two are a majority"));
}

#[test]
fn a_copy_that_is_restored_takes_the_revision_back() {
    let mut etcd = Etcd::cluster(3);
    etcd.put("key", "kept");
    let copy = etcd.save("copy.db");
    for _ in 0..3 {
        etcd.put("key", "lost");
    }
    let revision = |etcd: &Etcd| {
        let status = etcd.ctl(&["endpoint", "status", "--write-out=json"]).json();
        status[0]["Status"]["header"]["revision"].as_u64().unwrap()
    };
    let before = revision(&etcd);
    etcd.restore(&copy);
    assert_eq!(etcd.value("key").as_deref(), Some("kept"));
    assert_eq!(revision(&etcd), before - 3);
}

#[test]
fn an_etcd_without_room_refuses_and_is_alarmed() {
    let etcd = Etcd::builder().flag("--quota-backend-bytes=2097152").start();
    assert_eq!(etcd.alarms(), [""; 0]);
    let value = "v".repeat(100_000);
    let refused = (0..50).map(|n| etcd.ctl(&["put", &format!("key-{n}"), &value]));
    let refused = refused.map(|done| done.stderr).find(|said| !said.is_empty());
    assert!(refused.is_some_and(|said| said.contains("database space exceeded")));
    assert!(etcd.alarms()[0].contains("NOSPACE"));
}

#[test]
fn users_are_asked_for_and_clients_must_be_known() {
    let authority = Authority::new();
    let server = authority.issue("etcd", 2040);
    let mut etcd = Etcd::builder().tls(&authority, server).start();
    assert!(etcd.endpoints().iter().all(|url| url.starts_with("https://127.0.0.1:")));
    etcd.put("key", "over TLS");
    etcd.enable_auth("secret");
    assert_eq!(etcd.value("key").as_deref(), Some("over TLS"));
    for words in [["role", "add", "reader"], ["user", "add", "guest:guest"]] {
        etcd.ctl(&words).ok();
    }
    // The later `--user` counts.
    let refused = etcd.ctl(&["get", "key", "--user=guest:guest"]);
    assert!(refused.stderr.contains("permission denied"), "{refused:?}");
    let unknown = crate::support::tls::Certificate::new();
    let folder = tempfile::tempdir().unwrap();
    unknown.write(folder.path());
    let path = |name: &str| folder.path().join(name).display().to_string();
    let shown = ["certificate.pem", "key.pem"].map(path);
    let [certificate, key] = [format!("--cert={}", shown[0]), format!("--key={}", shown[1])];
    let refused = etcd.ctl(&["get", "key", &certificate, &key]);
    assert_ne!(refused.code, Some(0), "{refused:?}");
}
