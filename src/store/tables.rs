//! The tables of the store, and the one way to change them.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `instances` | service, zero octet, instance | a member's record |
//! | `policies` | service | a policy's record |
//! | `meta` | `format` | the format's number, four octets, little endian |
//! | `meta` | `head` | the last commit's record: what there must be |

use redb::{ReadableDatabase, TableDefinition, WriteTransaction};

use super::record::{Head, RecordError, Totals, encode_member, encode_policy, member_key};
use crate::{model::Revision, registry::Change};

pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(super) const INSTANCES: Definition = TableDefinition::new("instances");
pub(super) const POLICIES: Definition = TableDefinition::new("policies");
pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("meta");
/// The key of the format's number in `meta`.
pub(super) const FORMAT: &str = "format";

/// A row as it is to be from now on.
#[derive(Debug, Clone)]
pub(super) struct Row {
    kind: Kind,
    key: Vec<u8>,
    /// `None` removes the row.
    value: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Instance,
    Policy,
}

// === impl Row ===

impl Row {
    pub(super) fn new(change: &Change) -> Result<Self, RecordError> {
        Ok(match change {
            Change::DeleteMember(key) => {
                Self { kind: Kind::Instance, key: member_key(key), value: None }
            }
            Change::DeletePolicy(service) => {
                Self { kind: Kind::Policy, key: service.as_bytes().to_vec(), value: None }
            }
            Change::PutMember(member) => {
                let key = member_key(&member.key());
                let value = Some(encode_member(&key, member)?);
                Self { kind: Kind::Instance, key, value }
            }
            Change::PutPolicy(service, policy) => Self {
                kind: Kind::Policy,
                key: service.as_bytes().to_vec(),
                value: Some(encode_policy(service, policy)),
            },
        })
    }

    /// Octets that it brings.
    pub(super) fn len(&self) -> usize {
        self.key.len() + self.value.as_ref().map_or(0, Vec::len)
    }
}

/// Applies `rows` on top of `head` in an open transaction, and writes the head that results.
/// Returns it with the rows that would take everything back, last change first.
pub(super) fn apply<'r>(
    transaction: &WriteTransaction,
    head: &Head,
    revision: Revision,
    rows: impl IntoIterator<Item = &'r Row>,
) -> Result<(Head, Vec<Row>), redb::Error> {
    let mut undo = Vec::new();
    let mut totals = head.totals;
    {
        let mut instances = transaction.open_table(INSTANCES)?;
        let mut policies = transaction.open_table(POLICIES)?;
        for row in rows {
            let (table, count) = match row.kind {
                Kind::Instance => (&mut instances, &mut totals.instances),
                Kind::Policy => (&mut policies, &mut totals.policies),
            };
            let before = match &row.value {
                Some(value) => table.insert(row.key.as_slice(), value.as_slice())?,
                None => table.remove(row.key.as_slice())?,
            };
            let before = before.map(|value| value.value().to_vec());
            // A row that is damaged on disk may make these wrong; they wrap, and the next load
            // finds that nothing agrees.
            *count = count
                .wrapping_sub(u64::from(before.is_some()))
                .wrapping_add(u64::from(row.value.is_some()));
            totals.replace(before.as_deref(), row.value.as_deref());
            undo.push(Row { kind: row.kind, key: row.key.clone(), value: before });
        }
    }
    let head = Head { sequence: head.sequence + 1, revision, totals };
    transaction.open_table(META)?.insert(Head::KEY, head.encode().as_slice())?;
    undo.reverse();
    Ok((head, undo))
}

/// Makes the tables of an empty store.
pub(super) fn create(transaction: &WriteTransaction, format: u32) -> Result<(), redb::Error> {
    transaction.open_table(INSTANCES)?;
    transaction.open_table(POLICIES)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, format.to_le_bytes().as_slice())?;
    meta.insert(Head::KEY, Head::default().encode().as_slice())?;
    Ok(())
}

/// A row of `meta`; `None` when it is not there.
pub(super) fn meta(database: &redb::Database, key: &str) -> Result<Option<Vec<u8>>, redb::Error> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(META)?;
    let value = table.get(key)?;
    Ok(value.map(|value| value.value().to_vec()))
}

// === impl Totals ===

impl Totals {
    fn replace(&mut self, before: Option<&[u8]>, after: Option<&[u8]>) {
        if let Some(before) = before {
            self.remove(before);
        }
        if let Some(after) = after {
            self.add(after);
        }
    }
}
