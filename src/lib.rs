//! Rollcall: a DNS server for service discovery.
//!
//! Services register over HTTP, Rollcall checks their health, and any client that can resolve a
//! name gets the instances that are healthy now. The layers, from the nouns up; each may import
//! only those above it in this list, and `tests/tidy.rs` proves it:
//!
//! - L0: [`model`] the nouns, [`util`] the clock and the timer wheel, [`telemetry`] logs, metrics
//!   and the board of conditions.
//! - L1: [`registry`] state and its publication, [`store`] durability, [`cluster`] sharing through
//!   etcd.
//! - L2: the doors, which never import one another: [`dns`], [`http`], [`health`].
//! - L3: [`app`] configuration, wiring and life cycle.
//! - L4: [`cli`] the commands of the binary.
//!
//! `ARCHITECTURE.md` tells how a registration travels through them and which rules always hold.

pub mod app;
pub mod cli;
pub mod cluster;
pub mod dns;
pub mod health;
pub mod http;
pub mod model;
pub mod registry;
pub mod store;
pub mod telemetry;
pub mod util;
