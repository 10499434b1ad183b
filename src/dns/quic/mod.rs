//! DNS over QUIC (RFC 9250): each question has a stream of its own, so that none waits for another.
//!
//! quinn speaks QUIC, with the same rustls and the same certificate as the others. Its own limits
//! are set where it has any; how many connections there may be, of whom, and for how long they may
//! be idle is held here, as for all other connections. While many handshakes are under way, an
//! address has to be proven first (Retry, RFC 9000 §8.1.2): packets can be sent in anybody's name.

mod code;
mod connection;
mod endpoint;
mod question;

pub(super) use endpoint::{Endpoint, serve};
