//! Configuration, wiring and life cycle.

mod banner;
pub mod config;
mod reload;
mod serve;
mod signal;
mod supervise;

pub use serve::serve;
