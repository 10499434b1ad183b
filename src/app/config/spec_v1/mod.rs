//! The keys of version 1, each in one place, a file for each section of the configuration file.
//!
//! `examples/rollcall.toml` tells what they mean; a test holds it to this list. A later version of
//! the file gets a list of its own beside this one, and this one stays as it is.

mod all;
mod cluster;
mod consul;
mod dns;
mod encrypted;
mod eureka;
mod forward;
mod health;
mod http;
mod key;
mod log;
mod policy;
mod server;
mod store;
mod value;

pub(super) use self::{
    all::{VERSION, keys},
    key::Key,
    value::{list, quote, whole_seconds},
};
