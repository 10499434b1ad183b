//! What waits for one server: of each instance and check the newest only, in the order in which it
//! came.

use std::{
    collections::{BTreeMap, HashMap, hash_map::Entry},
    time::Duration,
};

use tokio::time::Instant;

use crate::{model::InstanceKey, registry::Beat};

/// How long what comes waits for more to come, so that there are five batches a second.
pub(super) const LINGER: Duration = Duration::from_millis(200);

/// The share of a ttl that its heartbeats wait at the most: with ttls below 1.6 s less than
/// [`LINGER`].
const LINGER_SHARE: u32 = 8;

/// Octets of a heartbeat besides its names and words, in memory and, less, as JSON.
const OVERHEAD_OCTETS: usize = 200;

/// A heartbeat on its way.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Waiting {
    pub beat: Beat,
    /// Counts up: of two the newer one has more.
    pub turn: u64,
    /// When it has to be sent.
    pub due: Instant,
    /// From when on it is worth nothing.
    pub late: Instant,
    /// Whether it was sent before, to somebody who has not taken it.
    pub is_again: bool,
}

/// What waits for one server.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    by_turn: BTreeMap<u64, Waiting>,
    turns: HashMap<Name, u64>,
    octets: usize,
    due: Option<Instant>,
}

/// Who is heard of: an instance, and one of its checks or all.
type Name = (InstanceKey, Option<usize>);

// === impl Waiting ===

impl Waiting {
    /// One that has just come, of an instance with this ttl.
    pub(super) fn new(beat: Beat, turn: u64, ttl: Duration, now: Instant) -> Self {
        let due = now + LINGER.min(ttl / LINGER_SHARE);
        Self { beat, turn, due, late: now + Beat::WORTH.min(ttl), is_again: false }
    }

    fn name(&self) -> Name {
        (self.beat.key.clone(), self.beat.check.map(|(check, _)| check))
    }

    /// Octets that it takes in memory, and more than it does as JSON.
    fn octets(&self) -> usize {
        let escaped = |octet: u8| match octet {
            b'"' | b'\\' => 2,
            0..=31 => 6,
            _ => 1,
        };
        let Beat { key, output, .. } = &self.beat;
        let words = output.as_deref().unwrap_or_default().bytes().map(escaped).sum::<usize>();
        OVERHEAD_OCTETS + key.service.as_str().len() + key.id.as_str().len() + words
    }

    /// Takes from an older one what this one does not say: an instance that reported a state, and
    /// is registered again as it is, is in that state.
    fn follow(&mut self, older: &Self) {
        if self.beat.status.is_none() && !older.beat.is_finding {
            self.beat = older.beat.clone();
        }
    }
}

// === impl Outbox ===

impl Outbox {
    /// Takes one in, in the place of an older one of the same instance and check.
    pub(super) fn put(&mut self, mut waiting: Waiting) {
        let due = waiting.due;
        match self.turns.entry(waiting.name()) {
            Entry::Vacant(place) => drop(place.insert(waiting.turn)),
            Entry::Occupied(mut place) => {
                let Some(mut other) = self.by_turn.remove(place.get()) else { return };
                self.octets -= other.octets();
                if other.turn > waiting.turn {
                    other.follow(&waiting);
                    waiting = other;
                } else {
                    waiting.follow(&other);
                }
                place.insert(waiting.turn);
            }
        }
        self.octets += waiting.octets();
        self.by_turn.insert(waiting.turn, waiting);
        self.due = Some(self.due.map_or(due, |at| at.min(due)));
    }

    /// Takes out what came first: so many at the most, and so many octets.
    pub(super) fn take(&mut self, most: usize, octets: usize) -> Vec<Waiting> {
        let (mut taken, mut room) = (Vec::new(), octets);
        while let Some((_, first)) = self.by_turn.first_key_value()
            && taken.len() < most
            && (first.octets() <= room || taken.is_empty())
        {
            room = room.saturating_sub(first.octets());
            taken.extend(self.pop());
        }
        taken
    }

    /// Takes out what came first.
    pub(super) fn pop(&mut self) -> Option<Waiting> {
        let (_, first) = self.by_turn.pop_first()?;
        self.octets -= first.octets();
        self.turns.remove(&first.name());
        if self.by_turn.is_empty() {
            self.due = None;
        }
        Some(first)
    }

    /// Octets of all that waits.
    pub(super) fn octets(&self) -> usize {
        self.octets
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.by_turn.len()
    }

    /// When the next have to be sent; `None` while nothing waits.
    pub(super) fn due(&self) -> Option<Instant> {
        self.due
    }
}
