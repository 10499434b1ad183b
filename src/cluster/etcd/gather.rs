//! From the responses of a watch to whole revisions.
//!
//! etcd sends a revision's events together, but cuts responses above 2 MiB in pieces wherever they
//! happen to be that long. What is complete is handed on at once; what is held is part of one
//! revision, and limited.

use bytes::Bytes;

use super::{KeyValue, proto};

/// Octets that are held of one revision: a transaction writes 1.5 MiB at most, but can delete any
/// number of keys, of which a million are that much.
const HELD_OCTETS_MAX: usize = 128 << 20;
/// What an event costs beside its octets.
const EVENT_OCTETS: usize = size_of::<Event>();

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// It is gone.
    Delete {
        /// The key.
        key: Bytes,
        /// The revision that deleted it.
        revision: u64,
    },
    /// It was made or changed.
    Put(KeyValue),
}

/// Puts revisions together.
#[derive(Debug)]
pub(super) struct Gather {
    /// Everything before this revision has been handed on, or was not asked for.
    next: u64,
    held: Vec<Event>,
    held_octets: usize,
}

/// One revision is larger than what may be held.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooMuch;

// === impl Event ===

impl Event {
    /// Of which key.
    pub fn key(&self) -> &Bytes {
        match self {
            Self::Delete { key, .. } => key,
            Self::Put(kv) => &kv.key,
        }
    }

    /// The revision of the change.
    pub fn revision(&self) -> u64 {
        match self {
            Self::Delete { revision, .. } => *revision,
            Self::Put(kv) => kv.mod_revision,
        }
    }

    fn octets(&self) -> usize {
        let value = match self {
            Self::Delete { .. } => 0,
            Self::Put(kv) => kv.value.len(),
        };
        EVENT_OCTETS + self.key().len() + value
    }
}

impl From<proto::Event> for Event {
    fn from(event: proto::Event) -> Self {
        let kv = event.kv.unwrap_or_default();
        if event.kind == i32::from(proto::EventType::Delete) {
            Self::Delete { key: kv.key, revision: kv.mod_revision }
        } else {
            Self::Put(kv.into())
        }
    }
}

// === impl Gather ===

impl Gather {
    /// Wants everything from revision `next` on.
    pub(super) fn new(next: u64) -> Self {
        Self { next, held: Vec::new(), held_octets: 0 }
    }

    /// Takes the events of one response; gives those of all revisions that are complete now.
    ///
    /// # Errors
    /// When one revision is larger than what may be held; what was held is let go.
    pub(super) fn take(
        &mut self,
        events: impl IntoIterator<Item = proto::Event>,
        more_follow: bool,
    ) -> Result<Vec<Event>, TooMuch> {
        // Members that lag behind have been seen to send what was before the beginning (etcd issue
        // 20221).
        let wanted = events.into_iter().map(Event::from).filter(|it| it.revision() >= self.next);
        for event in wanted {
            self.held_octets += event.octets();
            self.held.push(event);
        }
        let last = self.held.last().map_or(0, Event::revision);
        let complete = if more_follow {
            let part = self.held.partition_point(|event| event.revision() < last);
            let rest = self.held.split_off(part);
            std::mem::replace(&mut self.held, rest)
        } else {
            std::mem::take(&mut self.held)
        };
        self.held_octets = self.held.iter().map(Event::octets).sum();
        if self.held_octets > HELD_OCTETS_MAX {
            (self.held, self.held_octets) = (Vec::new(), 0);
            return Err(TooMuch);
        }
        if let Some(event) = complete.last() {
            self.next = event.revision() + 1;
        }
        Ok(complete)
    }

    /// etcd says that everything up to this revision has come; whether that can be believed is for
    /// the caller to know. Gives the revision up to which everything has been handed on.
    pub(super) fn progress(&mut self, revision: u64, is_believed: bool) -> u64 {
        // A member that lags behind says less than what is known. Within a revision it would be
        // more than what has been handed on.
        if is_believed && self.held.is_empty() {
            self.next = self.next.max(revision.saturating_add(1));
        }
        self.next.saturating_sub(1)
    }
}

#[cfg(test)]
mod tests;
