//! Why a store cannot be used, and the way out.

use std::{io, path::PathBuf};

use super::files::{ALL_LOGS, DATABASE, WITNESS};

/// Why a store was not opened, read or replaced. Nothing in it was thrown away.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is nothing to read.
    #[error(
        "there is no store in `{}`; name the data directory with --data, or start the server once",
        dir.display()
    )]
    Absent {
        /// The data directory.
        dir: PathBuf,
    },
    /// The file is not what was written into it.
    #[error(
        "the store `{}` is damaged: {problem}. It was not emptied. Restore a backup with `rollcall \
         import --replace`, or move `{DATABASE}`, `{WITNESS}` and `{ALL_LOGS}` away to start empty",
        file.display(),
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// Another process has the data directory.
    #[error(
        "the data directory `{}` is in use by {holder}; stop it, or name another directory with \
         --data",
        dir.display()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// Who has it, as far as that is known.
        holder: String,
    },
    /// The operating system refused.
    #[error("cannot {action} `{}`: {error}", file.display())]
    Io {
        /// What was tried, a verb.
        action: &'static str,
        /// With which file or directory.
        file: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// The file was written by a later version.
    #[error(
        "the store `{}` has format {found}, and this version of Rollcall knows formats up to \
         {known}: run the version that wrote it, or a later one, or export there and import here",
        file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// The file was written by an earlier version, and there is no way from its format.
    #[error(
        "the store `{}` has format {found}, and this version of Rollcall knows formats from \
         {oldest} on: export it with the version that wrote it, and import here",
        file.display()
    )]
    Older {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: u32,
        /// The oldest format known here.
        oldest: u32,
    },
    /// An import would overwrite something.
    #[error(
        "the store `{}` is not empty; import with --replace to put it aside",
        file.display()
    )]
    NotEmpty {
        /// The file.
        file: PathBuf,
    },
}

// === impl StoreError ===

impl StoreError {
    /// For `map_err`: the system refused to `action` the `file`.
    pub(super) fn io(
        action: &'static str,
        file: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> Self {
        let file = file.into();
        move |error| Self::Io { action, file, error }
    }

    pub(super) fn damaged(file: impl Into<PathBuf>, problem: impl Into<String>) -> Self {
        Self::Damaged { file: file.into(), problem: problem.into() }
    }
}
