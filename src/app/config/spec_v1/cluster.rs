//! The keys of `[cluster]`.

use super::{
    key::{Key, key},
    value::{duration, list, quote, set, whole_seconds},
};
use crate::app::config::{
    cluster,
    given::{Given, Refusal},
    store,
};

/// The keys, in the order of the example file.
pub(super) const KEYS: &[Key] = &[
    key(
        "cluster.server_id",
        |c, v| set(&mut c.cluster.server_id, cluster::server_id(v)),
        |c| quote(store::shown(c.cluster.server_id.as_ref())),
    ),
    key(
        "cluster.advertise",
        |c, v| set(&mut c.cluster.advertise, cluster::advertise(v)),
        |c| list(&c.cluster.advertise),
    ),
    key(
        "cluster.lease",
        |c, v| set(&mut c.cluster.lease, whole_seconds(v, 2..=300)),
        |c| duration(c.cluster.lease),
    ),
    key(
        "cluster.checkers",
        |c, v| set(&mut c.cluster.checkers, checkers(v)),
        |c| c.cluster.checkers.to_string(),
    ),
];

/// How many servers check each instance.
fn checkers(given: &Given) -> Result<usize, Refusal> {
    let count: usize = given.integer(1..=cluster::CHECKERS_MAX)?;
    match count % 2 {
        1 => Ok(count),
        _ => Err(given.refuse("is even; of an odd number of checkers there is always a majority")),
    }
}
