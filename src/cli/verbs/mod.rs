//! One file a verb: its arguments, what it asks, what it prints.

pub(super) mod check_config;
pub(super) mod completions;
mod data;
pub(super) mod deregister;
pub(super) mod drain;
pub(super) mod export;
pub(super) mod import;
pub(super) mod list;
pub(super) mod policy;
pub(super) mod register;
pub(super) mod resolve;
pub(super) mod serve;
pub(super) mod servers;
pub(super) mod show;
pub(super) mod watch;
