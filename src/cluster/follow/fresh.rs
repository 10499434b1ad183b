//! Which of the heartbeats that others have left are new.
//!
//! A row of heartbeats does not say when it was written, and clocks need not agree. While the watch
//! is followed closely it comes within moments. What comes of a list, what a watch makes up for
//! when it is begun again, and what has waited in a stream that stood still, may be of any age; and
//! a heartbeat that is taken as of now would keep somebody alive who has died since. Who lives is
//! heard of again.
//!
//! A standstill of less than some seven seconds (`listen`: a pause before it is asked, and the time
//! for an answer), or a stream that comes steadily but late, is not noticed. Then a heartbeat
//! counts as much later as it was held up, and a death is found as much later, and no more: each
//! row comes by one watch once, in its order, and what a watch makes up for is from before it was
//! begun.

use crate::cluster::etcd::Watched;

/// What is known of how far behind the watch is.
#[derive(Debug, Default)]
pub(super) struct Fresh {
    /// Rows up to this revision are from before the watch was begun.
    after: u64,
    /// Whether rows may have waited on their way, until the store has said that no more do.
    is_in_doubt: bool,
}

// === impl Fresh ===

impl Fresh {
    /// A watch is about to be begun, in a store that has come to that revision.
    pub(super) fn begin(&mut self, at: u64) {
        *self = Self { after: at, is_in_doubt: false };
    }

    /// It is begun, at a member that is at that revision: perhaps not as far as the others.
    pub(super) fn begun(&mut self, at: u64) {
        self.begin(self.after.max(at));
    }

    /// Something was heard, perhaps after it was waited for in vain.
    pub(super) fn hear(&mut self, watched: &Watched, is_late: bool) {
        match watched {
            // In the order of what is told: everything before the question has come.
            Watched::Progress(_) => self.is_in_doubt = is_late,
            Watched::Changes(_) => self.is_in_doubt |= is_late,
            Watched::Canceled { .. } => {}
        }
    }

    /// Whether the store is to be asked how far the watch has come: rows may have waited, because
    /// what came was taken so slowly, or before.
    pub(super) fn is_in_doubt(&mut self, was_slow: bool) -> bool {
        self.is_in_doubt |= was_slow;
        self.is_in_doubt
    }

    /// Whether a row of that revision was written a moment ago.
    pub(super) fn is(&self, revision: u64) -> bool {
        revision > self.after && !self.is_in_doubt
    }
}
