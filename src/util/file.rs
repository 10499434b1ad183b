//! Files that are read as a whole, up to a limit, and looked at for changes.

use std::{
    fs,
    io::{self, Read},
    os::unix::fs::MetadataExt as _,
    path::Path,
};

/// What tells one state of a file from another without reading it: the time of its last change
/// (of its content or its name, so that a file put back with an old date counts too), its size, its
/// number. A file that is not there has a stamp too, so that its appearance is a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FileStamp(Option<(i64, i64, u64, u64)>);

/// Reads all of a regular file of at most so many octets; a pipe would be waited for without end.
///
/// # Errors
/// As [`read_limited`], and when it is something else than a regular file.
pub fn read_file(path: &Path, octets_max: usize) -> io::Result<Vec<u8>> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is no regular file"));
    }
    read_limited(fs::File::open(path)?, octets_max)
}

/// Reads all that comes, at most so many octets.
///
/// # Errors
/// With [`io::ErrorKind::FileTooLarge`] when more comes, else when it cannot be read.
pub fn read_limited(from: impl Read, octets_max: usize) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    // One more than allowed, to see that there is more.
    let limit = u64::try_from(octets_max).unwrap_or(u64::MAX).saturating_add(1);
    from.take(limit).read_to_end(&mut octets)?;
    if octets.len() > octets_max {
        let problem = format!("it is larger than the limit of {octets_max} octets");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, problem));
    }
    Ok(octets)
}

// === impl FileStamp ===

impl FileStamp {
    /// The stamp of the file as it is now.
    pub fn of(path: &Path) -> Self {
        let known = fs::metadata(path).ok();
        Self(known.map(|known| (known.ctime(), known.ctime_nsec(), known.size(), known.ino())))
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::ErrorKind};

    use super::{FileStamp, read_file};

    #[test]
    fn a_file_is_read_up_to_its_limit_and_nothing_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "four").unwrap();
        assert_eq!(read_file(&path, 4).unwrap(), b"four");
        assert_eq!(read_file(&path, 3).unwrap_err().kind(), ErrorKind::FileTooLarge);
        assert_eq!(read_file(folder.path(), 4).unwrap_err().kind(), ErrorKind::InvalidInput);
        assert_eq!(read_file(&path.join("x"), 4).unwrap_err().kind(), ErrorKind::NotADirectory);
        let pipe = folder.path().join("pipe");
        let made = std::process::Command::new("mkfifo").arg(&pipe).status().unwrap();
        assert!(made.success());
        assert_eq!(read_file(&pipe, 4).unwrap_err().kind(), ErrorKind::InvalidInput);
    }

    #[test]
    fn a_stamp_changes_with_the_file_and_only_then() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let absent = FileStamp::of(&path);
        assert_eq!(absent, FileStamp::of(&path));
        fs::write(&path, "a").unwrap();
        let first = FileStamp::of(&path);
        assert!(first != absent && first == FileStamp::of(&path));
        fs::write(folder.path().join("other"), "b").unwrap();
        fs::rename(folder.path().join("other"), &path).unwrap();
        assert_ne!(FileStamp::of(&path), first, "of the same size");
    }
}
