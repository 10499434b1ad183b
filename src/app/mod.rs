//! Configuration, wiring and life cycle.

mod banner;
mod check;
pub mod config;
mod encryption;
mod fault;
mod forwarding;
mod reload;
mod serve;
mod shared;
mod signal;
mod sockets;
mod supervise;
mod unasked;

pub use check::{Checked, check};
pub use fault::is_misconfigured;
pub use serve::serve;
