//! Users of etcd, whose passwords change while servers run.

use std::path::Path;

use super::{Checked, Servers};
use crate::support::etcd::Etcd;

/// Makes a user that may what Rollcall needs, and no more.
fn add_user(etcd: &Etcd, password: &str) {
    etcd.ctl(&["user", "add", &format!("rollcall:{password}")]).ok();
    etcd.ctl(&["user", "grant-role", "rollcall", "rollcall"]).ok();
}

/// Has the role of that user have these rights below the prefix.
fn grant(etcd: &Etcd, rights: &str) {
    let words = ["role", "grant-permission", "--prefix=true", "rollcall", rights, "/rollcall/"];
    etcd.ctl(&words).ok();
}

/// Servers of that user, on an etcd that asks for users from now on. Their password is in a file.
fn with_user(etcd: &mut Etcd, password: &Path) -> Servers {
    etcd.ctl(&["role", "add", "rollcall"]).ok();
    grant(etcd, "readwrite");
    add_user(etcd, "right");
    etcd.enable_auth("of-root");
    std::fs::write(password, "right\n").unwrap();
    let file = password.display();
    let config = format!("[store]\nuser = \"rollcall\"\npassword_file = \"{file}\"\n");
    Servers::configured(etcd, &config, |builder| builder)
}

#[test]
fn a_password_that_is_not_right_any_more_is_told_until_it_is_right_again() {
    let mut etcd = Etcd::single();
    let secret = tempfile::NamedTempFile::new().unwrap();
    let servers = with_user(&mut etcd, secret.path());

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
    let secret = tempfile::NamedTempFile::new().unwrap();
    let servers = with_user(&mut etcd, secret.path());
    let checked = Checked::register(&servers);

    grant(&etcd, "read");
    servers.all_note("etcd writes", &["user `rollcall`", "grant-permission"]);
    checked.dies_and_stays_dead_at_all(&servers);
    grant(&etcd, "readwrite");
    servers.end_well(&["etcd", "etcd writes", "store"]);
}
