//! The one task that changes the state.
//!
//! It takes all commands that wait, up to a bound, as one batch: drafts the next snapshot, has the
//! store make the batch's rows durable in one commit (so that all who wait share one fsync),
//! publishes, and only then replies. While a commit runs, the next batch gathers in the queue.
//!
//! When the store fails, what asked to be durable is refused and what was seen of the world
//! (results of checks, lost heartbeats) takes effect all the same; its rows are owed to the store
//! and go with the next commit that it takes.

use std::collections::{BTreeSet, HashSet};

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::{
    Applied, Change, Journal, JournalError, Loaded, Options, Registry, RegistryError, Snapshot,
    announce::Announcer,
    draft::{Draft, Finished},
    handle::Request,
    lease::{Due, Leases},
    publish::Publisher,
    restore::restore,
};
use crate::{
    model::{Command, InstanceKey, Invalid, Timestamp, limit},
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
    registry: Registry,
    requests: mpsc::Receiver<Request>,
    journal: Box<dyn Journal>,
    options: watch::Receiver<Options>,
    clock: Clock,
    leases: Leases,
    announcer: Announcer,
    /// Instances whose rows the store has yet to take.
    owed: HashSet<InstanceKey>,
}

/// How often a store that failed is asked again when nobody else does.
const STORE_RETRY: std::time::Duration = std::time::Duration::from_secs(5);

type Outcome = Result<Applied, RegistryError>;

/// Starts a registry from what the store has kept. Readers see it at once; commands wait until
/// [`Writer::run`].
///
/// # Errors
/// When what was kept contradicts itself.
pub fn start(setup: Setup) -> Result<(Registry, Writer), Invalid> {
    let Setup { loaded, journal, options, clock, board, metrics } = setup;
    let settings = *options.borrow();
    let snapshot = restore(loaded, &settings)?;
    let mut leases = Leases::new(settings.self_preservation);
    for (_, entry) in snapshot.services.iter() {
        for member in &entry.members {
            leases.follow(&member.key(), Some(member), clock.elapsed());
        }
    }
    let (commands, requests) = mpsc::channel(limit::WRITER_QUEUE_MAX);
    let registry = Registry { commands, published: Publisher::new(snapshot).into() };
    let announcer = Announcer::new(board, &metrics, &registry);
    let owed = HashSet::new();
    let writer = Writer {
        registry: registry.clone(),
        requests,
        journal,
        options,
        clock,
        leases,
        announcer,
        owed,
    };
    Ok((registry, writer))
}

// === impl Writer ===

impl Writer {
    /// Carries out commands until `stop`, then finishes those that were accepted before.
    pub async fn run(mut self, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(limit::WRITER_BATCH_MAX);
        loop {
            let next_due = self.leases.next_at().map(|at| self.clock.instant(at));
            let due = async {
                match next_due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            let retry = async {
                if self.announcer.is_store_failing() {
                    tokio::time::sleep(STORE_RETRY).await;
                } else {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                biased;
                // After closing, what was accepted is still received below, then nothing.
                () = stop.cancelled(), if !self.requests.is_closed() => self.requests.close(),
                taken = self.requests.recv_many(&mut batch, limit::WRITER_BATCH_MAX) => {
                    if taken == 0 {
                        return;
                    }
                }
                () = due => {}
                () = retry => self.retry_store().await,
                // The pattern fails, and the branch sleeps, when there is no operator any more.
                Ok(()) = self.options.changed() => self.adopt_options().await,
            }
            self.carry_out(&mut batch).await;
        }
    }

    /// One batch: whatever is due by now and the commands that were taken.
    async fn carry_out(&mut self, batch: &mut Vec<Request>) {
        let base = self.registry.snapshot();
        let now = self.clock.elapsed();
        // Heartbeats are heard before silences are looked for: those that waited in the queue
        // while a commit took long were sent in time.
        for request in batch.iter() {
            self.hear(&request.command, &base);
        }
        let due = self
            .leases
            .advance(now, |key| base.member(key).is_some_and(|member| !member.status.is_up()));
        if batch.is_empty() && due.is_empty() {
            return;
        }
        let commands: Vec<&Command> = batch.iter().map(|request| &request.command).collect();
        let (mut finished, mut outcomes) = self.draft(&base, &due, &commands, |_| true);
        let stored = match finished.changes.is_empty() {
            true => Ok(()),
            false => self.store(&finished).await,
        };
        if let Err(error) = &stored {
            (finished, outcomes) =
                self.draft(&base, &due, &commands, |command| !command.must_be_durable());
            refuse_durable(&mut outcomes, &commands, error);
            self.owed.extend(finished.touched.iter().cloned());
        }
        self.publish(&base, finished);
        for (request, outcome) in batch.drain(..).zip(outcomes) {
            // Whoever asked may have gone; the change stands.
            let _gone = request.reply.send(outcome);
        }
    }

    /// Drafts the next snapshot from what is due and the chosen commands.
    fn draft(
        &self,
        base: &Snapshot,
        due: &[Due],
        commands: &[&Command],
        choose: impl Fn(&Command) -> bool,
    ) -> (Finished, Vec<Outcome>) {
        let options = *self.options.borrow();
        let mut draft = Draft::new(base, &options, Timestamp(self.clock.wall_millis()));
        for due in due {
            match due {
                Due::Expire(key) => draft.expire(key),
                Due::Hold(key) => draft.hold(key),
                Due::Lapse(key) => draft.lapse(key),
            }
        }
        let outcomes =
            commands
                .iter()
                .map(|command| {
                    if choose(command) {
                        draft.apply(command)
                    } else {
                        Err(RegistryError::Stopping)
                    }
                })
                .collect();
        (draft.finish(), outcomes)
    }

    /// Has the store take the batch's rows, and those that it is owed.
    async fn store(&mut self, finished: &Finished) -> Result<(), JournalError> {
        let mut changes = finished.changes.clone();
        let batch: BTreeSet<&InstanceKey> = finished.touched.iter().collect();
        for key in self.owed.iter().filter(|key| !batch.contains(key)) {
            changes.push(match finished.next.member(key) {
                Some(member) => Change::PutMember(member.clone()),
                None => Change::DeleteMember(key.clone()),
            });
        }
        let result = self.journal.commit(finished.next.revision, changes).await;
        self.announcer.stored(&result);
        if result.is_ok() {
            self.owed.clear();
        }
        result
    }

    fn publish(&mut self, base: &Snapshot, finished: Finished) {
        let Finished { next, events, touched, .. } = finished;
        if next.revision == base.revision {
            self.announcer.holding(&self.leases);
            return;
        }
        let now = self.clock.elapsed();
        for key in &touched {
            self.leases.follow(key, next.member(key).map(AsRef::as_ref), now);
        }
        self.announcer.published(base, &next, &events);
        self.announcer.holding(&self.leases);
        self.registry.published.publish(next, events);
    }

    /// Takes the sign of life that is in a command. A registration that changes nothing is one
    /// too; one that changes something starts a new lease when it is applied.
    fn hear(&mut self, command: &Command, base: &Snapshot) {
        let now = self.clock.elapsed();
        match command {
            Command::Heartbeat(beat) => self.leases.beat(&beat.key, now),
            Command::Register(instances) => {
                for instance in instances {
                    let key = instance.key();
                    if base.member(&key).is_some_and(|member| member.instance == *instance) {
                        self.leases.beat(&key, now);
                    }
                }
            }
            _ => {}
        }
    }

    /// Asks a store that failed whether it takes changes again, and gives it what it is owed.
    async fn retry_store(&mut self) {
        let next = Snapshot::clone(&self.registry.snapshot());
        let (changes, events, touched) = (Vec::new(), Vec::new(), Vec::new());
        // What came of it is announced by `store`.
        let _result = self.store(&Finished { next, changes, events, touched }).await;
    }

    async fn adopt_options(&mut self) {
        let options = *self.options.borrow_and_update();
        self.leases.set_settings(options.self_preservation);
        let base = self.registry.snapshot();
        let mut draft = Draft::new(&base, &options, Timestamp(self.clock.wall_millis()));
        draft.adopt_default_policy();
        let finished = draft.finish();
        // The answers follow the setting although the store may be down: it is not its row.
        let _result = self.store(&finished).await;
        self.publish(&base, finished);
    }
}

/// The replies to those whose changes were not kept.
fn refuse_durable(outcomes: &mut [Outcome], commands: &[&Command], error: &JournalError) {
    for (outcome, command) in outcomes.iter_mut().zip(commands) {
        if command.must_be_durable() {
            *outcome = Err(RegistryError::NotDurable(error.clone()));
        }
    }
}

#[cfg(test)]
mod tests;
