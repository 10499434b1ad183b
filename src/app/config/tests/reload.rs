//! What a reload changes, and what it leaves for a restart.

use std::{fs, time::Duration};

use super::load;
use crate::{
    app::config::{Config, Reload, Sources},
    telemetry::LogFormat,
};

#[test]
fn a_reload_says_what_it_cannot_change() {
    let old = Config::default();
    let mut new = old.clone();
    assert_eq!(old.diff_reload(&new), Reload::default());
    new.log.filter = "debug".into();
    new.log.format = LogFormat::Json;
    new.server.lame_duck = Duration::from_secs(9);
    new.dns.udp_workers = 512;
    let reload = old.diff_reload(&new);
    assert_eq!(reload.changed, ["server.lame_duck", "log.filter"]);
    assert_eq!(reload.needs_restart, ["dns.udp_workers", "log.format"]);
}

#[test]
fn a_reload_reads_the_file_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollcall.toml");
    fs::write(&path, "version = 1\n").unwrap();
    let flags = vec![("log.format", vec!["json".into()])];
    let old = Config::load(Sources { file: Some(path.clone()), flags, ..Sources::default() });
    let old = old.unwrap();
    fs::write(&path, "version = 1\nlog = { filter = \"debug\", format = \"text\" }\n").unwrap();
    let new = old.reload().unwrap();
    assert_eq!(old.diff_reload(&new).changed, ["log.filter"]);
    assert_eq!(new.log.format, LogFormat::Json, "the flag still wins");
}

#[test]
fn a_reload_takes_what_can_change_and_leaves_the_rest() {
    let old = Config::default();
    let text = "version = 1\n\
        [server]\ndomain = \"elsewhere\"\nlame_duck = \"9s\"\n\
        [dns]\nlisten = [\"127.0.0.9:53\"]\nnegative_ttl = \"1s\"\ntcp_connections_max = 7\n\
        [policy]\nttl = \"1s\"\n\
        [health]\nin_flight_max = 7\n\
        [health.self_preservation]\nmin_silent = 7\n";
    let new = load(text, |_| ()).unwrap();
    let reload = old.diff_reload(&new);
    let taken = old.with_reloadable(&new);
    let waits = ["dns.listen", "dns.hostmaster", "dns.nameservers", "health.in_flight_max"];
    assert_eq!(reload.needs_restart, [&["server.domain"], waits.as_slice()].concat());
    assert_eq!(taken.diff_reload(&new), Reload { changed: vec![], ..reload });
    let unchanged = old.diff_reload(&taken);
    assert!(unchanged.needs_restart.is_empty(), "{unchanged:?}");
    assert_eq!(taken.policy.ttl_seconds, 1);
    assert_eq!(taken.dns.hostmaster, old.dns.hostmaster, "it follows the domain");
}

#[test]
fn who_may_ask_for_names_changes_no_sooner_than_the_names() {
    let config = |text: &str| load(&format!("version = 1\n{text}\n"), |_| ()).unwrap();
    let access = |zone: &str| format!("dns.access = [{{ zone = '{zone}', allow = ['::1'] }}]\n");
    for (path, old, new) in [
        ("server.domain", ("corp", "service.corp"), ("new", "service.new")),
        ("server.zones", ("old", "a.test"), ("new", "b.test")),
        ("dns.reverse", ("10.0.0.0/8", "10.in-addr.arpa"), ("fd00::/8", "d.f.ip6.arpa")),
    ] {
        let list = |value: &str| match path {
            "dns.reverse" => format!("['{value}']"),
            _ => format!("'{value}'"),
        };
        let [old, new] = [old, new]
            .map(|(value, zone)| config(&format!("{path} = {}\n{}", list(value), access(zone))));
        let reload = old.diff_reload(&new);
        assert!(!reload.changed.contains(&"dns.access"), "{path}: {reload:?}");
        assert!(reload.needs_restart.contains(&"dns.access"), "{path}: {reload:?}");
        assert_eq!(old.with_reloadable(&new).dns.access, old.dns.access, "{path}");
    }
}
