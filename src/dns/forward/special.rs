//! Names that are not forwarded, because they mean nothing out there or tell too much: special-use
//! names (RFC 6761, 6762, 7686, 8375, 9462, 9476) and the reverse names of addresses that are
//! nobody's in particular (RFC 6303, RFC 7793).
//!
//! `localhost` and all below it are answered with the loopback addresses; every other zone here is
//! empty but for its SOA and NS, as RFC 6303 §3 has it. They are ordinary static zones that come
//! with the program, so that their answers follow the same rules. A zone that is configured, of
//! ours or of an upstream, comes before.

use std::sync::LazyLock;

use crate::dns::zone::Zones;

/// Zones in which there is nothing: names of no use outside of a host, of a link or of DNS at all,
/// then those of IPv4 addresses in this net, private, loopback, shared, link-local, in
/// documentation and broadcast, then the like of IPv6.
const EMPTY: &str = "invalid test local onion alt home.arpa \
    0.in-addr.arpa 10.in-addr.arpa 127.in-addr.arpa 254.169.in-addr.arpa \
    168.192.in-addr.arpa 2.0.192.in-addr.arpa 100.51.198.in-addr.arpa 113.0.203.in-addr.arpa \
    255.255.255.255.in-addr.arpa d.f.ip6.arpa 8.e.f.ip6.arpa 9.e.f.ip6.arpa a.e.f.ip6.arpa \
    b.e.f.ip6.arpa 8.b.d.0.1.0.0.2.ip6.arpa";

/// The top of each zone, word for word from RFC 6303 §3.
const TOP: &str = "@ 10800 SOA @ nobody.invalid. 1 3600 1200 604800 10800\n@ 10800 NS @\n";

/// `localhost`, RFC 6761 §6.3.
const LOCALHOST: &str = "@ 10800 A 127.0.0.1\n@ 10800 AAAA ::1\n\
    * 10800 A 127.0.0.1\n* 10800 AAAA ::1\n";

/// `resolver.arpa`: behind a forwarder there is no designated resolver, and who asks for one is to
/// be told that, not that there is no such name (RFC 9462 §6.4).
const RESOLVER: &str = "_dns 10800 TXT none\n";

static ZONES: LazyLock<Zones> = LazyLock::new(|| {
    let mut zones: Vec<(String, String)> =
        EMPTY.split_whitespace().map(|origin| (origin.to_owned(), TOP.to_owned())).collect();
    // 172.16.0.0/12 and 100.64.0.0/10.
    let of = |octets: std::ops::RangeInclusive<u8>, net: u8| {
        octets.map(move |octet| (format!("{octet}.{net}.in-addr.arpa"), TOP.to_owned()))
    };
    zones.extend(of(16..=31, 172).chain(of(64..=127, 100)));
    let zeros = "0.".repeat(31);
    zones.push((format!("0.{zeros}ip6.arpa"), TOP.to_owned()));
    zones.push((format!("1.{zeros}ip6.arpa"), TOP.to_owned()));
    zones.push(("localhost".to_owned(), format!("{TOP}{LOCALHOST}")));
    zones.push(("resolver.arpa".to_owned(), format!("{TOP}{RESOLVER}")));
    Zones::built_in(&zones)
});

/// The zones of special names.
pub(in crate::dns) fn zones() -> &'static Zones {
    &ZONES
}

#[cfg(test)]
mod tests {
    use crate::model::DnsName;

    #[test]
    fn special_names_are_known_and_their_neighbours_are_not() {
        let zone_of = |name: &str| {
            let name = DnsName::parse(name).unwrap();
            super::zones().find(name.as_wire()).map(|zone| zone.origin().to_string())
        };
        for (name, zone) in [
            ("localhost", Some("localhost")),
            ("a.b.localhost", Some("localhost")),
            ("printer.local", Some("local")),
            ("x.onion", Some("onion")),
            ("nas.home.arpa", Some("home.arpa")),
            ("_dns.resolver.arpa", Some("resolver.arpa")),
            ("1.2.3.10.in-addr.arpa", Some("10.in-addr.arpa")),
            ("1.0.31.172.in-addr.arpa", Some("31.172.in-addr.arpa")),
            ("1.0.32.172.in-addr.arpa", None),
            ("1.0.127.100.in-addr.arpa", Some("127.100.in-addr.arpa")),
            ("1.0.128.100.in-addr.arpa", None),
            ("4.4.8.8.in-addr.arpa", None),
            ("1.d.f.ip6.arpa", Some("d.f.ip6.arpa")),
            ("1.2.ip6.arpa", None),
            ("localhost.example", None),
            ("example.com", None),
            ("arpa", None),
        ] {
            assert_eq!(zone_of(name).as_deref(), zone, "{name}");
        }
    }
}
