//! Opening a store that is there, and reading all of it: nothing is believed unchecked.
//!
//! In this order: redb opens the file (and after a crash repairs it, which checks every page); if
//! it had nothing to repair, every page is checked now; the format is looked at, and whether logs
//! and witness are of this store; every row is read against its own checksum; all rows together
//! against the head; then what the log has kept since takes the place of what is in the tables; and
//! the last commit is held against the witness. What does not hold is refused. redb answers some
//! damage with a panic, which is caught here without its message, and is one more kind of refusal.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use redb::{Builder, Database, ReadableDatabase, ReadableTable};

use super::{
    StoreError,
    disk::Disk,
    files::{ALL_LOGS, DATABASE, Files, LOGS, WITNESS},
    fold::Tables,
    log::{self, End, Recorded},
    migrate::{self, FormatError},
    record::{Head, Interner, Totals, decode_member, decode_policy},
    rows::{Kind, Latest},
    tables::{self, INSTANCES, POLICIES},
    witness::{Acknowledged, Witness, Witnessed},
};
use crate::{model::limit, registry::Loaded, util::catch_quietly};

/// Memory for redb's own cache. The registry holds everything in memory, the store is read once at
/// the start; what it needs later are the few pages above the rows that change.
const CACHE_OCTETS: usize = 32 << 20;

/// A store that was opened and found whole.
pub(super) struct Opened {
    pub tables: Tables,
    /// The last commit, in the tables or in the log.
    pub last: Acknowledged,
    /// Where each log ends.
    pub log_ends: [End; 2],
    /// Which log has the last commits.
    pub active: usize,
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
pub(super) fn open(files: &Files, disk: &dyn Disk) -> Result<Opened, StoreError> {
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
    let octets = |path| log::octets(path).map_err(StoreError::io("read", path));
    let logs = [octets(&files.logs[0])?, octets(&files.logs[1])?];
    let opened = catch_quietly(|| read(file, disk, logs, witnessed))
        .map_err(|_| damaged("its pages contradict one another".into()))?
        .map_err(|problem| problem.into_error(files))?;
    match witnessed.map(|witnessed| witnessed.last) {
        Some(witnessed) if witnessed.sequence > opened.last.sequence => Err(damaged(format!(
            "its last commit is number {} with revision {}, but number {} with revision {} was \
             acknowledged (`{WITNESS}` says so); {}",
            opened.last.sequence,
            opened.last.revision,
            witnessed.sequence,
            witnessed.revision,
            if_older_copy(),
        ))),
        _ => Ok(opened),
    }
}

/// The way out for who has put an older copy into the store's place.
fn if_older_copy() -> String {
    format!(
        "if you put an older copy in its place on purpose, remove `{WITNESS}`, and each \
         `{ALL_LOGS}` that was not copied with it"
    )
}

/// The head of an open store.
pub(super) fn head(database: &Database) -> Result<Head, String> {
    let value = tables::meta(database, Head::KEY).map_err(|error| error.to_string())?;
    let value = value.ok_or("the row `head` of table `meta` is missing")?;
    Head::decode(&value).map_err(|error| format!("in the row `head` of table `meta`: {error}"))
}

fn read(
    file: &Path,
    disk: &dyn Disk,
    logs: [Vec<u8>; 2],
    witnessed: Option<Witnessed>,
) -> Result<Opened, Problem> {
    let was_repaired = Arc::new(AtomicBool::new(false));
    let mut builder = builder();
    let seen = Arc::clone(&was_repaired);
    builder.set_repair_callback(move |_| seen.store(true, Ordering::Relaxed));
    let mut database = disk.database(file, &builder)?;
    if was_repaired.load(Ordering::Relaxed) {
        tracing::info!(file = %file.display(), "the store was not closed, it has been recovered");
    } else if !database.check_integrity()? {
        tracing::warn!(file = %file.display(), "pages of the store were damaged and rebuilt");
    }
    migrate::to_current(&database).map_err(Problem::Format)?;
    let head = head(&database).map_err(Problem::Damage)?;
    refuse_foreign(head.store, &logs, witnessed)?;
    // The one with the later commits goes on where the other one ends.
    let active = usize::from(log::first(&logs[1]) > log::first(&logs[0]));
    let [zeroth, first] = logs;
    let (older, newer) = if active == 1 { (zeroth, first) } else { (first, zeroth) };
    let older = recorded(older, head.store, head.sequence)?;
    let after = older.last.map_or(head.sequence, |last| last.sequence);
    let newer = recorded(newer, head.store, after)?;
    let mut latest = Latest::new();
    for recorded in [&older, &newer] {
        recorded.latest(&mut latest).map_err(|problem| Problem::Damage(problem.into()))?;
    }
    let last = newer.last.or(older.last).unwrap_or(Acknowledged::of(&head));
    let mut loaded = Loaded { revision: last.revision, ..Loaded::default() };
    let totals = read_rows(&database, &head, &latest, &mut loaded)?;
    if totals != head.totals {
        let Totals { instances, policies, .. } = head.totals;
        return Err(Problem::Damage(format!(
            "it has {} instances and {} policies where the last commit left {instances} and \
             {policies}, or some of them in another state",
            totals.instances, totals.policies,
        )));
    }
    let tables = Tables { database: Some(database), head };
    let mut log_ends = [older.end(), newer.end()];
    log_ends.rotate_right(1 - active);
    Ok(Opened { tables, last, log_ends, active, loaded })
}

/// Logs and witness must have been written with these tables: commits have the same numbers in
/// each store, and those of one would be read into another.
fn refuse_foreign(
    store: u64,
    logs: &[Vec<u8>; 2],
    witnessed: Option<Witnessed>,
) -> Result<(), Problem> {
    let logs = LOGS.iter().zip(logs).filter(|(_, octets)| log::is_foreign(octets, store));
    let witness = witnessed.filter(|witnessed| witnessed.store != store).map(|_| WITNESS);
    let foreign = logs.map(|(name, _)| *name).chain(witness);
    let foreign: Vec<String> = foreign.map(|name| format!("`{name}`")).collect();
    match foreign.as_slice() {
        [] => Ok(()),
        _ => Err(Problem::Damage(format!(
            "beside it is what belongs to another store: {}; if `{DATABASE}` is the store that \
             you want, move those files away",
            foreign.join(", "),
        ))),
    }
}

/// What a log has kept of the commits after number `after`, which it must not leave out.
fn recorded(octets: Vec<u8>, store: u64, after: u64) -> Result<Recorded, Problem> {
    match log::first(&octets) {
        Some(first) if first > after + 1 => Err(Problem::Damage(format!(
            "its log begins with commit {first}, and what is before that ends with commit {after}; \
             {}",
            if_older_copy(),
        ))),
        _ => {
            let recorded = Recorded::parse(octets, store, after);
            if recorded.is_broken(after) {
                let last = recorded.last.map_or(after, |last| last.sequence);
                return Err(Problem::Damage(format!(
                    "what follows commit {last} in its log is not whole, and later commits are"
                )));
            }
            Ok(recorded)
        }
    }
}

/// Reads the rows that are in force: those of `latest` where it has any, those of the tables
/// elsewhere. Returns what those of the tables come to, in force or not.
fn read_rows(
    database: &Database,
    head: &Head,
    latest: &Latest<'_>,
    loaded: &mut Loaded,
) -> Result<Totals, Problem> {
    let mut totals = Totals::default();
    let mut reader = Reader { loaded, interner: Interner::default() };
    let transaction = database.begin_read()?;
    let expected = usize::try_from(head.totals.instances).unwrap_or(usize::MAX);
    // And what the log adds: one more than expected would double the list.
    let expected = expected.saturating_add(latest.len()).min(limit::INSTANCES_MAX);
    reader.loaded.members.reserve_exact(expected);
    let tables = [(Kind::Instance, INSTANCES), (Kind::Policy, POLICIES)];
    for (kind, table) in tables {
        for row in transaction.open_table(table)?.iter()? {
            let (key, value) = row?;
            let (key, value) = (key.value(), value.value());
            match kind {
                Kind::Instance => totals.instances += 1,
                Kind::Policy => totals.policies += 1,
            }
            totals.add(value);
            if latest.is_empty() || !latest.contains_key(&(kind, key)) {
                reader.read(kind, key, value)?;
            }
        }
    }
    for (&(kind, key), value) in latest {
        if let Some(value) = value {
            reader.read(kind, key, value)?;
        }
    }
    Ok(totals)
}

/// Takes rows for what they are.
struct Reader<'l> {
    loaded: &'l mut Loaded,
    interner: Interner,
}

impl Reader<'_> {
    fn read(&mut self, kind: Kind, key: &[u8], value: &[u8]) -> Result<(), Problem> {
        let (table, read) = match kind {
            Kind::Instance => {
                let member = decode_member(key, value, &mut self.interner);
                ("instances", member.map(|member| self.loaded.members.push(member)))
            }
            Kind::Policy => {
                let policy = decode_policy(key, value);
                ("policies", policy.map(|policy| self.loaded.policies.push(policy)))
            }
        };
        read.map_err(|error| {
            let key = String::from_utf8_lossy(key).replace('\0', "/");
            Problem::Damage(format!("in the row `{key}` of table `{table}`: {error}"))
        })
    }
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
            Self::Format(FormatError::Older(found)) => {
                StoreError::Older { file, found, oldest: migrate::OLDEST }
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
