//! Opening a store that is there, and reading all of it: nothing is believed unchecked.
//!
//! In this order: redb opens the file (and after a crash repairs it, which checks every page); if
//! it had nothing to repair, every page is checked now; the format is looked at; every row is read
//! against its own checksum; all rows together against the head; the head against the witness.
//! What does not hold is refused. redb answers some damage with a panic, which is caught here
//! without its message, and is one more kind of refusal.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{Builder, Database, DatabaseError, ReadableDatabase, ReadableTable};

use super::{
    StoreError,
    files::{Files, WITNESS},
    migrate::{self, FormatError},
    record::{Head, Interner, Totals, decode_member, decode_policy},
    tables::{self, INSTANCES, POLICIES},
    witness::Witness,
};
use crate::{model::limit, registry::Loaded, util::catch_quietly};

/// Memory for redb's own cache. The registry holds everything in memory, the store is read once at
/// the start; what it needs later are the few pages above the rows that change.
const CACHE_OCTETS: usize = 64 << 20;

/// Opens the file at a path that exists.
pub(super) type Opener = dyn Fn(&Path, &Builder) -> Result<Database, DatabaseError> + Send + Sync;

/// Opens a file as redb does by itself.
pub(super) fn open_file(path: &Path, builder: &Builder) -> Result<Database, DatabaseError> {
    builder.open(path)
}

/// A store that was opened and found whole.
pub(super) struct Opened {
    pub database: Database,
    pub head: Head,
    pub loaded: Loaded,
}

/// What is wrong with a store's content.
enum Problem {
    Damage(String),
    Format(FormatError),
    Redb(redb::Error),
}

impl<E: Into<redb::Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

/// The settings that redb is opened with.
pub(super) fn builder() -> Builder {
    let mut builder = Database::builder();
    builder.set_cache_size(CACHE_OCTETS);
    builder
}

/// Opens the directory's store and reads it whole.
pub(super) fn open(files: &Files, opener: &Opener) -> Result<Opened, StoreError> {
    let file = &files.database;
    let damaged = |problem: String| StoreError::damaged(file, problem);
    let witnessed = Witness::read(files)?;
    // redb takes an empty file for a new one; here it is what a lost write leaves behind.
    let length = fs::metadata(file).map_err(StoreError::io("read", file))?.len();
    if length == 0 {
        return Err(damaged("the file is empty".into()));
    }
    // Asked of the system first, so that what it refuses is not taken for damage.
    File::options().read(true).write(true).open(file).map_err(StoreError::io("open", file))?;
    let opened = catch_quietly(|| read(file, opener))
        .map_err(|_| damaged("its pages contradict one another".into()))?
        .map_err(|problem| problem.into_error(files))?;
    match witnessed {
        Some(witnessed) if witnessed.sequence > opened.head.sequence => Err(damaged(format!(
            "its last commit is number {} with revision {}, but number {} with revision {} was \
             acknowledged (`{WITNESS}` says so); if you put an older copy in its place on \
             purpose, remove `{WITNESS}`",
            opened.head.sequence, opened.head.revision, witnessed.sequence, witnessed.revision,
        ))),
        _ => Ok(opened),
    }
}

/// The head of an open store.
pub(super) fn head(database: &Database) -> Result<Head, String> {
    let value = tables::meta(database, Head::KEY).map_err(|error| error.to_string())?;
    let value = value.ok_or("the row `head` of table `meta` is missing")?;
    Head::decode(&value).map_err(|error| format!("in the row `head` of table `meta`: {error}"))
}

fn read(file: &Path, opener: &Opener) -> Result<Opened, Problem> {
    let was_repaired = Arc::new(AtomicBool::new(false));
    let mut builder = builder();
    let seen = Arc::clone(&was_repaired);
    builder.set_repair_callback(move |_| seen.store(true, Ordering::Relaxed));
    let mut database = opener(file, &builder)?;
    if was_repaired.load(Ordering::Relaxed) {
        tracing::info!(file = %file.display(), "the store was not closed, it has been recovered");
    } else if !database.check_integrity()? {
        tracing::warn!(file = %file.display(), "pages of the store were damaged and rebuilt");
    }
    migrate::to_current(&database).map_err(Problem::Format)?;
    let head = head(&database).map_err(Problem::Damage)?;
    let mut loaded = Loaded { revision: head.revision, ..Loaded::default() };
    let totals = read_rows(&database, &head, &mut loaded)?;
    if totals != head.totals {
        let Totals { instances, policies, .. } = head.totals;
        return Err(Problem::Damage(format!(
            "it has {} instances and {} policies where the last commit left {instances} and \
             {policies}, or some of them in another state",
            totals.instances, totals.policies,
        )));
    }
    Ok(Opened { database, head, loaded })
}

fn read_rows(database: &Database, head: &Head, loaded: &mut Loaded) -> Result<Totals, Problem> {
    let bad_row = |table: &str, key: &[u8], error: super::record::RecordError| {
        let key = String::from_utf8_lossy(key).replace('\0', "/");
        Problem::Damage(format!("in the row `{key}` of table `{table}`: {error}"))
    };
    let mut totals = Totals::default();
    let mut interner = Interner::default();
    let transaction = database.begin_read()?;
    let expected = usize::try_from(head.totals.instances).unwrap_or(usize::MAX);
    loaded.members.reserve_exact(expected.min(limit::INSTANCES_MAX));
    for row in transaction.open_table(INSTANCES)?.iter()? {
        let (key, value) = row?;
        let member = decode_member(key.value(), value.value(), &mut interner)
            .map_err(|error| bad_row("instances", key.value(), error))?;
        loaded.members.push(member);
        totals.instances += 1;
        totals.add(value.value());
    }
    for row in transaction.open_table(POLICIES)?.iter()? {
        let (key, value) = row?;
        let policy = decode_policy(key.value(), value.value())
            .map_err(|error| bad_row("policies", key.value(), error))?;
        loaded.policies.push(policy);
        totals.policies += 1;
        totals.add(value.value());
    }
    Ok(totals)
}

// === impl Problem ===

impl Problem {
    fn into_error(self, files: &Files) -> StoreError {
        let file = files.database.clone();
        match self {
            Self::Damage(problem) => StoreError::Damaged { file, problem },
            Self::Format(FormatError::Newer(found)) => {
                StoreError::Newer { file, found, known: migrate::CURRENT }
            }
            Self::Format(FormatError::Store(error)) | Self::Redb(error) => from_redb(files, error),
            Self::Format(error @ FormatError::Absent) => {
                StoreError::Damaged { file, problem: error.to_string() }
            }
        }
    }
}

fn from_redb(files: &Files, error: redb::Error) -> StoreError {
    let file = files.database.clone();
    match error {
        // A file that ends too early is damage; whatever else the system says is its own matter.
        redb::Error::Io(error)
            if !matches!(error.kind(), ErrorKind::UnexpectedEof | ErrorKind::InvalidData) =>
        {
            StoreError::Io { action: "read", file, error }
        }
        redb::Error::DatabaseAlreadyOpen => {
            let holder = "another process, which has opened the store itself".to_owned();
            StoreError::InUse { dir: files.dir.clone(), holder }
        }
        redb::Error::TableDoesNotExist(table) => {
            let problem = format!("it is no store of Rollcall's, it has no table `{table}`");
            StoreError::Damaged { file, problem }
        }
        error => StoreError::Damaged { file, problem: error.to_string() },
    }
}
