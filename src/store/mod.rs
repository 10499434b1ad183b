//! Durability: the embedded store.
