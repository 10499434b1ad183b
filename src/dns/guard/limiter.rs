//! Counting by rate in a table of fixed size, without a lock.
//!
//! A cell says until when what was counted there is paid for (the generic cell rate algorithm): a
//! count that would be ahead by more than a second is above the rate. Cells that are paid for say
//! nothing any more, and are anybody's. When all cells of a key are in use by others, the key is
//! not counted: in a flood of forged addresses without end, whoever the table has no room for is
//! let through rather than an innocent one limited.

use std::{
    hash::{BuildHasher, Hash},
    num::NonZeroU32,
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use hashbrown::DefaultHashBuilder;

/// Cells: 512 KiB. So many networks and names can be near their limit at once.
const CELLS: usize = 1 << 16;

/// Cells that a key may be in.
const PROBES: usize = 4;

/// Bits of a cell that say a time in microseconds, enough for nine years; the others are the key's.
const TIME_BITS: u32 = 48;
const TIME_MASK: u64 = (1 << TIME_BITS) - 1;

/// By how much a key may be ahead, microseconds: one second's worth may come at once.
const AHEAD_MAX: u64 = 1_000_000;

/// A table of rates.
#[derive(Debug)]
pub(super) struct Limiter {
    cells: Box<[AtomicU64]>,
    hash: DefaultHashBuilder,
}

// === impl Limiter ===

impl Limiter {
    pub(super) fn new() -> Self {
        let cells = std::iter::repeat_with(AtomicU64::default).take(CELLS).collect();
        Self { cells, hash: DefaultHashBuilder::default() }
    }

    /// Counts `key` at `now`, and says whether that is within `rate` a second.
    pub(super) fn admit(&self, key: impl Hash, rate: NonZeroU32, now: Duration) -> bool {
        let hash = self.hash.hash_one(key);
        let now = u64::try_from(now.as_micros()).unwrap_or(u64::MAX) & TIME_MASK;
        let (tag, cost) = (hash & !TIME_MASK, AHEAD_MAX / u64::from(rate.get()));
        let Some((cell, seen)) = self.find(hash, tag, now) else { return true };
        let paid = if seen & !TIME_MASK == tag { (seen & TIME_MASK).max(now) } else { now };
        let next = paid + cost;
        if next > now + AHEAD_MAX {
            return false;
        }
        // Whoever was quicker has counted one; this one is forgotten.
        let _ = cell.compare_exchange(seen, tag | next & TIME_MASK, Relaxed, Relaxed);
        true
    }

    /// The cell of a key and what it says: the one that it has, else one that nobody needs.
    fn find(&self, hash: u64, tag: u64, now: u64) -> Option<(&AtomicU64, u64)> {
        let first = usize::try_from(hash & (CELLS as u64 - 1)).unwrap_or_default();
        let cell = |probe: usize| {
            let cell = &self.cells[(first + probe) % CELLS];
            (cell, cell.load(Relaxed))
        };
        let mut cells = (0..PROBES).map(cell);
        let is_own = |&(_, seen): &(&AtomicU64, u64)| seen != 0 && seen & !TIME_MASK == tag;
        let is_free = |&(_, seen): &(&AtomicU64, u64)| seen & TIME_MASK <= now;
        cells.find(is_own).or_else(|| (0..PROBES).map(cell).find(is_free))
    }
}

#[cfg(test)]
mod tests {
    use std::{num::NonZeroU32, time::Duration};

    use super::{CELLS, Limiter};

    fn rate(count: u32) -> NonZeroU32 {
        NonZeroU32::new(count).unwrap()
    }

    #[test]
    fn one_second_at_once_and_then_the_rate() {
        let limiter = Limiter::new();
        let at = |milliseconds: u64| Duration::from_millis(1_000_000 + milliseconds);
        let admitted = |count: u32, milliseconds: u64| {
            (0..count).filter(|_| limiter.admit("a", rate(10), at(milliseconds))).count()
        };
        assert_eq!(admitted(30, 0), 10);
        assert_eq!(admitted(5, 99), 0, "a refused one costs nothing");
        assert_eq!(admitted(5, 100), 1);
        assert_eq!(admitted(30, 600), 5);
        assert_eq!(admitted(30, 60_000), 10, "no more is saved up");
        assert!(limiter.admit("b", rate(10), at(60_000)), "others are not concerned");
    }

    #[test]
    fn a_crowd_limits_nobody_else_and_itself_as_far_as_there_is_room() {
        let limiter = Limiter::new();
        let now = Duration::from_secs(7);
        let mut admitted = 0;
        for key in 0..CELLS * 4 {
            for _ in 0..2 {
                admitted += usize::from(limiter.admit(key, rate(1), now));
            }
        }
        // Each once, and twice those that found no cell; a few were taken for another.
        let expected = CELLS * 7 - CELLS / 100..CELLS * 7 + CELLS / 10;
        assert!(expected.contains(&admitted), "{admitted} of {}", CELLS * 8);
        // A second later all is paid for.
        assert!(limiter.admit(0, rate(1), now + Duration::from_millis(1_001)));
    }
}
