//! What answers are read from: the services, the static zones, the operator's choices.

use std::sync::Arc;

use arc_swap::{ArcSwap, cache::Cache};

use super::{
    Settings, Sources,
    zone::{ZonesHandle, ZonesReader},
};
use crate::registry::{Reader, Registry};

/// The newest of everything, for next to nothing while nothing changes. One per thread, task or
/// connection: looking needs no lock and touches no shared counter.
#[derive(Debug, Clone)]
pub(super) struct View {
    services: Reader,
    zones: ZonesReader,
    settings: Cache<Arc<ArcSwap<Settings>>, Arc<Settings>>,
}

// === impl View ===

impl View {
    /// Looks at the three.
    pub(super) fn new(
        registry: &Registry,
        zones: &ZonesHandle,
        settings: Arc<ArcSwap<Settings>>,
    ) -> Self {
        Self { services: registry.reader(), zones: zones.reader(), settings: Cache::new(settings) }
    }

    /// The newest of each, to be held for a batch of packets or one message.
    pub(super) fn load(&mut self) -> Sources<'_> {
        Sources {
            snapshot: self.services.load(),
            zones: self.zones.load(),
            settings: self.settings.load(),
        }
    }
}
