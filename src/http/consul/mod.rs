//! Consul's HTTP interface.

mod blocking;
mod waiters;
