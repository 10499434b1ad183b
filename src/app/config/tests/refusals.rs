//! What is refused, key by key.

use super::{are_refused, error_of, load};
use crate::model::{DnsName, limit};

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
