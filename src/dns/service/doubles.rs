//! Records that may be there already: a set has no record twice (RFC 2181 §5).

use crate::dns::{
    caller::Caller,
    encode::{Mark, Reply},
};

/// Steps that looking for doubles may take on the fast path: some 20 µs, what the full path costs
/// anyway. Each record is compared with all those before it, so that 3,000 that differ would keep
/// a thread for 10 ms, and ten thousand that are one for a millisecond.
const FAST_STEPS_MAX: usize = 8_000;

/// A record that is written and taken back costs as much as so many comparisons.
const DOUBLE_STEPS: usize = 40;

/// Looks for doubles among the records of one name and type, and counts what that costs.
#[derive(Debug)]
pub(super) struct Doubles {
    /// Where the first record begins.
    first: usize,
    steps: usize,
    found: usize,
    is_fast: bool,
}

// === impl Doubles ===

impl Doubles {
    /// Among the records that `reply` will have from now on.
    pub(super) fn from_here(reply: &Reply<'_>, caller: Caller) -> Self {
        Self { first: reply.position(), steps: 0, found: 0, is_fast: !caller.may_allocate }
    }

    /// Takes the last record back if it was there before; it was written since `mark`, and its data
    /// begins at `start`. Returns whether it was.
    pub(super) fn take_back(&mut self, reply: &mut Reply<'_>, mark: Mark, start: usize) -> bool {
        let (is_double, compared) = reply.repeats(self.first, start);
        self.steps += compared;
        if is_double {
            self.steps += DOUBLE_STEPS;
            self.found += 1;
            reply.rollback(mark);
        }
        is_double
    }

    /// How many there were.
    pub(super) fn found(&self) -> usize {
        self.found
    }

    /// Whether it takes longer than the caller may.
    pub(super) fn take_long(&self) -> bool {
        self.is_fast && self.steps > FAST_STEPS_MAX
    }
}
