//! The open store: commits, and getting well after a commit that failed.
//!
//! After an error of the system redb refuses everything until it is opened anew. A failed commit
//! has usually left nothing behind, but when its last fsync fails it may be there after all; so
//! before a commit the engine keeps what would take it back, and after a failure it opens the
//! store, looks which commit is the last, and takes back what was refused. A refused change never
//! comes up again after a restart.

use std::{
    fmt,
    fs::{self, File},
    io::{self, ErrorKind, Write},
};

use super::{
    StoreError,
    files::Files,
    load::{self, Opened, Opener},
    lock::Lock,
    migrate,
    record::{Head, RecordError},
    tables::{self, Row},
    witness::{Acknowledged, Witness},
};
use crate::{
    model::Revision,
    registry::{Change, JournalError, Loaded},
};

/// The one that writes the store; used by one thread at a time.
pub(super) struct Engine {
    files: Files,
    opener: Box<Opener>,
    /// `None` after a failure, until it could be opened again.
    database: Option<redb::Database>,
    /// What the last acknowledged commit has left.
    head: Head,
    /// What takes back a commit that was begun and not acknowledged.
    undo: Vec<Row>,
    /// Whether the last commit found no room.
    is_full: bool,
    witness: Witness,
    /// Dropped last: the directory is free when the store is closed.
    _lock: Lock,
}

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
enum CommitError {
    #[error("{0}")]
    Damaged(String),
    #[error(transparent)]
    Record(RecordError),
    /// Of redb, or of the system under it.
    #[error(transparent)]
    Redb(redb::Error),
}

// === impl Engine ===

impl Engine {
    /// Opens the store in a directory that is locked; an empty one is made if there is none.
    pub(super) fn open(
        files: Files,
        lock: Lock,
        opener: Box<Opener>,
    ) -> Result<(Self, Loaded), StoreError> {
        files.remove_leftovers()?;
        if !files.has_database()? {
            refuse_if_witnessed(&files)?;
            build(&files, &Loaded::default())?;
            files.put_into_place()?;
        }
        let Opened { database, head, loaded } = load::open(&files, &*opener)?;
        let witness = Witness::open(&files, Acknowledged::of(&head))?;
        let database = Some(database);
        let (undo, is_full) = (Vec::new(), false);
        Ok((Self { files, opener, database, head, undo, is_full, witness, _lock: lock }, loaded))
    }

    /// Makes `changes` durable, all or none.
    pub(super) fn commit(
        &mut self,
        revision: Revision,
        changes: &[Change],
    ) -> Result<(), JournalError> {
        match self.try_commit(revision, changes) {
            Ok(head) => {
                self.head = head;
                self.undo.clear();
                self.is_full = false;
                self.witness.acknowledge(Acknowledged::of(&head));
                Ok(())
            }
            Err(error) => {
                self.is_full = error.is_full();
                // At once, so that what was refused is not found there if the process dies now.
                if self.database.is_none() {
                    self.database = self.reopen().ok();
                }
                let text = format!("{error} (`{}`)", self.files.database.display());
                Err(if self.is_full {
                    JournalError::Full(format!("{text}; make room and try again"))
                } else {
                    JournalError::Failed(text)
                })
            }
        }
    }

    /// Octets of the store's file.
    pub(super) fn size(&self) -> io::Result<u64> {
        Ok(fs::metadata(&self.files.database)?.len())
    }

    fn try_commit(&mut self, revision: Revision, changes: &[Change]) -> Result<Head, CommitError> {
        let rows = changes
            .iter()
            .map(Row::new)
            .collect::<Result<Vec<_>, _>>()
            .map_err(CommitError::Record)?;
        if self.is_full {
            self.look_for_room(rows.iter().map(Row::len).sum())?;
        }
        let database = match self.database.take() {
            Some(database) => database,
            None => self.reopen()?,
        };
        // From here to the end an error drops the database, and so closes it.
        let transaction = database.begin_write()?;
        let (head, undo) = tables::apply(&transaction, &self.head, revision, &rows)?;
        self.undo = undo;
        transaction.commit()?;
        self.database = Some(database);
        Ok(head)
    }

    /// Opens the store after a failure, and takes back what was not acknowledged.
    fn reopen(&mut self) -> Result<redb::Database, CommitError> {
        let database = (self.opener)(&self.files.database, &load::builder())?;
        let found = load::head(&database).map_err(CommitError::Damaged)?;
        if found.sequence < self.head.sequence {
            let problem = "the store has lost acknowledged commits; restart to see what is left";
            return Err(CommitError::Damaged(problem.into()));
        }
        if found.sequence > self.head.sequence {
            let transaction = database.begin_write()?;
            let (head, _) = tables::apply(&transaction, &found, self.head.revision, &self.undo)?;
            if head.totals != self.head.totals {
                let problem = "the store holds changes that were refused";
                return Err(CommitError::Damaged(problem.into()));
            }
            transaction.commit()?;
            self.head = head;
            tracing::warn!(revision = %head.revision, "changes that were refused are taken back");
        }
        self.undo.clear();
        Ok(database)
    }

    /// Tries whether there is room again. Finding out by a commit would cost a recovery of the
    /// whole store each time.
    fn look_for_room(&self, octets: usize) -> io::Result<()> {
        /// What a small commit needs beside its rows: pages up to the root of each table, twice.
        const OVERHEAD_OCTETS: usize = 256 << 10;
        let path = &self.files.room;
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
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Engine")
            .field("file", &self.files.database)
            .field("head", &self.head)
            .finish_non_exhaustive()
    }
}

/// Writes a new store beside the place where it belongs.
pub(super) fn build(files: &Files, content: &Loaded) -> Result<(), StoreError> {
    /// Rows of one transaction: what it holds in memory is bounded.
    const ROWS_MAX: usize = 50_000;
    let write = || -> Result<(), CommitError> {
        let database = load::builder().create(&files.unfinished)?;
        let transaction = database.begin_write()?;
        tables::create(&transaction, migrate::CURRENT)?;
        transaction.commit()?;
        let members = content.members.iter().map(|m| Change::PutMember(m.clone().into()));
        let policies = content.policies.iter().map(|(s, p)| Change::PutPolicy(s.clone(), *p));
        let mut changes = members.chain(policies).peekable();
        let mut head = Head::default();
        // At least one commit, for the revision.
        while head.sequence == 0 || changes.peek().is_some() {
            let rows = changes.by_ref().take(ROWS_MAX);
            let rows = rows
                .map(|change| Row::new(&change))
                .collect::<Result<Vec<_>, _>>()
                .map_err(CommitError::Record)?;
            let transaction = database.begin_write()?;
            head = tables::apply(&transaction, &head, content.revision, &rows)?.0;
            transaction.commit()?;
        }
        drop(database);
        Ok(File::open(&files.unfinished)?.sync_all()?)
    };
    files.remove_leftovers()?;
    write().map_err(|error| StoreError::Io {
        action: "write",
        file: files.unfinished.clone(),
        error: error.into_io(),
    })
}

fn refuse_if_witnessed(files: &Files) -> Result<(), StoreError> {
    match Witness::read(files)? {
        Some(Acknowledged { sequence, .. }) if sequence > 1 => {
            let problem = format!("it is gone, although {sequence} commits were acknowledged");
            Err(StoreError::damaged(&files.database, problem))
        }
        _ => Ok(()),
    }
}

// === impl Acknowledged ===

impl Acknowledged {
    fn of(head: &Head) -> Self {
        Self { sequence: head.sequence, revision: head.revision }
    }
}

// === impl CommitError ===

impl<E: Into<redb::Error>> From<E> for CommitError {
    fn from(error: E) -> Self {
        Self::Redb(error.into())
    }
}

impl CommitError {
    fn is_full(&self) -> bool {
        const FULL: [ErrorKind; 3] =
            [ErrorKind::FileTooLarge, ErrorKind::QuotaExceeded, ErrorKind::StorageFull];
        matches!(self, Self::Redb(redb::Error::Io(error)) if FULL.contains(&error.kind()))
    }

    fn into_io(self) -> io::Error {
        match self {
            Self::Redb(redb::Error::Io(error)) => error,
            error => io::Error::other(error),
        }
    }
}
