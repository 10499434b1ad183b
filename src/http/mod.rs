//! The API: the door through which the registry is changed and read.
//!
//! A request becomes a [`crate::model::Command`] exactly once, at this door: path segments and the
//! body turn into the model's types or are refused with a problem document (RFC 9457) that names
//! the field. The command goes to the registry's writer; when it comes back, the change is durable
//! and every DNS query sees it, and only then the reply is sent. Reads come from the newest
//! snapshot and wait for nobody.
//!
//! Defaults that protect: no CORS headers; requests that change something are refused when a
//! browser sends them for another site's page (see `guard`); connections, bodies, waiting times
//! and watchers have limits, each in [`Options`] or [`crate::model::limit`].

mod api;
mod aside;
mod bodies;
mod connection;
mod consul;
pub mod dto;
mod encoding;
mod eureka;
mod guard;
mod json;
mod metrics;
mod options;
mod path;
mod patient;
mod peers;
mod problem;
mod query;
mod router;
mod routes;
mod seen;
mod server;
mod shared;
mod unread;

#[cfg(test)]
mod tests;

pub use api::{Api, Setup};
pub use consul::Options as ConsulOptions;
pub use eureka::Options as EurekaOptions;
#[cfg(any(test, fuzzing))]
pub use eureka::eureka_body;
pub use options::Options;
pub use peers::{Life, PeerFacts, PeerGate, PeerToken, Peers, Server};
pub use routes::openapi_document;
pub use server::{BindError, HttpServer};
