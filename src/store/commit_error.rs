//! Why a commit, or a fold, was not made.

use std::io::{self, ErrorKind};

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

// === impl CommitError ===

impl CommitError {
    /// Of redb or the system, for `map_err`.
    pub(super) fn redb(error: impl Into<redb::Error>) -> Self {
        Self::Redb(error.into())
    }
}

impl CommitError {
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
