//! The routes of Consul's interface, a file for each resource.

pub(super) mod agent_check;
pub(super) mod agent_health;
pub(super) mod agent_self;
pub(super) mod agent_service;
pub(super) mod agent_services;
pub(super) mod catalog;
pub(super) mod catalog_nodes;
pub(super) mod catalog_write;
pub(super) mod health;
pub(super) mod maintenance;
pub(super) mod off;
pub(super) mod status;

#[cfg(test)]
mod agent_model;
#[cfg(test)]
mod recorded;
#[cfg(test)]
mod seen;
#[cfg(test)]
mod testing;
