//! Moving a registry into etcd, and out of it: what `rollcall export` and `import` do there.
//!
//! # Out
//!
//! [`load()`] reads all rows as of one revision, however many pages that takes; what has a meaning
//! here and cannot be read is refused, because a backup that lacks something is found out too late.
//! The revision of an export is that of the API, so that a store it is imported into goes on from
//! there.
//!
//! # Into
//!
//! [`restore()`] registers what an export has: as new, with states of checks, drains and times as
//! they were. It is done in transactions of 128 operations. Servers that follow never see less than
//! there is in either registry: first what is new is put over what is there, and what is not in the
//! export goes last. If it is interrupted, some is from the export and the rest as it was; the same
//! import with `replace` finishes it. Nothing is written unless all of it can be: what is too large
//! is found before, and without `replace` the first transaction has the condition that nothing is
//! there.
//!
//! # Rejected
//!
//! Deleting all first (DNS would answer that there is nothing). Keeping revisions (etcd counts its
//! own, and clients would be told of changes that are long over).

mod fault;
mod load;
mod plan;
mod restore;

pub use fault::TransferError;
pub use load::{Found, load};
pub use restore::{How, PATIENCE, Restored, restore};

#[cfg(test)]
mod tests;
