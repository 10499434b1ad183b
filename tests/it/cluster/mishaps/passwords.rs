//! Users of etcd, whose passwords change while servers run.

use super::{Checked, Servers};
use crate::support::etcd::Etcd;

/// Makes a user that may what Rollcall needs, and no more.
fn add_user(etcd: &Etcd, password: &str) {
    etcd.ctl(&["user", "add", &format!("rollcall:{password}")]).ok();
    etcd.ctl(&["user", "grant-role", "rollcall", "rollcall"]).ok();
}

#[test]
fn a_password_that_is_not_right_any_more_is_told_until_it_is_right_again() {
    let mut etcd = Etcd::single();
    etcd.ctl(&["role", "add", "rollcall"]).ok();
    let grant = ["role", "grant-permission", "--prefix=true", "rollcall", "readwrite"];
    etcd.ctl(&[&grant[..], &["/rollcall/"]].concat()).ok();
    add_user(&etcd, "right");
    etcd.enable_auth("of-root");
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "right\n").unwrap();
    let file = secret.path().display();
    let config = format!("[store]\nuser = \"rollcall\"\npassword_file = \"{file}\"\n");
    let servers = Servers::configured(&etcd, &config, |builder| builder);

    etcd.ctl(&["user", "delete", "rollcall"]).ok();
    add_user(&etcd, "another");
    let said = servers.all_refuse(503, "store-unreachable");
    assert!(said.contains("user `rollcall`") && said.contains("password"), "{said}");
    servers.all_note("store", &["user `rollcall`", "password"]);

    etcd.ctl(&["user", "delete", "rollcall"]).ok();
    add_user(&etcd, "right");
    servers.end_well(&["etcd", "store"]);
}

#[test]
fn users_that_are_asked_for_from_now_on_are_told_to_who_has_none() {
    let mut etcd = Etcd::single();
    let servers = Servers::start(&etcd, |builder| builder);
    etcd.enable_auth("of-root");
    let said = servers.all_refuse(503, "store-unreachable");
    assert!(said.contains("authentication is on"), "{said}");
    servers.all_note("store", &["authentication is on"]);
    etcd.ctl(&["auth", "disable"]).ok();
    servers.end_well(&["etcd", "store"]);
}

/// Each server believed that the other one would tell of what it found.
#[test]
fn users_that_may_only_read_are_told_so_and_each_server_finds_out_about_health_itself() {
    let mut etcd = Etcd::single();
    etcd.ctl(&["role", "add", "rollcall"]).ok();
    let grant = |rights| {
        let words = ["role", "grant-permission", "--prefix=true", "rollcall", rights];
        [&words[..], &["/rollcall/"]].concat()
    };
    etcd.ctl(&grant("readwrite")).ok();
    add_user(&etcd, "right");
    etcd.enable_auth("of-root");
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "right\n").unwrap();
    let file = secret.path().display();
    let config = format!("[store]\nuser = \"rollcall\"\npassword_file = \"{file}\"\n");
    let servers = Servers::configured(&etcd, &config, |builder| builder);
    let checked = Checked::register(&servers);

    etcd.ctl(&grant("read")).ok();
    servers.all_note("etcd writes", &["user `rollcall`", "grant-permission"]);
    checked.dies_and_stays_dead_at_all(&servers);
    etcd.ctl(&grant("readwrite")).ok();
    servers.end_well(&["etcd", "etcd writes", "store"]);
}
