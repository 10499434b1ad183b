//! Durability: the embedded store.
//!
//! # Which files
//!
//! | file in the data directory | what it is |
//! | --- | --- |
//! | `rollcall.redb` | everything: instances with their last known state, policies, the revision |
//! | `rollcall.witness` | the number of the last acknowledged commit; see `witness.rs` |
//! | `rollcall.lock` | held while a process uses the directory; the number of that process |
//! | `rollcall.redb.old`, `.old.1`, … | what `import --replace` put aside, the oldest first |
//!
//! # What survives what
//!
//! A change is acknowledged after its transaction is on the disk (`fsync`), and survives from then
//! on: the end of the process by any signal at any moment, and the loss of power, as far as the
//! disk keeps what it says it has. Not stored are heartbeats as such and `suspect`, which are of
//! the moment. A change that was refused (no room, a broken disk) is not there after a restart.
//!
//! A store that is not what was written into it — cut short, overwritten, with a bit turned, an
//! older copy, gone — is refused with the file's name and the way out, and never emptied: pages
//! have redb's checksums, rows have their own, all rows together have a sum, and the last commit
//! has a witness outside the store. `load.rs` tells in which order they are asked.
//!
//! # The shape
//!
//! [`Store`] is the registry's [`Journal`](crate::registry::Journal): one transaction and one fsync
//! for a batch. The formats are in `tables.rs` (tables and keys) and `record/` (values), the steps
//! between formats in `migrate.rs`. [`export`] and [`import`] write and read JSON lines, which
//! every version of Rollcall and every script can read.
//!
//! # What it costs
//!
//! Measured on two busy cores and a virtual disk (fsync about 0.5 ms), instances of 300 octets
//! with two checks: a commit of 1 change 0.7 ms, of 64 changes 4 ms, of 1,000 changes 27 ms (33,000
//! changes a second). Opening and checking 200,000 instances 0.5 s, 1,000,000 instances 2.5 s,
//! after `kill -9` as after a clean end; the file of a million has 514 MiB. Export of a million
//! 4 s, import 18 s.
//!
//! # Rejected
//!
//! A log with snapshots of our own (redb's crash tests are better than ours would be), an LSM tree
//! (its background work would disturb the packets), SQLite (C), redb's two-phase commit and quick
//! repair (two fsyncs for every commit; the first for what the witness finds too, the second to
//! save a check of all pages that is made at every start in any case).

mod backup;
mod checksum;
mod embedded;
mod engine;
mod error;
mod files;
mod load;
mod lock;
mod metrics;
mod migrate;
mod record;
mod tables;
mod witness;

pub use backup::{ImportError, export, import};
pub use embedded::Store;
pub use error::StoreError;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
