//! Who may still come in.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use hashbrown::HashMap;
use parking_lot::Mutex;

use crate::dns::{ConnectionLimits, Transport, stats::Refusal};

/// One gate for plain connections, and one for those that are encrypted: whoever fills one keeps
/// nobody out of the other.
#[derive(Debug, Default)]
pub(in crate::dns) struct Gates {
    plain: Gate,
    encrypted: Gate,
}

/// Counts the open connections, in all and by client. Clones share the count.
#[derive(Debug, Clone, Default)]
pub(in crate::dns) struct Gate(Arc<Mutex<Inside>>);

#[derive(Debug, Default)]
struct Inside {
    total: usize,
    /// Clients that have a connection; as long as the number of connections at the most.
    by_client: HashMap<IpAddr, usize>,
}

/// One connection inside; leaves when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Gate,
    client: IpAddr,
}

// === impl Gates ===

impl Gates {
    /// The gate that the connections of a transport go through.
    pub(super) fn of(&self, transport: Transport) -> &Gate {
        if transport.is_encrypted() { &self.encrypted } else { &self.plain }
    }
}

// === impl Gate ===

impl Gate {
    /// Lets a connection in, or says which limit it met.
    pub(super) fn admit(
        &self,
        address: IpAddr,
        limits: &ConnectionLimits,
    ) -> Result<Pass, Refusal> {
        let client = client_of(address);
        let mut inside = self.0.lock();
        if inside.total >= limits.connections {
            return Err(Refusal::TotalLimit);
        }
        let own = inside.by_client.get(&client).copied().unwrap_or_default();
        if own >= limits.connections_per_client {
            return Err(Refusal::ClientLimit);
        }
        inside.by_client.insert(client, own + 1);
        inside.total += 1;
        Ok(Pass { gate: self.clone(), client })
    }
}

// === impl Pass ===

impl Drop for Pass {
    fn drop(&mut self) {
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

/// The client behind an address: all of an IPv6 /64 is one host's to choose from.
pub(in crate::dns) fn client_of(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let prefix = u128::from(address) & !u128::from(u64::MAX);
            Ipv6Addr::from(prefix).into()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, time::Duration};

    use super::{ConnectionLimits, Gate, Refusal};

    #[test]
    fn a_client_and_all_clients_are_held_to_their_limits() {
        let idle_timeout = Duration::from_secs(1);
        let limits = ConnectionLimits { connections: 3, connections_per_client: 2, idle_timeout };
        let gate = Gate::default();
        let enter = |address: &str| gate.admit(address.parse::<IpAddr>().unwrap(), &limits);
        let first = enter("2001:db8::1").unwrap();
        let _second = enter("2001:db8::2").unwrap();
        assert_eq!(enter("2001:db8::3").unwrap_err(), Refusal::ClientLimit, "one /64, one client");
        let _third = enter("192.0.2.1").unwrap();
        assert_eq!(enter("192.0.2.2").unwrap_err(), Refusal::TotalLimit);
        drop(first);
        enter("::ffff:192.0.2.1").unwrap();
        assert_eq!(gate.0.lock().by_client.len(), 2, "who has left is forgotten");
    }
}
