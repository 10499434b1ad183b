//! What happened lately, so that a watcher who was away can go on where it stopped.

use std::{collections::VecDeque, sync::Arc};

use parking_lot::RwLock;
use tokio::sync::watch;

use crate::model::{Event, Revision, limit};

/// The last events, oldest first, and a bell that rings when the revision grows.
#[derive(Debug)]
pub struct Events {
    kept: RwLock<Kept>,
    newest: watch::Sender<Revision>,
}

#[derive(Debug)]
struct Kept {
    events: VecDeque<Arc<Event>>,
    /// All events after this revision are in `events`.
    complete_after: Revision,
}

/// The events after the asked revision are no longer all known: start from a snapshot instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the events before revision {oldest} are no longer kept")]
pub struct Gone {
    /// Watching can be resumed from this revision or a later one.
    pub oldest: Revision,
}

// === impl Events ===

impl Events {
    pub(super) fn new(revision: Revision) -> Self {
        let kept = Kept { events: VecDeque::new(), complete_after: revision };
        Self { kept: RwLock::new(kept), newest: watch::Sender::new(revision) }
    }

    /// Appends the events that led to `revision`, which `show` makes visible. Whoever has seen it
    /// and asks for what comes after waits for the lock, and so finds the events complete.
    pub(super) fn append(&self, revision: Revision, events: Vec<Event>, show: impl FnOnce()) {
        let mut kept = self.kept.write();
        show();
        for event in events {
            if kept.events.len() == limit::EVENTS_KEPT_MAX
                && let Some(oldest) = kept.events.pop_front()
            {
                kept.complete_after = oldest.revision;
            }
            kept.events.push_back(Arc::new(event));
        }
        // Under the lock, so that whoever reads sees events and revision of one moment.
        self.newest.send_replace(revision);
    }

    /// Up to `most` events after `since`, oldest first, and the revision up to which they are
    /// complete: the place to go on from.
    ///
    /// # Errors
    /// When some of them are no longer kept.
    pub fn after(&self, since: Revision, most: usize) -> Result<(Vec<Arc<Event>>, Revision), Gone> {
        let kept = self.kept.read();
        let newest = *self.newest.borrow();
        // A revision that is yet to come was given out by a server whose last changes were lost.
        if since < kept.complete_after || since > newest {
            return Err(Gone { oldest: kept.complete_after });
        }
        let first = kept.events.partition_point(|event| event.revision <= since);
        let mut found: Vec<_> = kept.events.range(first..).take(most).cloned().collect();
        let left_out = kept.events.get(first + found.len());
        // A bulk registration is one revision with many events: never stop in the middle of one.
        if let (Some(next), Some(last)) = (left_out, found.last()) {
            let revision = last.revision;
            if next.revision == revision {
                let rest = kept.events.range(first + found.len()..);
                found.extend(rest.take_while(|event| event.revision == revision).cloned());
            }
            return Ok((found, revision));
        }
        Ok((found, newest))
    }

    /// A receiver that wakes when the revision grows.
    pub fn subscribe(&self) -> watch::Receiver<Revision> {
        self.newest.subscribe()
    }
}

#[cfg(test)]
mod tests {
    use super::{Events, Gone};
    use crate::model::{Event, EventKind, Revision, ServiceName, Timestamp, limit};

    fn event(revision: u64) -> Event {
        Event {
            revision: Revision(revision),
            at: Timestamp(0),
            service: ServiceName::parse("web").unwrap(),
            kind: EventKind::PolicyChanged,
        }
    }

    #[test]
    fn a_watcher_resumes_where_it_stopped() {
        let events = Events::new(Revision(10));
        events.append(Revision(12), vec![event(11), event(12), event(12)], || ());
        let (found, next) = events.after(Revision(10), 2).unwrap();
        assert_eq!((found.len(), next), (3, Revision(12)), "one revision is never split");
        assert_eq!(events.after(Revision(12), 9).unwrap(), (vec![], Revision(12)));
        assert_eq!(events.after(Revision(9), 9), Err(Gone { oldest: Revision(10) }));
        assert!(events.after(Revision(13), 9).is_err(), "from the future of another life");
    }

    #[test]
    fn what_is_forgotten_is_said_to_be_gone() {
        let events = Events::new(Revision(0));
        let last = limit::EVENTS_KEPT_MAX as u64 + 5;
        events.append(Revision(last), (1..=last).map(event).collect(), || ());
        assert_eq!(events.after(Revision(4), 1), Err(Gone { oldest: Revision(5) }));
        assert_eq!(events.after(Revision(5), 1).unwrap().0[0].revision, Revision(6));
    }
}
