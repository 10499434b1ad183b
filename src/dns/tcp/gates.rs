//! The gates that connections go through.

use crate::dns::{ConnectionLimits, Transport, gate};

/// One gate for plain connections, and one for those that are encrypted: whoever fills one keeps
/// nobody out of the other.
#[derive(Debug, Default)]
pub(in crate::dns) struct Gates {
    plain: gate::Gate,
    encrypted: gate::Gate,
}

// === impl Gates ===

impl Gates {
    /// The gate that the connections of a transport go through.
    pub(super) fn of(&self, transport: Transport) -> &gate::Gate {
        if transport.is_encrypted() { &self.encrypted } else { &self.plain }
    }
}

// === impl ConnectionLimits ===

impl ConnectionLimits {
    /// How many connections there may be.
    pub(super) fn of_gate(&self) -> gate::Limit {
        gate::Limit { total: self.connections, of_client: self.connections_per_client }
    }
}
