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

/// The step at index 0 leads from the oldest format that is read to the next one, and so on.
const STEPS: &[Step] = &[];

/// The oldest format that there is a way from. Format 1 was never in a release: it had no ids.
pub(super) const OLDEST: u32 = 2;
/// The format that this version reads and writes.
pub(super) const CURRENT: u32 = 2;
const _: () = assert!(STEPS.len() + OLDEST as usize == CURRENT as usize, "a step is missing");

/// Why a store's format cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FormatError {
    #[error("it has no format number that makes sense")]
    Absent,
    #[error("format {0} is newer")]
    Newer(u32),
    #[error("format {0} is older than any that is read")]
    Older(u32),
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
    if found == 0 {
        return Err(FormatError::Absent);
    }
    let done = found.checked_sub(OLDEST).ok_or(FormatError::Older(found))?;
    let steps_left = usize::try_from(done).ok().and_then(|done| steps.get(done..));
    let steps_left = steps_left.ok_or(FormatError::Newer(found))?;
    if steps_left.is_empty() {
        return Ok(());
    }
    let transaction = database.begin_write().map_err(redb::Error::from)?;
    for step in steps_left {
        step(&transaction)?;
    }
    let steps = u32::try_from(steps.len()).map_err(|_| FormatError::Absent)?;
    let current = OLDEST + steps;
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

    use super::{FormatError, OLDEST, Step, migrate};
    use crate::store::{
        record::Head,
        tables::{self, FORMAT, META},
    };

    fn store(format: &[u8]) -> Database {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        let transaction = database.begin_write().unwrap();
        tables::create(&transaction, OLDEST, &Head::default()).unwrap();
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
        let database = store(&OLDEST.to_le_bytes());
        for _ in 0..2 {
            migrate(&database, steps).unwrap();
            let found = tables::meta(&database, FORMAT).unwrap().unwrap();
            assert_eq!(found, (OLDEST + 2).to_le_bytes());
            assert_eq!(tables::meta(&database, "marks").unwrap().unwrap().len(), 2);
        }
        let newer = OLDEST + 2;
        assert!(matches!(migrate(&database, &[]), Err(FormatError::Newer(n)) if n == newer));
    }

    #[test]
    fn a_format_without_a_way_from_it_is_refused() {
        let database = store(&(OLDEST - 1).to_le_bytes());
        let refusal = migrate(&database, &[mark]);
        assert!(matches!(refusal, Err(FormatError::Older(found)) if found == OLDEST - 1));
    }

    #[test]
    fn a_number_that_makes_no_sense_is_refused() {
        for octets in [&b""[..], &[1], &[0; 4], &[0; 8]] {
            assert!(matches!(migrate(&store(octets), &[]), Err(FormatError::Absent)), "{octets:?}");
        }
    }
}
