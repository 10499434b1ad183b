//! The one pointer through which everybody sees the static zones, as the registry has its own.

use std::sync::Arc;

use arc_swap::{ArcSwap, cache::Cache};
use tokio::sync::Notify;

use super::set::Zones;

/// A handle to the static zones; clones share them.
#[derive(Debug, Clone, Default)]
pub struct ZonesHandle {
    current: Arc<ArcSwap<Zones>>,
    reload: Arc<Notify>,
    published: Arc<Notify>,
}

/// Looks at the newest zones: under a nanosecond while they are unchanged, no lock, no shared
/// counter. One per thread.
#[derive(Debug, Clone)]
pub struct ZonesReader(Cache<Arc<ArcSwap<Zones>>, Arc<Zones>>);

// === impl ZonesHandle ===

impl ZonesHandle {
    /// The zones as they are now.
    pub fn load(&self) -> Arc<Zones> {
        self.current.load_full()
    }

    /// A reader that looks at the newest zones for next to nothing.
    pub fn reader(&self) -> ZonesReader {
        ZonesReader(Cache::new(Arc::clone(&self.current)))
    }

    /// Has all files read anew, whether they look changed or not; returns at once.
    pub fn reload(&self) {
        self.reload.notify_one();
    }

    /// Waits until somebody asks for a reload.
    pub(super) async fn reload_requested(&self) {
        self.reload.notified().await;
    }

    /// Waits until there are other zones than when this was last awaited; for one who waits.
    pub async fn published(&self) {
        self.published.notified().await;
    }

    /// Shows `next` to all readers, and returns what they saw before.
    pub(super) fn publish(&self, next: Zones) -> Arc<Zones> {
        let before = self.current.swap(Arc::new(next));
        self.published.notify_one();
        before
    }
}

// === impl ZonesReader ===

impl ZonesReader {
    /// The newest zones.
    pub fn load(&mut self) -> &Arc<Zones> {
        self.0.load()
    }
}
