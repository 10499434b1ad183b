//! Configuration, wiring and life cycle.
