//! The keys of Consul's interface and of its names.

use std::time::Duration;

use super::{
    key::{Key, key},
    value::{duration, quote, seconds, seconds_shown, set},
};
use crate::{
    app::config::{consul, consul_dns},
    model::limit,
};

const TTL_MAX: u32 = limit::POLICY_TTL_SECONDS_MAX;

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
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
        "consul.registration_wait",
        |c, v| {
            let range = Duration::ZERO..=consul::REGISTRATION_WAIT_MAX;
            set(&mut c.consul.registration_wait, v.duration(range))
        },
        |c| duration(c.consul.registration_wait),
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
        |c, v| set(&mut c.consul_dns.node_ttl_seconds, seconds(v, 0..=TTL_MAX)),
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
];
