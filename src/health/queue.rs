//! What is due and waits for room, in two queues.
//!
//! The first checks of a bulk registration all come due at the same moment. In one queue with the
//! others they would hold up every check that comes due after them, and a death would be noticed
//! late because somebody else was born. In a queue with less right than the others they would wait
//! for as long as the others are late. So the two take turns, and what was due anyway has more of
//! them.

use std::collections::VecDeque;

use super::record::CheckId;

/// Checks that were due anyway start so many times for each first one, while both wait. They need
/// no more than three quarters of what a healthy server can do; what they leave, first ones take.
const DUE_PER_FIRST: u8 = 3;

/// Checks that are due.
#[derive(Debug, Default)]
pub(super) struct Queue {
    /// Those that never ran: somebody has just registered them and waits.
    first: VecDeque<CheckId>,
    /// Those that run again.
    again: VecDeque<CheckId>,
    /// How many of the latter started since one of the former did.
    since_first: u8,
}

// === impl Queue ===

impl Queue {
    /// Adds a check that never ran.
    pub(super) fn push_first(&mut self, id: CheckId) {
        self.first.push_back(id);
    }

    /// Adds a check that runs again.
    pub(super) fn push_again(&mut self, id: CheckId) {
        self.again.push_back(id);
    }

    /// Whose turn it is.
    pub(super) fn pop(&mut self) -> Option<CheckId> {
        let is_firsts_turn = self.since_first >= DUE_PER_FIRST || self.again.is_empty();
        if is_firsts_turn && let Some(id) = self.first.pop_front() {
            self.since_first = 0;
            return Some(id);
        }
        self.since_first = self.since_first.saturating_add(1);
        self.again.pop_front()
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.first.len() + self.again.len()
    }

    /// Drops those that `is_wanted` does not know.
    pub(super) fn retain(&mut self, is_wanted: impl Fn(CheckId) -> bool) {
        self.first.retain(|id| is_wanted(*id));
        self.again.retain(|id| is_wanted(*id));
    }
}
