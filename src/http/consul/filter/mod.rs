//! Filter expressions: `Service.Port == 80 and "v1" in Service.Tags`.
//!
//! The language of go-bexpr 0.1.2, which Consul has: parsed ([`parser`]), held against the type of
//! the rows ([`rows`]) so that a selector or a value that cannot be is refused even where there are
//! no rows, and evaluated over each row as the API shows it. Refusals have the places and the words
//! of the original.

mod compile;
mod evaluate;
mod parser;
mod pattern;
mod peg;
mod rows;
mod tree;

#[cfg(test)]
mod tests;

pub(in crate::http) use compile::Filter;
pub(in crate::http) use rows::Rows;
