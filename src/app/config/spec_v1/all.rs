//! All sections of the file, in their order.

use super::{
    cluster, consul, dns, encrypted, eureka, forward, health, http, key::Key, log, policy, server,
    store,
};

/// The value of `version` in files of these keys.
pub(in crate::app::config) const VERSION: u16 = 1;

/// The sections, in the order of the example file.
static SECTIONS: &[&[Key]] = &[
    server::KEYS,
    dns::KEYS,
    encrypted::KEYS,
    forward::KEYS,
    http::KEYS,
    consul::KEYS,
    eureka::KEYS,
    policy::KEYS,
    health::KEYS,
    store::KEYS,
    cluster::KEYS,
    log::KEYS,
];

/// All keys, in the order of the example file.
pub(in crate::app::config) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().copied().flatten()
}
