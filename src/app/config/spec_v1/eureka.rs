//! The keys of Eureka's interface.

use super::{
    key::{Key, key},
    value::set,
};

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
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
];
