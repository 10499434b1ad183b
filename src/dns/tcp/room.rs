//! Room for the replies of one connection whose client may ask much and read nothing.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::dns::answer::TCP_REPLY_OCTETS_MAX;

/// Replies of the longest that wait for a client to read them, on one connection. With as many
/// octets unread, no more of its questions are answered.
const REPLIES_MAX: usize = 8;

/// The room of one connection where each question has a stream of its own; clones share it.
#[derive(Debug, Clone)]
pub(in crate::dns) struct Room(Arc<Semaphore>);

/// Room that a reply takes, until it is dropped.
#[derive(Debug)]
pub(in crate::dns) struct Taken(OwnedSemaphorePermit);

// === impl Room ===

impl Room {
    pub(in crate::dns) fn new() -> Self {
        Self(Arc::new(Semaphore::new(REPLIES_MAX * TCP_REPLY_OCTETS_MAX)))
    }

    /// Waits for room for a reply of at most so many octets, where none is longer than the longest.
    pub(super) async fn take(&self, octets: usize) -> Taken {
        let octets = u32::try_from(octets.min(TCP_REPLY_OCTETS_MAX)).expect("it has 16 bits");
        let taken = Arc::clone(&self.0).acquire_many_owned(octets).await;
        Taken(taken.expect("nobody closes it"))
    }
}

// === impl Taken ===

impl Taken {
    /// Keeps as much as the reply is long, now that it is there.
    pub(super) fn shrink_to(&mut self, octets: usize) {
        drop(self.0.split(self.0.num_permits().saturating_sub(octets)));
    }
}
