//! Export and import: the whole store as JSON lines.
//!
//! ```text
//! {"rollcall_export":1,"revision":12,"exported_at":"2026-11-20T10:00:00.000Z"}
//! {"service":"web","instance":"web-1","addresses":["10.0.0.1"],"port":80, … ,"status":"passing"}
//! {"service":"web","policy":{"ttl":"5s","answer_limit":8, … }}
//! {"end":{"instances":1,"policies":1}}
//! ```
//!
//! One object a line, so that `grep`, `jq` and `diff` work on it, and so that a file of any size is
//! read with little memory. Fields have the names of the HTTP interface; what the registry knows
//! (status, drain, revisions) stands beside them and may be left out, so that a file can also be
//! written by hand: such an instance starts as if it were registered now. The last line counts what
//! there must have been, so that a file that was cut short is noticed.
//!
//! Both directions are pure: from and to [`Loaded`](crate::registry::Loaded).

mod export;
mod import;
mod line;

pub use export::export;
pub use import::{ImportError, import};

#[cfg(test)]
mod tests;
