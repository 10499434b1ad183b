//! What Consul's clients are shown, with the names and the order of fields that Consul has.

mod check;
mod node;
mod order;
mod service;

pub(super) use check::HealthCheck;
pub(super) use node::Node;
pub(super) use order::in_order;
pub(super) use service::{AgentService, CatalogService, Entry, NodeService, Weights};
