//! How the store's files are opened: tests put a disk in between that fails, or is small.

use std::{fs::File, io, path::Path};

use redb::{Builder, Database, DatabaseError, StorageBackend, backends::FileBackend};

/// Opens the files that are written.
pub(super) trait Disk: Send + Sync {
    /// The tables at a path that exists.
    fn database(&self, path: &Path, builder: &Builder) -> Result<Database, DatabaseError> {
        builder.open(path)
    }

    /// A log that has grown to so many octets is folded into the tables: at 16 MiB some 50,000
    /// changes, which share the pages that they touch, and which a start after a crash reads in a
    /// moment.
    fn fold_octets(&self) -> u64 {
        16 << 20
    }

    /// A log, which is made if it is not there.
    fn log(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        let options = File::options().read(true).write(true).create(true).truncate(false).clone();
        let file = FileBackend::new(options.open(path)?).map_err(io::Error::other)?;
        Ok(Box::new(file))
    }
}

/// The system's own.
#[derive(Debug)]
pub(super) struct SystemDisk;

impl Disk for SystemDisk {}
