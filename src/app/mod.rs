//! Configuration, wiring and life cycle.

pub mod config;
