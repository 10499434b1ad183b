//! The witness: the number of the last acknowledged commit, kept outside the store.
//!
//! A log ends where it stops making sense, and redb, after a crash, takes the older of two states
//! when the newer one is not whole. That is right for a commit that was torn, and wrong for one
//! that was whole, acknowledged, and damaged later: the store would quietly be some commits short.
//! So each acknowledged commit's number is written here, after its fsync and without one of its
//! own. It survives `kill -9`, because the system has it; after a loss of power it may be older
//! than the store, never newer. A store that is behind its witness is damaged. Numbers begin again
//! with each import, so it says of which store it speaks, too.
//!
//! Rejected: redb's two-phase commit, which would double the fsyncs of every commit to find the
//! same thing, and would not find a store file that was replaced by an old copy, or removed.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::unix::fs::FileExt,
};

use super::{StoreError, files::Files, record::Head};
use crate::model::Revision;

/// The open witness.
#[derive(Debug)]
pub(super) struct Witness {
    file: File,
    /// The id of the store that it speaks of.
    store: u64,
    /// Whether the last write failed; said once.
    failing: bool,
}

/// What a witness says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Witnessed {
    /// The id of the store.
    pub store: u64,
    pub last: Acknowledged,
}

/// A commit that was acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Acknowledged {
    /// Its number.
    pub sequence: u64,
    /// Its revision.
    pub revision: Revision,
}

// === impl Witness ===

impl Witness {
    /// What the directory's witness says; `None` when there is none, or none that can be read:
    /// it can only ever accuse, so its own damage is no reason to refuse a store.
    pub(super) fn read(files: &Files) -> Result<Option<Witnessed>, StoreError> {
        const OCTETS_MAX: u64 = 100; // what `Display` writes has 80
        let mut text = Vec::new();
        match File::open(&files.witness) {
            Ok(file) => file.take(OCTETS_MAX).read_to_end(&mut text),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => Err(error),
        }
        .map_err(StoreError::io("read", &files.witness))?;
        Ok(str::from_utf8(&text).ok().and_then(Witnessed::parse))
    }

    /// Opens the witness of a store for writing, with what is known to be durable.
    pub(super) fn open(files: &Files, store: u64, last: Acknowledged) -> Result<Self, StoreError> {
        let known = Witnessed { store, last };
        let open = || -> io::Result<File> {
            let file =
                File::options().write(true).create(true).truncate(false).open(&files.witness)?;
            file.write_all_at(known.to_string().as_bytes(), 0)?;
            file.sync_all()?;
            Ok(file)
        };
        let file = open().map_err(StoreError::io("write", &files.witness))?;
        super::files::sync_dir(&files.dir)?;
        Ok(Self { file, store, failing: false })
    }

    /// Bears witness to a commit that is durable. A failure is logged and not passed on: the
    /// commit is durable all the same.
    pub(super) fn acknowledge(&mut self, last: Acknowledged) {
        let witnessed = Witnessed { store: self.store, last };
        // Always of the same length and in one sector, so it is never torn.
        match self.file.write_all_at(witnessed.to_string().as_bytes(), 0) {
            Ok(()) => self.failing = false,
            Err(error) if !self.failing => {
                self.failing = true;
                tracing::warn!(%error, "the witness of the store cannot be written");
            }
            Err(_) => {}
        }
    }
}

// === impl Acknowledged ===

impl Acknowledged {
    /// The last commit that is in the tables.
    pub(super) fn of(head: &Head) -> Self {
        Self { sequence: head.sequence, revision: head.revision }
    }
}

// === impl Witnessed ===

impl Witnessed {
    fn parse(text: &str) -> Option<Self> {
        let (store, rest) = text.trim().strip_prefix("store ")?.split_once(" commit ")?;
        let (sequence, revision) = rest.split_once(" revision ")?;
        let (sequence, revision) = (sequence.parse().ok()?, Revision(revision.parse().ok()?));
        let store = u64::from_str_radix(store, 16).ok()?;
        Some(Self { store, last: Acknowledged { sequence, revision } })
    }
}

impl std::fmt::Display for Witnessed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Acknowledged { sequence, revision } = self.last;
        writeln!(f, "store {:016x} commit {sequence:020} revision {:020}", self.store, revision.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Acknowledged, Files, Witness, Witnessed};
    use crate::model::Revision;

    #[test]
    fn what_was_acknowledged_is_read_back() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::in_dir(dir.path());
        assert_eq!(Witness::read(&files).unwrap(), None);
        let mut witness = Witness::open(&files, u64::MAX / 3, Acknowledged::default()).unwrap();
        for sequence in [1, 10, u64::MAX] {
            let last = Acknowledged { sequence, revision: Revision(sequence / 2) };
            witness.acknowledge(last);
            let witnessed = Witnessed { store: u64::MAX / 3, last };
            assert_eq!(Witness::read(&files).unwrap(), Some(witnessed));
        }
    }

    #[test]
    fn an_unreadable_witness_accuses_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let files = Files::in_dir(dir.path());
        for content in [&b""[..], b"store 1 commit x revision 1", b"\xff\xff", b"commit 1"] {
            std::fs::write(&files.witness, content).unwrap();
            assert_eq!(Witness::read(&files).unwrap(), None);
        }
    }
}
