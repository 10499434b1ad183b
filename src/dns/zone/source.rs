//! Where the text of master files comes from: a folder, and never anything outside it.
//!
//! Whoever may write a zone may not thereby read the server's other files: `$INCLUDE` of
//! `/etc/shadow` would show its lines in error messages. So paths are relative to the folder,
//! without `..`, and links are followed only as long as they stay inside.

use std::{
    cell::RefCell,
    fs, io,
    path::{Component, Path, PathBuf},
};

use crate::util::{FileStamp, read_file};

/// Gives the text of files by their path within the zone folder.
pub(super) trait Source {
    /// Reads a whole file of at most `octets_max` octets.
    ///
    /// # Errors
    /// With the problem, when there is no such file or it may not be read.
    fn read(&self, path: &str, octets_max: usize) -> Result<Vec<u8>, String>;
}

/// The zone folder.
#[derive(Debug, Clone)]
pub(super) struct Folder(PathBuf);

/// A folder that notes what is read from it. The stamp is taken before the text, so that a change
/// in between is seen next time.
#[derive(Debug)]
pub(super) struct Noted<'f> {
    folder: &'f Folder,
    stamps: RefCell<Vec<(String, FileStamp)>>,
}

// === impl Folder ===

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self(path)
    }

    /// The names of the zone files, sorted: those that end in `.zone` and do not begin with a dot,
    /// which is how editors name unfinished files.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub(super) fn zone_files(&self) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if name.ends_with(".zone") && !name.starts_with('.') {
                names.push(name);
            }
        }
        names.sort_unstable();
        Ok(names)
    }

    /// What is said of a file in it, with the folder's own path in front.
    pub(super) fn shown(&self, said: impl std::fmt::Display) -> String {
        format!("{}/{said}", self.0.display())
    }

    /// The stamp of a file as it is now.
    pub(super) fn stamp(&self, path: &str) -> FileStamp {
        FileStamp::of(&self.0.join(path))
    }

    /// The path to open, after all links.
    fn resolve(&self, path: &str) -> Result<PathBuf, String> {
        let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if !plain {
            return Err(format!("`{path}` leads out of the zone folder; name a file inside it"));
        }
        let unreadable = |error: io::Error| format!("cannot read `{path}`: {error}");
        let folder = self.0.canonicalize().map_err(unreadable)?;
        let file = folder.join(path).canonicalize().map_err(unreadable)?;
        if !file.starts_with(&folder) {
            return Err(format!("`{path}` is a link that leads out of the zone folder"));
        }
        Ok(file)
    }
}

impl Source for Folder {
    fn read(&self, path: &str, octets_max: usize) -> Result<Vec<u8>, String> {
        read_file(&self.resolve(path)?, octets_max).map_err(|error| match error.kind() {
            io::ErrorKind::FileTooLarge => {
                format!("`{path}` takes the zone above the limit on its text")
            }
            _ => format!("cannot read `{path}`: {error}"),
        })
    }
}

// === impl Noted ===

impl<'f> Noted<'f> {
    /// Begins with a zone file, which has a stamp whether or not it comes to be read: a name that
    /// is no zone's is a mistake to be reported once, too.
    pub(super) fn new(folder: &'f Folder, file: &str) -> Self {
        let noted = Self { folder, stamps: RefCell::default() };
        noted.note(file);
        noted
    }

    /// The files that were asked for, each with its stamp.
    pub(super) fn into_stamps(self) -> Vec<(String, FileStamp)> {
        self.stamps.into_inner()
    }

    /// The first stamp stays: of two, it is the one that a later change differs from.
    fn note(&self, path: &str) {
        let mut stamps = self.stamps.borrow_mut();
        if stamps.iter().all(|(known, _)| known != path) {
            stamps.push((path.to_owned(), self.folder.stamp(path)));
        }
    }
}

impl Source for Noted<'_> {
    fn read(&self, path: &str, octets_max: usize) -> Result<Vec<u8>, String> {
        self.note(path);
        self.folder.read(path, octets_max)
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::{Folder, Source};

    #[test]
    fn nothing_outside_the_folder_is_read() {
        let outer = tempfile::tempdir().unwrap();
        let folder = outer.path().join("zones");
        fs::create_dir_all(folder.join("include")).unwrap();
        fs::write(outer.path().join("secret"), "secret").unwrap();
        fs::write(folder.join("include/a.inc"), "text").unwrap();
        std::os::unix::fs::symlink("../secret", folder.join("out.zone")).unwrap();
        std::os::unix::fs::symlink("include/a.inc", folder.join("in.zone")).unwrap();
        let source = Folder::new(folder.clone());
        let absolute = outer.path().join("secret");
        for (path, expected) in [
            ("include/a.inc", Ok(())),
            ("in.zone", Ok(())),
            ("out.zone", Err("link that leads out")),
            ("../secret", Err("leads out")),
            ("include/../../secret", Err("leads out")),
            (absolute.to_str().unwrap(), Err("leads out")),
            ("include", Err("no regular file")),
            ("missing", Err("cannot read `missing`")),
        ] {
            match (source.read(path, 100), expected) {
                (Ok(text), Ok(())) => assert_eq!(text, b"text"),
                (Err(refused), Err(expected)) => assert!(refused.contains(expected), "{refused}"),
                (read, _) => panic!("{path}: {read:?}"),
            }
        }
        assert!(source.read("include/a.inc", 3).unwrap_err().contains("limit"));
        assert_eq!(source.zone_files().unwrap(), ["in.zone", "out.zone"]);
    }
}
