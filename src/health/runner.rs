//! Probes in flight: one task each, and never more than the bound.
//!
//! Rejected: a semaphore with a task per due check, because then the tasks that wait are as many
//! as the checks. Here what waits is an eight-octet name in the scheduler's queue.

use std::{num::NonZeroUsize, panic::AssertUnwindSafe, sync::Arc, time::Duration};

use futures_util::FutureExt;
use hashbrown::HashMap;
use tokio::task::{AbortHandle, JoinSet};

use super::{
    outcome::Outcome,
    probe::{Job, Probe, ProbeError},
    record::CheckId,
};
use crate::util::Clock;

/// The probes that are under way.
#[derive(Debug)]
pub(super) struct Runner<P> {
    probe: Arc<P>,
    clock: Clock,
    in_flight_max: usize,
    running: JoinSet<Done>,
    handles: HashMap<CheckId, AbortHandle>,
}

/// A probe that came back.
#[derive(Debug)]
pub(super) struct Done {
    /// Of which check.
    pub id: CheckId,
    /// What it found.
    pub outcome: Outcome,
    /// How long it took.
    pub took: Duration,
}

// === impl Runner ===

impl<P: Probe> Runner<P> {
    /// Nothing under way yet.
    pub(super) fn new(probe: P, in_flight_max: NonZeroUsize, clock: Clock) -> Self {
        Self {
            probe: Arc::new(probe),
            clock,
            in_flight_max: in_flight_max.get(),
            running: JoinSet::new(),
            handles: HashMap::new(),
        }
    }

    /// Whether one more may start while `unsent` results are still to be taken by the registry.
    pub(super) fn has_room(&self, unsent: usize) -> bool {
        self.running.len() < self.in_flight_max && unsent < self.in_flight_max
    }

    /// How many are under way.
    pub(super) fn in_flight(&self) -> usize {
        self.running.len()
    }

    /// Starts a probe.
    pub(super) fn start(&mut self, id: CheckId, job: Job) {
        let (probe, clock) = (Arc::clone(&self.probe), self.clock.clone());
        let handle = self.running.spawn(async move {
            let start = clock.elapsed();
            // A panic in one probe is a fault of ours; it must not end the checking of others.
            let outcome = AssertUnwindSafe(probe.probe(&job)).catch_unwind().await;
            let outcome = outcome.unwrap_or_else(|_| {
                Err(ProbeError::NotRun("the probe panicked, which is a fault of Rollcall".into()))
                    .into()
            });
            Done { id, outcome, took: clock.elapsed().saturating_sub(start) }
        });
        self.handles.insert(id, handle);
    }

    /// Ends the probe of a check that no longer exists, if one is under way.
    pub(super) fn cancel(&mut self, id: CheckId) {
        if let Some(handle) = self.handles.remove(&id) {
            handle.abort();
        }
    }

    /// A probe that has come back already, for which nobody waits any longer.
    pub(super) fn try_next(&mut self) -> Option<Done> {
        loop {
            // One that was cancelled has nothing to say.
            if let Ok(done) = self.running.try_join_next()? {
                self.handles.remove(&done.id);
                return Some(done);
            }
        }
    }

    /// The next probe that comes back, or `None` when one was cancelled or none is under way.
    /// Cancel safe.
    pub(super) async fn next(&mut self) -> Option<Done> {
        let done = self.running.join_next().await?.ok()?;
        self.handles.remove(&done.id);
        Some(done)
    }
}
