//! One other server: what waits for it, and whether it can be reached.

use std::time::Duration;

use tokio::time::Instant;

use super::outbox::Outbox;
use crate::{cluster::follow::Backoff, model::Timestamp, registry::Peer};

/// How long a server is out of reach before that is worth a line: it may be starting again.
const WORTH_A_LINE: Duration = Duration::from_secs(5);

/// How often a server that is cut off says so to each of the others.
const WORD: Duration = Duration::from_secs(1);

/// One other server.
#[derive(Debug)]
pub(super) struct Post {
    pub peer: Peer,
    pub outbox: Outbox,
    /// Whether a request is under way.
    pub is_busy: bool,
    /// Whether it is among those that are alive.
    pub is_listed: bool,
    /// When it is told next whether this server is cut off; `None` when it need not be.
    pub word_at: Option<Instant>,
    pub trouble: Option<Trouble>,
}

/// A server that cannot be reached.
#[derive(Debug)]
pub(super) struct Trouble {
    since: Instant,
    /// The same, for people.
    since_wall: Timestamp,
    why: String,
    /// When it is tried again.
    pub retry_at: Instant,
    backoff: Backoff,
    /// Whether there was a line of it.
    pub is_told: bool,
}

// === impl Post ===

impl Post {
    /// The first wait is this long at the most.
    const RETRY_FIRST: Duration = Duration::from_millis(500);
    /// No wait is longer.
    const RETRY_LONGEST: Duration = Duration::from_secs(10);

    pub(super) fn new(peer: Peer) -> Self {
        let outbox = Outbox::default();
        Self { peer, outbox, is_busy: false, is_listed: true, word_at: None, trouble: None }
    }

    /// When there is something to do for it by the direct way.
    pub(super) fn next_at(&self) -> Option<Instant> {
        match &self.trouble {
            _ if self.is_busy => None,
            Some(trouble) => Some(trouble.retry_at),
            None => self.outbox.due().into_iter().chain(self.word_at).min(),
        }
    }

    /// Something is sent, or could be: with it goes whether this server is cut off.
    pub(super) fn begins(&mut self, is_apart: bool, now: Instant) {
        self.is_busy = true;
        self.word_at = is_apart.then_some(now + WORD);
    }

    /// When there is something to do for it by the store.
    pub(super) fn relay_at(&self) -> Option<Instant> {
        self.trouble.as_ref().and_then(|_| self.outbox.due())
    }

    /// It was tried in vain. Returns what to tell people, if it is time.
    pub(super) fn failed(
        &mut self,
        why: String,
        wall: Timestamp,
        rng: &mut fastrand::Rng,
    ) -> Option<String> {
        let now = Instant::now();
        let trouble = self.trouble.get_or_insert_with(|| Trouble {
            since: now,
            since_wall: wall,
            why: String::new(),
            retry_at: now,
            backoff: Backoff::within(Self::RETRY_FIRST, Self::RETRY_LONGEST, rng.fork()),
            is_told: false,
        });
        trouble.why = why;
        trouble.retry_at = now + trouble.backoff.wait();
        if now.duration_since(trouble.since) < WORTH_A_LINE {
            return None;
        }
        let Trouble { since_wall, why, .. } = trouble;
        let millis = i64::try_from(since_wall.0).unwrap_or(i64::MAX);
        let since = jiff::Timestamp::from_millisecond(millis).unwrap_or(jiff::Timestamp::MAX);
        let (id, at) = (&self.peer.id, self.peer.http.join(", "));
        Some(format!(
            "server `{id}` ({at}) cannot be reached since {since:.0}: {why}. Heartbeats that come \
             here for its instances go through etcd, which takes fewer of them, and later; let \
             servers reach one another's HTTP interface"
        ))
    }

    /// The name of the condition that says that it cannot be reached.
    pub(super) fn condition(&self) -> String {
        format!("server {}", self.peer.id)
    }
}
