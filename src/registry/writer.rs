//! The one task that changes the state, and the one that speaks to the store.
//!
//! It takes all commands that wait, up to a bound, as one batch: drafts the next snapshot, has the
//! store make the batch's rows durable in one commit (so that all who wait share one fsync),
//! publishes, and only then replies. While a commit runs, the next batch gathers; a trickle of
//! changes gathers for two milliseconds.
//!
//! What is seen of the world (results of checks, heartbeats, their absence) waits for no store: it
//! is applied and published at once, also while a commit runs or hangs, and its rows go with the
//! next commit. A disk that is slow or full delays or refuses changes; it never makes the answers
//! show a dead instance. `apply.rs` has both ways.

use std::time::Duration;

use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};
use tokio_util::sync::CancellationToken;

use super::{
    Dissent, Journal, Loaded, Options, Ownership, Registry, Share, SharedSetup, Steps,
    announce::Announcer,
    apply::{Applier, Means, Queues, Sharing},
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
    pub keeping: Keeping,
    /// The operator's settings; a change applies to the next batch.
    pub options: watch::Receiver<Options>,
    /// The time.
    pub clock: Clock,
    /// Where trouble is pinned.
    pub board: Board,
    /// Where numbers are shown.
    pub metrics: Metrics,
}

/// Where a registry keeps its state.
pub enum Keeping {
    /// In a store of its own.
    Own(Box<dyn Journal>),
    /// In one that it shares with other servers.
    Shared(SharedSetup),
}

/// The one task that changes the state.
#[must_use = "commands wait until the writer runs"]
pub struct Writer {
    store: StoreEnd,
    applier: Applier,
}

/// Where what is asked for goes.
enum StoreEnd {
    Own(Box<dyn Journal>),
    Shared(Box<dyn Share>),
}

/// A commit that takes longer is spoken of: a thousand times what a disk takes.
const COMMIT_PATIENCE: Duration = Duration::from_secs(5);

/// How far apart commits begin while few changes wait. A disk that syncs in 0.1 ms would else be
/// asked to for nearly every change of a steady trickle, at several times the CPU of the change
/// itself; disks that take longer than this set the pace themselves.
const COMMIT_PACE: Duration = Duration::from_millis(2);

/// As many changes wait for nothing: a commit that so many share costs each next to nothing.
const COMMIT_ENOUGH: usize = 32;

/// Starts a registry from what the store has kept. Readers see it at once; commands wait until
/// [`Writer::run`].
///
/// # Errors
/// When what was kept contradicts itself.
pub fn start(setup: Setup) -> Result<(Registry, Writer), Invalid> {
    let Setup { loaded, keeping, options, clock, board, metrics } = setup;
    let mut snapshot = restore(loaded, &options.borrow())?;
    let restored = snapshot.revision;
    match &keeping {
        Keeping::Own(_) => snapshot.revision = restored.after_restart(),
        Keeping::Shared(setup) => {
            (snapshot.shared, snapshot.steps) = (Some(restored), Steps::of_life(setup.life));
        }
    }
    let dissent = Dissent::default();
    let (store, sharing, ownership) = match keeping {
        Keeping::Own(journal) => (StoreEnd::Own(journal), None, Ownership::all()),
        Keeping::Shared(setup) => {
            let ownership = setup.ownership.clone();
            let (share, sharing) = Sharing::new(setup, dissent.clone());
            (StoreEnd::Shared(share), Some(sharing), ownership)
        }
    };
    let (asked, asked_receiver) = mpsc::channel(limit::WRITER_QUEUE_MAX);
    let (seen, seen_receiver) = mpsc::channel(limit::WRITER_QUEUE_MAX);
    let published = Publisher::new(restored, snapshot).into();
    let registry = Registry { asked, seen, published, ownership, dissent };
    let announcer = Announcer::new(board, clock.clone(), &metrics, &registry);
    let queues = Queues { asked: asked_receiver, seen: seen_receiver };
    let applier =
        Applier::new(registry.clone(), queues, Means { options, clock, announcer, sharing });
    Ok((registry, Writer { store, applier }))
}

// === impl Writer ===

impl Writer {
    /// Carries out commands until `stop`, then finishes those that were accepted before.
    pub async fn run(self, stop: CancellationToken) {
        let Self { store, applier } = self;
        match store {
            StoreEnd::Own(journal) => run_own(journal, applier, stop).await,
            StoreEnd::Shared(share) => run_shared(share, applier, stop).await,
        }
    }
}

async fn run_own(mut journal: Box<dyn Journal>, mut applier: Applier, stop: CancellationToken) {
    let mut due = Instant::now();
    loop {
        gather(&mut applier, due, &stop).await;
        while let Some((changes, commit)) = applier.begin() {
            due = Instant::now() + COMMIT_PACE;
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
            gather(&mut applier, due, &stop).await;
        }
        if applier.is_done() {
            return;
        }
        applier.step(&stop).await;
    }
}

async fn run_shared(mut share: Box<dyn Share>, mut applier: Applier, stop: CancellationToken) {
    let mut due = Instant::now();
    loop {
        gather(&mut applier, due, &stop).await;
        while let Some((proposal, proposed)) = applier.propose() {
            due = Instant::now() + COMMIT_PACE;
            let mut proposing = share.propose(proposal);
            let result = loop {
                tokio::select! {
                    biased;
                    result = &mut proposing => break result,
                    () = applier.step(&stop) => {}
                }
            };
            applier.conclude(proposed, result);
            gather(&mut applier, due, &stop).await;
        }
        if applier.is_done() {
            return;
        }
        applier.step(&stop).await;
    }
}

/// Lets changes gather for the commit that is due at `due`, unless enough wait already.
async fn gather(applier: &mut Applier, due: Instant, stop: &CancellationToken) {
    while (1..COMMIT_ENOUGH).contains(&applier.waiting()) && !stop.is_cancelled() {
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(due) => return,
            () = applier.step(stop) => {}
        }
    }
}

#[cfg(test)]
mod tests;
