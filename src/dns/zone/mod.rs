//! Static zones, served beside the services.

use super::{encode::Reply, query::Query};

/// All static zones, by name.
#[derive(Debug, Clone, Default)]
pub struct Zones;

/// One static zone.
#[derive(Debug)]
pub struct Zone(());

// === impl Zones ===

impl Zones {
    /// The zone that is closest above `name` (lower-case wire labels), or is it.
    pub fn find(&self, _name: &[u8]) -> Option<&Zone> {
        None
    }
}

// === impl Zone ===

impl Zone {
    /// Writes what the zone says to `query`, whose name is in the zone: records, response code, AA.
    pub fn answer(&self, _query: &Query<'_>, _reply: &mut Reply<'_>) {}
}
