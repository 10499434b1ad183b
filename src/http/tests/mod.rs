//! The API through its router and through real sockets, over the real writer.

mod contract;
mod eureka;
mod gzip;
mod peers;
mod refusals;
mod routes;
mod seen;
mod server;
mod servers;
mod shared_store;
pub(in crate::http) mod support;
mod watch;
