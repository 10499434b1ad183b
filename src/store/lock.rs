//! The lock that keeps a data directory to one process.
//!
//! redb locks its own file too, but says only that it is open; ours is taken before anything is
//! touched and names the holder. The system lets go of it when the process ends, however it ends:
//! there is no stale lock to clean up, and the file itself stays.

use std::{
    fs::{File, TryLockError},
    io::{self, Read, Write},
    path::Path,
};

use super::{StoreError, files::LOCK};

/// Holds the directory until it is dropped.
#[derive(Debug)]
pub(super) struct Lock {
    file: File,
}

// === impl Lock ===

impl Lock {
    /// Takes the directory.
    ///
    /// # Errors
    /// When another process, or another store in this one, has it.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        let path = dir.join(LOCK);
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(StoreError::io("open the lock", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::InUse { dir: dir.to_owned(), holder: holder(&mut file) });
            }
            Err(TryLockError::Error(error)) => return Err(StoreError::io("lock", &path)(error)),
        }
        // The number is a courtesy to whoever is refused; a full disk must not keep us from
        // starting, so that it is not written is no fault.
        let _ = write_holder(&mut file);
        Ok(Self { file })
    }
}

impl Drop for Lock {
    /// Closing the file would do, but for a process that is being started at this very moment and
    /// still has a copy of it.
    fn drop(&mut self) {
        let _ = self.file.unlock();
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", std::process::id())
}

/// Who has the lock, as the file says.
fn holder(file: &mut File) -> String {
    const PID_OCTETS_MAX: u64 = 20;
    let mut text = String::new();
    match file.take(PID_OCTETS_MAX).read_to_string(&mut text).map(|_| text.trim().parse::<u32>()) {
        Ok(Ok(pid)) => format!("process {pid}"),
        _ => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::Lock;

    #[test]
    fn a_directory_is_held_once_and_the_holder_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        let refusal = Lock::take(dir.path()).unwrap_err().to_string();
        assert!(refusal.contains(&dir.path().display().to_string()), "{refusal}");
        assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        drop(first);
        Lock::take(dir.path()).unwrap();
    }
}
