//! The keys of DNS over TLS, HTTPS and QUIC, and of the certificate.

use std::path::Path;

use super::{
    key::{Key, key},
    value::{MINUTE, SECOND, duration, list, path, quote, set},
};
use crate::app::config::parse;

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
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
];
