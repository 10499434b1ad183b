//! What was counted in a run, and what was found wrong in it.

use std::{fmt, time::Duration};

use hdrhistogram::Histogram;

use super::{Care, Outcome, Verdict};

/// What is told of so many violations, however many there are: the first ones explain the others.
const TOLD_MAX: usize = 20;

/// The counts of a run.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) changes: Changes,
    pub(crate) verdicts: Verdicts,
    /// Heartbeats that were acknowledged.
    pub(crate) beats: u64,
    /// Turns of what is checked.
    pub(crate) turns: u64,
    /// Questions to live servers without a reply.
    pub(crate) unanswered: u64,
    /// Questions to servers that were dead or stood still.
    pub(crate) unanswered_by_dead: u64,
    /// Reads of what was just written, elsewhere.
    pub(crate) reads: u64,
    /// How often the machine stood still.
    pub(crate) stalls: u64,
    /// Acknowledged changes that are not there at the end.
    pub(crate) lost: u64,
    told: Vec<String>,
    violations: usize,
}

/// What came of changes.
#[derive(Debug, Default)]
pub(crate) struct Changes {
    pub(crate) taken: u64,
    pub(crate) refused: u64,
    pub(crate) unsure: u64,
}

/// How right answers were, of each instance that they could show.
#[derive(Debug)]
pub(crate) struct Verdicts {
    pub(crate) right: u64,
    pub(crate) wrong: u64,
    late: u64,
    /// How late those were, in microseconds, of instances of which only changes are seen.
    changes_late: Histogram<u64>,
}

// === impl Tally ===

impl Tally {
    /// Notes something that must not be.
    pub(crate) fn violation(&mut self, say: impl FnOnce() -> String) {
        self.violations += 1;
        if self.told.len() < TOLD_MAX {
            self.told.push(say());
        }
    }

    /// Notes the same once more.
    pub(crate) fn violation_again(&mut self) {
        self.violations += 1;
    }

    /// # Panics
    /// When something was that must not be.
    pub(crate) fn check(&self) {
        self.check_after("the run");
    }

    /// The same as soon as something was done.
    ///
    /// # Panics
    /// When something was that must not be.
    pub(crate) fn check_after(&self, what: &str) {
        let (count, told) = (self.violations, self.told.join("\n"));
        assert!(count == 0, "{count} violations after {what}, the first:\n{told}\n{self}");
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { changes, verdicts, beats, turns, .. } = self;
        let Changes { taken, refused, unsure } = changes;
        writeln!(
            f,
            "changes: {taken} taken, {} lost, {refused} refused, {unsure} unsure",
            self.lost
        )?;
        writeln!(f, "{} reads of what was written, {beats} heartbeats, {turns} turns", self.reads)?;
        let at =
            |quantile| Duration::from_micros(verdicts.changes_late.value_at_quantile(quantile));
        let (late, of_changes) = (verdicts.late, verdicts.changes_late.len());
        writeln!(f, "shown: {} right, {late} late, {} wrong", verdicts.right, verdicts.wrong)?;
        writeln!(f, "late of changes alone: {of_changes}, p99 {:?}, most {:?}", at(0.99), at(1.0))?;
        let Self { unanswered, unanswered_by_dead: dead, stalls, .. } = self;
        write!(
            f,
            "unanswered: {unanswered}, by the dead {dead}; the machine stood still {stalls} times"
        )
    }
}

// === impl Changes ===

impl Changes {
    pub(in crate::cluster) fn count(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Taken(_) => self.taken += 1,
            Outcome::Refused => self.refused += 1,
            Outcome::Unsure => self.unsure += 1,
        }
    }
}

// === impl Verdicts ===

impl Default for Verdicts {
    fn default() -> Self {
        let changes_late = Histogram::new(2).expect("two digits are possible");
        Self { right: 0, wrong: 0, late: 0, changes_late }
    }
}

impl Verdicts {
    pub(super) fn count(&mut self, care: Care, verdict: Verdict) {
        match verdict {
            Verdict::Right => self.right += 1,
            Verdict::Wrong(_) => self.wrong += 1,
            Verdict::Late(by) => {
                self.late += 1;
                if care != Care::Nobody {
                    return;
                }
                let micros = u64::try_from(by.as_micros()).expect("a run is no eternity");
                self.changes_late.record(micros).expect("it grows as needed");
            }
        }
    }
}
