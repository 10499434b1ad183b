//! From what Consul's clients send to what the registry keeps.

mod address;
mod check;
mod service;

pub(super) use address::addresses;
pub(super) use check::{Checked, DEREGISTER_MIN, check};
pub(super) use service::{Translated, of_catalog, service};
