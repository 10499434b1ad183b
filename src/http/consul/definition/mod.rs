//! What clients send in bodies, type by type, with Consul's own checks of it.

pub(in crate::http) mod catalog;
pub(in crate::http) mod check;
pub(in crate::http) mod check_type;
pub(in crate::http) mod meta;
pub(in crate::http) mod proxy;
pub(in crate::http) mod service;
pub(in crate::http) mod update;

#[cfg(test)]
mod tests;

pub(in crate::http) use catalog::{
    CatalogCheck, CatalogDeregistration, CatalogRegistration, CatalogService,
};
pub(in crate::http) use check::CheckDefinition;
pub(in crate::http) use check_type::{CheckKind, CheckType};
pub(in crate::http) use service::{ServiceAddress, ServiceDefinition, ServicePort, Weights};
pub(in crate::http) use update::CheckUpdate;
