//! Why a commit, or a fold, was not made.

use std::{
    fmt,
    io::{self, ErrorKind},
    path::PathBuf,
};

use super::record::RecordError;

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum CommitError {
    #[error("{0}")]
    Damaged(String),
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Of redb, or of the system under it.
    #[error(transparent)]
    Redb(redb::Error),
}

/// A [`CommitError`], and the file that it is of.
#[derive(Debug)]
pub(super) struct Fault {
    pub error: CommitError,
    pub file: PathBuf,
}

// === impl CommitError ===

impl CommitError {
    /// Of redb or the system, for `map_err`.
    pub(super) fn redb(error: impl Into<redb::Error>) -> Self {
        Self::Redb(error.into())
    }

    /// For `map_err`: it is of this file.
    pub(super) fn of<E: Into<Self>>(file: impl Into<PathBuf>) -> impl FnOnce(E) -> Fault {
        let file = file.into();
        move |error| Fault { error: error.into(), file }
    }

    /// Whether there was no room.
    pub(super) fn is_full(&self) -> bool {
        const FULL: [ErrorKind; 3] =
            [ErrorKind::FileTooLarge, ErrorKind::QuotaExceeded, ErrorKind::StorageFull];
        matches!(self, Self::Redb(redb::Error::Io(error)) if FULL.contains(&error.kind()))
    }

    /// The system's error, for those who speak of files.
    pub(super) fn into_io(self) -> io::Error {
        match self {
            Self::Redb(redb::Error::Io(error)) => error,
            error => io::Error::other(error),
        }
    }
}

impl From<redb::Error> for CommitError {
    fn from(error: redb::Error) -> Self {
        Self::Redb(error)
    }
}

impl From<io::Error> for CommitError {
    fn from(error: io::Error) -> Self {
        Self::redb(error)
    }
}

// === impl Fault ===

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (`{}`)", self.error, self.file.display())
    }
}
