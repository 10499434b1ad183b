//! The keys of version 1, each in one place: path, flag, what a reload does, reading, showing.
//!
//! `examples/rollcall.toml` tells what they mean; a test holds it to this list. A later version of
//! the file gets a list of its own beside this one, and this one stays as it is.

use std::{ops::RangeInclusive, path::Path, time::Duration};

use super::{
    Config, clients, consul, consul_dns, forward,
    given::{Given, Refusal},
    nearest::nearest,
    parse,
};
use crate::{
    dns,
    model::{
        Policy, Share, WhenNoneHealthy,
        limit::{self, CHARACTER_STRING_OCTETS_MAX},
    },
    telemetry::{self, FilterError, LogFormat},
    util::format_duration,
};

/// One key.
#[derive(Debug)]
pub(super) struct Key {
    /// Where it stands: `table.key`.
    pub path: &'static str,
    /// The flag of `rollcall serve` that sets it too.
    pub flag: Option<&'static str>,
    /// Whether it can change while the server runs.
    pub reloads: bool,
    /// Whether its value is a list of tables, which a variable cannot have.
    pub is_in_file_only: bool,
    /// Reads a value into the configuration.
    pub set: fn(&mut Config, &Given) -> Result<(), Refusal>,
    /// The configured value as TOML.
    pub show: fn(&Config) -> String,
}

/// The value of `version` in files of these keys.
pub(super) const VERSION: u16 = 1;

/// All keys, in the order of the example file.
pub(super) static KEYS: &[Key] = &[
    // === [server] ===
    key(
        "server.domain",
        |c, v| set(&mut c.server.domain, parse::domain(v)),
        |c| quote(&c.server.domain),
    )
    .flag("--domain"),
    key("server.data", |c, v| set(&mut c.server.data, v.path()), |c| path(&c.server.data))
        .flag("--data"),
    key("server.zones", |c, v| set(&mut c.server.zones, v.path()), |c| path(&c.server.zones))
        .flag("--zones"),
    key(
        "server.lame_duck",
        |c, v| set(&mut c.server.lame_duck, v.duration(Duration::ZERO..=limit::LAME_DUCK_MAX)),
        |c| duration(c.server.lame_duck),
    )
    .reloads(),
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
    // === [dns.tls], [dns.https], [dns.quic] ===
    key(
        "dns.tls.listen",
        |c, v| set(&mut c.dns.encrypted.listen.tls, parse::listen_if_any(v)),
        |c| list(&c.dns.encrypted.listen.tls),
    )
    .flag("--dns-tls"),
    key(
        "dns.https.listen",
        |c, v| set(&mut c.dns.encrypted.listen.https, parse::listen_if_any(v)),
        |c| list(&c.dns.encrypted.listen.https),
    )
    .flag("--dns-https"),
    key(
        "dns.https.path",
        |c, v| set(&mut c.dns.encrypted.https_path, parse::url_path(v)),
        |c| quote(&c.dns.encrypted.https_path),
    ),
    key(
        "dns.quic.listen",
        |c, v| set(&mut c.dns.encrypted.listen.quic, parse::listen_if_any(v)),
        |c| list(&c.dns.encrypted.listen.quic),
    )
    .flag("--dns-quic"),
    // === [dns.encrypted] ===
    key(
        "dns.encrypted.connections_max",
        |c, v| set(&mut c.dns.encrypted.connections_max, v.integer(1..=65_535)),
        |c| c.dns.encrypted.connections_max.to_string(),
    )
    .reloads(),
    key(
        "dns.encrypted.connections_per_client_max",
        |c, v| set(&mut c.dns.encrypted.connections_per_client_max, v.integer(1..=65_535)),
        |c| c.dns.encrypted.connections_per_client_max.to_string(),
    )
    .reloads(),
    key(
        "dns.encrypted.idle_timeout",
        |c, v| set(&mut c.dns.encrypted.idle_timeout, v.duration(SECOND..=10 * MINUTE)),
        |c| duration(c.dns.encrypted.idle_timeout),
    )
    .reloads(),
    key(
        "dns.encrypted.handshake_timeout",
        |c, v| set(&mut c.dns.encrypted.handshake_timeout, v.duration(SECOND..=MINUTE)),
        |c| duration(c.dns.encrypted.handshake_timeout),
    )
    .reloads(),
    key(
        "dns.encrypted.streams_max",
        |c, v| set(&mut c.dns.encrypted.streams_max, v.integer(1..=1_000)),
        |c| c.dns.encrypted.streams_max.to_string(),
    )
    .reloads(),
    // === [tls] ===
    key(
        "tls.certificate",
        |c, v| set(&mut c.tls.certificate, v.optional_path()),
        |c| path(c.tls.certificate.as_deref().unwrap_or(Path::new(""))),
    )
    .flag("--tls-certificate"),
    key(
        "tls.key",
        |c, v| set(&mut c.tls.key, v.optional_path()),
        |c| path(c.tls.key.as_deref().unwrap_or(Path::new(""))),
    )
    .flag("--tls-key"),
    key(
        "tls.self_signed",
        |c, v| set(&mut c.tls.self_signed, v.boolean()),
        |c| c.tls.self_signed.to_string(),
    )
    .flag("--tls-self-signed"),
    // === [forward] ===
    key(
        "forward.upstreams",
        |c, v| set(&mut c.forward.upstreams, forward::upstreams(v)),
        |c| list(&c.forward.upstreams),
    )
    .flag("--forward")
    .reloads(),
    key(
        "forward.resolv_conf",
        |c, v| set(&mut c.forward.resolv_conf, v.optional_path()),
        |c| path(c.forward.resolv_conf.as_deref().unwrap_or(Path::new(""))),
    )
    .reloads(),
    key(
        "forward.zones",
        |c, v| set(&mut c.forward.zones, forward::zones(v)),
        |c| forward::show_zones(&c.forward.zones),
    )
    .in_file_only()
    .reloads(),
    key(
        "forward.order",
        |c, v| set(&mut c.forward.order, forward::order(v)),
        |c| quote(c.forward.order.as_str()),
    )
    .reloads(),
    key(
        "forward.timeout",
        |c, v| set(&mut c.forward.timeout, v.duration(forward::TIMEOUT_MIN..=10 * SECOND)),
        |c| duration(c.forward.timeout),
    )
    .reloads(),
    key(
        "forward.allow",
        |c, v| set(&mut c.forward.allow, clients::networks(v)),
        |c| list(&c.forward.allow),
    )
    .reloads(),
    key(
        "forward.in_flight_max",
        |c, v| set(&mut c.forward.in_flight_max, v.integer(1..=65_535)),
        |c| c.forward.in_flight_max.to_string(),
    )
    .reloads(),
    key(
        "forward.in_flight_per_client_max",
        |c, v| set(&mut c.forward.in_flight_per_client_max, v.integer(1..=65_535)),
        |c| c.forward.in_flight_per_client_max.to_string(),
    )
    .reloads(),
    key(
        "forward.cache_size",
        |c, v| set(&mut c.forward.cache_octets, v.integer(forward::CACHE_OCTETS)),
        |c| c.forward.cache_octets.to_string(),
    )
    .reloads(),
    key(
        "forward.max_ttl",
        |c, v| set(&mut c.forward.max_ttl_seconds, seconds(v, 1..=FORWARD_TTL_MAX)),
        |c| seconds_shown(c.forward.max_ttl_seconds),
    )
    .reloads(),
    key(
        "forward.negative_max_ttl",
        |c, v| set(&mut c.forward.negative_max_ttl_seconds, seconds(v, 0..=FORWARD_TTL_MAX)),
        |c| seconds_shown(c.forward.negative_max_ttl_seconds),
    )
    .reloads(),
    key(
        "forward.stale_max",
        |c, v| set(&mut c.forward.stale_max_seconds, seconds(v, 0..=FORWARD_TTL_MAX)),
        |c| seconds_shown(c.forward.stale_max_seconds),
    )
    .reloads(),
    key(
        "forward.prefetch",
        |c, v| set(&mut c.forward.prefetch, v.boolean()),
        |c| c.forward.prefetch.to_string(),
    )
    .reloads(),
    // === [http] ===
    key("http.listen", |c, v| set(&mut c.http.listen, parse::listen(v)), |c| list(&c.http.listen))
        .flag("--http"),
    key(
        "http.connections_max",
        |c, v| set(&mut c.http.connections_max, v.integer(1..=65_535)),
        |c| c.http.connections_max.to_string(),
    ),
    key(
        "http.watchers_max",
        |c, v| set(&mut c.http.watchers_max, v.integer(0..=65_535)),
        |c| c.http.watchers_max.to_string(),
    ),
    key(
        "http.header_timeout",
        |c, v| set(&mut c.http.header_timeout, v.duration(SECOND..=10 * MINUTE)),
        |c| duration(c.http.header_timeout),
    ),
    key(
        "http.body_timeout",
        |c, v| set(&mut c.http.body_timeout, v.duration(SECOND..=10 * MINUTE)),
        |c| duration(c.http.body_timeout),
    ),
    key(
        "http.request_timeout",
        |c, v| set(&mut c.http.request_timeout, v.duration(SECOND..=10 * MINUTE)),
        |c| duration(c.http.request_timeout),
    ),
    // === [consul] ===
    key(
        "consul.enabled",
        |c, v| set(&mut c.consul.enabled, v.boolean()),
        |c| c.consul.enabled.to_string(),
    ),
    key(
        "consul.datacenter",
        |c, v| set(&mut c.consul.datacenter, consul::datacenter(v)),
        |c| quote(&c.consul.datacenter),
    ),
    key(
        "consul.node_name",
        |c, v| set(&mut c.consul.node_name, consul::node_name(v)),
        |c| quote(consul::shown_name(c)),
    ),
    key(
        "consul.node_address",
        |c, v| set(&mut c.consul.node_address, consul::node_address(v)),
        |c| quote(&consul::shown_address(c)),
    ),
    key(
        "consul.domain",
        |c, v| set(&mut c.consul_dns.domains, consul_dns::domains(v)),
        consul_dns::show_domains,
    ),
    // === [consul.dns] ===
    key(
        "consul.dns.only_passing",
        |c, v| set(&mut c.consul_dns.only_passing, v.boolean()),
        |c| c.consul_dns.only_passing.to_string(),
    )
    .reloads(),
    key(
        "consul.dns.service_ttl",
        |c, v| set(&mut c.consul_dns.service_ttl, consul_dns::service_ttl(v)),
        consul_dns::show_service_ttl,
    )
    .in_file_only()
    .reloads(),
    key(
        "consul.dns.node_ttl",
        |c, v| set(&mut c.consul_dns.node_ttl_seconds, seconds(v, 0..=POLICY_TTL_MAX)),
        |c| seconds_shown(c.consul_dns.node_ttl_seconds),
    )
    .reloads(),
    key(
        "consul.dns.udp_answer_limit",
        |c, v| set(&mut c.consul_dns.udp_answer_limit, v.integer(1..=8)),
        |c| c.consul_dns.udp_answer_limit.to_string(),
    )
    .reloads(),
    key(
        "consul.dns.a_record_limit",
        |c, v| set(&mut c.consul_dns.a_record_limit, v.integer(0..=1_000)),
        |c| c.consul_dns.a_record_limit.to_string(),
    )
    .reloads(),
    key(
        "consul.dns.nxdomain_when_none_healthy",
        |c, v| set(&mut c.consul_dns.nxdomain_when_none_healthy, v.boolean()),
        |c| c.consul_dns.nxdomain_when_none_healthy.to_string(),
    )
    .reloads(),
    key(
        "consul.dns.nxdomain_for_empty_names",
        |c, v| set(&mut c.consul_dns.nxdomain_for_empty_names, v.boolean()),
        |c| c.consul_dns.nxdomain_for_empty_names.to_string(),
    )
    .reloads(),
    // === [eureka] ===
    key(
        "eureka.enabled",
        |c, v| set(&mut c.eureka.enabled, v.boolean()),
        |c| c.eureka.enabled.to_string(),
    ),
    key(
        "eureka.expose",
        |c, v| set(&mut c.eureka.expose, v.boolean()),
        |c| c.eureka.expose.to_string(),
    ),
    // === [policy] ===
    key("policy.ttl", set_policy_ttl, |c| {
        duration(Duration::from_secs(c.policy.ttl_seconds.into()))
    })
    .reloads(),
    key(
        "policy.answer_limit",
        |c, v| {
            let range = 1..=limit::POLICY_ANSWER_LIMIT_MAX.into();
            set(&mut c.policy.answer_limit, v.integer(range))
        },
        |c| c.policy.answer_limit.to_string(),
    )
    .reloads(),
    key("policy.when_none_healthy", set_when_none_healthy, |c| {
        quote(c.policy.when_none_healthy.as_str())
    })
    .reloads(),
    key("policy.min_healthy", set_min_healthy, |c| format!("{:?}", c.policy.min_healthy.as_f64()))
        .reloads(),
    // === [health] ===
    key(
        "health.in_flight_max",
        |c, v| set(&mut c.health.in_flight_max, v.integer(1..=65_535)),
        |c| c.health.in_flight_max.to_string(),
    ),
    key(
        "health.ca_file",
        |c, v| set(&mut c.health.ca_file, v.optional_path()),
        |c| path(c.health.ca_file.as_deref().unwrap_or(Path::new(""))),
    ),
    // === [health.self_preservation] ===
    key(
        "health.self_preservation.enabled",
        |c, v| set(&mut c.health.self_preservation.enabled, v.boolean()),
        |c| c.health.self_preservation.enabled.to_string(),
    )
    .reloads(),
    key(
        "health.self_preservation.window",
        |c, v| set(&mut c.health.self_preservation.window, v.duration(SECOND..=60 * MINUTE)),
        |c| duration(c.health.self_preservation.window),
    )
    .reloads(),
    key(
        "health.self_preservation.min_silent",
        |c, v| set(&mut c.health.self_preservation.min_silent, v.integer(0..=1_000_000)),
        |c| c.health.self_preservation.min_silent.to_string(),
    )
    .reloads(),
    key(
        "health.self_preservation.share_silent",
        |c, v| set(&mut c.health.self_preservation.share_silent, v.share()),
        |c| format!("{:?}", c.health.self_preservation.share_silent),
    )
    .reloads(),
    key(
        "health.self_preservation.max_hold",
        |c, v| {
            let range = SECOND..=24 * 60 * MINUTE;
            set(&mut c.health.self_preservation.max_hold, v.duration(range))
        },
        |c| duration(c.health.self_preservation.max_hold),
    )
    .reloads(),
    // === [log] ===
    key("log.filter", set_log_filter, |c| quote(&c.log.filter)).flag("--log-filter").reloads(),
    key("log.format", set_log_format, |c| match c.log.format {
        LogFormat::Json => quote("json"),
        LogFormat::Text => quote("text"),
    })
    .flag("--log-format"),
];

const FORWARD_TTL_MAX: u32 = limit::FORWARD_TTL_SECONDS_MAX;
const POLICY_TTL_MAX: u32 = limit::POLICY_TTL_SECONDS_MAX;
const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

// === impl Key ===

const fn key(
    path: &'static str,
    set: fn(&mut Config, &Given) -> Result<(), Refusal>,
    show: fn(&Config) -> String,
) -> Key {
    Key { path, flag: None, reloads: false, is_in_file_only: false, set, show }
}

impl Key {
    const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    const fn reloads(self) -> Self {
        Self { reloads: true, ..self }
    }

    const fn in_file_only(self) -> Self {
        Self { is_in_file_only: true, ..self }
    }

    /// The environment variable: `ROLLCALL_DNS_UDP_SIZE` for `dns.udp_size`.
    pub(super) fn variable(&self) -> String {
        format!("ROLLCALL_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// The key of that path.
    pub(super) fn find(path: &str) -> Option<&'static Self> {
        KEYS.iter().find(|key| key.path == path)
    }
}

// === Readings ===

fn set<T>(target: &mut T, value: Result<T, Refusal>) -> Result<(), Refusal> {
    *target = value?;
    Ok(())
}

/// A duration that ends up in a record's TTL, which counts seconds (RFC 2181 §8).
pub(super) fn whole_seconds(
    given: &Given,
    range: RangeInclusive<u64>,
) -> Result<Duration, Refusal> {
    let (low, high) = range.into_inner();
    let duration = given.duration(Duration::from_secs(low)..=Duration::from_secs(high))?;
    if duration.subsec_nanos() > 0 {
        return Err(given.refuse("has a fraction of a second, which no TTL has"));
    }
    Ok(duration)
}

/// What a rate may be; zero is none.
fn per_second() -> RangeInclusive<i128> {
    0..=dns::RateLimit::PER_SECOND_MAX.into()
}

/// The same as a number of seconds.
fn seconds(given: &Given, range: RangeInclusive<u32>) -> Result<u32, Refusal> {
    let (low, high) = range.into_inner();
    let time = whole_seconds(given, low.into()..=high.into())?;
    Ok(u32::try_from(time.as_secs()).expect("it was just held to a limit that is one"))
}

fn set_policy_ttl(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let ttl = whole_seconds(given, 0..=limit::POLICY_TTL_SECONDS_MAX.into())?;
    config.policy.ttl_seconds =
        u32::try_from(ttl.as_secs()).expect("it was just held to a limit that is one");
    Ok(())
}

fn set_when_none_healthy(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let choice = WhenNoneHealthy::parse(given.text()?).ok_or_else(|| {
        let all = WhenNoneHealthy::ALL.map(|choice| format!("`{}`", choice.as_str())).join(", ");
        given.refuse(format!("is none of {all}"))
    })?;
    config.policy = Policy { when_none_healthy: choice, ..config.policy };
    Ok(())
}

fn set_min_healthy(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let share = Share::new(given.share()?).map_err(|invalid| given.refused_as(invalid))?;
    config.policy.min_healthy = share;
    Ok(())
}

fn set_log_filter(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    let filter = given.text()?;
    telemetry::parse_filter(filter).map_err(|error| {
        let meant = match &error {
            FilterError::UnknownLevel(word) | FilterError::UnknownWord(word) => {
                nearest(&word.to_ascii_lowercase(), telemetry::LEVELS.into_iter())
            }
            FilterError::Empty | FilterError::Syntax(_) => None,
        };
        let way_out = match meant {
            Some(meant) => format!("is `{meant}` meant?"),
            None => "write `info` or `info,rollcall::dns=debug`".to_owned(),
        };
        given.refuse(format!("is no filter ({error}); {way_out}"))
    })?;
    config.log.filter = filter.to_owned();
    Ok(())
}

fn set_log_format(config: &mut Config, given: &Given) -> Result<(), Refusal> {
    config.log.format = match given.text()? {
        "json" => LogFormat::Json,
        "text" => LogFormat::Text,
        _ => return Err(given.refuse("is none of `text`, `json`")),
    };
    Ok(())
}

// === Showings ===

pub(super) fn quote(text: &(impl ToString + ?Sized)) -> String {
    toml::Value::String(text.to_string()).to_string()
}

fn path(path: &Path) -> String {
    quote(&path.display())
}

fn duration(duration: Duration) -> String {
    quote(&format_duration(duration))
}

fn seconds_shown(seconds: u32) -> String {
    duration(Duration::from_secs(seconds.into()))
}

pub(super) fn list<T: std::fmt::Display>(items: &[T]) -> String {
    let items: Vec<_> = items.iter().map(quote).collect();
    format!("[{}]", items.join(", "))
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
