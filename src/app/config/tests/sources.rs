//! The file, the environment and the flags, of which the stronger one wins.

use super::{EXAMPLE, load};
use crate::app::config::{
    Config,
    spec_v1::{Key, keys},
};

#[test]
fn a_stronger_source_wins_key_by_key() {
    let text = "version = 1\n[dns]\nlisten = [\"127.0.0.1:1\"]\nudp_size = 600\nudp_workers = 3\n";
    let config = load(text, |sources| {
        let variable = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        sources.environment = vec![
            variable("ROLLCALL_DNS_LISTEN", "127.0.0.1:2, [::1]:2"),
            variable("ROLLCALL_DNS_UDP_SIZE", "700"),
            variable("ROLLCALL_HEALTH_SELF_PRESERVATION_ENABLED", "false"),
            variable("ROLLCALL_PORT", "tcp://10.96.0.7:8500"),
            variable("UNRELATED", ""),
        ];
        sources.flags = vec![("dns.listen", vec!["127.0.0.1:3".into(), "[::1]:3".into()])];
    })
    .unwrap();
    assert_eq!(config.dns.listen, ["127.0.0.1:3".parse().unwrap(), "[::1]:3".parse().unwrap()]);
    assert_eq!((config.dns.udp_size, config.dns.udp_workers), (700, 3));
    assert!(!config.health.self_preservation.enabled);
    assert_eq!(config.dns.tcp_connections_max, Config::default().dns.tcp_connections_max);
}

#[test]
fn a_variable_of_a_table_that_is_no_key_is_refused_and_others_are_not_ours() {
    let load = |names: &[&str]| {
        load("version = 1\n", |sources| {
            sources.environment = names.iter().map(|name| ((*name).into(), "1".into())).collect();
        })
    };
    let error = load(&["ROLLCALL_DNS_LISTN", "ROLLCALL_LOG_COLOURS"]).unwrap_err();
    assert_eq!(
        error,
        "error: `ROLLCALL_DNS_LISTN` is the variable of no key; is `ROLLCALL_DNS_LISTEN` meant?
 --> environment variable ROLLCALL_DNS_LISTN

error: `ROLLCALL_LOG_COLOURS` is the variable of no key; `[log]` has `ROLLCALL_LOG_FILTER`, \
         `ROLLCALL_LOG_FORMAT`
 --> environment variable ROLLCALL_LOG_COLOURS"
    );
    let error = load(&["ROLLCALL_DNS_FOO"]).unwrap_err();
    assert!(
        error.contains("; of those of `[dns]` `ROLLCALL_DNS_NSID` is the closest\n"),
        "one, and not all thirty: {error}"
    );
    // What Kubernetes sets for services called `rollcall`, `rollcall-server` and
    // `rollcall-dns-udp`, and what the client verbs and scripts have.
    let foreign = [
        "ROLLCALL_SERVER",
        "ROLLCALL_CONFIG",
        "ROLLCALL_DNSMASQ",
        "ROLLCALL_SERVICE_HOST",
        "ROLLCALL_PORT",
        "ROLLCALL_SERVER_SERVICE_HOST",
        "ROLLCALL_SERVER_SERVICE_PORT_HTTP",
        "ROLLCALL_SERVER_PORT",
        "ROLLCALL_SERVER_PORT_8500_TCP",
        "ROLLCALL_SERVER_PORT_8500_TCP_ADDR",
        "ROLLCALL_DNS_UDP_PORT_53_UDP_PROTO",
    ];
    assert_eq!(load(&foreign).map(drop), Ok(()));
    for table in ["SERVER", "DNS", "HTTP", "POLICY", "HEALTH", "STORE", "CLUSTER", "LOG"] {
        assert!(load(&[&format!("ROLLCALL_{table}_NONSENSE")]).is_err(), "{table}");
    }
}

#[test]
fn a_key_that_is_a_list_of_tables_can_stand_only_in_the_file() {
    for (name, path) in [
        ("ROLLCALL_DNS_NAMESERVERS", "dns.nameservers"),
        ("ROLLCALL_DNS_ACCESS", "dns.access"),
        ("ROLLCALL_FORWARD_ZONES", "forward.zones"),
    ] {
        let error = load("version = 1\n", |sources| {
            sources.environment = vec![(name.into(), "x".into())];
        });
        let said =
            format!("error: `{path}` can stand only in the file\n --> environment variable {name}");
        assert_eq!(error.unwrap_err(), said);
        assert!(EXAMPLE.contains(&format!("`{path}`")), "the head of the example names it");
    }
    let error = load("version = 1\n", |sources| {
        sources.environment = vec![("ROLLCALL_FORWARD_ZONE".into(), "x".into())];
    });
    assert!(!error.unwrap_err().contains("ROLLCALL_FORWARD_ZONES"), "it is no way out");
}

#[test]
fn each_key_has_one_path_and_one_variable() {
    let mut names: Vec<_> = keys().map(Key::variable).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), keys().count());
    assert!(!names.contains(&"ROLLCALL_SERVER".to_owned()), "the client verbs have that one");
}
