//! The keys of `[forward]`.

use std::path::Path;

use super::{
    key::{Key, key},
    value::{SECOND, duration, list, path, quote, seconds, seconds_shown, set},
};
use crate::{
    app::config::{clients, forward},
    model::limit,
};

const TTL_MAX: u32 = limit::FORWARD_TTL_SECONDS_MAX;

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
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
        |c, v| set(&mut c.forward.max_ttl_seconds, seconds(v, 1..=TTL_MAX)),
        |c| seconds_shown(c.forward.max_ttl_seconds),
    )
    .reloads(),
    key(
        "forward.negative_max_ttl",
        |c, v| set(&mut c.forward.negative_max_ttl_seconds, seconds(v, 0..=TTL_MAX)),
        |c| seconds_shown(c.forward.negative_max_ttl_seconds),
    )
    .reloads(),
    key(
        "forward.stale_max",
        |c, v| set(&mut c.forward.stale_max_seconds, seconds(v, 0..=TTL_MAX)),
        |c| seconds_shown(c.forward.stale_max_seconds),
    )
    .reloads(),
    key(
        "forward.prefetch",
        |c, v| set(&mut c.forward.prefetch, v.boolean()),
        |c| c.forward.prefetch.to_string(),
    )
    .reloads(),
];
