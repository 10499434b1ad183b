//! How long to wait before asking again.

use std::time::Duration;

/// Waits that grow, each of a random length: servers that lost the same store at the same moment do
/// not come back at the same moment.
#[derive(Debug)]
pub(in crate::cluster) struct Backoff {
    /// The longest that the next wait may be.
    next: Duration,
    first: Duration,
    longest: Duration,
    rng: fastrand::Rng,
}

// === impl Backoff ===

impl Backoff {
    /// The first wait is this long at the most: a server that is back is found within a moment.
    const FIRST: Duration = Duration::from_millis(200);

    /// No wait is longer: a hundred servers that ask every 2.5 s, as they do in the mean, are
    /// nothing to etcd, and nobody waits longer for a store that is back.
    const LONGEST: Duration = Duration::from_secs(5);

    pub(in crate::cluster) fn new(rng: fastrand::Rng) -> Self {
        Self::within(Self::FIRST, Self::LONGEST, rng)
    }

    /// The first wait is `first` at the most, and none is longer than `longest`.
    pub(in crate::cluster) fn within(
        first: Duration,
        longest: Duration,
        rng: fastrand::Rng,
    ) -> Self {
        Self { next: first, first, longest, rng }
    }

    /// How long to wait now.
    pub(in crate::cluster) fn wait(&mut self) -> Duration {
        let wait = self.next.mul_f64(self.rng.f64());
        self.next = (self.next * 2).min(self.longest);
        wait
    }

    /// It went well: the next wait is a short one again.
    pub(in crate::cluster) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::Backoff;

    #[test]
    fn waits_grow_up_to_a_limit_and_no_two_servers_wait_alike() {
        let waits = |seed| {
            let mut backoff = Backoff::new(fastrand::Rng::with_seed(seed));
            (0..200).map(|_| backoff.wait()).collect::<Vec<_>>()
        };
        let (one, other) = (waits(1), waits(2));
        assert!(one.iter().zip(&other).all(|(one, other)| one != other));
        assert!(one[0] <= Backoff::FIRST);
        let late = &one[10..];
        assert!(late.iter().all(|wait| *wait <= Backoff::LONGEST));
        let (shortest, longest) = (late.iter().min().unwrap(), late.iter().max().unwrap());
        assert!(*shortest < Backoff::LONGEST / 20 && *longest > Backoff::LONGEST / 20 * 19);
    }

    #[test]
    fn after_a_success_the_wait_is_short_again() {
        let mut backoff = Backoff::new(fastrand::Rng::with_seed(1));
        let _waits: Vec<_> = (0..10).map(|_| backoff.wait()).collect();
        backoff.reset();
        assert!(backoff.wait() <= Backoff::FIRST);
    }
}
