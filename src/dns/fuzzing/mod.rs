//! What must hold of any octets that come in, as functions of octets that panic where it does not.
//!
//! cargo-fuzz calls them (`tests/fuzz/`), and so do the tests, with its kept inputs and as many
//! mutants of these as a second or two allow ([`smoke`]): the same functions, so that what a fuzzer
//! once found is looked for by every run of the tests. They are compiled for those two only, by
//! `cfg(any(test, fuzzing))`, the latter of which cargo-fuzz sets. A cargo feature would be one
//! more thing that a user could switch on, and hidden public functions would be in what is shipped.
//!
//! [`packet`] reads a packet, [`request`] answers a message, `framing` has a connection over TCP,
//! `zone_file` loads a zone and asks it. They share the reader of replies ([`walk`]), which
//! is stricter than hickory's and was written for nothing else, and a small world ([`world`]).

mod packet;
mod request;
#[cfg(test)]
mod smoke;
mod walk;
pub(super) mod world;

pub use super::{tcp::framing, zone::zone_file};
pub use packet::packet;
pub(super) use request::check;
pub use request::request;
pub(super) use walk::walk;
