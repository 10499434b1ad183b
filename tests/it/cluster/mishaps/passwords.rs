//! Users of etcd, whose passwords change while servers run.

use std::path::Path;

use serde_json::Value;

use super::{Checked, Servers};
use crate::support::{etcd::Etcd, eventually};

/// The user of all servers, unless said otherwise, and its role.
const USER: &str = "rollcall";

/// Makes a user that has a role of the same name, which is there.
fn add_user(etcd: &Etcd, user: &str, password: &str) {
    etcd.ctl(&["user", "add", &format!("{user}:{password}")]).ok();
    etcd.ctl(&["user", "grant-role", user, user]).ok();
}

/// Makes a user that may what Rollcall needs, and no more; gives what a server has to be told,
/// whose password is in a file.
fn make_user(etcd: &Etcd, user: &str, password: &Path) -> String {
    etcd.ctl(&["role", "add", user]).ok();
    grant(etcd, user, "readwrite");
    add_user(etcd, user, "right");
    std::fs::write(password, "right\n").unwrap();
    let file = password.display();
    format!("[store]\nuser = \"{user}\"\npassword_file = \"{file}\"\n")
}

/// Has the role of a user have these rights below the prefix.
fn grant(etcd: &Etcd, user: &str, rights: &str) {
    let words = ["role", "grant-permission", "--prefix=true", user, rights, "/rollcall/"];
    etcd.ctl(&words).ok();
}

/// Servers of one user, on an etcd that asks for users from now on.
fn with_user(etcd: &mut Etcd, password: &Path) -> Servers {
    let config = make_user(etcd, USER, password);
    etcd.enable_auth("of-root");
    Servers::configured(etcd, &config, |builder| builder)
}

/// The names of the servers that a server takes for alive.
fn known_to(servers: &Servers, at: usize) -> Vec<String> {
    let listed = servers.api(at).get("/api/v1/servers").body;
    let name = |server: &Value| server["server"].as_str().unwrap().to_owned();
    listed["servers"].as_array().unwrap().iter().map(name).collect()
}

#[test]
fn a_password_that_is_not_right_any_more_is_told_until_it_is_right_again() {
    let mut etcd = Etcd::single();
    let secret = tempfile::NamedTempFile::new().unwrap();
    let servers = with_user(&mut etcd, secret.path());

    etcd.ctl(&["user", "delete", "rollcall"]).ok();
    add_user(&etcd, USER, "another");
    let said = servers.all_refuse(503, "store-unreachable");
    assert!(said.contains("user `rollcall`") && said.contains("password"), "{said}");
    servers.all_note("store", &["user `rollcall`", "password"]);

    etcd.ctl(&["user", "delete", "rollcall"]).ok();
    add_user(&etcd, USER, "right");
    servers.end_well(&["etcd", "store"]);
}

#[test]
fn users_that_are_asked_for_from_now_on_are_told_to_who_has_none() {
    let mut etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    etcd.enable_auth("of-root");
    let said = servers.all_refuse(503, "store-unreachable");
    let wanted = ["authentication is on", "set `store.user` and `store.password_file`"];
    assert!(wanted.iter().all(|words| said.contains(words)), "{said}");
    servers.all_note("store", &wanted);
    etcd.ctl(&["auth", "disable"]).ok();
    servers.end_well(&["etcd", "store"]);
}

/// Each server believed that the other one would tell of what it found.
#[test]
fn users_that_may_only_read_are_told_so_and_each_server_finds_out_about_health_itself() {
    let mut etcd = Etcd::single();
    let secret = tempfile::NamedTempFile::new().unwrap();
    let servers = with_user(&mut etcd, secret.path());
    let checked = Checked::register(&servers);

    grant(&etcd, USER, "read");
    servers.all_note("etcd writes", &["user `rollcall`", "grant-permission"]);
    checked.dies_and_stays_dead_at_all(&servers);
    // Heartbeats are handed on among them as ever.
    assert_eq!([known_to(&servers, 0), known_to(&servers, 1)], [["a", "b"], ["a", "b"]]);
    grant(&etcd, USER, "readwrite");
    servers.end_well(&["etcd", "etcd writes", "store"]);
}

/// The others believed that it did its part, of which nothing could be written: who died there was
/// alive for them.
#[test]
fn a_server_that_alone_may_not_write_leaves_its_tasks_to_the_others_until_it_may() {
    let mut etcd = Etcd::single();
    let secret = tempfile::NamedTempFile::new().unwrap();
    let config = [USER, "other"].map(|user| make_user(&etcd, user, secret.path()));
    etcd.enable_auth("of-root");
    let mut servers = Servers::named(&etcd, &["a"], &config[0], |builder| builder);
    let other = Servers::named(&etcd, &["b"], &config[1], |builder| builder);
    servers.nodes.extend(other.nodes);
    servers.asking.extend(other.asking);
    let checked = Checked::register_at(&servers, "b");

    grant(&etcd, "other", "read");
    // One finds it out by a change that is refused, the other's are taken.
    eventually("b refuses changes", || {
        let reply = servers.attempt(1, "refused", "10.0.9.9")?;
        (reply.status == 503).then_some(())
    });
    let mut changes = 0;
    eventually("a has the tasks of b", || {
        changes += 1;
        servers.register(0, "change", &format!("10.0.1.{}", changes % 200));
        (checked.owner(&servers, 0) == "a").then_some(())
    });
    assert_eq!(known_to(&servers, 0), ["a"]);
    checked.dies_and_stays_dead_at_all(&servers);
    grant(&etcd, "other", "readwrite");
    eventually("b is back", || (known_to(&servers, 0) == ["a", "b"]).then_some(()));
    servers.end_well(&["etcd", "etcd writes", "etcd membership", "store"]);
}
