//! Instants that are stored and shown, and the registry's own count of changes.

use std::{fmt, time::Duration};

use super::limit;

/// Milliseconds since the Unix epoch, by the wall clock. For people and for the store; deadlines
/// are kept on the monotonic clock and never on this one, so that a jump expires nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Timestamp(pub u64);

/// The number of a change. Grows with every change of state and never shrinks; a snapshot carries
/// the number of the last change that it shows.
///
/// With a store of one server's own it grows by one. With one that servers share, its upper 48
/// bits are the revision of that store, the same on every server, and the lower 16 count what this
/// server has seen by itself since; see [`Revision::shared`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Hash)]
pub struct Revision(pub u64);

// === impl Timestamp ===

impl Timestamp {
    /// The time from `earlier` to this one; zero when the clock went backwards in between.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// The time so long before this one, or the earliest there is.
    #[must_use]
    pub fn before(self, by: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
    }
}

// === impl Revision ===

impl Revision {
    /// The number after this one.
    #[must_use]
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Bits for what one server sees between two changes of a store that servers share. What is
    /// left of the 53 bits that all readers of JSON agree on, 2³⁷ revisions, is enough for eight
    /// years with 500 changes each second.
    const STEP_BITS: u32 = 16;

    /// The revision of the shared store `revision`, with nothing seen since.
    #[must_use]
    pub fn shared(revision: u64) -> Self {
        Self(revision << Self::STEP_BITS)
    }

    /// The revision of the shared store in this one.
    #[must_use]
    pub fn shared_part(self) -> u64 {
        self.0 >> Self::STEP_BITS
    }

    /// What this server has shown by itself since that revision of the shared store, in its own
    /// numbers; 0 means the same on every server.
    #[must_use]
    pub fn step(self) -> u16 {
        let [.., high, low] = self.0.to_be_bytes();
        u16::from_be_bytes([high, low])
    }

    /// The same revision of the shared store with another step of this server's own.
    #[must_use]
    pub fn with_step(self, step: u16) -> Self {
        Self(self.0 & !u64::from(u16::MAX) | u64::from(step))
    }

    /// Where to go on after a restart, given the last one that was kept; an empty registry begins
    /// at zero. What is seen is shown before it is kept, so the life before may have shown later
    /// revisions than this one; none of them may come again with another meaning.
    #[must_use]
    pub fn after_restart(self) -> Self {
        /// More than what can be seen while one commit runs: as many instances as there may be
        /// falling silent, and coming back, four times. 64 bits have room for 10¹² restarts.
        const GAP: u64 = 1 << 24;
        const _: () = assert!(GAP >= 8 * limit::INSTANCES_MAX as u64);
        Self(if self.0 == 0 { 0 } else { self.0 + GAP })
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
