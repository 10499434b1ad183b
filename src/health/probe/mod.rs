//! One probe: what is asked of an instance, once, within its timeout.
//!
//! Each probe has a connection of its own. A kept one would be cheaper, and would go on passing
//! while the instance refuses everybody new; what is checked is what a new client meets.
//!
//! Sockets are closed in the ordinary way, without `SO_LINGER` 0. A reset instead of a FIN would
//! spare us the TIME_WAIT, but shows up as an error in the logs of the checked, can discard a
//! reply that is still unread, and is not needed: source ports are exhausted per destination
//! (28,000 on Linux), where the fastest check leaves 600 behind, and the kernel bounds the sum
//! (`tcp_max_tw_buckets`). HTTP probes ask the server to close, which leaves the TIME_WAIT there.

mod connect;
mod grpc;
mod h2ping;
mod http;
mod prober;
mod redirect;
mod reply;
mod tcp;
#[cfg(test)]
pub(super) mod testing;
mod tls;
mod udp;

pub(super) use prober::{Job, Probe, ProbeError, Prober};
