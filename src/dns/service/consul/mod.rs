//! Consul's names: the same instances under the names that its clients ask for.
//!
//! Below each domain of Consul's (`consul`, unless another is configured) stand services with their
//! tags, nodes, and addresses that are named by their digits; [`name`] says in which forms. The
//! registry behind is the one of the native zone, and so are draw, weights and health; what differs
//! is what Consul's clients count on: their own TTLs and limits, targets of SRV that lie in the
//! domain that was asked, NXDOMAIN where nothing is healthy.
//!
//! Forms that exist in Consul only with a mesh or with prepared queries (`connect`, `virtual`,
//! `ingress`, `query`) are names that are not there, as where these are off.

mod instances;
mod name;
mod node;
mod spec;
mod srv;
#[cfg(test)]
mod tests;
mod top;
mod zone;

pub(in crate::dns) use instances::zone_meant;
pub(in crate::dns) use name::finite;
pub(in crate::dns) use node::{
    Labels, is_at_its_node, is_of_consul, labels_of_node, put_node, put_service,
};
pub(in crate::dns) use spec::Consul;
pub use spec::ConsulSpec;
pub(super) use zone::answer;
