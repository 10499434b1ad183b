//! The keys of `[http]`.

use super::{
    key::{Key, key},
    value::{MINUTE, SECOND, duration, list, set},
};
use crate::app::config::parse;

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
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
];
