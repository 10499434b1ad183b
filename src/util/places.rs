//! Places, of which only so many are taken at a time.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering::Relaxed},
};

/// Counts the places that are taken; clones share the count. How many there are is said each time,
/// because it is a setting that can change meanwhile.
#[derive(Debug, Clone, Default)]
pub struct Places(Arc<AtomicUsize>);

/// One place; given back when dropped.
#[derive(Debug)]
pub struct Place(Places);

// === impl Places ===

impl Places {
    /// A place, if fewer than `max` are taken. Looking and counting is one step: of two that only
    /// looked, both would find the last place free.
    pub fn take(&self, max: usize) -> Option<Place> {
        let one_more = |count: usize| (count < max).then_some(count + 1);
        self.0.try_update(Relaxed, Relaxed, one_more).ok().map(|_| Place(self.clone()))
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering::SeqCst},
        thread,
    };

    use super::Places;

    /// Times that two threads try to have the last place, at the same moment as nearly as can be.
    const ROUNDS: usize = 50_000;

    #[test]
    fn places_are_taken_up_to_the_limit_and_again_when_one_comes_back() {
        let places = Places::default();
        let first = places.take(2).unwrap();
        let _second = places.take(2).unwrap();
        assert!(places.take(2).is_none());
        drop(first);
        assert!(places.take(2).is_some());
    }

    /// Both looked and found it free, and had it then.
    #[test]
    fn the_last_place_is_had_by_one() {
        let (places, steps, taken) = (Places::default(), AtomicUsize::new(0), AtomicUsize::new(0));
        let together = |step: usize| {
            steps.fetch_add(1, SeqCst);
            while steps.load(SeqCst) < 2 * step {
                thread::yield_now();
            }
        };
        let taker = || {
            for round in 0..ROUNDS {
                together(2 * round + 1);
                let place = places.take(1);
                taken.fetch_add(usize::from(place.is_some()), SeqCst);
                together(2 * round + 2);
            }
        };
        thread::scope(|scope| [scope.spawn(taker), scope.spawn(taker)].map(drop));
        assert_eq!(taken.into_inner(), ROUNDS, "one each time");
    }
}
