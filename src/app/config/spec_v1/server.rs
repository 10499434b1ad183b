//! The keys of `[server]`.

use std::time::Duration;

use super::{
    key::{Key, key},
    value::{duration, path, quote, set},
};
use crate::{app::config::parse, model::limit};

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
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
];
