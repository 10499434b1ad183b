//! The routes of Consul's interface, a file for each resource.

pub(super) mod agent_check;
pub(super) mod agent_service;
pub(super) mod catalog_write;
pub(super) mod maintenance;

#[cfg(test)]
mod testing;
