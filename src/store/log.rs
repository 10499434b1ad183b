//! The log: each commit is appended here, with one fsync, before it is folded into the tables.
//!
//! A commit to redb's tree writes a page of 4 KiB, and those above it, for each row that it
//! changes: 64 registrations of a busy moment take four milliseconds. Here they are 16 KiB in one
//! piece. The log is folded into the tables when it has grown (`fold.rs`), many rows at a time and
//! aside from whoever waits, so that the tables stay the store, and the log what has come since.
//!
//! | offset | octets | what |
//! | --- | --- | --- |
//! | 0 | 16 | the mark of a log |
//! | | 8 | the id of its store, little endian |
//! | | 4 | CRC-32C of both; then zeros |
//! | each further multiple of 4,096 | 4 | octets of the rows, little endian |
//! | | 4 | CRC-32C of all that follows |
//! | | 8, 8 | number and revision of the commit |
//! | | … | the rows (`rows.rs`), then zeros up to the next multiple |
//!
//! Commits begin at multiples of a page, so that no octet of an acknowledged commit is written
//! again: the loss of power in the middle of a write can tear only what was not acknowledged.
//! Numbers follow one another without a gap. What does not is where the log ends; whether that is
//! where it ended when it was written, the witness knows; and when there are later commits behind
//! that, it is not.

use std::{fs, io, ops::Range, path::Path};

use redb::StorageBackend;

use super::{
    checksum::crc32c,
    rows::{self, Latest},
    witness::Acknowledged,
};
use crate::{model::Revision, registry::Change, store::record::RecordError};

/// Where a commit begins.
pub(super) const PAGE: usize = 4_096;
/// What a log begins with; the digit is the version of its form.
const MARK: &[u8; 16] = b"rollcall log 2\n\0";
/// The form without an id, which was never in a release.
const MARK_WITHOUT_ID: &[u8; 16] = b"rollcall log 1\n\0";
/// Octets of the mark and the id.
const ID_END: usize = MARK.len() + 8;
/// Octets before the rows of a commit.
const HEAD_OCTETS: usize = 24;

/// The open log.
pub(super) struct Log {
    file: Box<dyn StorageBackend>,
    /// The id of the store that it belongs to.
    store: u64,
    /// Octets up to the end of the last acknowledged commit; zero while not even the mark is known
    /// to be durable.
    end: u64,
    /// The number of the last commit that was acknowledged in it; of no meaning while it is empty.
    last: u64,
    /// Whether there may be something behind the end.
    is_untidy: bool,
}

/// Where a log ends.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct End {
    /// Octets up to the end of its last commit; zero when the tables lack none of them.
    octets: u64,
    /// The number of that commit.
    last: u64,
}

/// What a log has kept.
///
/// A commit's rows are borrowed from here.
#[derive(Debug, Default)]
pub(super) struct Recorded {
    octets: Vec<u8>,
    /// Where the rows of each commit are.
    rows: Vec<Range<usize>>,
    /// The last commit in it.
    pub last: Option<Acknowledged>,
    end: usize,
}

// === impl Log ===

impl Log {
    /// Goes on with a log of the store where it ends, or begins a new one.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn open(file: Box<dyn StorageBackend>, store: u64, end: End) -> io::Result<Self> {
        let mut log = Self { file, store, end: end.octets, last: end.last, is_untidy: true };
        log.settle()?;
        Ok(log)
    }

    /// Octets in it.
    pub(super) fn octets(&self) -> u64 {
        self.end
    }

    /// Whether there is no commit in it.
    pub(super) fn is_empty(&self) -> bool {
        self.end <= PAGE as u64
    }

    /// The number of the last commit in it, if it is not empty.
    pub(super) fn last(&self) -> u64 {
        self.last
    }

    /// Makes a commit durable, whole or not at all.
    ///
    /// # Errors
    /// When the system refuses; then the commit is taken back, now or at the latest before the
    /// next one.
    pub(super) fn append(&mut self, commit: Acknowledged, rows: Pending) -> io::Result<()> {
        self.settle()?;
        // From here on until it is durable.
        self.is_untidy = true;
        let written = self.write(commit, rows);
        if written.is_ok() {
            self.is_untidy = false;
        } else {
            // If this fails too, it is done before the next commit.
            let _later = self.tidy();
        }
        written
    }

    /// Takes back, durably, what a refused commit may have left behind.
    ///
    /// # Errors
    /// When the system refuses.
    pub(super) fn settle(&mut self) -> io::Result<()> {
        match self.is_untidy {
            false => Ok(()),
            true if self.end == 0 => self.clear(),
            true => self.tidy(),
        }
    }

    /// Forgets everything, durably: it is in the tables.
    ///
    /// # Errors
    /// When the system refuses; then it is done before the next commit.
    pub(super) fn clear(&mut self) -> io::Result<()> {
        // Until all of it is durable: after a sync that failed, the system does not write the mark
        // again by itself, and commits behind a page without one are lost.
        (self.is_untidy, self.end) = (true, 0);
        self.file.set_len(0)?;
        self.file.set_len(PAGE as u64)?;
        self.file.write(0, &first_page(self.store))?;
        self.file.sync_data()?;
        (self.is_untidy, self.end) = (false, PAGE as u64);
        Ok(())
    }

    fn write(&mut self, commit: Acknowledged, Pending(mut octets): Pending) -> io::Result<()> {
        let rows = octets.len() - HEAD_OCTETS;
        let rows = u32::try_from(rows).map_err(|_| io::ErrorKind::FileTooLarge)?;
        octets[..4].copy_from_slice(&rows.to_le_bytes());
        octets[8..16].copy_from_slice(&commit.sequence.to_le_bytes());
        octets[16..24].copy_from_slice(&commit.revision.0.to_le_bytes());
        let checksum = crc32c(&[&octets[8..]]);
        octets[4..8].copy_from_slice(&checksum.to_le_bytes());
        octets.resize(octets.len().next_multiple_of(PAGE), 0);
        self.file.write(self.end, &octets)?;
        self.file.sync_data()?;
        self.end += octets.len() as u64;
        self.last = commit.sequence;
        Ok(())
    }

    /// Cuts off what is behind the end.
    fn tidy(&mut self) -> io::Result<()> {
        self.file.set_len(self.end)?;
        self.file.sync_data()?;
        self.is_untidy = false;
        Ok(())
    }
}

/// A commit that is about to be made: room for its head, and its rows.
#[derive(Debug)]
pub(super) struct Pending(Vec<u8>);

// === impl Pending ===

impl Pending {
    /// The rows of `changes`.
    ///
    /// # Errors
    /// When a member contradicts itself.
    pub(super) fn new(changes: &[Change]) -> Result<Self, RecordError> {
        /// A little more than what the row of an ordinary instance takes.
        const ROW_OCTETS: usize = 256;
        let mut octets = Vec::with_capacity(PAGE + changes.len() * ROW_OCTETS);
        octets.resize(HEAD_OCTETS, 0);
        rows::encode(changes, &mut octets)?;
        Ok(Self(octets))
    }
}

// === impl Recorded ===

impl Recorded {
    /// What the octets of a log of this store say of the commits after number `after`.
    pub(super) fn parse(octets: Vec<u8>, store: u64, after: u64) -> Self {
        let mut recorded = Self::default();
        if store_of(&octets) == Some(store) {
            recorded.end = PAGE;
            let mut next = None;
            while let Some((commit, rows)) = commit_at(&octets, recorded.end) {
                // The first ones may be in the tables already; a gap is an end.
                let follows = match next {
                    None => commit.sequence <= after + 1,
                    Some(next) => commit.sequence == next,
                };
                if !follows {
                    break;
                }
                next = Some(commit.sequence + 1);
                recorded.end = rows.end.next_multiple_of(PAGE);
                if commit.sequence > after {
                    recorded.last = Some(commit);
                    recorded.rows.push(rows);
                }
            }
        }
        recorded.octets = octets;
        recorded
    }

    /// Where its last whole commit ends.
    pub(super) fn end(&self) -> End {
        self.last
            .map_or(End::default(), |last| End { octets: self.end as u64, last: last.sequence })
    }

    /// Whether there are commits after number `after` behind its end. A commit that was torn is the
    /// last one, so these were acknowledged, and what is missing before them was too.
    pub(super) fn is_broken(&self, after: u64) -> bool {
        let first = self.last.map_or(after, |last| last.sequence) + 1;
        let pages = (self.end..self.octets.len()).step_by(PAGE);
        // Numbers are looked at first: a checksum may be one of megabytes.
        let may_follow = |number| (first..first + pages.len() as u64).contains(&number);
        pages.clone().any(|at| {
            let number = self.octets[at..].get(8..16).and_then(|octets| octets.first_chunk());
            number.is_some_and(|&number| may_follow(u64::from_le_bytes(number)))
                && commit_at(&self.octets, at).is_some()
        })
    }

    /// The last state of each row.
    ///
    /// # Errors
    /// When a whole commit has rows that make no sense.
    pub(super) fn latest<'a>(&'a self, latest: &mut Latest<'a>) -> Result<(), &'static str> {
        for rows in &self.rows {
            rows::decode(&self.octets[rows.clone()], latest)
                .ok_or("a commit in its log has rows that make no sense")?;
        }
        Ok(())
    }
}

/// The number of the first commit in a log, whatever store it is of; `None` when it has none.
pub(super) fn first(octets: &[u8]) -> Option<u64> {
    commit_at(octets, PAGE).map(|(commit, _)| commit.sequence)
}

/// Whether a log has something that was written for another store than this one.
pub(super) fn is_foreign(octets: &[u8], store: u64) -> bool {
    let is_older = || octets.starts_with(MARK_WITHOUT_ID);
    octets.len() > PAGE && store_of(octets).map_or_else(is_older, |found| found != store)
}

/// The id in the first page of a log; `None` when that is not whole.
fn store_of(octets: &[u8]) -> Option<u64> {
    let (marked, checksum) = octets.get(..PAGE)?.split_at(ID_END);
    let id = marked.strip_prefix(MARK)?.first_chunk()?;
    checksum.starts_with(&crc32c(&[marked]).to_le_bytes()).then(|| u64::from_le_bytes(*id))
}

fn first_page(store: u64) -> [u8; PAGE] {
    let mut page = [0; PAGE];
    page[..MARK.len()].copy_from_slice(MARK);
    page[MARK.len()..ID_END].copy_from_slice(&store.to_le_bytes());
    let checksum = crc32c(&[&page[..ID_END]]);
    page[ID_END..ID_END + 4].copy_from_slice(&checksum.to_le_bytes());
    page
}

/// The octets of the log at `path`; none when there is no log.
///
/// # Errors
/// When the system refuses.
pub(super) fn octets(path: &Path) -> io::Result<Vec<u8>> {
    match fs::read(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
        read => read,
    }
}

/// The whole commit that begins at `at`, and where its rows are.
fn commit_at(octets: &[u8], at: usize) -> Option<(Acknowledged, Range<usize>)> {
    let (head, rest) = octets.get(at..)?.split_first_chunk::<HEAD_OCTETS>()?;
    let number =
        |range: Range<usize>| head[range].iter().rev().fold(0, |n, &o| n << 8 | u64::from(o));
    let rows = rest.get(..usize::try_from(number(0..4)).ok()?)?;
    if u64::from(crc32c(&[&head[8..], rows])) != number(4..8) {
        return None;
    }
    let commit = Acknowledged { sequence: number(8..16), revision: Revision(number(16..24)) };
    let first = at + HEAD_OCTETS;
    Some((commit, first..first + rows.len()))
}

#[cfg(test)]
mod tests {
    use std::{
        collections::BTreeMap,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use parking_lot::Mutex;

    use super::*;

    /// A file as Linux keeps it: when a sync fails, what was written before is not written later.
    #[derive(Debug, Clone, Default)]
    struct Forgetful {
        durable: Arc<Mutex<Vec<u8>>>,
        written: Arc<Mutex<BTreeMap<u64, Vec<u8>>>>,
        is_broken: Arc<AtomicBool>,
    }

    impl StorageBackend for Forgetful {
        fn len(&self) -> io::Result<u64> {
            Ok(self.durable.lock().len() as u64)
        }
        fn read(&self, _: u64, _: &mut [u8]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
        fn set_len(&self, len: u64) -> io::Result<()> {
            self.durable.lock().resize(len.try_into().unwrap(), 0);
            Ok(())
        }
        fn sync_data(&self) -> io::Result<()> {
            let written = std::mem::take(&mut *self.written.lock());
            if self.is_broken.load(Ordering::Relaxed) {
                return Err(io::Error::other("the disk is broken"));
            }
            for (at, data) in written {
                let (at, mut durable) = (usize::try_from(at).unwrap(), self.durable.lock());
                let end = durable.len().max(at + data.len());
                durable.resize(end, 0);
                durable[at..at + data.len()].copy_from_slice(&data);
            }
            Ok(())
        }
        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.written.lock().insert(offset, data.to_vec());
            Ok(())
        }
    }

    #[test]
    fn a_mark_whose_sync_failed_is_written_again() {
        let file = Forgetful::default();
        let mut log = Log::open(Box::new(file.clone()), 7, End::default()).unwrap();
        file.is_broken.store(true, Ordering::Relaxed);
        log.clear().unwrap_err();
        assert!(log.is_empty());
        file.is_broken.store(false, Ordering::Relaxed);
        let commit = Acknowledged { sequence: 1, revision: Revision(1) };
        log.append(commit, Pending::new(&[]).unwrap()).unwrap();
        let durable = file.durable.lock().clone();
        assert_eq!(Recorded::parse(durable, 7, 0).last, Some(commit));
    }
}
