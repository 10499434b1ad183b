//! The keys of `[health]` and of self-preservation.

use std::path::Path;

use super::{
    key::{Key, key},
    value::{MINUTE, SECOND, duration, path, set},
};

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
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
];
