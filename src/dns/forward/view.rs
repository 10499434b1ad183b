//! Forwarding, as whoever writes one answer sees it.

use std::{cell::RefCell, sync::Arc};

use super::{
    cache::Told,
    failure::Failure,
    key::{Key, KeyRef},
    message::Kept,
    state::{Forward, Look, Route},
};

/// Forwarding, and how far this answer may go for what is not known.
#[derive(Debug, Clone, Copy)]
pub struct Forwarding<'s> {
    pub(in crate::dns) forward: &'s Forward,
    pub(in crate::dns) reach: Reach<'s>,
}

/// How far an answer may go.
#[derive(Debug, Clone, Copy)]
pub(in crate::dns) enum Reach<'s> {
    /// To the cache.
    Cache,
    /// To the cache, and to what was found out for this message; what is missing is noted there.
    Lane(&'s Held),
    /// To the cache; what is missing stays so, because too much waits already.
    Last,
    /// Nowhere: the cache has locks, which the fast path does without.
    Nowhere,
}

/// What was found out for one message, and what is missing for its answer.
#[derive(Debug, Default)]
pub(in crate::dns) struct Held {
    told: Vec<(Key, Told)>,
    wanted: RefCell<Option<Wanted>>,
}

/// A question that has to be asked, and what its last answer was.
#[derive(Debug)]
pub(in crate::dns) struct Wanted {
    pub key: Key,
    pub stale: Option<Arc<Kept>>,
}

/// What comes of looking.
#[derive(Debug)]
pub(in crate::dns) enum Looked {
    /// This may not be looked for here: for the full path.
    NeedsFull,
    /// Somebody has to be asked: for the lane.
    NeedsForward,
    /// This.
    Told(Told),
}

// === impl Forwarding ===

impl Forwarding<'_> {
    /// Whether anything may be looked up here.
    pub(in crate::dns) fn may_look(&self) -> bool {
        !matches!(self.reach, Reach::Nowhere)
    }

    /// Looks for the answer to a question on its route.
    pub(in crate::dns) fn look(&self, route: Route<'_>, asked: &KeyRef) -> Looked {
        match self.reach {
            Reach::Nowhere => return Looked::NeedsFull,
            Reach::Lane(held) if let Some(told) = held.find(asked) => return Looked::Told(told),
            Reach::Cache | Reach::Lane(_) | Reach::Last => {}
        }
        match (self.forward.look(route, asked), self.reach) {
            (Look::Known(told), _) => Looked::Told(told),
            (Look::Missing(Some(stale)), Reach::Last) => Looked::Told(self.forward.stale(&stale)),
            (Look::Missing(None), Reach::Last) => Looked::Told(Told::Failed(Failure::Busy)),
            (Look::Missing(stale), Reach::Lane(held)) => {
                *held.wanted.borrow_mut() = Some(Wanted { key: asked.to_key(), stale });
                Looked::NeedsForward
            }
            (Look::Missing(_), _) => Looked::NeedsForward,
        }
    }
}

// === impl Held ===

impl Held {
    /// How much was found out.
    pub(super) fn len(&self) -> usize {
        self.told.len()
    }

    /// What is missing, if anything is.
    pub(super) fn take_wanted(&mut self) -> Option<Wanted> {
        self.wanted.get_mut().take()
    }

    /// Puts down what was found out.
    pub(super) fn put(&mut self, key: Key, told: Told) {
        self.told.push((key, told));
    }

    fn find(&self, asked: &KeyRef) -> Option<Told> {
        self.told.iter().find(|(key, _)| key.is(asked)).map(|(_, told)| told.clone())
    }
}
