//! What a reload does with each key. Both lists are written down here once more, and not made from
//! those of the keys: whoever adds a key has to say here what becomes of it.

use toml::de::DeTable;

use super::{
    super::{
        given::Given,
        spec_v1::{Key, keys},
    },
    Config, Reload,
};

/// Keys that a running server takes over, each with another value than its default.
const TAKEN_OVER: &[(&str, &str)] = &[
    ("server.lame_duck", "'9s'"),
    ("dns.udp_size", "512"),
    ("dns.identity", "'a'"),
    ("dns.version", "'1'"),
    ("dns.nsid", "'a'"),
    ("dns.cookies", "false"),
    ("dns.cookie_secret_file", "'secrets'"),
    ("dns.negative_ttl", "'1s'"),
    ("dns.hostmaster", "'a@example.com'"),
    ("dns.nameservers", "[{ name = 'ns1', addresses = ['192.0.2.1'] }]"),
    ("dns.tcp_connections_max", "7"),
    ("dns.tcp_connections_per_client_max", "7"),
    ("dns.tcp_idle_timeout", "'7s'"),
    ("dns.access", "[{ zone = '.', allow = ['192.0.2.0/24'] }]"),
    ("dns.rate_limit.responses_per_second", "7"),
    ("dns.rate_limit.all_per_second", "7"),
    ("dns.rate_limit.slip", "7"),
    ("dns.rate_limit.ipv4_prefix", "7"),
    ("dns.rate_limit.ipv6_prefix", "7"),
    ("dns.rate_limit.unproven_udp_size", "7"),
    ("dns.rate_limit.exempt", "[]"),
    ("dns.encrypted.connections_max", "7"),
    ("dns.encrypted.connections_per_client_max", "7"),
    ("dns.encrypted.idle_timeout", "'7s'"),
    ("dns.encrypted.handshake_timeout", "'7s'"),
    ("dns.encrypted.streams_max", "7"),
    ("forward.upstreams", "['192.0.2.53']"),
    ("forward.resolv_conf", "'resolv.conf'"),
    ("forward.zones", "[{ suffix = 'corp', upstreams = ['192.0.2.53'] }]"),
    ("forward.order", "'random'"),
    ("forward.timeout", "'1s'"),
    ("forward.allow", "[]"),
    ("forward.in_flight_max", "7"),
    ("forward.in_flight_per_client_max", "7"),
    ("forward.cache_size", "1048576"),
    ("forward.max_ttl", "'7s'"),
    ("forward.negative_max_ttl", "'7s'"),
    ("forward.stale_max", "'7s'"),
    ("forward.prefetch", "false"),
    ("policy.ttl", "'7s'"),
    ("policy.answer_limit", "7"),
    ("policy.when_none_healthy", "'all'"),
    ("policy.min_healthy", "0.5"),
    ("health.self_preservation.enabled", "false"),
    ("health.self_preservation.window", "'7s'"),
    ("health.self_preservation.min_silent", "7"),
    ("health.self_preservation.share_silent", "0.5"),
    ("health.self_preservation.max_hold", "'7s'"),
    ("consul.dns.only_passing", "true"),
    ("consul.dns.service_ttl", "{ web = '7s' }"),
    ("consul.dns.node_ttl", "'7s'"),
    ("consul.dns.udp_answer_limit", "7"),
    ("consul.dns.a_record_limit", "7"),
    ("consul.dns.nxdomain_when_none_healthy", "false"),
    ("consul.dns.nxdomain_for_empty_names", "true"),
    ("log.filter", "'warn'"),
];

/// Keys that wait for a restart: sockets, threads, folders, and what is made once of them.
const NEEDS_RESTART: &[(&str, &str)] = &[
    ("server.domain", "'example'"),
    ("server.data", "'data'"),
    ("server.zones", "'files'"),
    ("dns.listen", "['127.0.0.9:53']"),
    ("dns.udp_workers", "7"),
    ("dns.reverse", "['10.0.0.0/8']"),
    ("dns.tls.listen", "['127.0.0.9:853']"),
    ("dns.https.listen", "['127.0.0.9:443']"),
    ("dns.https.path", "'/dns'"),
    ("dns.quic.listen", "['127.0.0.9:853']"),
    ("tls.certificate", "'certificate.pem'"),
    ("tls.key", "'key.pem'"),
    ("tls.self_signed", "true"),
    ("http.listen", "['127.0.0.9:80']"),
    ("http.connections_max", "7"),
    ("http.watchers_max", "7"),
    ("http.header_timeout", "'7s'"),
    ("http.body_timeout", "'7s'"),
    ("http.request_timeout", "'7s'"),
    ("consul.enabled", "false"),
    ("consul.datacenter", "'dc7'"),
    ("consul.node_name", "'n7'"),
    ("consul.node_address", "'192.0.2.7'"),
    ("consul.registration_wait", "'7s'"),
    ("eureka.enabled", "false"),
    ("eureka.expose", "false"),
    ("health.in_flight_max", "7"),
    ("health.ca_file", "'ca.pem'"),
    ("store.kind", "'etcd'"),
    ("store.endpoints", "['http://127.0.0.1:2379']"),
    ("store.prefix", "'/other'"),
    ("store.user", "'root'"),
    ("store.password_file", "'password'"),
    ("store.ca_file", "'ca.pem'"),
    ("store.certificate", "'certificate.pem'"),
    ("store.key", "'key.pem'"),
    ("store.server_name", "'etcd.example'"),
    ("store.request_timeout", "'7s'"),
    ("cluster.server_id", "'s7'"),
    ("cluster.advertise", "['192.0.2.7:80']"),
    ("cluster.lease", "'7s'"),
    ("cluster.checkers", "7"),
    ("consul.domain", "'example'"),
    ("log.format", "'json'"),
];

/// The defaults with another value of one key; what follows from it in others is left out.
fn with(key: &Key, value: &str) -> Config {
    let text = format!("value = {value}");
    let table = DeTable::parse(&text).unwrap();
    let (_, _, given) = &Given::entries_of(table.get_ref())[0];
    let mut config = Config::default();
    (key.set)(&mut config, given).unwrap_or_else(|refusal| panic!("{}: {refusal:?}", key.path));
    config
}

#[test]
fn of_each_key_it_is_said_whether_a_reload_takes_it_over() {
    let mut said: Vec<_> = TAKEN_OVER.iter().chain(NEEDS_RESTART).map(|(path, _)| *path).collect();
    let mut all: Vec<_> = keys().map(|key| key.path).collect();
    said.sort_unstable();
    all.sort_unstable();
    assert_eq!(said, all);
}

#[test]
fn a_reload_takes_over_each_key_that_it_says_and_no_other() {
    let old = Config::default();
    for (path, value) in TAKEN_OVER {
        let new = with(Key::find(path).unwrap(), value);
        let reload = Reload { changed: vec![path], needs_restart: Vec::new() };
        assert_eq!(old.diff_reload(&new), reload);
        assert_eq!(old.with_reloadable(&new), new, "{path}");
    }
    for (path, value) in NEEDS_RESTART {
        let new = with(Key::find(path).unwrap(), value);
        let reload = Reload { changed: Vec::new(), needs_restart: vec![path] };
        assert_eq!(old.diff_reload(&new), reload);
        assert_eq!(old.with_reloadable(&new), old, "{path}");
    }
}
