//! The cache of what upstreams have said.
//!
//! moka, which hickory-resolver brings along already: bounded by octets, with an eviction that
//! random names do not win against names that are asked for, and readers that do not wait for one
//! another. Nothing leaves it by age: what is over is answered when no upstream does (RFC 8767),
//! and is in nobody's way else. hickory's own cache is not used: it forgets what is over, and
//! knows neither DO nor CD.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering::Relaxed},
    },
    time::Duration,
};

use super::{
    failure::Failure,
    key::{Key, KeyRef},
    message::{Age, Kept},
    metrics::ForwardMetrics,
};

/// Octets that an entry takes beside key and message.
const OVERHEAD: usize = 200;

/// For how long it is believed that a name cannot be looked up (RFC 9520 §3.2: from a second on).
const FAILURE_HOLD: Duration = Duration::from_secs(1);

/// The same while there is a stale answer, which is given meanwhile without a wait.
const STALE_HOLD: Duration = Duration::from_secs(5);

/// Times that a message must have been asked for to be fetched again before it runs out.
const POPULAR: u32 = 2;

/// Lifetime from which on that is worth it, seconds: below it nearly every question would do it.
const PREFETCH_LIFETIME_MIN: u32 = 4;

/// The cache; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Cache {
    entries: moka::sync::Cache<Key, Arc<Entry>>,
    metrics: ForwardMetrics,
    stale_max: u32,
}

#[derive(Debug)]
struct Entry {
    message: Option<Arc<Kept>>,
    /// Why the message could not be had anew, and until when that is believed.
    failure: Option<(Failure, Duration)>,
    asked_for: AtomicU32,
    is_prefetched: AtomicBool,
}

/// What is known of a question.
#[derive(Debug, Clone)]
pub(in crate::dns) enum Told {
    /// This.
    Message(Arc<Kept>, Age),
    /// That it cannot be looked up.
    Failed(Failure),
}

/// What the cache says.
#[derive(Debug)]
pub(super) enum Found {
    /// It knows; whether it should be asked for again now, before it is over.
    Known(Told, bool),
    /// It does not; an old message, if it has one.
    Missing(Option<Arc<Kept>>),
}

// === impl Cache ===

impl Cache {
    /// An empty cache of at most so many octets, that answers for so many seconds after time.
    pub(super) fn new(octets: u64, stale_max: u32, metrics: ForwardMetrics) -> Self {
        let evictions = metrics.evictions.clone();
        let entries = moka::sync::Cache::builder()
            .max_capacity(octets)
            .weigher(|key: &Key, entry: &Arc<Entry>| {
                let message = entry.message.as_ref().map_or(0, |message| message.octets());
                u32::try_from(key.octets() + message + OVERHEAD).unwrap_or(u32::MAX)
            })
            .eviction_listener(move |_, _, cause| {
                if cause == moka::notification::RemovalCause::Size {
                    evictions.inc();
                }
            })
            .build();
        Self { entries, metrics, stale_max }
    }

    /// What it knows at `now`; `is_down` says that nobody could be asked anyway.
    pub(super) fn find(&self, asked: &KeyRef, now: Duration, is_down: Option<Failure>) -> Found {
        let entry = self.entries.get(asked.as_octets());
        let message = entry.as_ref().and_then(|entry| entry.message.as_ref());
        let age = message.map(|message| message.age(now));
        if let (Some(entry), Some(message), Some(age)) = (&entry, message, age)
            && age < message.lifetime()
        {
            self.metrics.hit(message.is_negative());
            let told = Told::Message(Arc::clone(message), Age::Fresh(age));
            return Found::Known(told, entry.is_to_be_prefetched(message.lifetime(), age));
        }
        let is_useful = |message: &&Arc<Kept>| age.is_some_and(|age| self.is_useful(message, age));
        let stale = message.filter(is_useful);
        let failure = entry.as_ref().and_then(|entry| entry.failure);
        let failure = failure.filter(|(_, until)| now < *until).map(|(failure, _)| failure);
        match (failure.or(is_down), stale) {
            (Some(_), Some(stale)) => Found::Known(self.stale(stale), false),
            (Some(failure), None) => Found::Known(Told::Failed(failure), false),
            (None, stale) => Found::Missing(stale.cloned()),
        }
    }

    /// A message after its time, counted.
    pub(super) fn stale(&self, message: &Arc<Kept>) -> Told {
        self.metrics.stale.inc();
        Told::Message(Arc::clone(message), Age::Stale)
    }

    /// Keeps a message, unless it is only for whoever asked.
    pub(super) fn keep(&self, key: &Key, message: &Arc<Kept>) {
        if message.lifetime() > 0 {
            let entry = Entry::new(Some(Arc::clone(message)), None);
            self.entries.insert(key.clone(), Arc::new(entry));
        } else {
            self.entries.invalidate(key);
        }
    }

    /// Remembers for a moment that a question could not be answered.
    pub(super) fn fail(&self, key: &Key, failure: Failure, now: Duration) {
        let entry = self.entries.get(key);
        let message = entry.as_ref().and_then(|entry| entry.message.clone());
        // For all of that time: what is over in between has to be asked for then.
        let then = now + STALE_HOLD;
        let may_be_given = |message: &Arc<Kept>| self.is_useful(message, message.age(then));
        let hold = match message.as_ref().is_some_and(may_be_given) {
            true => STALE_HOLD,
            false => FAILURE_HOLD,
        };
        let next = Entry::new(message, Some((failure, now + hold)));
        // One that was to be fetched in time, and could not be, is not fetched again and again.
        if let Some(entry) = entry {
            next.asked_for.store(entry.asked_for.load(Relaxed), Relaxed);
            next.is_prefetched.store(entry.is_prefetched.load(Relaxed), Relaxed);
        }
        self.entries.insert(key.clone(), Arc::new(next));
    }

    /// Whether a message may still be given, in its time or for a while after it.
    fn is_useful(&self, message: &Kept, age: u32) -> bool {
        let lifetime = message.lifetime();
        lifetime > 0 && (age < lifetime || age - lifetime < self.stale_max)
    }

    /// Shows how full it is.
    pub(super) fn measure(&self) {
        self.entries.run_pending_tasks();
        let shown = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
        self.metrics.entries.set(shown(self.entries.entry_count()));
        self.metrics.octets.set(shown(self.entries.weighted_size()));
    }
}

// === impl Entry ===

impl Entry {
    fn new(message: Option<Arc<Kept>>, failure: Option<(Failure, Duration)>) -> Self {
        let (asked_for, is_prefetched) = (AtomicU32::new(0), AtomicBool::new(false));
        Self { message, failure, asked_for, is_prefetched }
    }

    /// Whether it is time to fetch it again: in the last tenth of its time, or its last second, if
    /// it was asked for before. Says so once.
    fn is_to_be_prefetched(&self, lifetime: u32, age: u32) -> bool {
        let asked_for = self.asked_for.fetch_add(1, Relaxed) + 1;
        lifetime >= PREFETCH_LIFETIME_MIN
            && asked_for >= POPULAR
            && lifetime - age <= (lifetime / 10).max(1)
            && !self.is_prefetched.swap(true, Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use hickory_resolver::proto::{
        op::Message,
        rr::{Name, RData, Record, rdata},
    };

    use super::{Cache, Found, Told};
    use crate::{
        dns::forward::{
            failure::Failure,
            key::KeyRef,
            message::{Kept, Limits},
            metrics::ForwardMetrics,
        },
        telemetry::Metrics,
    };

    const FAILURE: Failure = Failure::Code(2);

    fn asked() -> KeyRef {
        KeyRef::new(b"\x03www\x07example\x00", 1, (false, false))
    }

    /// A cache with an address for `ttl` seconds, which came at 100 seconds.
    fn cache(ttl: u32, stale_max: u32) -> Cache {
        let cache = Cache::new(1 << 20, stale_max, ForwardMetrics::new(&Metrics::new()));
        let mut message = Message::query().into_response();
        let owner = Name::from_ascii("www.example.").unwrap();
        let data = RData::A(rdata::A::new(192, 0, 2, 1));
        message.answers = vec![Record::from_rdata(owner, ttl, data)];
        let limits = Limits { max_ttl: 1_000, negative_max_ttl: 500 };
        let kept = Kept::new(&asked().to_key(), &message, limits, at(0.0)).unwrap();
        cache.keep(&asked().to_key(), &Arc::new(kept));
        cache
    }

    fn at(seconds: f64) -> Duration {
        Duration::from_secs_f64(100.0 + seconds)
    }

    /// Whether it is to be fetched again; `None` when it is not known.
    fn prefetch(cache: &Cache, seconds: f64) -> Option<bool> {
        match cache.find(&asked(), at(seconds), None) {
            Found::Known(Told::Message(..), prefetch) => Some(prefetch),
            _ => None,
        }
    }

    #[test]
    fn what_could_not_be_fetched_in_time_is_not_fetched_again_and_again() {
        let cache = cache(20, 0);
        for _ in 0..10 {
            assert_eq!(prefetch(&cache, 1.0), Some(false), "it is young");
        }
        assert_eq!(prefetch(&cache, 18.5), Some(true));
        for _ in 0..10 {
            cache.fail(&asked().to_key(), FAILURE, at(18.6));
            assert_eq!(prefetch(&cache, 18.7), Some(false), "once is enough");
        }
    }

    #[test]
    fn only_what_is_asked_for_often_and_lives_for_a_while_is_fetched_in_time() {
        let long = cache(20, 0);
        assert_eq!(prefetch(&long, 18.5), Some(false), "nobody has asked before");
        assert_eq!(prefetch(&long, 18.6), Some(true));
        let short = cache(3, 0);
        for _ in 0..10 {
            assert_eq!(prefetch(&short, 2.5), Some(false), "each question would do it");
        }
    }

    #[test]
    fn with_nobody_to_ask_what_is_not_known_has_failed_already() {
        let cache = cache(5, 60);
        let find = |seconds| cache.find(&asked(), at(seconds), Some(Failure::Down));
        assert!(matches!(find(6.0), Found::Known(Told::Message(..), false)), "it is stale");
        assert!(matches!(find(66.0), Found::Known(Told::Failed(Failure::Down), false)));
    }

    #[test]
    fn a_failure_is_believed_for_longer_only_when_something_old_is_there_to_be_given() {
        for (stale_max, failed, is_known) in [(0, 6.0, false), (60, 6.0, true)] {
            let cache = cache(5, stale_max);
            cache.fail(&asked().to_key(), FAILURE, at(failed));
            let found = cache.find(&asked(), at(failed + 2.0), None);
            assert_eq!(matches!(found, Found::Known(..)), is_known, "{found:?}");
        }
    }

    #[test]
    fn what_failed_to_be_fetched_in_time_is_asked_for_when_it_is_over() {
        // Nothing old may be given, or not for as long as the failure would be believed.
        for (stale_max, failed, then) in [(0, 4.5, 6.0), (4, 8.5, 10.0)] {
            let cache = cache(5, stale_max);
            cache.fail(&asked().to_key(), FAILURE, at(failed));
            let found = cache.find(&asked(), at(then), None);
            assert!(matches!(found, Found::Missing(None)), "{stale_max}: {found:?}");
        }
    }
}
