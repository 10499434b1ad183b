//! What answers are read from: the services, the static zones, the operator's choices, and who is
//! asked for the rest.

use std::sync::Arc;

use arc_swap::{ArcSwap, cache::Cache};

use super::{
    Settings, Sources,
    forward::{ForwardHandle, ForwardReader, Forwarding, Reach},
    zone::{ZonesHandle, ZonesReader},
};
use crate::registry::{Reader, Registry};

/// Where these are found. Holds none of them, so that whoever waits keeps no old one alive.
#[derive(Debug, Clone)]
pub(super) struct World {
    /// The services.
    pub registry: Registry,
    /// The static zones.
    pub zones: ZonesHandle,
    /// The operator's choices.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Who is asked for other names.
    pub forward: ForwardHandle,
}

/// The newest of everything, for next to nothing while nothing changes: looking needs no lock and
/// touches no shared counter. Keeps what it saw last alive until it looks again, so it is made for
/// one message, or looked at all the time as a UDP worker does.
#[derive(Debug)]
pub(super) struct View {
    services: Reader,
    zones: ZonesReader,
    settings: Cache<Arc<ArcSwap<Settings>>, Arc<Settings>>,
    forward: ForwardReader,
}

// === impl World ===

impl World {
    /// A look at them.
    pub(super) fn view(&self) -> View {
        View {
            services: self.registry.reader(),
            zones: self.zones.reader(),
            settings: Cache::new(Arc::clone(&self.settings)),
            forward: self.forward.reader(),
        }
    }
}

// === impl View ===

impl View {
    /// The newest of each, to be held for a batch of packets or one message. What upstreams have
    /// said is looked for in the cache, which the fast path does not do: see [`Sources::reaching`].
    pub(super) fn load(&mut self) -> Sources<'_> {
        let forward = self.forward.load().as_deref();
        Sources {
            snapshot: self.services.load(),
            zones: self.zones.load(),
            settings: self.settings.load(),
            forward: forward.map(|forward| Forwarding { forward, reach: Reach::Cache }),
        }
    }
}
