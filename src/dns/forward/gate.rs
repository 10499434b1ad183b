//! How many messages may wait for upstreams, in all and of one client.

use std::{net::IpAddr, sync::Arc};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::metrics::ForwardMetrics;
use crate::dns::tcp::client_of;

/// Counts the messages that wait.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    total: usize,
    /// Clients that wait; as many as messages at the most.
    by_client: HashMap<IpAddr, usize>,
}

/// One message that waits; leaves when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Gate,
    client: IpAddr,
    metrics: ForwardMetrics,
}

// === impl Gate ===

impl Gate {
    /// Lets a message wait, if neither limit is met: in all, and of its client.
    pub(super) fn admit(
        &self,
        client: IpAddr,
        (total, of_client): (usize, usize),
        metrics: &ForwardMetrics,
    ) -> Option<Pass> {
        let client = client_of(client);
        let mut inside = self.0.lock();
        if inside.total >= total {
            metrics.reject("total_limit");
            return None;
        }
        let own = inside.by_client.get(&client).copied().unwrap_or_default();
        if own >= of_client {
            metrics.reject("client_limit");
            return None;
        }
        inside.by_client.insert(client, own + 1);
        inside.total += 1;
        metrics.in_flight.inc();
        Some(Pass { gate: self.clone(), client, metrics: metrics.clone() })
    }
}

// === impl Pass ===

impl Drop for Pass {
    fn drop(&mut self) {
        self.metrics.in_flight.dec();
        let mut inside = self.gate.0.lock();
        inside.total -= 1;
        if let Some(own) = inside.by_client.get_mut(&self.client) {
            *own -= 1;
            if *own == 0 {
                inside.by_client.remove(&self.client);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use super::{ForwardMetrics, Gate};
    use crate::telemetry::Metrics;

    #[test]
    fn a_client_and_all_clients_are_held_to_their_limits() {
        let metrics = ForwardMetrics::new(&Metrics::new());
        let gate = Gate::default();
        let enter =
            |address: &str| gate.admit(address.parse::<IpAddr>().unwrap(), (3, 2), &metrics);
        let first = enter("fd00::1").unwrap();
        let _second = enter("fd00::2").unwrap();
        assert!(enter("fd00::3").is_none(), "one /64, one client");
        let _third = enter("10.0.0.1").unwrap();
        assert!(enter("10.0.0.2").is_none(), "three in all");
        assert_eq!(metrics.in_flight.get(), 3);
        drop(first);
        enter("10.0.0.2").unwrap();
        assert_eq!(gate.0.lock().by_client.len(), 2, "who has left is forgotten");
    }
}
