//! The tables of the store, and the one way to change them.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `instances` | service, zero octet, instance | a member's record |
//! | `policies` | service | a policy's record |
//! | `meta` | `format` | the format's number, four octets, little endian |
//! | `meta` | `head` | the last commit's record: the store's id, and what there must be |

use redb::{ReadableDatabase, TableDefinition, WriteTransaction};

use super::{
    record::{Head, Totals},
    rows::{Kind, Latest},
    witness::Acknowledged,
};

pub(super) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;

pub(super) const INSTANCES: Definition = TableDefinition::new("instances");
pub(super) const POLICIES: Definition = TableDefinition::new("policies");
pub(super) const META: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("meta");
/// The key of the format's number in `meta`.
pub(super) const FORMAT: &str = "format";

/// Applies `rows` on top of `head` in an open transaction, up to the commit `last`, and writes the
/// head that results, which it returns.
pub(super) fn apply(
    transaction: &WriteTransaction,
    head: &Head,
    last: Acknowledged,
    rows: &Latest<'_>,
) -> Result<Head, redb::Error> {
    let mut totals = head.totals;
    {
        let mut instances = transaction.open_table(INSTANCES)?;
        let mut policies = transaction.open_table(POLICIES)?;
        for (&(kind, key), &value) in rows {
            let (table, count) = match kind {
                Kind::Instance => (&mut instances, &mut totals.instances),
                Kind::Policy => (&mut policies, &mut totals.policies),
            };
            let before = match value {
                Some(value) => table.insert(key, value)?,
                None => table.remove(key)?,
            };
            // A row that is damaged on disk may make these wrong; they wrap, and the next load
            // finds that nothing agrees.
            *count = count
                .wrapping_sub(u64::from(before.is_some()))
                .wrapping_add(u64::from(value.is_some()));
            totals.replace(before.as_ref().map(redb::AccessGuard::value), value);
        }
    }
    let Acknowledged { sequence, revision } = last;
    let head = Head { store: head.store, sequence, revision, totals };
    transaction.open_table(META)?.insert(Head::KEY, head.encode().as_slice())?;
    Ok(head)
}

/// Makes the tables of an empty store.
pub(super) fn create(
    transaction: &WriteTransaction,
    format: u32,
    head: &Head,
) -> Result<(), redb::Error> {
    transaction.open_table(INSTANCES)?;
    transaction.open_table(POLICIES)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert(FORMAT, format.to_le_bytes().as_slice())?;
    meta.insert(Head::KEY, head.encode().as_slice())?;
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
