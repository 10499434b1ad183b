//! Metadata of services and nodes.

use std::collections::BTreeMap;

/// Keys to values.
pub(in crate::http) type Meta = BTreeMap<String, String>;

const PAIRS_MAX: usize = 64;
const KEY_OCTETS_MAX: usize = 128;
const VALUE_OCTETS_MAX: usize = 512;

/// The beginning of keys that Consul keeps to itself, and the one that gateways may have.
const RESERVED: &str = "consul-";
const OF_GATEWAYS: &str = "consul-wan-federation";

/// Consul's own checks of metadata.
///
/// # Errors
/// The text, without what stands before it.
pub(in crate::http) fn validate(meta: &Meta, is_mesh_gateway: bool) -> Result<(), String> {
    if meta.len() > PAIRS_MAX {
        return Err(format!("Node metadata cannot contain more than {PAIRS_MAX} key/value pairs"));
    }
    for (key, value) in meta {
        let is_reserved = key.starts_with(RESERVED) && !(is_mesh_gateway && key == OF_GATEWAYS);
        let well_formed = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'_' | b'-');
        let fault = if key.is_empty() {
            "Key cannot be blank".to_owned()
        } else if !key.bytes().all(well_formed) {
            "Key contains invalid characters".to_owned()
        } else if key.len() > KEY_OCTETS_MAX {
            format!("Key is too long (limit: {KEY_OCTETS_MAX} characters)")
        } else if is_reserved {
            format!("Key prefix '{RESERVED}' is reserved for internal use")
        } else if value.len() > VALUE_OCTETS_MAX {
            format!("Value is too long (limit: {VALUE_OCTETS_MAX} characters)")
        } else {
            continue;
        };
        return Err(format!("Couldn't load metadata pair ('{key}', '{value}'): {fault}"));
    }
    Ok(())
}
