//! The one pointer through which everybody sees the registry.

use std::sync::Arc;

use arc_swap::{ArcSwap, cache::Cache};
use parking_lot::Mutex;

use super::{Events, Snapshot};
use crate::model::{Event, Revision};

/// Holds the current snapshot and the events that led to it. Only the writer publishes.
#[derive(Debug)]
pub(super) struct Publisher {
    current: Arc<ArcSwap<Snapshot>>,
    events: Events,
    /// Snapshots that somebody may still look at. Whoever lets go of one last frees all that only
    /// it had, thousands of objects after a bulk: that is to be the writer, never a packet's
    /// worker. One for each reader, at most.
    before: Mutex<Vec<Arc<Snapshot>>>,
}

/// Looks at the newest snapshot: under a nanosecond while it is unchanged, no lock, no shared
/// counter. One per thread.
#[derive(Debug, Clone)]
pub struct Reader(Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>);

// === impl Publisher ===

impl Publisher {
    /// Starts from a snapshot; no events are known before its revision.
    pub(super) fn new(restored: Revision, first: Snapshot) -> Self {
        let events = Events::new(restored, &first);
        let current = Arc::new(ArcSwap::from_pointee(first));
        Self { current, events, before: Mutex::default() }
    }

    /// Shows `next` to all readers, then tells the watchers.
    pub(super) fn publish(&self, next: Snapshot, events: Vec<Event>) {
        let revision = next.revision;
        assert!(revision >= self.current.load().revision, "revisions only grow");
        if next.shared < self.current.load().shared {
            self.events.forget(revision);
        }
        let next = Arc::new(next);
        // Nobody but the writer takes this lock, so that it costs next to nothing.
        let mut before = self.before.lock();
        self.events.append(revision, events, || before.push(self.current.swap(next)));
        drop(before);
        self.sweep();
    }

    /// Lets go of the snapshots that nobody else holds, as nobody can come to hold them any more;
    /// false while others are left, so that the writer should come back.
    pub(super) fn sweep(&self) -> bool {
        let mut before = self.before.lock();
        before.retain(|snapshot| Arc::strong_count(snapshot) > 1);
        before.is_empty()
    }

    pub(super) fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    pub(super) fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.current)))
    }

    pub(super) fn events(&self) -> &Events {
        &self.events
    }
}

// === impl Reader ===

impl Reader {
    /// The newest snapshot.
    pub fn load(&mut self) -> &Arc<Snapshot> {
        self.0.load()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    };

    use super::Publisher;
    use crate::{model::Revision, registry::Snapshot};

    #[test]
    fn only_the_writer_lets_go_of_a_snapshot() {
        let publisher = Publisher::new(Revision(0), Snapshot::default());
        let publish = |revision| {
            let next = Snapshot { revision: Revision(revision), ..Snapshot::default() };
            publisher.publish(next, Vec::new());
        };
        let mut reader = publisher.reader();
        let seen = Arc::downgrade(reader.load());
        publish(1);
        publish(2);
        assert_eq!(publisher.before.lock().len(), 1, "the one that is looked at");
        reader.load();
        assert!(seen.upgrade().is_some(), "the reader let go of it, and freed nothing");
        publish(3);
        assert!(seen.upgrade().is_none(), "the writer did");
        assert_eq!(publisher.before.lock().len(), 1, "the reader looks at another");
    }

    #[test]
    fn the_events_after_a_snapshot_that_was_seen_are_always_known() {
        let publisher = Publisher::new(Revision(0), Snapshot::default());
        let is_over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    let seen = publisher.snapshot().revision;
                    assert!(publisher.events().after(seen, 1).is_ok(), "{seen} is gone already");
                }
            });
            for revision in 1..=20_000 {
                let next = Snapshot { revision: Revision(revision), ..Snapshot::default() };
                publisher.publish(next, Vec::new());
            }
            is_over.store(true, Ordering::Relaxed);
        });
    }
}
