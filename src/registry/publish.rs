//! The one pointer through which everybody sees the registry.

use std::sync::Arc;

use arc_swap::{ArcSwap, cache::Cache};

use super::{Events, Snapshot};
use crate::model::{Event, Revision};

/// Holds the current snapshot and the events that led to it. Only the writer publishes.
#[derive(Debug)]
pub(super) struct Publisher {
    current: Arc<ArcSwap<Snapshot>>,
    events: Events,
}

/// Looks at the newest snapshot: under a nanosecond while it is unchanged, no lock, no shared
/// counter. One per thread.
#[derive(Debug, Clone)]
pub struct Reader(Cache<Arc<ArcSwap<Snapshot>>, Arc<Snapshot>>);

// === impl Publisher ===

impl Publisher {
    /// Starts from a snapshot; no events are known before its revision.
    pub(super) fn new(restored: Revision, first: Snapshot) -> Self {
        let events = Events::new(restored, first.revision);
        Self { current: Arc::new(ArcSwap::from_pointee(first)), events }
    }

    /// Shows `next` to all readers, then tells the watchers.
    pub(super) fn publish(&self, next: Snapshot, events: Vec<Event>) {
        let revision = next.revision;
        assert!(revision >= self.current.load().revision, "revisions only grow");
        let (next, mut before) = (Arc::new(next), None);
        self.events.append(revision, events, || before = Some(self.current.swap(next)));
        // Only here, outside the lock: it may be the last owner of much.
        drop(before);
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
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::Publisher;
    use crate::{model::Revision, registry::Snapshot};

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
