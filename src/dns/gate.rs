//! Who may still come in: limits on what there is at once, in all and of one client.

use std::{
    net::{IpAddr, Ipv6Addr},
    sync::Arc,
};

use hashbrown::HashMap;
use parking_lot::Mutex;

use super::stats::Refusal;

/// Counts what is inside (connections, messages that wait), in all and by client. Clones share the
/// count.
#[derive(Debug, Clone, Default)]
pub(super) struct Gate(Arc<Mutex<Inside>>);

/// How many may be inside at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// In all.
    pub total: usize,
    /// Of one client: an IPv4 address, or an IPv6 /64.
    pub of_client: usize,
}

#[derive(Debug, Default)]
struct Inside {
    total: usize,
    /// Clients that have something inside; as long as there is of that at the most.
    by_client: HashMap<IpAddr, usize>,
}

/// One inside; leaves when dropped.
#[derive(Debug)]
pub(super) struct Pass {
    gate: Gate,
    client: IpAddr,
}

// === impl Gate ===

impl Gate {
    /// Lets one more of a client in, or says which limit it met.
    pub(super) fn admit(&self, address: IpAddr, limit: Limit) -> Result<Pass, Refusal> {
        let client = client_of(address);
        let mut inside = self.0.lock();
        if inside.total >= limit.total {
            return Err(Refusal::TotalLimit);
        }
        let own = inside.by_client.get(&client).copied().unwrap_or_default();
        if own >= limit.of_client {
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
fn client_of(address: IpAddr) -> IpAddr {
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
    use std::net::IpAddr;

    use super::{Gate, Limit, Refusal};

    #[test]
    fn a_client_and_all_clients_are_held_to_their_limits() {
        let limit = Limit { total: 3, of_client: 2 };
        let gate = Gate::default();
        let enter = |address: &str| gate.admit(address.parse::<IpAddr>().unwrap(), limit);
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
