//! The routes, one file per resource.

pub(super) mod apps;
mod ask;
pub(super) mod instance;
pub(super) mod replication;
pub(super) mod server;
pub(super) mod vips;

pub(super) use ask::{Asked, Parameters};
