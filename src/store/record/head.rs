//! The head of the store: which commit was the last, and what there must be after it.

use serde::{Deserialize, Serialize};

use super::{RecordError, checksum_of, seal, unseal};
use crate::model::Revision;

/// What the last commit left behind; written with each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) struct Head {
    /// The id of the store: drawn when it is built, and never changed.
    pub store: u64,
    /// The number of the commit: grows by one with each, whatever is in it.
    pub sequence: u64,
    /// The newest revision.
    pub revision: Revision,
    /// What all rows come to.
    pub totals: Totals,
}

/// The count and the sum of the rows, kept up with every change: a row that is lost, or is there in
/// an older state, is noticed although all that is left is sound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(in crate::store) struct Totals {
    /// Rows of instances.
    pub instances: u64,
    /// Rows of policies.
    pub policies: u64,
    /// The checksums of all rows, added.
    pub sum: u64,
}

#[derive(Serialize, Deserialize)]
struct HeadRecord {
    store: u64,
    sequence: u64,
    revision: u64,
    instances: u64,
    policies: u64,
    sum: u64,
}

// === impl Head ===

impl Head {
    /// The key of its row, which is also under its checksum.
    pub(in crate::store) const KEY: &'static str = "head";

    pub(in crate::store) fn encode(&self) -> Vec<u8> {
        let Totals { instances, policies, sum } = self.totals;
        let (store, sequence, revision) = (self.store, self.sequence, self.revision.0);
        let record = HeadRecord { store, sequence, revision, instances, policies, sum };
        let mut out = Self::KEY.as_bytes().to_vec();
        seal(&record, &mut out, 0);
        out.split_off(Self::KEY.len())
    }

    pub(in crate::store) fn decode(value: &[u8]) -> Result<Self, RecordError> {
        let HeadRecord { store, sequence, revision, instances, policies, sum } =
            unseal(Self::KEY.as_bytes(), value)?;
        let totals = Totals { instances, policies, sum };
        Ok(Self { store, sequence, revision: Revision(revision), totals })
    }
}

// === impl Totals ===

impl Totals {
    /// Counts a value in.
    pub(in crate::store) fn add(&mut self, value: &[u8]) {
        self.sum = self.sum.wrapping_add(checksum_of(value).into());
    }

    /// Counts a value out.
    pub(in crate::store) fn remove(&mut self, value: &[u8]) {
        self.sum = self.sum.wrapping_sub(checksum_of(value).into());
    }
}
