//! Keys and values there and back, their texts, and what other versions may have written.

mod bulks;
mod keys;
mod properties;
mod values;
