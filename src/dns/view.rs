//! What answers are read from: the services, the static zones, the operator's choices.

use std::sync::Arc;

use arc_swap::{ArcSwap, cache::Cache};

use super::{
    Settings, Sources,
    zone::{ZonesHandle, ZonesReader},
};
use crate::registry::{Reader, Registry};

/// Where the three are found. Holds none of them, so that whoever waits keeps no old one alive.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// The services.
    pub registry: Registry,
    /// The static zones.
    pub zones: ZonesHandle,
    /// The operator's choices.
    pub settings: Arc<ArcSwap<Settings>>,
}

/// The newest of everything, for next to nothing while nothing changes: looking needs no lock and
/// touches no shared counter. Keeps what it saw last alive until it looks again, so it is made for
/// one message, or looked at all the time as a UDP worker does.
#[derive(Debug)]
pub(super) struct View {
    services: Reader,
    zones: ZonesReader,
    settings: Cache<Arc<ArcSwap<Settings>>, Arc<Settings>>,
}

// === impl World ===

impl World {
    /// A look at the three.
    pub(super) fn view(&self) -> View {
        View {
            services: self.registry.reader(),
            zones: self.zones.reader(),
            settings: Cache::new(Arc::clone(&self.settings)),
        }
    }
}

// === impl View ===

impl View {
    /// The newest of each, to be held for a batch of packets or one message.
    pub(super) fn load(&mut self) -> Sources<'_> {
        Sources {
            snapshot: self.services.load(),
            zones: self.zones.load(),
            settings: self.settings.load(),
        }
    }
}
