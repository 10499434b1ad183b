//! The keys of `[store]`.

use std::{path::Path, time::Duration};

use super::{
    key::{Key, key},
    value::{SECOND, duration, list, path, quote, set},
};
use crate::app::config::store;

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
    key(
        "store.kind",
        |c, v| set(&mut c.store.kind, store::kind(v)),
        |c| quote(c.store.kind.as_str()),
    )
    .flag("--store"),
    key(
        "store.endpoints",
        |c, v| set(&mut c.store.etcd.endpoints, store::endpoints(v)),
        |c| list(&c.store.etcd.endpoints),
    )
    .flag("--store"),
    key(
        "store.prefix",
        |c, v| set(&mut c.store.etcd.prefix, store::prefix(v)),
        |c| quote(&c.store.etcd.prefix),
    )
    .flag("--prefix"),
    key(
        "store.user",
        |c, v| set(&mut c.store.etcd.user, store::user(v)),
        |c| quote(store::shown(c.store.etcd.user.as_ref())),
    ),
    key(
        "store.password_file",
        |c, v| set(&mut c.store.etcd.password_file, v.optional_path()),
        |c| path(c.store.etcd.password_file.as_deref().unwrap_or(Path::new(""))),
    ),
    key(
        "store.ca_file",
        |c, v| set(&mut c.store.etcd.ca_file, v.optional_path()),
        |c| path(c.store.etcd.ca_file.as_deref().unwrap_or(Path::new(""))),
    ),
    key(
        "store.certificate",
        |c, v| set(&mut c.store.etcd.certificate, v.optional_path()),
        |c| path(c.store.etcd.certificate.as_deref().unwrap_or(Path::new(""))),
    ),
    key(
        "store.key",
        |c, v| set(&mut c.store.etcd.key, v.optional_path()),
        |c| path(c.store.etcd.key.as_deref().unwrap_or(Path::new(""))),
    ),
    key(
        "store.server_name",
        |c, v| set(&mut c.store.etcd.server_name, store::server_name(v)),
        |c| quote(store::shown(c.store.etcd.server_name.as_ref())),
    ),
    key(
        "store.request_timeout",
        |c, v| {
            let range = Duration::from_millis(100)..=30 * SECOND;
            set(&mut c.store.etcd.request_timeout, v.duration(range))
        },
        |c| duration(c.store.etcd.request_timeout),
    ),
];
