//! Rows of the registry: to and from what stands in etcd.

use std::sync::Arc;

use serde::Deserialize;

use super::{
    Key, KeyRange, Layout, RowKey, TooLarge, Unreadable,
    value::{DrainedText, HealthText, OpinionText, json, registration_of, registration_text},
};
use crate::{
    model::{InstanceKey, Timestamp},
    registry::{Edit, Registration, SharedRow},
    store::text::{InstanceText, PolicyText, read_leniently},
};

/// A row that was read.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded {
    /// What it is.
    pub row: SharedRow,
    /// Fields that this version does not know, by their paths: of a later one, which may mean
    /// something by them that is not done here.
    pub later: Vec<String>,
}

/// One operation on etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Puts a value, in place of what is there.
    Put {
        /// Where.
        key: String,
        /// What.
        value: Vec<u8>,
    },
    /// Deletes a key, if it is there.
    Delete {
        /// Which.
        key: String,
    },
    /// Deletes all keys of a range.
    DeleteAll(KeyRange),
}

/// Who writes, and when: for who reads it.
#[derive(Debug, Clone, Copy)]
pub struct Author<'a> {
    /// The server.
    pub server: &'a str,
    /// The time by its clock.
    pub at: Timestamp,
}

/// Octets of a registration's value. A request to etcd may have 1.5 MiB (`--max-request-bytes`),
/// conditions and keys with it; an instance with every field at its limit has less than 1 MiB,
/// and quotation marks in its document and its headers count twice.
pub(super) const VALUE_OCTETS_MAX: usize = 1_400 << 10;

// === impl Layout ===

impl Layout {
    /// Reads a row's value. `revision` is that of etcd at which it was written.
    ///
    /// # Errors
    /// When it is no such value.
    pub fn decode(&self, row: &RowKey, value: &[u8], revision: u64) -> Result<Decoded, Unreadable> {
        decode(row, value).map_err(|problem| Unreadable {
            row: Some(row.clone()),
            ..self.unreadable(&Key::Row(row.clone()), revision, problem)
        })
    }

    /// The row when its key is not there, or was deleted.
    pub fn deleted(row: &RowKey) -> SharedRow {
        match row.clone() {
            RowKey::Registration(key) => SharedRow::Registration { key, to: None },
            RowKey::Health(key) => SharedRow::Health { key, to: None },
            RowKey::Drained(key) => SharedRow::Drained { key, on: false },
            RowKey::Opinion(key, by) => SharedRow::Opinion { key, by, to: None },
            RowKey::Policy(service) => SharedRow::Policy { service, to: None },
        }
    }

    /// What a change does to etcd; its condition ([`Edit`] says which) is about the key
    /// [`Layout::registration`]. An opinion is to be bound to its server's lease.
    ///
    /// # Errors
    /// When a registration is larger than a row can be.
    pub fn encode(&self, edit: &Edit, author: &Author<'_>) -> Result<Write, TooLarge> {
        let put = |row: RowKey, value| Write::Put { key: self.row(&row), value };
        let delete = |row: RowKey| Write::Delete { key: self.row(&row) };
        Ok(match edit {
            Edit::Register { key, to, .. } => {
                put(RowKey::Registration(key.clone()), registration(key, to)?)
            }
            Edit::Deregister { key, .. } => Write::DeleteAll(self.instance(key)),
            Edit::Drain { key, on: true, .. } => {
                put(RowKey::Drained(key.clone()), json(&DrainedText::new(author)))
            }
            Edit::Drain { key, on: false, .. } => delete(RowKey::Drained(key.clone())),
            Edit::Health { key, to } => {
                put(RowKey::Health(key.clone()), json(&HealthText::new(to, author)))
            }
            Edit::Opinion { key, by, to } => {
                let row = RowKey::Opinion(key.clone(), Arc::clone(by));
                match to {
                    Some(to) => put(row, json(&OpinionText::new(to))),
                    None => delete(row),
                }
            }
            Edit::Policy { service, to: Some(policy) } => {
                put(RowKey::Policy(service.clone()), json(&PolicyText::from(policy)))
            }
            Edit::Policy { service, to: None } => delete(RowKey::Policy(service.clone())),
        })
    }

    pub(super) fn unreadable(&self, key: &Key, revision: u64, problem: String) -> Unreadable {
        Unreadable { key: self.key(key), revision, problem, row: None }
    }
}

fn decode(row: &RowKey, value: &[u8]) -> Result<Decoded, String> {
    match row.clone() {
        RowKey::Registration(key) => {
            let (text, mut later) = read::<InstanceText>(value)?;
            later.extend(text.foreign().map(|refusal| refusal.field));
            let to = registration_of(text, key.clone()).map_err(|refusal| refusal.to_string())?;
            Ok(Decoded { row: SharedRow::Registration { key, to: Some(to.into()) }, later })
        }
        RowKey::Health(key) => {
            let (text, later) = read::<HealthText>(value)?;
            let to = text.into_model().map_err(|refusal| refusal.to_string())?;
            Ok(Decoded { row: SharedRow::Health { key, to: Some(to) }, later })
        }
        RowKey::Drained(key) => {
            // Whoever puts it there by hand need not know what others write into it.
            let (_, later) = read::<DrainedText>(value).unwrap_or_default();
            Ok(Decoded { row: SharedRow::Drained { key, on: true }, later })
        }
        RowKey::Opinion(key, by) => {
            let (text, later) = read::<OpinionText>(value)?;
            let to = text.into_model().map_err(|refusal| refusal.to_string())?;
            Ok(Decoded { row: SharedRow::Opinion { key, by, to: Some(to) }, later })
        }
        RowKey::Policy(service) => {
            let (text, later) = read::<PolicyText>(value)?;
            let to = text.into_model().map_err(|refusal| refusal.to_string())?;
            Ok(Decoded { row: SharedRow::Policy { service, to: Some(to) }, later })
        }
    }
}

pub(super) fn read<'v, T: Deserialize<'v>>(value: &'v [u8]) -> Result<(T, Vec<String>), String> {
    if value.len() > VALUE_OCTETS_MAX {
        return Err(format!("has {} octets, above the limit of {VALUE_OCTETS_MAX}", value.len()));
    }
    read_leniently(value)
}

fn registration(key: &InstanceKey, to: &Registration) -> Result<Vec<u8>, TooLarge> {
    let value = json(&registration_text(to));
    match value.len() {
        octets if octets > VALUE_OCTETS_MAX => {
            Err(TooLarge { key: key.clone(), octets, limit: VALUE_OCTETS_MAX })
        }
        _ => Ok(value),
    }
}

// === impl RowKey ===

impl RowKey {
    /// The row that this is.
    pub fn of(row: &SharedRow) -> Self {
        match row {
            SharedRow::Registration { key, .. } => Self::Registration(key.clone()),
            SharedRow::Health { key, .. } => Self::Health(key.clone()),
            SharedRow::Drained { key, .. } => Self::Drained(key.clone()),
            SharedRow::Opinion { key, by, .. } => Self::Opinion(key.clone(), by.clone()),
            SharedRow::Policy { service, .. } => Self::Policy(service.clone()),
        }
    }

    /// The row that a change is of; of an instance that is removed that which goes first.
    pub fn changed_by(edit: &Edit) -> Self {
        match edit {
            Edit::Register { key, .. } | Edit::Deregister { key, .. } => {
                Self::Registration(key.clone())
            }
            Edit::Health { key, .. } => Self::Health(key.clone()),
            Edit::Drain { key, .. } => Self::Drained(key.clone()),
            Edit::Opinion { key, by, .. } => Self::Opinion(key.clone(), by.clone()),
            Edit::Policy { service, .. } => Self::Policy(service.clone()),
        }
    }
}

// === impl Write ===

impl Write {
    /// Octets that it takes of a request, without what gRPC adds.
    pub fn octets(&self) -> usize {
        match self {
            Self::Put { key, value } => key.len() + value.len(),
            Self::Delete { key } => key.len(),
            Self::DeleteAll(KeyRange { from, to }) => from.len() + to.len(),
        }
    }
}
