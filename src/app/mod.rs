//! Configuration, wiring and life cycle.

mod banner;
pub mod config;
mod fault;
mod reload;
mod serve;
mod signal;
mod supervise;

pub use fault::is_misconfigured;
pub use serve::serve;
