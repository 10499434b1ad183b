//! The zone of the services, `service.<domain>`: what each of its names means ([`name`]), and what
//! it answers ([`zone`]): addresses, SRV, TXT, and PTR for browsers ([`browse`]).
//!
//! Which instances are answered was decided when the registry changed (`registry::Selection`);
//! here they are only drawn and written.
//!
//! The same instances have Consul's names as well: [`consul`].

mod addresses;
mod browse;
mod consul;
mod doubles;
mod name;
mod shown;
mod srv;
mod txt;
mod zone;

pub use consul::ConsulSpec;
pub(super) use consul::{
    Consul, Labels, is_at_its_node, is_of_consul, labels_of_node, put_node, put_service,
};
pub(super) use name::{finite, put_instance};
pub(super) use zone::answer;
