//! Consul's HTTP interface: what its clients send and the words in which they are refused.
//!
//! Every text here was compared with what an agent answers (1.8.7) or is that of the newer
//! versions' documentation; where the two differ, the newer one is taken and the difference noted.

mod blocking;
mod call;
mod check_ids;
pub(in crate::http) mod clean;
pub(in crate::http) mod definition;
pub(in crate::http) mod duration;
mod edit;
pub(in crate::http) mod filter;
mod foreign;
mod kept;
mod listing;
mod methods;
pub(in crate::http) mod number;
mod output;
pub(in crate::http) mod params;
pub(in crate::http) mod quote;
mod readable;
pub(in crate::http) mod reader;
mod reply;
mod router;
mod routes;
mod site;
pub(in crate::http) mod syntax;
pub(in crate::http) mod texts;
mod translate;
mod view;
mod waiters;
mod world;
mod write;

pub use site::Options;

pub(in crate::http) use blocking::WAIT_MAX;
pub(in crate::http) use check_ids::CheckIds;
pub(in crate::http) use edit::{Turns, follow_own_address};
pub(in crate::http) use reply::with_policy;
pub(in crate::http) use router::routes;
pub(in crate::http) use texts::ConsulError;
pub(in crate::http) use waiters::Waiters;
