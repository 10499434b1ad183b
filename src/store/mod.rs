//! Durability: the embedded store.
//!
//! # Which files
//!
//! | file in the data directory | what it is |
//! | --- | --- |
//! | `rollcall.redb` | the tables: instances with their last known state, policies, the revision |
//! | `rollcall.log.0`, `.1` | what was committed since the tables were last brought up to date |
//! | `rollcall.witness` | the number of the last acknowledged commit; see `witness.rs` |
//! | `rollcall.lock` | held while a process uses the directory; the number of that process |
//! | `rollcall.redb.old`, `.old.1`, … | what `import --replace` put aside, the oldest first |
//! | `rollcall.redb.old.rollcall.log.0`, … | logs with something in them, put aside with it |
//!
//! # What survives what
//!
//! A change is acknowledged after it is in the log on the disk (`fsync`), and survives from then
//! on: the end of the process by any signal at any moment, and the loss of power, as far as the
//! disk keeps what it says it has. Not stored are heartbeats as such and `suspect`, which are of
//! the moment. A change that was refused (no room, a broken disk) is not there after a restart,
//! unless the disk also refused to take it back and the process ended before the next commit.
//!
//! A store that is not what was written into it — cut short, overwritten, with a bit turned, an
//! older copy, gone — is refused with the file's name and the way out, and never emptied: pages
//! have redb's checksums, rows have their own, all rows together have a sum, commits in the log
//! have checksums and numbers without a gap, and the last commit has a witness outside the store.
//! Each store has an id, drawn when it is built; logs and witness have it too, so that files of two
//! stores that come to lie in one directory are not read as one.
//! `load.rs` tells in which order they are asked.
//!
//! # The shape
//!
//! [`Store`] is the registry's [`Journal`](crate::registry::Journal): one piece of the log and one
//! fsync for a batch (`log.rs`), and the tables from time to time (`fold.rs`). The formats are in
//! `log.rs`, `tables.rs` (tables and keys) and `record/` (values), the steps between formats in
//! `migrate.rs`. [`export`] and [`import`] write and read JSON lines, which every version of
//! Rollcall and every script can read.
//!
//! # Rejected
//!
//! Each commit a transaction of redb: measured, 64 changes among a million rows took 4 ms, because
//! each writes pages of its own; in the log they are 16 KiB. A log with snapshots of our own in
//! place of redb (a million rows written again each time; and redb's crash tests are better than
//! ours would be), an LSM tree (its background work would disturb the packets), SQLite (C), redb's
//! two-phase commit and quick repair (two fsyncs for every commit; the first for what the witness
//! finds too, the second to save a check of all pages that is made at every start in any case).

mod backup;
mod checksum;
mod commit_error;
mod committer;
mod disk;
mod embedded;
mod engine;
mod error;
mod files;
mod fold;
mod load;
mod lock;
mod log;
mod metrics;
mod migrate;
mod record;
mod rows;
mod tables;
pub(crate) mod text;
mod witness;

pub use backup::{ImportError, export, import};
pub use embedded::Store;
pub use error::StoreError;
pub(crate) use record::Interner;

#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;
