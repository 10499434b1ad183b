//! A disk that fails when it is told to.

use std::{
    fmt, fs, io,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU8, AtomicU64, Ordering},
    },
};

use parking_lot::Mutex;
use redb::{Builder, Database, DatabaseError, StorageBackend, backends::FileBackend};

use crate::store::{Store, disk::Disk};

/// Tells a store's files what to fail at, and at which size logs are folded.
#[derive(Debug, Clone)]
pub(super) struct Faults(pub(super) Arc<Plan>, u64);

#[derive(Debug)]
pub(super) struct Plan {
    /// Writes and syncs until one fails; negative: none fails.
    left: AtomicI64,
    how: AtomicU8,
    /// How often one has failed.
    pub(super) failed: AtomicU64,
    /// Held while the tables are not to be opened.
    pub(super) tables: Mutex<()>,
}

/// A file that fails when it is told to, and goes on failing until it is told otherwise.
struct FaultyFile {
    file: FileBackend,
    is_log: bool,
    faults: Faults,
}

pub(super) const NO_ROOM: u8 = 0;
pub(super) const BROKEN: u8 = 1;
/// The sync fails although everything has reached the disk.
pub(super) const LATE: u8 = 2;
/// The same, but only one sync.
pub(super) const LATE_ONCE: u8 = 3;
/// Only the tables' file is broken.
pub(super) const TABLES: u8 = 4;
/// The same, and redb panics.
pub(super) const PANIC: u8 = 5;

// === impl Faults ===

impl Faults {
    pub(super) fn none() -> Self {
        Self::none_folding_at(16 << 20)
    }

    pub(super) fn none_folding_at(octets: u64) -> Self {
        let (left, how) = (AtomicI64::new(-1), AtomicU8::new(NO_ROOM));
        let (failed, tables) = (AtomicU64::new(0), Mutex::new(()));
        Self(Arc::new(Plan { left, how, failed, tables }), octets)
    }

    pub(super) fn fail_after(&self, operations: u16, how: u8) {
        self.0.how.store(how, Ordering::Relaxed);
        self.0.left.store(operations.into(), Ordering::Relaxed);
    }

    pub(super) fn heal(&self) {
        self.0.left.store(-1, Ordering::Relaxed);
    }

    fn check(&self, is_log: bool) -> io::Result<()> {
        let how = self.0.how.load(Ordering::Relaxed);
        if matches!(how, TABLES | PANIC) && is_log {
            return Ok(());
        }
        let next = |left| match left {
            0 if how != LATE_ONCE => None,
            left if left < 0 => None,
            left => Some(left - 1),
        };
        // In one step: commits and folds come here from threads of their own.
        let left = self.0.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if left.unwrap_or_else(|left| left) != 0 {
            return Ok(());
        }
        self.0.failed.fetch_add(1, Ordering::Relaxed);
        assert_ne!(how, PANIC, "a page that makes no sense");
        Err(match how {
            NO_ROOM => io::ErrorKind::StorageFull.into(),
            _ => io::Error::other("the disk is broken"),
        })
    }

    pub(super) fn open(&self, dir: &Path) -> Store {
        Store::open_with(dir, Arc::new(self.clone())).unwrap().0
    }

    fn file(&self, path: &Path, is_log: bool) -> Result<FaultyFile, DatabaseError> {
        let options = fs::File::options().read(true).write(true).create(true).clone();
        let file = FileBackend::new(options.open(path)?)?;
        Ok(FaultyFile { file, is_log, faults: self.clone() })
    }
}

impl Disk for Faults {
    fn fold_octets(&self) -> u64 {
        self.1
    }

    fn database(&self, path: &Path, builder: &Builder) -> Result<Database, DatabaseError> {
        drop(self.0.tables.lock());
        builder.create_with_backend(self.file(path, false)?)
    }

    fn log(&self, path: &Path) -> io::Result<Box<dyn StorageBackend>> {
        Ok(Box::new(self.file(path, true).map_err(io::Error::other)?))
    }
}

// === impl FaultyFile ===

impl fmt::Debug for FaultyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyFile")
    }
}

impl StorageBackend for FaultyFile {
    fn len(&self) -> io::Result<u64> {
        self.file.len()
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.file.read(offset, out)
    }
    fn set_len(&self, len: u64) -> io::Result<()> {
        self.faults.check(self.is_log)?;
        self.file.set_len(len)
    }
    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()?;
        self.faults.check(self.is_log)
    }
    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        if !matches!(self.faults.0.how.load(Ordering::Relaxed), LATE | LATE_ONCE) {
            self.faults.check(self.is_log)?;
        }
        self.file.write(offset, data)
    }
    fn close(&self) -> io::Result<()> {
        self.file.close()
    }
}
