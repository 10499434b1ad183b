//! The files of a data directory, and how one comes into being or into place.

use std::{
    fs::{self, DirBuilder, File},
    io::{self, ErrorKind},
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use super::{StoreError, log::PAGE};

/// The store itself.
pub(super) const DATABASE: &str = "rollcall.redb";
/// What was committed since the tables were last brought up to date: one takes commits while the
/// other is brought into the tables.
pub(super) const LOGS: [&str; 2] = ["rollcall.log.0", "rollcall.log.1"];
/// Both of them, for who moves them away.
pub(super) const ALL_LOGS: &str = "rollcall.log.*";
/// The lock of the directory, with the number of the process that holds it.
pub(super) const LOCK: &str = "rollcall.lock";
/// The number of the last acknowledged commit.
pub(super) const WITNESS: &str = "rollcall.witness";
/// A store that is being made.
const UNFINISHED: &str = "rollcall.redb.new";
/// What tries whether a full disk has room again.
const ROOM: &str = "rollcall.room";
/// The store that an import has replaced; the next ones have `.1`, `.2` and so on after it.
const REPLACED: &str = "rollcall.redb.old";

/// The paths in a data directory.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub dir: PathBuf,
    pub database: PathBuf,
    pub logs: [PathBuf; 2],
    pub witness: PathBuf,
    pub unfinished: PathBuf,
    pub room: PathBuf,
}

// === impl Files ===

impl Files {
    pub(super) fn in_dir(dir: &Path) -> Self {
        Self {
            dir: dir.to_owned(),
            database: dir.join(DATABASE),
            logs: LOGS.map(|name| dir.join(name)),
            witness: dir.join(WITNESS),
            unfinished: dir.join(UNFINISHED),
            room: dir.join(ROOM),
        }
    }

    /// Makes the directory if it is not there, for its owner only: registrations can carry
    /// credentials in the headers of their checks.
    pub(super) fn make_dir(&self) -> Result<(), StoreError> {
        if self.dir.is_dir() {
            return Ok(());
        }
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|error| match error.kind() {
                io::ErrorKind::AlreadyExists => {
                    io::Error::new(io::ErrorKind::NotADirectory, "it is there and is no folder")
                }
                _ => error,
            })
            .map_err(StoreError::io("create the directory", &self.dir))?;
        match self.dir.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => sync_dir(parent),
            _ => sync_dir(Path::new(".")),
        }
    }

    /// Whether there is a file where the store belongs, whatever is in it.
    pub(super) fn has_database(&self) -> Result<bool, StoreError> {
        self.database.try_exists().map_err(StoreError::io("look for", &self.database))
    }

    /// Removes what a process that was killed has left half done.
    pub(super) fn remove_leftovers(&self) -> Result<(), StoreError> {
        remove(&self.unfinished)?;
        remove(&self.room)
    }

    /// Puts the finished store into its place, and says as what files of one that was there are
    /// kept.
    pub(super) fn put_into_place(&self) -> Result<Vec<PathBuf>, StoreError> {
        let kept = self.put_aside()?;
        // A log must not be found beside tables that it does not belong to.
        sync_dir(&self.dir)?;
        fs::rename(&self.unfinished, &self.database)
            .map_err(StoreError::io("put into place", &self.database))?;
        sync_dir(&self.dir)?;
        Ok(kept)
    }

    /// Gives the store, if there is one, a second name that no earlier one has: an import that went
    /// wrong and is done again must not cost the store that it was to repair. What could not be
    /// folded into it goes with it, and so do the logs of one that is gone.
    fn put_aside(&self) -> Result<Vec<PathBuf>, StoreError> {
        let mut kept = Vec::new();
        let (second, beside) = self.free_names()?;
        if self.has_database()? {
            fs::hard_link(&self.database, &second)
                .or_else(|_| fs::copy(&self.database, &second).map(drop))
                // Half a copy must not be taken for a store that was kept.
                .inspect_err(|_| drop(fs::remove_file(&second)))
                .map_err(StoreError::io("put aside", &self.database))?;
            kept.push(second);
        }
        for (log, beside) in self.logs.iter().zip(beside) {
            match fs::metadata(log) {
                Err(error) if error.kind() == ErrorKind::NotFound => {}
                // There is nothing in it, and the store that comes has logs of its own.
                Ok(found) if found.len() <= PAGE as u64 => remove(log)?,
                _ => {
                    fs::rename(log, &beside).map_err(StoreError::io("put aside", log))?;
                    kept.push(beside);
                }
            }
        }
        Ok(kept)
    }

    /// The first names for a store and its logs of which none is taken.
    fn free_names(&self) -> Result<(PathBuf, [PathBuf; 2]), StoreError> {
        // Also a dangling link is a name that is taken.
        let is_taken = |path: &PathBuf| match fs::symlink_metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(StoreError::io("look for", path)(error)),
            Ok(_) => Ok(true),
        };
        let mut nth = 0_u32;
        loop {
            let name = match nth {
                0 => REPLACED.to_owned(),
                _ => format!("{REPLACED}.{nth}"),
            };
            let (store, [zeroth, first]) =
                (self.dir.join(&name), LOGS.map(|log| self.dir.join(format!("{name}.{log}"))));
            if !(is_taken(&store)? || is_taken(&zeroth)? || is_taken(&first)?) {
                return Ok((store, [zeroth, first]));
            }
            nth += 1;
        }
    }
}

/// Removes a file, if it is there.
pub(super) fn remove(file: &Path) -> Result<(), StoreError> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(StoreError::io("remove", file)(error))
        }
        _ => Ok(()),
    }
}

/// Makes the names in a directory survive the loss of power.
pub(super) fn sync_dir(dir: &Path) -> Result<(), StoreError> {
    let sync = || -> io::Result<()> { File::open(dir)?.sync_all() };
    sync().map_err(StoreError::io("sync the directory", dir))
}
