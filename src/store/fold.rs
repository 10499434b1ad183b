//! Folding the log into the tables, aside from commits.
//!
//! A log that has grown takes no more; a thread brings its rows into the tables, each in its last
//! state, in one transaction. Commits go on into the other log meanwhile. The transaction also says
//! up to which commit the tables have everything, so it is of no consequence where the process
//! ends: what is in the tables is passed over when the log is read again.
//!
//! A log is read from the disk, where it may have been damaged since it was written. It ends where
//! it stops making sense, so a fold is told which commit it has to get to; one that does not leaves
//! log and tables as they are.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::Arc,
    thread::{self, JoinHandle},
};

use super::{
    commit_error::{CommitError, Fault},
    disk::Disk,
    files::Files,
    load,
    log::{self, Recorded},
    record::Head,
    rows::Latest,
    tables,
    witness::Acknowledged,
};
use crate::util::catch_quietly;

/// The tables while nobody else uses them.
pub(super) struct Tables {
    /// `None` after a failure, until it could be opened again.
    pub database: Option<redb::Database>,
    /// What the last fold has left.
    pub head: Head,
}

/// Has the tables, or the thread that has them.
pub(super) struct Folder {
    files: Files,
    disk: Arc<dyn Disk>,
    /// `None` while a thread has them.
    tables: Option<Tables>,
    thread: Option<JoinHandle<(Tables, Result<(), Fault>)>>,
    /// What the tables have for certain, for when a thread is lost with them.
    head: Head,
    /// Whether the last fold found no room.
    is_full: bool,
}

// === impl Folder ===

impl Folder {
    pub(super) fn new(files: Files, disk: Arc<dyn Disk>, tables: Tables) -> Self {
        let head = tables.head;
        Self { files, disk, tables: Some(tables), thread: None, head, is_full: false }
    }

    /// Whether a thread folds, and has not come to its end.
    pub(super) fn is_busy(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Begins to fold the log at `path`, whose last commit has the number `last`.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub(super) fn begin(&mut self, path: PathBuf, last: u64) -> io::Result<()> {
        let tables = self.tables.take();
        let mut tables = tables.unwrap_or(Tables { database: None, head: self.head });
        let (files, disk, is_full) = (self.files.clone(), Arc::clone(&self.disk), self.is_full);
        let work = move || {
            let work = Work { path: &path, last, files: &files, disk: &*disk, was_full: is_full };
            // redb panics on some damage. It is dropped with what was half done, and opened anew.
            let outcome = catch_quietly(|| work.fold(&mut tables)).unwrap_or_else(|_| {
                let problem = "its pages contradict one another".to_owned();
                Err(CommitError::of(&files.database)(CommitError::Damaged(problem)))
            });
            (tables, outcome)
        };
        self.thread = Some(thread::Builder::new().name("store".into()).spawn(work)?);
        Ok(())
    }

    /// Whether something was begun and not ended.
    pub(super) fn has_begun(&self) -> bool {
        self.thread.is_some()
    }

    /// Waits for the thread and says what has become of its work.
    ///
    /// # Errors
    /// When the tables did not take the log, or nothing was begun.
    pub(super) fn end(&mut self) -> Result<(), Fault> {
        let failed = |problem: &str| Fault {
            error: CommitError::Damaged(problem.into()),
            file: self.files.database.clone(),
        };
        let Some(thread) = self.thread.take() else {
            return Err(failed("no log is being folded"));
        };
        let outcome = match thread.join() {
            Ok((tables, outcome)) => {
                self.head = tables.head;
                self.tables = Some(tables);
                outcome
            }
            Err(_) => Err(failed("the tables could not be written")),
        };
        self.is_full = outcome.as_ref().is_err_and(|fault| fault.error.is_full());
        outcome
    }
}

/// What a thread is to fold.
struct Work<'w> {
    path: &'w Path,
    /// The number of the log's last commit.
    last: u64,
    files: &'w Files,
    disk: &'w dyn Disk,
    was_full: bool,
}

// === impl Work ===

impl Work<'_> {
    /// Brings the rows of the log into the tables.
    fn fold(&self, tables: &mut Tables) -> Result<(), Fault> {
        let octets = log::octets(self.path).map_err(CommitError::of(self.path))?;
        let file = &self.files.database;
        if self.was_full {
            look_for_room(&self.files.room, octets.len()).map_err(CommitError::of(file))?;
        }
        let database = match tables.database.take() {
            Some(database) => database,
            None => {
                reopen(self.files, self.disk, &mut tables.head).map_err(CommitError::of(file))?
            }
        };
        let recorded = match self.whole(octets, &tables.head) {
            Ok(recorded) => recorded,
            Err(problem) => {
                // Nothing was done to the tables.
                tables.database = Some(database);
                return Err(CommitError::of(self.path)(CommitError::Damaged(problem)));
            }
        };
        // From here to the end an error drops the database, and so closes it.
        if let Some(last) = recorded.last {
            tables.head = self.apply(&database, &tables.head, &recorded, last)?;
        }
        tables.database = Some(database);
        Ok(())
    }

    /// The log, if it goes to where it has to.
    fn whole(&self, octets: Vec<u8>, head: &Head) -> Result<Recorded, String> {
        let recorded = Recorded::parse(octets, head.store, head.sequence);
        let found = recorded.last.map_or(head.sequence, |last| last.sequence);
        if found == self.last {
            return Ok(recorded);
        }
        Err(format!(
            "the log of the store was damaged after it was written: what can be read of it and \
             of the tables ends with commit {found}, and commit {} was acknowledged in it",
            self.last,
        ))
    }

    fn apply(
        &self,
        database: &redb::Database,
        head: &Head,
        recorded: &Recorded,
        last: Acknowledged,
    ) -> Result<Head, Fault> {
        let mut latest = Latest::new();
        recorded
            .latest(&mut latest)
            .map_err(|problem| CommitError::Damaged(problem.into()))
            .map_err(CommitError::of(self.path))?;
        let write = || -> Result<Head, CommitError> {
            let transaction = database.begin_write().map_err(CommitError::redb)?;
            let head = tables::apply(&transaction, head, last, &latest)?;
            transaction.commit().map_err(CommitError::redb)?;
            Ok(head)
        };
        write().map_err(CommitError::of(&self.files.database))
    }
}

/// Opens the tables after a failure. The fold that failed may be in them after all.
fn reopen(files: &Files, disk: &dyn Disk, head: &mut Head) -> Result<redb::Database, CommitError> {
    let database = disk.database(&files.database, &load::builder()).map_err(CommitError::redb)?;
    let found = load::head(&database).map_err(CommitError::Damaged)?;
    if found.sequence < head.sequence {
        let problem = "the store has lost acknowledged commits; restart to see what is left";
        return Err(CommitError::Damaged(problem.into()));
    }
    *head = found;
    Ok(database)
}

/// Tries whether there is room again. Finding out by a commit would cost a recovery of all tables
/// each time.
fn look_for_room(path: &Path, octets: usize) -> io::Result<()> {
    /// What a fold needs beside its rows: pages up to the root of each table, twice.
    const OVERHEAD_OCTETS: usize = 256 << 10;
    let fill = || -> io::Result<()> {
        let mut file = File::create(path)?;
        let zeros = [0; 64 << 10];
        let mut left = octets + OVERHEAD_OCTETS;
        while left > 0 {
            let part = left.min(zeros.len());
            file.write_all(&zeros[..part])?;
            left -= part;
        }
        file.sync_data() // some file systems find out only now
    };
    let outcome = fill();
    // If it cannot be removed now, it is overwritten next time, and removed then.
    let _ = fs::remove_file(path);
    outcome
}
