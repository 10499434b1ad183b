//! How many questions of clients may be under way to upstreams, in all. What is asked on our own
//! account (`care`) is apart from that: a few for each upstream.
//!
//! What waits is limited by messages (`lane`). One message can have several upstreams asked, and
//! what it has them asked may go on when it has its answer: a stale one, or one that came from the
//! cache and is fetched again. Each question takes up to three descriptors, one for each packet
//! that hickory sends for it, so they have a limit of their own.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts the questions that are under way; clones share the count.
#[derive(Debug, Clone, Default)]
pub(super) struct Attempts(Arc<AtomicUsize>);

/// Leave for one question; given back when dropped.
#[derive(Debug)]
pub(super) struct Leave(Attempts);

// === impl Attempts ===

impl Attempts {
    /// Leave for a question, if fewer than `max` are under way.
    pub(super) fn begin(&self, max: usize) -> Option<Leave> {
        let one_more = |count: usize| (count < max).then_some(count + 1);
        self.0.try_update(Relaxed, Relaxed, one_more).ok().map(|_| Leave(self.clone()))
    }
}

// === impl Leave ===

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::Attempts;

    #[test]
    fn leave_is_given_up_to_the_limit_and_again_when_it_comes_back() {
        let attempts = Attempts::default();
        let first = attempts.begin(2).unwrap();
        let _second = attempts.begin(2).unwrap();
        assert!(attempts.begin(2).is_none());
        drop(first);
        assert!(attempts.begin(2).is_some());
    }
}
