//! The store's format, and the steps from older ones to this one.
//!
//! A format's number is for what the tables are; a record has its own version. A change that an
//! older Rollcall would misread is a new format: add a step to [`STEPS`], which takes the tables
//! from one format to the next within the transaction that also writes the new number, and keep a
//! store of the old format among the tests.

use redb::{Database, WriteTransaction};

use super::tables::{self, FORMAT, META};

/// One step, from a format to the next.
type Step = fn(&WriteTransaction) -> Result<(), redb::Error>;

/// The step at index 0 leads from format 1 to format 2, and so on.
const STEPS: &[Step] = &[];

/// The format that this version reads and writes.
pub(super) const CURRENT: u32 = 1;
const _: () = assert!(STEPS.len() + 1 == CURRENT as usize, "each older format has a step");

/// Why a store's format cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    #[error("it has no format number that makes sense")]
    Absent,
    #[error("format {0} is newer")]
    Newer(u32),
    #[error(transparent)]
    Store(#[from] redb::Error),
}

/// Brings a store of an older format to this one.
pub(super) fn to_current(database: &Database) -> Result<(), FormatError> {
    migrate(database, STEPS)
}

fn migrate(database: &Database, steps: &[Step]) -> Result<(), FormatError> {
    let octets = tables::meta(database, FORMAT)?.ok_or(FormatError::Absent)?;
    let octets = octets.try_into().map_err(|_| FormatError::Absent)?;
    let found = u32::from_le_bytes(octets);
    let done = usize::try_from(found).ok().and_then(|found| found.checked_sub(1));
    let steps_left = match done {
        None => return Err(FormatError::Absent),
        Some(done) => steps.get(done..).ok_or(FormatError::Newer(found))?,
    };
    if steps_left.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    for step in steps_left {
        step(&transaction)?;
    }
    let current = u32::try_from(steps.len() + 1).map_err(|_| FormatError::Absent)?;
    let write_number = || -> Result<(), redb::Error> {
        transaction.open_table(META)?.insert(FORMAT, current.to_le_bytes().as_slice())?;
        Ok(())
    };
    write_number()?;
    transaction.commit().map_err(redb::Error::from)?;
    tracing::info!(from = found, to = current, "the store was brought to a newer format");
    Ok(())
}

#[cfg(test)]
mod tests {
    use redb::{Database, WriteTransaction, backends::InMemoryBackend};

    use super::{FormatError, Step, migrate};
    use crate::store::tables::{self, FORMAT, META};

    fn store(format: &[u8]) -> Database {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let transaction = database.begin_write().unwrap();
        tables::create(&transaction, 1).unwrap();
        transaction.open_table(META).unwrap().insert(FORMAT, format).unwrap();
        transaction.commit().unwrap();
        database
    }

    fn mark(transaction: &WriteTransaction) -> Result<(), redb::Error> {
        let mut meta = transaction.open_table(META)?;
        let marks = meta.remove("marks")?.map_or(0, |value| value.value().len());
        meta.insert("marks", vec![0; marks + 1].as_slice())?;
        Ok(())
    }

    #[test]
    fn each_step_that_is_missing_is_taken_once() {
        let steps: &[Step] = &[mark, mark];
        let database = store(&1_u32.to_le_bytes());
        for _ in 0..2 {
            migrate(&database, steps).unwrap();
            assert_eq!(tables::meta(&database, FORMAT).unwrap().unwrap(), 3_u32.to_le_bytes());
            assert_eq!(tables::meta(&database, "marks").unwrap().unwrap().len(), 2);
        }
        assert!(matches!(migrate(&database, &[]), Err(FormatError::Newer(3))));
    }

    #[test]
    fn a_number_that_makes_no_sense_is_refused() {
        for octets in [&b""[..], &[1], &[0; 4], &[0; 8]] {
            assert!(matches!(migrate(&store(octets), &[]), Err(FormatError::Absent)), "{octets:?}");
        }
    }
}
