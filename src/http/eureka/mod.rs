//! Eureka's REST interface: what its clients send, and what they are shown.
//!
//! A body of either form becomes the same tree, the tree one of the nouns in [`body`]; how sloppy
//! it may be is said once, for both forms. `translate` has a registration in the registry's words,
//! `shown` the registry in Eureka's, `change` what clients change. What the registry has no word
//! for is kept with an instance as a document of its own ([`crate::model::Origin`]).

mod body;
mod change;
mod error;
#[cfg(any(test, fuzzing))]
mod fuzzing;
mod hashcode;
mod json;
mod negotiate;
mod options;
mod read;
mod recent;
mod registration;
mod render;
mod router;
mod routes;
mod rules;
mod shown;
mod translate;
mod tree;
mod vips;
mod xml;

#[cfg(test)]
mod tests;

#[cfg(any(test, fuzzing))]
pub use fuzzing::eureka_body;
pub use options::Options;

pub(in crate::http) use error::EurekaError;
pub(in crate::http) use recent::Recent;
pub(in crate::http) use router::routes;
