//! The one task that changes the state, and the one that speaks to the store.
//!
//! It takes all commands that wait, up to a bound, as one batch: drafts the next snapshot, has the
//! store make the batch's rows durable in one commit (so that all who wait share one fsync),
//! publishes, and only then replies. While a commit runs, the next batch gathers.
//!
//! What is seen of the world (results of checks, heartbeats, their absence) waits for no store: it
//! is applied and published at once, also while a commit runs or hangs, and its rows go with the
//! next commit. A disk that is slow or full delays or refuses changes; it never makes the answers
//! show a dead instance. `apply.rs` has both ways.

use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Journal, Loaded, Options, Registry,
    announce::Announcer,
    apply::{Applier, Queues},
    publish::Publisher,
    restore::restore,
};
use crate::{
    model::{Invalid, limit},
    telemetry::{Board, Metrics},
    util::Clock,
};

/// What a registry is started with.
pub struct Setup {
    /// What the store has kept.
    pub loaded: Loaded,
    /// Where changes are kept.
    pub journal: Box<dyn Journal>,
    /// The operator's settings; a change applies to the next batch.
    pub options: watch::Receiver<Options>,
    /// The time.
    pub clock: Clock,
    /// Where trouble is pinned.
    pub board: Board,
    /// Where numbers are shown.
    pub metrics: Metrics,
}

/// The one task that changes the state.
#[must_use = "commands wait until the writer runs"]
pub struct Writer {
    journal: Box<dyn Journal>,
    applier: Applier,
}

/// A commit that takes longer is spoken of: a thousand times what a disk takes.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// Starts a registry from what the store has kept. Readers see it at once; commands wait until
/// [`Writer::run`].
///
/// # Errors
/// When what was kept contradicts itself.
pub fn start(setup: Setup) -> Result<(Registry, Writer), Invalid> {
    let Setup { loaded, journal, options, clock, board, metrics } = setup;
    let mut snapshot = restore(loaded, &options.borrow())?;
    let restored = snapshot.revision;
    snapshot.revision = restored.after_restart();
    let (asked, asked_receiver) = mpsc::channel(limit::WRITER_QUEUE_MAX);
    let (seen, seen_receiver) = mpsc::channel(limit::WRITER_QUEUE_MAX);
    let registry = Registry { asked, seen, published: Publisher::new(restored, snapshot).into() };
    let announcer = Announcer::new(board, &metrics, &registry);
    let queues = Queues { asked: asked_receiver, seen: seen_receiver };
    let applier = Applier::new(registry.clone(), queues, options, clock, announcer);
    Ok((registry, Writer { journal, applier }))
}

// === impl Writer ===

impl Writer {
    /// Carries out commands until `stop`, then finishes those that were accepted before.
    pub async fn run(self, stop: CancellationToken) {
        let Self { mut journal, mut applier } = self;
        loop {
            while let Some((changes, commit)) = applier.begin() {
                let mut committing = journal.commit(commit.revision(), changes);
                let mut patience = std::pin::pin!(tokio::time::sleep(COMMIT_PATIENCE));
                let result = loop {
                    tokio::select! {
                        biased;
                        result = &mut committing => break result,
                        () = &mut patience, if !patience.is_elapsed() => applier.commit_is_slow(),
                        () = applier.step(&stop) => {}
                    }
                };
                applier.settle(commit, result);
            }
            if applier.is_done() {
                return;
            }
            applier.step(&stop).await;
        }
    }
}

#[cfg(test)]
mod tests;
