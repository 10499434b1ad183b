//! The whole server through its public doors: the real binary, real sockets, the real store.
//!
//! One test binary with a module per subject. `support` starts the server on port 0 with a scratch
//! directory of its own, so that all tests run side by side.

#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    reason = "a test measures real time, and fails by panicking"
)]

mod cli;
mod cluster;
mod consul_agent;
mod consul_checks;
mod consul_hosts;
mod consul_reads;
mod crowds;
mod differential;
mod dns;
mod docs;
mod doors;
mod doors_restart;
mod durability;
mod eureka;
mod forward;
mod health;
mod heartbeats;
mod http;
mod lifecycle;
mod metrics;
mod operating;
mod pages;
mod probes;
mod refusals;
mod replay;
mod service;
mod support;
mod watch;
mod weather;
mod weights;
mod writers;
mod zones;
