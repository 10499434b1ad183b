//! The zone of the services, `service.<domain>`: what each of its names means ([`name`]), and what
//! it answers ([`zone`]): addresses, SRV, TXT, and PTR for browsers ([`browse`]).
//!
//! Which instances are answered was decided when the registry changed (`registry::Selection`);
//! here they are only drawn and written.

mod addresses;
mod browse;
mod doubles;
mod name;
mod srv;
mod txt;
mod zone;

pub(super) use name::{finite, put_instance};
pub(super) use zone::answer;
