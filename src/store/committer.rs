//! The thread that commits: one commit at a time, each to its end, whoever still waits for it.
//!
//! One of its own and not of the runtime's pool: there each commit wakes another thread, which then
//! waits for the lock of the pool; four switches for a commit in place of two.

use std::{
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    thread::{self, JoinHandle},
};

use tokio::sync::{mpsc, oneshot};

use super::engine::Engine;
use crate::{
    model::Revision,
    registry::{Change, JournalError},
};

/// Has the thread that has the engine. Dropping it waits until the store is closed.
#[derive(Debug)]
pub(super) struct Committer {
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
}

/// What has become of a commit.
#[derive(Debug)]
pub(super) struct Done {
    pub outcome: Result<(), JournalError>,
    /// Octets of the store's files.
    pub octets: u64,
    /// What is wrong although commits are taken, for as long as it is.
    pub trouble: Option<String>,
}

#[derive(Debug)]
struct Job {
    revision: Revision,
    changes: Vec<Change>,
    reply: oneshot::Sender<Done>,
}

// === impl Committer ===

impl Committer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system gives none.
    pub(super) fn start(engine: Engine) -> io::Result<Self> {
        // One may wait: that of a caller who has left before it was done.
        let (jobs, waiting) = mpsc::channel(1);
        let work = move || run(engine, waiting);
        let thread = thread::Builder::new().name("commits".into()).spawn(work)?;
        Ok(Self { jobs: Some(jobs), thread: Some(thread) })
    }

    /// Makes `changes` durable, all or none; `None` when the thread is gone. Dropped meanwhile, the
    /// commit goes on, and the next one waits for it.
    pub(super) async fn commit(&self, revision: Revision, changes: Vec<Change>) -> Option<Done> {
        let (reply, done) = oneshot::channel();
        self.jobs.as_ref()?.send(Job { revision, changes, reply }).await.ok()?;
        done.await.ok()
    }
}

impl Drop for Committer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            // It catches what panics; there is nobody to tell of more.
            let _ended = thread.join();
        }
    }
}

/// Commits until nobody is left who could ask for it, and closes the store.
fn run(mut engine: Engine, mut waiting: mpsc::Receiver<Job>) {
    while let Some(Job { revision, changes, reply }) = waiting.blocking_recv() {
        // None is expected (the tables, where redb panics on some damage, have a thread of their
        // own): a fault of ours costs this commit, and not all later ones.
        let outcome = catch_unwind(AssertUnwindSafe(|| engine.commit(revision, &changes)));
        let broken_off = |_| Err(JournalError::Failed("the commit was broken off".into()));
        let outcome = outcome.unwrap_or_else(broken_off);
        let trouble = engine.trouble().map(str::to_owned);
        let done = Done { outcome, octets: engine.octets(), trouble };
        // Whoever asked may have left; what is committed is committed.
        let _left = reply.send(done);
    }
}
