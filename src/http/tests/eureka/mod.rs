//! Eureka's interface through the router, over the real writer.

mod delta;
mod doors;
mod edges;
mod instances;
mod lease;
mod peers;
mod server;
mod support;
