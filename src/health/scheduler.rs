//! The one task that decides when which check runs, and which results are reported.
//!
//! A check that exists is in exactly one of two places: in the wheel, or among the due that wait
//! for room. Nothing is taken out of either when a check goes; its name is recognised as stale when
//! it comes up. What is long due is put into the wheel for a while only, so that the names of
//! checks that are gone do not gather there for a day.

use std::{
    collections::VecDeque,
    future::{Future, pending},
    pin::{Pin, pin},
    sync::Arc,
    time::Duration,
};

use futures_util::FutureExt;
use tokio::{
    task::yield_now,
    time::{Sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

use super::{
    follow::{FirstRun, Roster, Turnover},
    outcome::Outcome,
    probe::{Job, Probe},
    queue::Queue,
    record::{CheckId, Record},
    runner::{Done, Runner},
    stats::Stats,
};
use crate::{
    model::{CheckReport, CheckState, Command},
    registry::{Reader, Registry, RegistryError, Snapshot},
    util::{Clock, Wheel},
};

/// The wheel's step, a tenth of the shortest interval.
const TICK: Duration = Duration::from_millis(10);
/// The longest time for which a name is put into the wheel: one turn of it.
const HORIZON: Duration = Duration::from_secs(40);
/// By up to which share an interval is shortened at random. Only shortened: lengthened, a dead
/// instance would be answered for longer than `interval × fall + timeout`.
const JITTER: f64 = 0.1;
/// Within which time the checks that were known before a restart run again.
const RESTART_SPREAD: Duration = Duration::from_secs(3);
/// Checks that start in one go; then all that is ready has its turn before the next ones start. So
/// probes in flight are those that wait for their targets and not for a core, and a timeout
/// measures the target: with 1,000 started at once the last of them would begin 50 ms late.
const STARTS_MAX: usize = 32;
/// How often a new output text alone is reported, for each check.
const OUTPUT_PACE: Duration = Duration::from_secs(60);
/// How often it is logged that probes fail for a cause on this server.
const NOT_RUN_PACE: Duration = Duration::from_secs(60);

/// All checks and everything that is under way for them.
#[derive(Debug)]
pub(super) struct Scheduler<P> {
    registry: Registry,
    reader: Reader,
    clock: Clock,
    roster: Roster,
    wheel: Wheel<CheckId>,
    waiting: Queue,
    runner: Runner<P>,
    /// What the registry has yet to take; no probe starts while these are as many as may fly.
    reports: VecDeque<CheckReport>,
    stats: Stats,
    random: fastrand::Rng,
    not_run_logged: Option<Duration>,
}

// === impl Scheduler ===

impl<P: Probe> Scheduler<P> {
    /// Nothing is checked before [`Scheduler::run`].
    pub(super) fn new(registry: Registry, runner: Runner<P>, clock: Clock, stats: Stats) -> Self {
        Self {
            reader: registry.reader(),
            roster: Roster::new(registry.ownership().clone()),
            registry,
            clock,
            wheel: Wheel::new(TICK),
            waiting: Queue::default(),
            runner,
            reports: VecDeque::new(),
            stats,
            random: fastrand::Rng::new(),
            not_run_logged: None,
        }
    }

    /// Checks until `stop`, or until the registry takes no more results.
    pub(super) async fn run(mut self, stop: CancellationToken) {
        let mut revisions = self.registry.events().subscribe();
        let mut tasks = self.registry.ownership().subscribe();
        self.wheel.advance(self.clock.elapsed(), &mut Vec::new());
        self.resync();
        // A timer for all turns: a new one for each would wake the driver each time.
        let mut timer = pin!(sleep_until(self.clock.instant(Duration::ZERO)));
        let mut look = pin!(sleep_until(self.clock.instant(Duration::ZERO)));
        loop {
            let is_behind = self.launch();
            let turn = self.wheel.next_at();
            self.wind(timer.as_mut(), turn);
            self.wind(look.as_mut(), self.roster.looks_at());
            tokio::select! {
                () = stop.cancelled() => return,
                Ok(()) = revisions.changed() => {
                    if !self.follow() {
                        revisions.mark_changed();
                    }
                }
                Ok(()) = tasks.changed() => self.roster.look_again(),
                () = look.as_mut(), if self.roster.looks_at().is_some() => self.look_at_some(),
                done = self.runner.next(), if self.runner.in_flight() > 0 => self.finish_all(done),
                sent = send(&self.registry, self.reports.front()) => {
                    if sent.is_err() || self.send_on().is_err() {
                        return; // the registry is stopping, and so are we
                    }
                }
                () = timer.as_mut(), if !self.wheel.is_empty() => self.turn(),
                () = yield_now(), if is_behind => {}
            }
        }
    }

    /// Sets a timer, if there is something to wait for.
    fn wind(&self, timer: Pin<&mut Sleep>, at: Option<Duration>) {
        if let Some(at) = at.map(|at| self.clock.instant(at))
            && timer.deadline() != at
        {
            timer.reset(at);
        }
    }

    /// Takes the report that was sent away, and sends on while the registry has room.
    fn send_on(&mut self) -> Result<(), RegistryError> {
        self.reports.pop_front();
        while let Some(report) = self.reports.front()
            && let Some(sent) = send(&self.registry, Some(report)).now_or_never()
        {
            sent?;
            self.reports.pop_front();
        }
        Ok(())
    }

    /// Makes the checks those of what is there, and this server's task, in one go.
    fn resync(&mut self) {
        let turnover = self.roster.resync(&self.registry.snapshot(), self.clock.elapsed());
        self.take(turnover);
    }

    /// Takes and drops some of what has become this server's task, or is none any more.
    fn look_at_some(&mut self) {
        let began = self.clock.elapsed();
        let turnover = self.roster.look_at_some(&self.registry.snapshot(), began);
        self.take(turnover);
        self.roster.rest(began, self.clock.elapsed());
    }

    /// Follows the registry, and says whether that was all there is for now.
    fn follow(&mut self) -> bool {
        let (turnover, is_all) = self.roster.catch_up(&self.registry, self.clock.elapsed());
        self.take(turnover);
        is_all
    }

    /// Ends the checks that are gone and finds a time for those that are new.
    fn take(&mut self, turnover: Turnover) {
        for (id, record) in turnover.gone {
            self.runner.cancel(id);
            self.stats.removed(record.spec());
        }
        let now = self.clock.elapsed();
        for (id, run) in turnover.come {
            let Some(record) = self.roster.get_mut(id) else { continue };
            self.stats.added(record.spec());
            match run {
                FirstRun::AtOnce => self.waiting.push_first(id),
                FirstRun::Soon => {
                    let spread = record.thresholds().interval.min(RESTART_SPREAD);
                    record.output_from = now + OUTPUT_PACE.mul_f64(self.random.f64());
                    let phase = spread.mul_f64(self.random.f64());
                    self.schedule(id, now + phase);
                }
            }
        }
        // Stale names are otherwise only met when there is room, and there may be none for long.
        if self.waiting.len() > 2 * self.roster.len() + 1_024 {
            self.waiting.retain(|id| self.roster.get(id).is_some());
        }
    }

    fn schedule(&mut self, id: CheckId, due: Duration) {
        if let Some(record) = self.roster.get_mut(id) {
            record.due = due;
            self.wheel.insert(due.min(self.clock.elapsed() + HORIZON), id);
        }
    }

    /// Moves the checks that have come due to those that wait for room.
    fn turn(&mut self) {
        let now = self.clock.elapsed();
        let mut fired = Vec::new();
        self.wheel.advance(now, &mut fired);
        for id in fired {
            let Some(record) = self.roster.get(id) else { continue };
            if record.due > now {
                self.schedule(id, record.due);
            } else if record.is_running {
                self.stats.skipped();
                let next = record.due + record.thresholds().interval;
                self.schedule(id, next.max(now));
            } else {
                self.waiting.push_again(id);
            }
        }
    }

    /// Starts some of what is due, while there is room, and says whether there is more to start.
    fn launch(&mut self) -> bool {
        let mut tried = 0;
        while tried < STARTS_MAX
            && self.runner.has_room(self.reports.len())
            && let Some(id) = self.waiting.pop()
        {
            if let Some(given_up) = self.roster.give_up(id) {
                self.take(given_up);
                tried += 1;
                continue;
            }
            let Some(record) = self.roster.get_mut(id) else { continue };
            let now = self.clock.elapsed();
            let interval = record.thresholds().interval;
            let part = self.random.f64();
            // Those that were registered together part ways after their first check.
            let share = if record.is_first { part } else { 1.0 - JITTER * part };
            self.stats.started(record.is_first, now.saturating_sub(record.due));
            record.is_first = false;
            record.is_running = true;
            let job = Job { instance: Arc::clone(&record.instance), check: record.index.into() };
            self.runner.start(id, job);
            self.schedule(id, now + interval.mul_f64(share));
            tried += 1;
        }
        self.stats.busy(self.runner.in_flight(), self.waiting.len());
        tried == STARTS_MAX
    }

    /// Takes a result and all others that are there.
    fn finish_all(&mut self, mut done: Option<Done>) {
        while let Some(result) = done.take() {
            self.finish(result);
            done = self.runner.try_next();
        }
    }

    /// Takes a result. Those of checks that are gone are dropped here; should the registration have
    /// been replaced without our knowing yet, the registry drops them.
    fn finish(&mut self, done: Done) {
        if let Some(given_up) = self.roster.give_up(done.id) {
            self.take(given_up);
            return;
        }
        let now = self.clock.elapsed();
        let Some(record) = self.roster.get_mut(done.id) else { return };
        record.is_running = false;
        record.has_result = true;
        self.stats.finished(record.spec(), &done.outcome, done.took);
        let is_ours = done.outcome.status.is_none();
        if is_ours && self.not_run_logged.is_none_or(|last| now >= last + NOT_RUN_PACE) {
            self.not_run_logged = Some(now);
            let (key, output) = (record.instance.key(), &done.outcome.output);
            tracing::warn!(%key, %output, "a cause on this server; the result is not counted");
        }
        self.reports.extend(judge(record, done.outcome, self.reader.load(), now));
    }
}

/// Counts a result, and says what the registry is to be told of it.
fn judge(
    record: &mut Record,
    outcome: Outcome,
    snapshot: &Snapshot,
    now: Duration,
) -> Option<CheckReport> {
    let stored = stored(record, snapshot)?;
    let thresholds = *record.thresholds();
    let decides = stored.awaits_first_result() && record.instance.first_result_decides();
    let turned = outcome.status.is_some_and(|result| match decides {
        true => record.streak.begin(result),
        false => record.streak.observe(result, &thresholds),
    });
    let believed = record.streak.believed();
    // A result that contradicts what is believed does not explain it.
    let agrees = outcome.status.is_none_or(|result| record.streak.agrees(result));
    let differs = stored.status != believed;
    let is_news = *stored.output != *outcome.output && now >= record.output_from;
    if !agrees || !(turned || differs || is_news) {
        return None;
    }
    record.output_from = now + OUTPUT_PACE;
    Some(CheckReport {
        key: record.instance.key(),
        registered: record.registered,
        check: record.index.into(),
        status: believed,
        output: outcome.output.into(),
        since: None,
    })
}

/// What the registry knows of the check; `None` when the registration was replaced or removed.
fn stored<'a>(record: &Record, snapshot: &'a Snapshot) -> Option<&'a CheckState> {
    let instance = &record.instance;
    let member = snapshot.member_like(instance)?;
    let same = member.registered == record.registered;
    member.checks.get(usize::from(record.index)).filter(|_| same)
}

/// Sends the first of the reports; never ready when there is none. What becomes of it is not
/// waited for: a report that is lost is repeated by the next result.
fn send(
    registry: &Registry,
    report: Option<&CheckReport>,
) -> impl Future<Output = Result<(), RegistryError>> {
    let command = report.cloned().map(Command::Report);
    async move {
        match command {
            Some(command) => registry.enqueue(command).await,
            None => pending().await,
        }
    }
}

#[cfg(test)]
mod tests;
