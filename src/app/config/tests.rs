//! The configuration through its front door: texts in, errors and settings out.

use std::{fs, path::PathBuf, time::Duration};

use super::{
    Config, ConsulNode, Reload, Sources,
    spec_v1::{Key, keys},
};
use crate::{
    dns::{self, CookieSecrets},
    http,
    model::{DnsName, Invalid, limit},
    telemetry::LogFormat,
};

mod store;

const EXAMPLE: &str = include_str!("../../../examples/rollcall.toml");

/// Loads a file called `rollcall.toml` with `text`.
pub(super) fn load(text: &str, change: impl FnOnce(&mut Sources)) -> Result<Config, String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("rollcall.toml");
    fs::write(&path, text).unwrap();
    let mut sources = Sources { file: Some(path), ..Sources::default() };
    change(&mut sources);
    let prefix = format!("{}/", folder.path().display());
    let loaded = Config::load(sources).map_err(|error| error.to_string().replace(&prefix, ""));
    loaded.map(|config| Config { sources: Sources::default(), ..config })
}

pub(super) fn error_of(text: &str) -> String {
    load(text, |_| ()).unwrap_err()
}

/// Files, and exactly what is said of each.
const SHOWN: &[(&str, &str)] = &[
    (
        "version = 1\n[dns]\nudp_size = 70000\n",
        "error: `dns.udp_size`: `70000` is outside the limits of 512 to 4096
 --> rollcall.toml:3:12
  |
3 | udp_size = 70000
  |            ^^^^^",
    ),
    (
        "version = 1\n\n[server]\n\tdomain = \"in_ternal\" # ä\n",
        "error: `server.domain`: `in_ternal` has the character '_', which no host name has
 --> rollcall.toml:4:11
  |
4 | \tdomain = \"in_ternal\" # ä
  | \t         ^^^^^^^^^^^",
    ),
    (
        "version = 1\n[dns]\nlisten = [\"127.0.0.1:53\", \"localhost:53\"]\n",
        "error: `dns.listen[1]`: `localhost:53` is no address with a port, as in \
         `127.0.0.1:8600` or `[::1]:8600`
 --> rollcall.toml:3:27
  |
3 | listen = [\"127.0.0.1:53\", \"localhost:53\"]
  |                           ^^^^^^^^^^^^^^",
    ),
    (
        "version = 1\nhealth = { self_preservation = { windw = \"5s\" } }\n",
        "error: `windw` is not known in `[health.self_preservation]`; is `window` meant?
 --> rollcall.toml:2:34
  |
2 | health = { self_preservation = { windw = \"5s\" } }
  |                                  ^^^^^",
    ),
    (
        "version = 1\n[dns\n",
        "error: unclosed table, expected `]`
 --> rollcall.toml:2:5
  |
2 | [dns
  |     ^",
    ),
    (
        "[dns]\n",
        "error: `version` is missing; begin the file with `version = 1`
 --> rollcall.toml:1:1
  |
1 | [dns]
  | ^",
    ),
    (
        "version = 2\n[unheard_of]\n",
        "error: `version`: `2` is no version that is known; it is 1
 --> rollcall.toml:1:11
  |
1 | version = 2
  |           ^",
    ),
    (
        "",
        "error: `version` is missing; begin the file with `version = 1`
 --> rollcall.toml:1:1
  |
1 | 
  | ^",
    ),
];

#[test]
fn a_mistake_is_shown_in_its_line_with_a_caret() {
    for (text, expected) in SHOWN {
        assert_eq!(&error_of(text), expected, "{text}");
    }
}

#[test]
fn all_mistakes_are_said_in_the_order_of_the_file() {
    let error = error_of("version = 1\nx = 1\n[log]\nformat = 5\n[dns]\nudp_workers = -1\n");
    let places: Vec<_> = error.lines().filter(|line| line.contains("-->")).collect();
    assert_eq!(
        places,
        [" --> rollcall.toml:2:1", " --> rollcall.toml:4:10", " --> rollcall.toml:6:15"]
    );
}

#[test]
fn each_value_is_held_to_its_type_and_range() {
    let cases = [
        ("server.domain = \".\"", "is the root"),
        ("server.data = \"\"", "is empty"),
        ("server.lame_duck = 3", "is an integer, not a duration"),
        ("server.lame_duck = \"3\"", "write a number and its unit"),
        ("server.lame_duck = \"2m\"", "is outside the limits of 0s to 1m"),
        ("server = 1", "`server`: `1` is an integer, not a table"),
        ("dns.listen = []", "has 0 addresses, outside the limits of 1 to 16"),
        ("dns.listen = \"127.0.0.1:53\"", "is a string, not a list"),
        ("dns.listen = [\"[::1]:53\", \"[::1]:53\"]", "`dns.listen[1]`: `[::1]:53` is there twice"),
        ("dns.udp_size = 99999999999999999999999", "is outside the limits of 512 to 4096"),
        ("dns.udp_size = 1232.0", "is a number with a fraction, not an integer"),
        ("dns.negative_ttl = \"6s\"", "is outside the limits of 1s to 5s"),
        ("dns.negative_ttl = \"1500ms\"", "has a fraction of a second"),
        ("consul.datacenter = \"DC1\"", "is not 1 to 63 small letters, digits and hyphens"),
        ("consul.node_address = \"0.0.0.0\"", "is no address of a host"),
        ("consul.registration_wait = \"11s\"", "is outside the limits of 0s to 10s"),
        ("dns.hostmaster = \"@x\"", "has no 1 to 63 characters before the `@`"),
        (
            "dns.nameservers = [{ name = \"ns0\", addresses = [\"10.0.0.1\"] }]",
            "`dns.nameservers[0].name`: `ns0` is none",
        ),
        (
            "dns.nameservers = [{ name = \"ns1\", addresses = [\"::1\"] }, \
             { name = \"NS1\", addresses = [\"::2\"] }]",
            "has the name `ns1`, which is there twice",
        ),
        ("dns.nameservers = [{ name = \"ns1\" }]", "has no `addresses`"),
        (
            "dns.nameservers = [{ name = \"ns1\", addresses = [\"0.0.0.0\"] }]",
            "`dns.nameservers[0].addresses[0]`: `0.0.0.0` is no address of a host",
        ),
        ("dns.nameservers = [{ nam = \"ns1\" }]", "`dns.nameservers[0]`: `nam` is not known"),
        ("dns.reverse = [\"10.0.0.1/8\"]", "`10.0.0.0/8` is meant"),
        ("dns.reverse = [\"10.0.0.0/25\"]", "outside the limits of /1 to /24"),
        (
            "dns.nameservers = [{ name = \"ns2\", addresses = [\"::1\"] }]",
            "has `ns2` but not `ns1`",
        ),
        ("dns.tcp_connections_per_client_max = 2000", "is above `tcp_connections_max`, 1000"),
        ("http.listen = [\"127.0.0.1:8600\"]", "is an address of `dns.listen` too"),
        ("policy.ttl = \"25h\"", "is outside the limits of 0s to 24h"),
        ("policy.answer_limit = 0", "is outside the limits of 1 to 1000"),
        (
            "policy.when_none_healthy = \"fail\"",
            "is none of `all`, `nodata`, `nxdomain`, `servfail`",
        ),
        ("policy.min_healthy = 2", "is outside the limits of 0 to 1"),
        ("health.self_preservation.enabled = \"yes\"", "is a string, not `true` or `false`"),
        ("log.filter = \"rollcall=loud\"", "is no filter"),
        ("log.format = \"xml\"", "is none of `text`, `json`"),
        ("log.format = 1979-05-27", "is a date or time, not a string"),
        ("dsn.udp_size = 1232", "is `dns` meant?"),
        ("dns.forwarders = []", "is not known in `[dns]`, which has `listen`"),
        ("log.filter = \"info\"\nlog.filter = \"info\"", "duplicate key"),
    ];
    are_refused(&cases);
}

/// Each of these lines is refused by what is said of it, and shown.
pub(super) fn are_refused(cases: &[(&str, &str)]) {
    for (line, expected) in cases {
        let error = error_of(&format!("version = 1\n{line}\n"));
        assert!(error.contains(expected), "{line}: {error}");
        assert!(error.contains("\n --> rollcall.toml:"), "{line}: {error}");
    }
}

#[test]
fn what_encryption_lacks_is_said_with_the_way_out() {
    are_refused(&[
        ("dns.encrypted.connections_per_client_max = 2000", "is above `connections_max`, 1000"),
        ("dns.quic.listen = [\"[::1]:853\"]", "needs `tls.certificate` and `tls.key`"),
        ("dns.https.path = \"dns-query\"", "is no path, which begins with `/`"),
        ("dns.https.path = \"/dns query\"", "has the character ' '"),
        ("tls.key = \"key.pem\"", "is given without `tls.certificate`"),
        ("tls.certificate = \"cert.pem\"", "is given without `tls.key`"),
        (
            "tls = { certificate = \"a\", key = \"b\", self_signed = true }",
            "is given beside `tls.certificate`",
        ),
        (
            "tls.self_signed = true\ndns.tls.listen = [\"127.0.0.1:8600\"]",
            "`dns.tls.listen`: `127.0.0.1:8600` is an address of `dns.listen` too",
        ),
        (
            "tls.self_signed = true\ndns.quic.listen = [\"127.0.0.1:8600\"]",
            "`dns.quic.listen`: `127.0.0.1:8600` is an address of `dns.listen` too",
        ),
    ]);
}

#[test]
fn a_domain_leaves_room_for_the_longest_name_below_it() {
    let domain = |last: usize| format!("{}.{}", "a".repeat(53), "b".repeat(last));
    let load_domain = |text| load(&format!("version = 1\nserver.domain = \"{text}\"\n"), |_| ());
    let config = load_domain(domain(54)).unwrap();
    let label = "x".repeat(63);
    let longest = format!("{label}.instance.{label}.service.{}", config.server.domain);
    assert_eq!(DnsName::parse(&longest).unwrap().as_wire().len(), limit::NAME_OCTETS_MAX);
    let error = load_domain(domain(55)).unwrap_err();
    assert!(error.contains("has 111 octets on the wire, above the limit of 110"), "{error}");
}

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
fn a_wrong_access_rule_is_pointed_at() {
    for (rules, said) in [
        (
            "{ zone = 'a', allow = ['::1'] },\n{ zone = 'b' },",
            "`dns.access[1]`: `b` has neither `allow` nor `deny`\n --> rollcall.toml:4:1\n",
        ),
        (
            "{ zone = 'a', allow = ['::1'] },\n{ zone = 'A', deny = ['::1'] },",
            "`dns.access[1]`: `a` has a rule already\n --> rollcall.toml:4:1\n",
        ),
        (
            "{ zone = 'a', allow = ['10.0.0.0/33'] },",
            "`dns.access[0].allow[0]`: `10.0.0.0/33` has a prefix above the limit of /32\n",
        ),
        (
            "{ zone = 'a', allow = ['::/129'] },",
            "`dns.access[0].allow[0]`: `::/129` has a prefix above the limit of /128\n",
        ),
        (
            "{ zone = '_web._tcp.service.internal', allow = ['::1'] },",
            "`dns.access[0]`: `_web._tcp.service.internal` is not all that its services are asked \
             for by; write `web.service.internal`\n --> rollcall.toml:3:1\n",
        ),
        (
            "{ zone = 'v1.web.service.dc1.consul', allow = ['::1'] },",
            "`dns.access[0]`: `v1.web.service.dc1.consul` is not all that its services are asked \
             for by; write `web.service.consul`\n --> rollcall.toml:3:1\n",
        ),
    ] {
        let error = error_of(&format!("version = 1\ndns.access = [\n{rules}\n]\n"));
        assert!(error.contains(said), "{rules}: {error}");
    }
}

#[test]
fn a_clash_is_pointed_at_in_the_item_that_it_is_about() {
    let upstreams = "upstreams = ['192.0.2.53',\n'127.0.0.1:8600']";
    for (text, said) in [
        (
            format!("[forward]\n{upstreams}"),
            "`forward.upstreams[1]`: `127.0.0.1:8600` is where this server itself",
        ),
        (
            format!("[[forward.zones]]\nsuffix = 'a'\n{upstreams}"),
            "`forward.zones[0]`: `127.0.0.1:8600` is where this server itself",
        ),
        (
            "[forward]\nzones = [{ suffix = 'a', upstreams = ['::1'] },\n\
             { suffix = 'service.internal', upstreams = ['::1'] }]"
                .to_owned(),
            "`forward.zones[1]`: nobody is asked for `service.internal`",
        ),
        (
            "[http]\nlisten = ['127.0.0.1:80',\n'127.0.0.1:8600']".to_owned(),
            "`http.listen`: `127.0.0.1:8600` is an address of `dns.listen` too",
        ),
    ] {
        let error = error_of(&format!("version = 1\n{text}\n"));
        assert!(error.contains(said), "{text}: {error}");
        let line = if text.starts_with("[[") { "2:1" } else { "4:1" };
        assert!(error.contains(&format!("\n --> rollcall.toml:{line}\n")), "{text}: {error}");
    }
}

#[test]
fn a_mistake_names_the_variable_or_the_flag() {
    let error = load("version = 1\n", |sources| {
        sources.environment = vec![("ROLLCALL_DNS_UDP_SIZE".into(), "big".into())];
        sources.flags = vec![("http.listen", vec!["8500".into()])];
    });
    assert_eq!(
        error.unwrap_err(),
        "error: `dns.udp_size`: `big` is not an integer
 --> environment variable ROLLCALL_DNS_UDP_SIZE

error: `http.listen[0]`: `8500` is no address with a port, as in `127.0.0.1:8600` or `[::1]:8600`
 --> flag --http"
    );
    let missing = Sources { file: Some("/nowhere/rollcall.toml".into()), ..Sources::default() };
    let error = Config::load(missing).unwrap_err().to_string();
    assert!(error.starts_with("error: `/nowhere/rollcall.toml` cannot be read: "), "{error}");
}

/// Whoever opened the pipe again would wait for somebody to write to it.
#[test]
fn a_mistake_in_what_came_through_a_pipe_is_said_at_once_if_without_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let pipe = folder.path().join("pipe");
    assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let path = pipe.clone();
    let writer = std::thread::spawn(move || fs::write(path, "version = 1\n"));
    let config = Config::load(Sources { file: Some(pipe), ..Sources::default() }).unwrap();
    writer.join().unwrap().unwrap();
    let (sender, said) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let invalid = Invalid::new("", "cookies", "is gone");
        sender.send(config.mistake("dns.cookie_secret_file", invalid).to_string())
    });
    let said = said.recv_timeout(Duration::from_secs(30)).expect("it waits for nothing");
    assert_eq!(said, "error: `dns.cookie_secret_file`: `cookies` is gone");
}

#[test]
fn a_wrong_upstream_is_refused_with_its_line() {
    let cases = [
        ("upstreams = [\"dns.example.com\"]", "is no address, as in `192.0.2.53`"),
        ("upstreams = [\"https://192.0.2.53\"]", "a scheme other than `udp://` and `tcp://`"),
        ("upstreams = [\"0.0.0.0\"]", "`forward.upstreams[0]`: `0.0.0.0` is no address that a"),
        ("upstreams = [\"192.0.2.53\", \"192.0.2.53:53\"]", "`forward.upstreams[1]`"),
        ("upstreams = [\"127.0.0.1:8600\"]", "`127.0.0.1:8600` is where this server itself"),
        ("zones = [{ suffix = \"corp\" }]", "has no `upstreams`"),
        ("zones = [{ suffix = \"corp\", upstreams = [] }]", "is empty; name who knows"),
        ("zones = [{ suffix = \".\", upstreams = [\"::1\"] }]", "is the root"),
        (
            "zones = [{ suffix = \"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.\
             bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb.\
             cccccccccccccccccccccccccccccccccccccccccccccccccc.\
             dddddddddddddddddddddddddddddddddddddddddddddddddd.\
             eeeeeeeeeeeeeeeeeeeeeeeee\", upstreams = [\"::1\"] }]",
            "has 231 octets on the wire, above the limit of 221",
        ),
        (
            "zones = [{ suffix = \"web.service.internal\", upstreams = [\"::1\"] }]",
            "`forward.zones[0]`: nobody is asked for `web.service.internal`, as this server",
        ),
        ("zones = [{ suffx = \"corp\" }]", "`forward.zones[0]`: `suffx` is not known"),
        (
            "zones = [{ suffix = \"a\", upstreams = [\"::1\"] }, \
             { suffix = \"A\", upstreams = [\"::1\"] }]",
            "has the suffix `a`, which is there twice",
        ),
        ("allow = [\"10.0.0.1/8\"]", "`10.0.0.0/8` is meant"),
        ("allow = [\"everybody\"]", "is no network"),
        ("allow = [\"::ffff:10.0.0.0/104\"]", "is never seen: write it as one of IPv4"),
        ("allow = [\"10.0.0.1\", \"10.0.0.1/32\"]", "`forward.allow[1]`"),
        ("order = \"fastest\"", "is none of `random`, `sequential`"),
        ("timeout = \"1ms\"", "is outside the limits of 100ms to 10s"),
        ("in_flight_max = 0", "is outside the limits of 1 to 65535"),
        ("cache_size = 1000", "is outside the limits of 1048576 to 17179869184"),
        ("max_ttl = \"169h\"", "is outside the limits of 1s to 168h"),
        ("stale_max = \"1500ms\"", "has a fraction of a second"),
    ];
    for (line, expected) in cases {
        let error = error_of(&format!("version = 1\n[forward]\n{line}\n"));
        assert!(error.contains(expected), "{line}: {error}");
        assert!(error.contains("\n --> rollcall.toml:3:"), "{line}: {error}");
    }
}

#[test]
fn what_is_left_out_follows_from_what_is_given() {
    let text = "version = 1\nserver.domain = \"Corp.Example\"\n\
                dns.listen = [\"0.0.0.0:53\", \"10.0.0.5:53\", \"[fd00::5]:53\", \"10.0.0.5:54\"]\n\
                server.zones = \"/etc/zones\"\ndns.reverse = [\"10.0.0.0/8\", \"fd00::/8\"]\n\
                health.ca_file = \"/etc/ca.pem\"\n";
    let config = load(text, |_| ()).unwrap();
    assert_eq!(config.server.domain.to_string(), "corp.example");
    assert_eq!(config.dns.hostmaster.to_string(), "hostmaster.service.corp.example");
    let [server] = config.dns.nameservers.as_slice() else { panic!("one name server") };
    assert_eq!(server.name, "ns1");
    assert_eq!(
        server.addresses,
        ["10.0.0.5".parse::<std::net::IpAddr>().unwrap(), "fd00::5".parse().unwrap()]
    );
    assert!(config.server.zones_required() && !Config::default().server.zones_required());
    assert!(config.registry_options().index_addresses);
    assert_eq!(Config::default().http_options(), http::Options::default());
    assert_eq!(config.health_options().ca_file, config.health.ca_file);
    let node = ConsulNode::of(&config.consul, &config.http.listen);
    let settings =
        dns::Settings::new(&config.dns_settings(&CookieSecrets::random().unwrap(), &node).unwrap())
            .unwrap();
    assert_eq!(settings.origin().to_string(), "service.corp.example");
    assert_eq!(config.health.ca_file, Some(PathBuf::from("/etc/ca.pem")));
    let mailbox = load("version = 1\ndns.hostmaster = \"j.doe@example.org\"", |_| ()).unwrap();
    assert_eq!(mailbox.dns.hostmaster.to_string(), "j\\.doe.example.org");
    let shown: Vec<_> = mailbox.shown().filter(|(path, _)| *path == "dns.hostmaster").collect();
    assert_eq!(shown, [("dns.hostmaster", "\"j.doe@example.org\"".to_owned())]);
}

#[test]
fn with_a_certificate_of_its_own_it_listens_nearby_unless_told_where() {
    let ports = |text: &str| {
        let listen = load(&format!("version = 1\n{text}"), |_| ()).unwrap().dns.encrypted.listen;
        [listen.tls, listen.https, listen.quic].map(|list| {
            list.iter().map(|at| (at.ip().is_loopback(), at.port())).collect::<Vec<_>>()
        })
    };
    assert_eq!(ports(""), [vec![], vec![], vec![]]);
    let nearby = [8853, 8443, 8853].map(|port| vec![(true, port)]);
    assert_eq!(ports("tls.self_signed = true"), nearby);
    // HTTPS and QUIC may share a port, which is one of TCP and one of UDP.
    let given = "tls.self_signed = true\n[dns]\nhttps.listen = [\"[::1]:443\"]\n\
                 quic.listen = [\"[::1]:443\"]";
    assert_eq!(ports(given), [vec![], vec![(true, 443)], vec![(true, 443)]]);
}

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

/// A commented key begins with `#` without a space; prose has one.
fn uncommented(text: &str) -> String {
    let lines = text.lines().map(|line| match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => rest,
        _ => line,
    });
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_example_parses_and_shows_every_default() {
    let as_it_is = load(EXAMPLE, |_| ()).unwrap_or_else(|error| panic!("{error}"));
    let with_all = load(&uncommented(EXAMPLE), |_| ()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(as_it_is, Config::default());
    assert_eq!(with_all, Config::default());
}

#[test]
fn the_example_has_every_key_once_with_its_default() {
    let mut table = String::new();
    let mut found = Vec::new();
    for line in uncommented(EXAMPLE).lines() {
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').to_owned();
        } else if let Some((key, value)) = line.split_once(" = ").filter(|_| !line.starts_with('#'))
        {
            found.push((format!("{table}.{key}"), value.to_owned()));
        }
    }
    let version = (".version".to_owned(), "1".to_owned());
    let default = Config::default();
    let keys = default.shown().map(|(path, value)| (path.to_owned(), value));
    let keys: Vec<_> = std::iter::once(version).chain(keys).collect();
    assert_eq!(found, keys);
}

#[test]
fn the_example_says_of_each_key_whether_it_reloads() {
    let (mut table, mut prose) = (String::new(), String::new());
    for line in EXAMPLE.lines() {
        let name = line.trim_start_matches('#').split_once(" = ").map(|(name, _)| name);
        if let Some(header) = line.strip_prefix('[') {
            table = header.trim_end_matches(']').to_owned();
        } else if line.starts_with("# ") {
            prose.push_str(line);
        } else if line.is_empty() {
            prose.clear();
        } else if let Some(key) = name.and_then(|name| Key::find(&format!("{table}.{name}"))) {
            assert_eq!(prose.contains("Reloads."), key.reloads, "{}: {prose}", key.path);
        }
    }
}

#[test]
fn each_key_has_one_path_and_one_variable() {
    let mut names: Vec<_> = keys().map(Key::variable).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), keys().count());
    assert!(!names.contains(&"ROLLCALL_SERVER".to_owned()), "the client verbs have that one");
}

#[test]
fn what_a_key_shows_is_read_back() {
    let default = Config::default();
    for (path, value) in default.shown() {
        let config = load(&format!("version = 1\n{path} = {value}\n"), |_| ()).unwrap();
        assert_eq!(config, default, "{path} = {value}");
    }
}
