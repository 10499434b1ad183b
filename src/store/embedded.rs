//! The embedded store as the registry sees it: a journal.

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    sync::Arc,
};

use tokio::time::Instant;

use super::{
    StoreError,
    committer::{Committer, Done},
    disk::{Disk, SystemDisk},
    engine::{self, Engine},
    files::{self, Files},
    lock::Lock,
    metrics::StoreMetrics,
    witness::Witness,
};
use crate::{
    model::Revision,
    registry::{Change, Journal, JournalError, Loaded},
    telemetry::{Board, Metrics},
};

/// A store in a directory of its own, which no other process can use meanwhile.
///
/// Dropping it closes the file and lets go of the directory; so does the end of the process, at
/// any moment, without loss of what was acknowledged.
#[derive(Debug)]
pub struct Store {
    committer: Committer,
    metrics: StoreMetrics,
    board: Option<Board>,
}

// === impl Store ===

impl Store {
    /// Opens the store in `dir`, which is made if it is not there, and reads all of it.
    ///
    /// # Errors
    /// When another process has the directory, the store is damaged or of a later version, or the
    /// system refuses. What is there is never emptied.
    pub fn open(dir: &Path) -> Result<(Self, Loaded), StoreError> {
        Self::open_with(dir, Arc::new(SystemDisk))
    }

    pub(super) fn open_with(dir: &Path, disk: Arc<dyn Disk>) -> Result<(Self, Loaded), StoreError> {
        let files = Files::in_dir(dir);
        files.make_dir()?;
        let lock = Lock::take(dir)?;
        let metrics = StoreMetrics::new();
        let (engine, loaded) = Engine::open(files, lock, disk, metrics.clone())?;
        metrics.sized(engine.octets());
        let committer =
            Committer::start(engine).map_err(StoreError::io("start a thread for", dir))?;
        Ok((Self { committer, metrics, board: None }, loaded))
    }

    /// Reads all of the store in `dir`, and leaves it.
    ///
    /// # Errors
    /// As [`Store::open`], and when there is no store.
    pub fn read(dir: &Path) -> Result<Loaded, StoreError> {
        let files = Files::in_dir(dir);
        if !dir.is_dir() || !files.has_database()? {
            return Err(StoreError::Absent { dir: dir.to_owned() });
        }
        Self::open(dir).map(|(_, loaded)| loaded)
    }

    /// Puts `content` into the place of the store in `dir`, all or nothing. With `replace`, a
    /// store that is there, sound or damaged, is kept beside it as `rollcall.redb.old` (or
    /// `.old.1` and so on, if there is one already), with what is in its logs, and the paths are
    /// returned; without, it must be empty.
    ///
    /// Revisions only grow: the revision is above any that clients of the store before have seen.
    ///
    /// # Errors
    /// When the store is not empty and `replace` is not set, another process has the directory, or
    /// the system refuses. Then the store is as it was.
    pub fn restore(
        dir: &Path,
        mut content: Loaded,
        replace: bool,
    ) -> Result<Vec<PathBuf>, StoreError> {
        let files = Files::in_dir(dir);
        files.make_dir()?;
        let witnessed = Witness::read(&files)?;
        if files.has_database()? {
            // Opened and closed, so that what is in its logs is in the file that is put aside.
            match Self::open(dir).map(|(_, loaded)| loaded) {
                Ok(found) if found.members.is_empty() && found.policies.is_empty() => {}
                Ok(_) if replace => {}
                Ok(_) => return Err(StoreError::NotEmpty { file: files.database }),
                Err(error @ StoreError::InUse { .. }) => return Err(error),
                Err(_) if replace => {}
                Err(error) => return Err(error),
            }
        }
        let _lock = Lock::take(dir)?;
        if let Some(witnessed) = witnessed {
            content.revision = content.revision.max(witnessed.last.revision.next());
        }
        engine::build(&files, &content)?;
        // The witness speaks of the store that goes. Without one, the old store is still accepted
        // if the power fails here.
        files::remove(&files.witness)?;
        files::sync_dir(dir)?;
        files.put_into_place()
    }

    /// Shows the store's numbers.
    pub fn register(&self, metrics: &Metrics) {
        self.metrics.register(metrics);
    }

    /// Pins on `board`, from now on, what is wrong although commits are taken.
    pub fn report_to(&mut self, board: Board) {
        self.board = Some(board);
    }

    fn report(&self, trouble: Option<String>) {
        /// Name of the condition on the board while a log cannot be folded.
        const FOLD: &str = "store log";
        match (&self.board, trouble) {
            (Some(board), Some(trouble)) => {
                board.note(FOLD, trouble);
            }
            (Some(board), None) => board.clear(FOLD),
            (None, _) => {}
        }
    }
}

impl Journal for Store {
    fn commit<'a>(
        &'a mut self,
        revision: Revision,
        changes: Vec<Change>,
    ) -> Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send + 'a>> {
        Box::pin(async move {
            let began = Instant::now();
            let count = changes.len();
            let done = self.committer.commit(revision, changes).await;
            let Some(Done { outcome, octets, trouble }) = done else {
                self.metrics.failed();
                return Err(JournalError::Failed("the store's thread is gone; restart".into()));
            };
            match &outcome {
                Ok(()) => self.metrics.committed(count, began.elapsed()),
                Err(_) => self.metrics.failed(),
            }
            self.metrics.sized(octets);
            self.report(trouble);
            outcome
        })
    }
}
