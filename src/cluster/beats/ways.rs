//! The two ways to another server, as the sender sees them.

use std::future::Future;

use super::outbox::Waiting;
use crate::{
    registry::{Peer, ServerId},
    store::text::BeatsTakenText,
};

/// What became of a batch that a server was asked to take.
#[derive(Debug, Default)]
pub(super) struct Handed {
    /// What it says, by places in the batch.
    pub said: BeatsTakenText,
    /// How much was sent.
    pub octets: usize,
}

/// What became of a batch that was to be left in the store.
#[derive(Debug)]
pub(super) struct Left {
    /// For which there was no room.
    pub rest: Vec<Waiting>,
    /// How much was written.
    pub octets: usize,
}

/// The two ways. In tests they lead nowhere.
pub(super) trait Ways: Clone + Send + Sync + 'static {
    /// Has a server take a batch.
    ///
    /// # Errors
    /// When it has not said that it did: why.
    fn hand(
        &self,
        to: &Peer,
        batch: &[Waiting],
    ) -> impl Future<Output = Result<Handed, String>> + Send;

    /// Leaves a batch in the store, for whom it may concern.
    ///
    /// # Errors
    /// When the store has not said that it is there: why.
    fn leave(&self, batch: &[Waiting]) -> impl Future<Output = Result<Left, String>> + Send;

    /// A server is there no more.
    fn forget(&self, server: &ServerId);
}
