//! Eureka's wire format: what its clients send and what they are shown, as JSON and as XML.
//!
//! A body of either form becomes the same tree, the tree one of the nouns in [`body`]; how sloppy
//! it may be is said once, for both forms. Nothing here knows the registry.

mod body;
mod error;
mod hashcode;
mod json;
mod negotiate;
mod read;
mod registration;
mod render;
mod tree;
mod xml;

#[cfg(test)]
mod tests;
