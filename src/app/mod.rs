//! Configuration, wiring and life cycle.

pub mod config;
mod serve;

pub use serve::serve;
