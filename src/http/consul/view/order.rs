//! The order in which rows are shown.

use std::cmp::Ordering;

/// By name, whatever the case of the letters, as Consul keeps names; those that differ in nothing
/// else have an order, too.
pub(in crate::http::consul) fn in_order(one: &str, other: &str) -> Ordering {
    let regardless_of_case = lower(one).cmp(lower(other));
    regardless_of_case.then_with(|| one.cmp(other))
}

fn lower(name: &str) -> impl Iterator<Item = u8> {
    name.bytes().map(|octet| octet.to_ascii_lowercase())
}
