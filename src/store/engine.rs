//! The open store: commits into the log, and the log into the tables.
//!
//! There are two logs. One takes commits; when it has grown, the other one takes its place while a
//! thread folds it into the tables. A commit that fails is cut off the log again before it is
//! refused, or else at the latest before the next one, so that a refused change never comes up
//! after a restart. When the store is closed the logs are folded too: then the tables alone are
//! the store.

use std::{
    fmt,
    fs::{self, File},
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use super::{
    StoreError,
    commit_error::{CommitError, Fault},
    disk::Disk,
    files::{self, Files},
    fold::Folder,
    load::{self, Opened},
    lock::Lock,
    log::{self, Log, Pending},
    metrics::StoreMetrics,
    migrate,
    record::Head,
    rows::{self, Latest},
    tables,
    witness::{Acknowledged, Witness, Witnessed},
};
use crate::{
    model::Revision,
    registry::{Change, JournalError, Loaded},
};

/// A log takes a multiple of what it is folded at, and a commit, while the other one is not folded
/// yet. Then changes come faster than the tables take them, and wait.
const LIMIT_FACTOR: u64 = 4;

/// The one that writes the store; used by one thread at a time.
pub(super) struct Engine {
    files: Files,
    logs: [Log; 2],
    /// Which log takes commits. The other one is empty, or waits to be folded.
    active: usize,
    /// The size at which a log is folded.
    fold_octets: u64,
    /// The size at which something has to be done about the active log.
    fold_at: u64,
    folder: Folder,
    /// Octets of the tables' file after the last fold.
    tables_octets: u64,
    last: Acknowledged,
    witness: Witness,
    metrics: StoreMetrics,
    /// Why the last fold failed.
    trouble: Option<String>,
    /// Dropped last: the directory is free when the store is closed.
    _lock: Lock,
}

// === impl Engine ===

impl Engine {
    /// Opens the store in a directory that is locked; an empty one is made if there is none.
    pub(super) fn open(
        files: Files,
        lock: Lock,
        disk: Arc<dyn Disk>,
        metrics: StoreMetrics,
    ) -> Result<(Self, Loaded), StoreError> {
        files.remove_leftovers()?;
        if !files.has_database()? {
            refuse_if_gone(&files)?;
            build(&files, &Loaded::default())?;
            files::remove(&files.witness)?;
            files.put_into_place()?;
        }
        let Opened { tables, last, log_ends, active, loaded } = load::open(&files, &*disk)?;
        let store = tables.head.store;
        let witness = Witness::open(&files, store, last)?;
        let open = |index: usize| {
            let path = &files.logs[index];
            let log = disk.log(path).and_then(|file| Log::open(file, store, log_ends[index]));
            log.map_err(StoreError::io("open", path))
        };
        let logs = [open(0)?, open(1)?];
        files::sync_dir(&files.dir)?;
        let fold_octets = disk.fold_octets();
        let folder = Folder::new(files.clone(), disk, tables);
        let mut engine = Self {
            files,
            logs,
            active,
            fold_octets,
            fold_at: fold_octets,
            folder,
            tables_octets: 0,
            last,
            witness,
            metrics,
            trouble: None,
            _lock: lock,
        };
        engine.measure_tables();
        Ok((engine, loaded))
    }

    /// Makes `changes` durable, all or none.
    pub(super) fn commit(
        &mut self,
        revision: Revision,
        changes: &[Change],
    ) -> Result<(), JournalError> {
        let sequence = self.last.sequence + 1;
        let commit = Acknowledged { sequence, revision };
        self.try_commit(commit, changes).map_err(|fault| {
            if fault.error.is_full() {
                JournalError::Full(format!("{fault}; make room and try again"))
            } else {
                JournalError::Failed(fault.to_string())
            }
        })?;
        self.last = commit;
        self.witness.acknowledge(commit);
        Ok(())
    }

    /// What is wrong although commits are taken, for as long as it is.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_deref()
    }

    /// Whether a thread folds.
    #[cfg(test)]
    pub(super) fn is_folding(&self) -> bool {
        self.folder.is_busy()
    }

    /// Octets of the store's files.
    pub(super) fn octets(&self) -> u64 {
        self.tables_octets + self.logs.iter().map(Log::octets).sum::<u64>()
    }

    fn measure_tables(&mut self) {
        // Only shown: what was last known will do.
        if let Ok(found) = fs::metadata(&self.files.database) {
            self.tables_octets = found.len();
        }
    }

    fn try_commit(&mut self, commit: Acknowledged, changes: &[Change]) -> Result<(), Fault> {
        let rows = Pending::new(changes).map_err(CommitError::of(&self.files.database))?;
        if self.logs[self.active].octets() >= self.fold_at {
            self.change_logs()?;
        }
        let appended = self.logs[self.active].append(commit, rows);
        appended.map_err(CommitError::of(&self.files.logs[self.active]))
    }

    /// Has the active log folded, as soon as the other one is. An error is one only when there is
    /// no more time for that.
    fn change_logs(&mut self) -> Result<(), Fault> {
        let (active, other) = (self.active, 1 - self.active);
        if !self.logs[other].is_empty() && !self.empty(other)? {
            return Ok(());
        }
        self.settle(active)?;
        self.active = other;
        self.fold_at = self.fold_octets;
        if let Err(fault) = self.begin_fold(active) {
            self.fold_failed(&fault);
        }
        Ok(())
    }

    /// Gets the log that takes no commits folded and emptied; false when it is not yet, and there
    /// is time. Then no commit waits for it.
    fn empty(&mut self, index: usize) -> Result<bool, Fault> {
        let octets = self.logs[self.active].octets();
        let had_begun = self.folder.has_begun();
        if octets >= LIMIT_FACTOR * self.fold_octets {
            let folded = match self.end_fold(index) {
                // It failed aside, a while ago: by now it may work.
                Err(_) if had_begun => self.end_fold(index),
                folded => folded,
            };
            return folded.map(|()| true);
        }
        if self.folder.is_busy() {
            return Ok(false);
        }
        let outcome = match had_begun {
            true => self.end_fold(index),
            false => self.begin_fold(index).inspect_err(|fault| self.fold_failed(fault)),
        };
        if outcome.is_err() {
            self.fold_at = octets + self.fold_octets;
        }
        Ok(outcome.is_ok() && had_begun)
    }

    fn begin_fold(&mut self, index: usize) -> Result<(), Fault> {
        self.settle(index)?;
        let path = &self.files.logs[index];
        let begun = self.folder.begin(path.clone(), self.logs[index].last());
        begun.map_err(CommitError::of(path))
    }

    /// Folds a log to the end, begun or not, and empties it when all of it is in the tables.
    fn end_fold(&mut self, index: usize) -> Result<(), Fault> {
        let mut fold = || {
            if !self.folder.has_begun() {
                self.begin_fold(index)?;
            }
            self.folder.end()?;
            self.measure_tables();
            self.logs[index].clear().map_err(CommitError::of(&self.files.logs[index]))
        };
        let folded = fold();
        match &folded {
            Ok(()) if self.trouble.take().is_some() => {
                tracing::info!("the store's log is folded again");
            }
            Ok(()) => {}
            Err(fault) => self.fold_failed(fault),
        }
        folded
    }

    /// Tells of a fold that failed; of one that goes on failing once, because it is tried again
    /// with each commit in the end.
    fn fold_failed(&mut self, fault: &Fault) {
        self.metrics.fold_failed();
        let trouble = format!(
            "a log is not brought into the tables: {fault}; it is tried again, and changes are \
             refused when the other log is at its limit"
        );
        if self.trouble.as_ref() != Some(&trouble) {
            tracing::error!("the store has a fault: {trouble}");
            self.trouble = Some(trouble);
        }
    }

    /// Makes a log ready to be folded: a refused commit must not get into the tables, nor keep the
    /// number of the one that is acknowledged in the other log.
    fn settle(&mut self, index: usize) -> Result<(), Fault> {
        self.logs[index].settle().map_err(CommitError::of(&self.files.logs[index]))
    }
}

impl Drop for Engine {
    /// Leaves everything in the tables. What cannot be folded now is folded next time.
    fn drop(&mut self) {
        for index in [1 - self.active, self.active] {
            if self.logs[index].is_empty() {
                continue;
            }
            if let Err(fault) = self.end_fold(index) {
                tracing::warn!(%fault, "the store is left with a log, which the next start reads");
                return;
            }
        }
    }
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("file", &self.files.database)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}

/// Writes a new store beside the place where it belongs.
pub(super) fn build(files: &Files, content: &Loaded) -> Result<(), StoreError> {
    /// Rows of one transaction: what it holds in memory is bounded.
    const ROWS_MAX: usize = 50_000;
    let write = || -> Result<(), CommitError> {
        let database = load::builder().create(&files.unfinished).map_err(CommitError::redb)?;
        let transaction = database.begin_write().map_err(CommitError::redb)?;
        let mut head = Head { store: new_id(), ..Head::default() };
        tables::create(&transaction, migrate::CURRENT, &head).map_err(CommitError::redb)?;
        transaction.commit().map_err(CommitError::redb)?;
        let members = content.members.iter().map(|m| Change::PutMember(m.clone().into()));
        let policies = content.policies.iter().map(|(s, p)| Change::PutPolicy(s.clone(), *p));
        let mut changes = members.chain(policies).peekable();
        // At least one commit, for the revision.
        while head.sequence == 0 || changes.peek().is_some() {
            let mut octets = Vec::new();
            let part: Vec<_> = changes.by_ref().take(ROWS_MAX).collect();
            rows::encode(&part, &mut octets)?;
            let mut latest = Latest::new();
            rows::decode(&octets, &mut latest).expect("they were encoded just now");
            let last = Acknowledged { sequence: head.sequence + 1, revision: content.revision };
            let transaction = database.begin_write().map_err(CommitError::redb)?;
            head = tables::apply(&transaction, &head, last, &latest).map_err(CommitError::redb)?;
            transaction.commit().map_err(CommitError::redb)?;
        }
        drop(database);
        File::open(&files.unfinished).and_then(|file| file.sync_all()).map_err(CommitError::redb)
    };
    files.remove_leftovers()?;
    write().map_err(|error| StoreError::Io {
        action: "write",
        file: files.unfinished.clone(),
        error: error.into_io(),
    })
}

/// An id that no other store has, of the system's randomness.
fn new_id() -> u64 {
    RandomState::new().hash_one(())
}

/// The rows of a log belong to the tables that were there when it was written.
fn refuse_if_gone(files: &Files) -> Result<(), StoreError> {
    let gone = |problem: String| StoreError::damaged(&files.database, problem);
    match Witness::read(files)? {
        Some(Witnessed { last: Acknowledged { sequence, .. }, .. }) if sequence > 1 => {
            return Err(gone(format!("it is gone, although {sequence} commits were acknowledged")));
        }
        _ => {}
    }
    for path in &files.logs {
        let octets = log::octets(path).map_err(StoreError::io("read", path))?;
        if log::first(&octets).is_some() {
            return Err(gone(format!("it is gone, although `{}` has commits", path.display())));
        }
    }
    Ok(())
}
