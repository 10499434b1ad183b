//! The counters of one who answers, and the pen that writes to them.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use parking_lot::Mutex;

use super::labels::{DropReason, RCODES, TYPES, rcode_index, type_index};
use crate::dns::answer::{Guarded, Summary};

/// Bounded buckets of the histogram of times: upper bounds of 1 µs, 2 µs, 4 µs … up to about one
/// second; behind them one for what took longer. An answer takes single microseconds, a log scale
/// shows both those and a stall.
pub(super) const BUCKETS: usize = 21;

/// Counters that one pen writes and anybody may read. Aligned to two cache lines, the unit in which
/// processors prefetch, so that two workers' tallies never share one.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(super) struct Tally {
    pub queries: [AtomicU64; TYPES.len()],
    pub responses: [AtomicU64; RCODES.len()],
    pub dropped: [AtomicU64; DropReason::ALL.len()],
    pub truncated: AtomicU64,
    pub full_path: AtomicU64,
    pub failing_open: AtomicU64,
    pub guarded: [AtomicU64; Guarded::ALL.len()],
    pub buckets: [AtomicU64; BUCKETS + 1],
    pub nanoseconds: AtomicU64,
}

/// The only one who writes to a tally: neither cloneable nor shared, which makes a load and a store
/// as good as an atomic addition, for a fifth of its price.
#[derive(Debug)]
pub(in crate::dns) struct Pen(Arc<Tally>);

/// A pen for those who come and go: connections, the full path.
pub(in crate::dns) type SharedPen = Arc<Mutex<Pen>>;

// === impl Tally ===

impl Tally {
    /// The upper bound of a bucket, seconds.
    #[allow(clippy::cast_precision_loss, reason = "powers of two are exact")]
    pub(super) fn bound(bucket: usize) -> f64 {
        if bucket < BUCKETS { (1_u64 << bucket) as f64 / 1e6 } else { f64::INFINITY }
    }
}

// === impl Pen ===

impl Pen {
    /// A pen with a new tally.
    pub(super) fn new() -> (Self, Arc<Tally>) {
        let tally = Arc::new(Tally::default());
        (Self(Arc::clone(&tally)), tally)
    }

    /// This pen for many.
    pub(in crate::dns) fn shared(self) -> SharedPen {
        Arc::new(Mutex::new(self))
    }

    /// Counts a query of type `qtype`; zero, which is no type, if its type is not known.
    #[inline]
    pub(in crate::dns) fn query(&mut self, qtype: u16) {
        add(&self.0.queries[type_index(qtype)], 1);
    }

    /// Counts a reply.
    #[inline]
    pub(in crate::dns) fn response(&mut self, summary: &Summary) {
        add(&self.0.responses[rcode_index(summary.rcode)], 1);
        if summary.truncated {
            add(&self.0.truncated, 1);
        }
        if summary.fail_open.is_some() {
            add(&self.0.failing_open, 1);
        }
        if let Some(guarded) = summary.guarded {
            add(&self.0.guarded[guarded as usize], 1);
        }
    }

    /// Counts packets that got no reply.
    #[inline]
    pub(in crate::dns) fn dropped(&mut self, reason: DropReason, packets: u64) {
        if packets > 0 {
            add(&self.0.dropped[reason as usize], packets);
        }
    }

    /// Counts a packet that went to the full path.
    #[inline]
    pub(in crate::dns) fn full_path(&mut self) {
        add(&self.0.full_path, 1);
    }

    /// Counts `replies` that took `each` from the packet's arrival in this process to the reply's
    /// handing over to the system. A batch is timed as a whole, twice a clock's price for up to
    /// sixteen packets, and its time stands for each of its replies: an upper bound, since the
    /// first of a batch is not sent before the last is answered.
    #[inline]
    pub(in crate::dns) fn duration(&mut self, each: Duration, replies: u64) {
        if replies == 0 {
            return;
        }
        let nanoseconds = u64::try_from(each.as_nanos()).unwrap_or(u64::MAX);
        add(&self.0.buckets[bucket(nanoseconds)], replies);
        add(&self.0.nanoseconds, nanoseconds.saturating_mul(replies));
    }
}

/// The bucket of a time.
fn bucket(nanoseconds: u64) -> usize {
    let microseconds = nanoseconds.div_ceil(1_000).max(1);
    // The next power of two is the bound; its logarithm is the bucket.
    let log = u64::BITS - (microseconds - 1).leading_zeros();
    usize::try_from(log).map_or(BUCKETS, |log| log.min(BUCKETS))
}

#[inline]
fn add(counter: &AtomicU64, count: u64) {
    counter.store(counter.load(Relaxed).wrapping_add(count), Relaxed);
}

#[cfg(test)]
mod tests {
    use super::{BUCKETS, Tally, bucket};

    #[test]
    #[allow(clippy::cast_precision_loss)]
    fn a_time_is_within_the_bound_of_its_bucket_and_above_the_one_below() {
        for nanoseconds in [0, 1, 999, 1_000, 1_001, 2_000, 2_001, 1_000_000, u64::MAX / 2] {
            let (at, seconds) = (bucket(nanoseconds), nanoseconds as f64 / 1e9);
            assert!(seconds <= Tally::bound(at), "{nanoseconds} ns");
            assert!(at == 0 || seconds > Tally::bound(at - 1), "{nanoseconds} ns");
        }
        assert_eq!(bucket(1_048_576_000), BUCKETS - 1);
        assert_eq!(bucket(1_048_576_001), BUCKETS);
    }
}
