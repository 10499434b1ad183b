//! What one connection may hold where each question has a stream of its own: its client may send
//! much and end nothing, or ask much and read nothing.

use std::{ops::Deref, sync::Arc};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::connection::LONG_MAX;
use crate::dns::answer::TCP_REPLY_OCTETS_MAX;

/// Replies of the longest that wait for a client to read them, on one connection. With as many
/// octets unread, no more of its questions are answered.
const REPLIES_MAX: usize = 8;

/// Octets that wait on one connection beside those: questions until there is a reply to them, and
/// replies of upstreams that have no room yet. Four of the longest, or thousands of the usual ones.
pub(in crate::dns) const WAITING_OCTETS_MAX: usize = 256 << 10;

/// Octets that a question takes at the least: most clients pad theirs to 128 (RFC 8467 §4.1).
const QUESTION_OCTETS_MIN: usize = 128;

/// The room of one connection; clones share it.
#[derive(Debug, Clone)]
pub(in crate::dns) struct Room {
    replies: Arc<Semaphore>,
    waiting: Arc<Semaphore>,
    long: Arc<Semaphore>,
}

/// Room that a reply takes, until it is dropped.
#[derive(Debug)]
pub(in crate::dns) struct Taken(OwnedSemaphorePermit);

/// A question that takes room while it arrives, and until it is dropped.
#[derive(Debug)]
pub(in crate::dns) struct Question {
    octets: Vec<u8>,
    /// For as many octets as the question has room for.
    taken: OwnedSemaphorePermit,
}

/// More waits on the connection than may.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) struct Full;

// === impl Room ===

impl Room {
    pub(in crate::dns) fn new() -> Self {
        Self {
            replies: Arc::new(Semaphore::new(REPLIES_MAX * TCP_REPLY_OCTETS_MAX)),
            waiting: Arc::new(Semaphore::new(WAITING_OCTETS_MAX)),
            long: Arc::new(Semaphore::new(LONG_MAX)),
        }
    }

    /// A question of which nothing has arrived yet.
    pub(in crate::dns) fn question(&self) -> Question {
        let taken = self.wait(0).expect("there is always room for nothing");
        Question { octets: Vec::new(), taken }
    }

    /// Waits for room for a reply of at most so many octets, where none is longer than the longest.
    pub(super) async fn take(&self, octets: usize) -> Taken {
        let octets = u32::try_from(octets.min(TCP_REPLY_OCTETS_MAX)).expect("it has 16 bits");
        let taken = Arc::clone(&self.replies).acquire_many_owned(octets).await;
        Taken(taken.expect("nobody closes it"))
    }

    /// Waits until a question may take long, which it may until this is dropped.
    pub(super) async fn turn(&self) -> OwnedSemaphorePermit {
        Arc::clone(&self.long).acquire_owned().await.expect("nobody closes it")
    }

    /// Room for octets that wait; at once or not at all, because what this would wait for is the
    /// same client's.
    ///
    /// # Errors
    /// When more waits on the connection than may.
    pub(super) fn wait(&self, octets: usize) -> Result<OwnedSemaphorePermit, Full> {
        let octets = u32::try_from(octets).map_err(|_| Full)?;
        Arc::clone(&self.waiting).try_acquire_many_owned(octets).map_err(|_| Full)
    }
}

// === impl Taken ===

impl Taken {
    /// Keeps as much as the reply is long, now that it is there.
    pub(super) fn shrink_to(&mut self, octets: usize) {
        drop(self.0.split(self.0.num_permits().saturating_sub(octets)));
    }
}

// === impl Question ===

impl Question {
    /// Appends what has arrived.
    ///
    /// # Errors
    /// When more waits on the connection than may.
    pub(in crate::dns) fn push(&mut self, part: &[u8]) -> Result<(), Full> {
        let length = self.octets.len() + part.len();
        let has = self.taken.num_permits();
        if length > has {
            // Twice as much each time, and what the memory takes is what is counted.
            let needed = length.max(QUESTION_OCTETS_MIN).next_power_of_two();
            let more = u32::try_from(needed - has).map_err(|_| Full)?;
            let semaphore = Arc::clone(self.taken.semaphore());
            self.taken.merge(semaphore.try_acquire_many_owned(more).map_err(|_| Full)?);
            self.octets.reserve_exact(needed - self.octets.len());
        }
        self.octets.extend_from_slice(part);
        Ok(())
    }
}

impl Deref for Question {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets
    }
}

#[cfg(test)]
mod tests {
    use super::{Full, QUESTION_OCTETS_MIN, Room, WAITING_OCTETS_MAX};

    #[test]
    fn what_waits_is_bounded_by_octets_and_counted_by_what_it_takes() {
        let room = Room::new();
        let of = |octets: usize| {
            let mut question = room.question();
            question.push(&vec![7; octets])?;
            assert_eq!((question.len(), question[octets - 1]), (octets, 7));
            Ok(question)
        };
        let mut longest: Vec<_> = (0..4).map(|_| of(65_535).unwrap()).collect();
        assert_eq!(of(1).map(drop), Err(Full));
        longest.pop();
        let small: Vec<_> = (0..512).map(|_| of(100).unwrap()).collect();
        assert_eq!(of(1).map(drop), Err(Full), "each takes {QUESTION_OCTETS_MIN}");
        drop((longest, small));
        // In the smallest parts: all of what its memory takes is counted, and no more.
        let mut question = room.question();
        for octets in 1..=65_535 {
            question.push(&[1]).unwrap();
            assert_eq!(question.octets.capacity(), question.taken.num_permits(), "{octets}");
        }
        assert_eq!(room.waiting.available_permits(), WAITING_OCTETS_MAX - (64 << 10));
        drop(question);
        assert_eq!(room.waiting.available_permits(), WAITING_OCTETS_MAX);
    }
}
