//! The memory that the bodies of requests may take, on all connections together.
//!
//! Each body has its limit and connections have theirs, but the product of both is 4 GiB. What is
//! counted is what has arrived: a client that announces much and sends little takes little.

use std::sync::Arc;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::model::limit;

/// The room for bodies; clones share it.
#[derive(Debug, Clone)]
pub(super) struct Bodies {
    /// One permit for each octet.
    room: Arc<Semaphore>,
    octets: Gauge,
    refused: Counter,
}

/// The room that one body takes; left when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    bodies: Bodies,
    taken: Option<OwnedSemaphorePermit>,
}

// === impl Bodies ===

impl Bodies {
    /// Room that nobody takes yet, and where its use is shown.
    pub(super) fn new(octets: Gauge, refused: Counter) -> Self {
        let room = Arc::new(Semaphore::new(limit::HTTP_BODIES_OCTETS_MAX));
        Self { room, octets, refused }
    }

    /// The place of a body of which nothing has arrived.
    pub(super) fn place(&self) -> Place {
        Place { bodies: self.clone(), taken: None }
    }
}

// === impl Place ===

impl Place {
    /// Takes room for more octets; `false` when there is none.
    #[must_use = "without room the octets may not be kept"]
    pub(super) fn grow(&mut self, octets: usize) -> bool {
        let more = u32::try_from(octets).ok();
        let more =
            more.and_then(|more| Arc::clone(&self.bodies.room).try_acquire_many_owned(more).ok());
        let Some(more) = more else {
            self.bodies.refused.inc();
            return false;
        };
        self.bodies.octets.inc_by(signed(octets));
        match &mut self.taken {
            Some(taken) => taken.merge(more),
            taken @ None => *taken = Some(more),
        }
        true
    }

    /// Gives all of it back.
    fn leave(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.bodies.octets.dec_by(signed(taken.num_permits()));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.leave();
    }
}

/// A body is far below what a gauge can hold.
fn signed(octets: usize) -> i64 {
    i64::try_from(octets).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::Bodies;
    use crate::model::limit;

    #[test]
    fn what_is_left_can_be_taken_again() {
        let bodies = Bodies::new(Default::default(), Default::default());
        let (mut large, mut small) = (bodies.place(), bodies.place());
        assert!(large.grow(limit::HTTP_BODIES_OCTETS_MAX - 10) && large.grow(5));
        assert!(small.grow(5) && !small.grow(1), "it is full");
        assert_eq!(bodies.refused.get(), 1);
        drop(large);
        assert_eq!(bodies.octets.get(), 5);
        assert!(small.grow(limit::HTTP_BODIES_OCTETS_MAX - 5));
        small.leave();
        assert_eq!(bodies.octets.get(), 0);
    }
}
