//! The keys of `[dns]` and of its rate limit.

use std::{ops::RangeInclusive, path::Path};

use super::{
    key::{Key, key},
    value::{MINUTE, SECOND, duration, list, path, quote, set, whole_seconds},
};
use crate::{
    app::config::{Config, clients, parse},
    dns,
    model::limit::CHARACTER_STRING_OCTETS_MAX,
};

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
    // === [dns] ===
    key("dns.listen", |c, v| set(&mut c.dns.listen, parse::listen(v)), |c| list(&c.dns.listen))
        .flag("--dns"),
    key(
        "dns.udp_workers",
        |c, v| set(&mut c.dns.udp_workers, v.integer(0..=256)),
        |c| c.dns.udp_workers.to_string(),
    ),
    key(
        "dns.udp_size",
        |c, v| set(&mut c.dns.udp_size, v.integer(512..=4096)),
        |c| c.dns.udp_size.to_string(),
    )
    .reloads(),
    key(
        "dns.identity",
        |c, v| set(&mut c.dns.told.server, parse::told(v, CHARACTER_STRING_OCTETS_MAX)),
        |c| quote(&c.dns.told.server),
    )
    .reloads(),
    key(
        "dns.version",
        |c, v| set(&mut c.dns.told.version, parse::told(v, CHARACTER_STRING_OCTETS_MAX)),
        |c| quote(&c.dns.told.version),
    )
    .reloads(),
    key(
        "dns.nsid",
        |c, v| {
            let nsid = parse::told(v, dns::Identity::NSID_OCTETS_MAX);
            set(&mut c.dns.told.nsid, nsid.map(|text| text.into_bytes().into()))
        },
        |c| quote(&String::from_utf8_lossy(&c.dns.told.nsid)),
    )
    .reloads(),
    key("dns.cookies", |c, v| set(&mut c.dns.cookies, v.boolean()), |c| c.dns.cookies.to_string())
        .reloads(),
    key(
        "dns.cookie_secret_file",
        |c, v| set(&mut c.dns.cookie_secret_file, v.optional_path()),
        |c| path(c.dns.cookie_secret_file.as_deref().unwrap_or(Path::new(""))),
    )
    .reloads(),
    key(
        "dns.negative_ttl",
        |c, v| set(&mut c.dns.negative_ttl, whole_seconds(v, 1..=5)),
        |c| duration(c.dns.negative_ttl),
    )
    .reloads(),
    key(
        "dns.hostmaster",
        |c, v| set(&mut c.dns.hostmaster, parse::mailbox(v)),
        |c| quote(&parse::mailbox_text(&c.dns.hostmaster)),
    )
    .reloads(),
    key("dns.nameservers", |c, v| set(&mut c.dns.nameservers, parse::nameservers(v)), nameservers)
        .in_file_only()
        .reloads(),
    key(
        "dns.reverse",
        |c, v| set(&mut c.dns.reverse, parse::networks(v)),
        |c| list(&c.dns.reverse),
    ),
    key(
        "dns.tcp_connections_max",
        |c, v| set(&mut c.dns.tcp_connections_max, v.integer(1..=65_535)),
        |c| c.dns.tcp_connections_max.to_string(),
    )
    .reloads(),
    key(
        "dns.tcp_connections_per_client_max",
        |c, v| set(&mut c.dns.tcp_connections_per_client_max, v.integer(1..=65_535)),
        |c| c.dns.tcp_connections_per_client_max.to_string(),
    )
    .reloads(),
    key(
        "dns.tcp_idle_timeout",
        |c, v| set(&mut c.dns.tcp_idle_timeout, v.duration(SECOND..=10 * MINUTE)),
        |c| duration(c.dns.tcp_idle_timeout),
    )
    .reloads(),
    key("dns.access", |c, v| set(&mut c.dns.access, clients::access(v)), access)
        .in_file_only()
        .reloads(),
    // === [dns.rate_limit] ===
    key(
        "dns.rate_limit.responses_per_second",
        |c, v| set(&mut c.dns.rate_limit.responses_per_second, v.integer(per_second())),
        |c| c.dns.rate_limit.responses_per_second.to_string(),
    )
    .reloads(),
    key(
        "dns.rate_limit.all_per_second",
        |c, v| set(&mut c.dns.rate_limit.all_per_second, v.integer(per_second())),
        |c| c.dns.rate_limit.all_per_second.to_string(),
    )
    .reloads(),
    key(
        "dns.rate_limit.slip",
        |c, v| set(&mut c.dns.rate_limit.slip, v.integer(0..=dns::RateLimit::SLIP_MAX.into())),
        |c| c.dns.rate_limit.slip.to_string(),
    )
    .reloads(),
    key(
        "dns.rate_limit.ipv4_prefix",
        |c, v| set(&mut c.dns.rate_limit.ipv4_prefix, v.integer(0..=32)),
        |c| c.dns.rate_limit.ipv4_prefix.to_string(),
    )
    .reloads(),
    key(
        "dns.rate_limit.ipv6_prefix",
        |c, v| set(&mut c.dns.rate_limit.ipv6_prefix, v.integer(0..=128)),
        |c| c.dns.rate_limit.ipv6_prefix.to_string(),
    )
    .reloads(),
    key(
        "dns.rate_limit.unproven_udp_size",
        |c, v| {
            set(
                &mut c.dns.rate_limit.unproven_udp_size,
                v.integer(0..=dns::RateLimit::UNPROVEN_UDP_SIZE_MAX.into()),
            )
        },
        |c| c.dns.rate_limit.unproven_udp_size.to_string(),
    )
    .reloads(),
    key(
        "dns.rate_limit.exempt",
        |c, v| set(&mut c.dns.rate_limit.exempt, clients::networks(v)),
        |c| list(&c.dns.rate_limit.exempt),
    )
    .reloads(),
];

/// What a rate may be; zero is none.
fn per_second() -> RangeInclusive<i128> {
    0..=dns::RateLimit::PER_SECOND_MAX.into()
}

fn access(config: &Config) -> String {
    let rule = |rule: &dns::AccessRule| {
        let (zone, allow, deny) = (quote(&rule.zone), list(&rule.allow), list(&rule.deny));
        format!("{{ zone = {zone}, allow = {allow}, deny = {deny} }}")
    };
    format!("[{}]", config.dns.access.iter().map(rule).collect::<Vec<_>>().join(", "))
}

fn nameservers(config: &Config) -> String {
    let servers: Vec<_> = config
        .dns
        .nameservers
        .iter()
        .map(|s| format!("{{ name = {}, addresses = {} }}", quote(&s.name), list(&s.addresses)))
        .collect();
    format!("[{}]", servers.join(", "))
}
