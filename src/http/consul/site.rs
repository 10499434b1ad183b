//! What this server is to Consul's clients: a datacenter, and the agent of each of them.
//!
//! Consul has an agent on each host, and a service belongs to the agent that it is registered with.
//! Here one server stands for all of them: who registers from another host is on a node of its own,
//! whose name is made of the address. So ids need to be unique on a host only, a service without an
//! address has its host's, and a host sees and changes what is its own. What comes from this very
//! host is on the node that is configured.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use axum::http::Extensions;
use siphasher::sip128::SipHasher24;

use super::waiters::Interest;
use crate::{
    http::connection::{Local, Peer},
    model::Scope,
};

/// The operator's settings of Consul's interface.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// Whether it is there at all.
    pub enabled: bool,
    /// The datacenter's name.
    pub datacenter: String,
    /// The node of what is registered from this host, and of what comes by other doors.
    pub node: String,
    /// That node's address: where others find what is registered there without an address.
    pub node_address: IpAddr,
    /// How long the reply to a registration waits for the first results of its checks.
    pub registration_wait: Duration,
    /// Where DNS listens, for `/v1/agent/self`.
    pub dns: Vec<SocketAddr>,
    /// Where HTTP listens, for the same.
    pub http: Vec<SocketAddr>,
}

/// The version of Consul that clients are told.
const CONSUL_VERSION: &str = "1.21.0";

/// A node: a name and an address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Host {
    /// The name, in its own letters.
    pub name: String,
    /// The address, or a host name.
    pub address: String,
}

// === impl Options ===

impl Default for Options {
    fn default() -> Self {
        Self {
            enabled: true,
            datacenter: "dc1".into(),
            node: "rollcall".into(),
            node_address: IpAddr::from([127, 0, 0, 1]),
            registration_wait: Duration::from_millis(500),
            dns: Vec::new(),
            http: Vec::new(),
        }
    }
}

impl Options {
    /// The node of this server.
    pub(super) fn own_host(&self) -> Host {
        Host { name: self.node.clone(), address: self.node_address.to_string() }
    }

    /// What who looks at a node has to wait for. Whatever comes by another interface is on this
    /// server's own.
    pub(super) fn interest_in(&self, node: &str) -> Interest {
        let scope = Scope::node(node);
        if scope == self.own_host().scope() { Interest::Anything } else { Interest::Node(scope) }
    }

    /// The version of Consul whose interface this is, for clients that look for one, and our own:
    /// to them it is the number of a build.
    pub(super) fn version() -> String {
        format!("{CONSUL_VERSION}+rollcall.{}", env!("CARGO_PKG_VERSION"))
    }

    /// The port of DNS; 0 for none.
    pub(super) fn dns_port(&self) -> u16 {
        self.dns.first().map_or(0, SocketAddr::port)
    }

    /// The port of HTTP; 0 for none.
    pub(super) fn http_port(&self) -> u16 {
        self.http.first().map_or(0, SocketAddr::port)
    }

    /// Where this server is found: its node's address and the port of HTTP.
    pub(super) fn server_address(&self) -> SocketAddr {
        SocketAddr::new(self.node_address, self.http_port())
    }

    /// The node that a request comes from, which came to one of this host's addresses: who has that
    /// one, too, is on this host.
    pub(super) fn host_of(&self, request: &Extensions) -> Host {
        let Some(Peer(peer)) = request.get() else { return self.own_host() };
        let peer = peer.ip().to_canonical();
        let local = request.get().map(|Local(local)| local.ip().to_canonical());
        if peer.is_loopback() || peer == self.node_address || Some(peer) == local {
            return self.own_host();
        }
        Host { name: name_of(peer), address: peer.to_string() }
    }
}

// === impl Host ===

impl Host {
    /// Within which its services' ids are unique.
    pub(super) fn scope(&self) -> Scope {
        Scope::node(&self.name)
    }
}

/// A DNS label made of an address: `ip-10-0-1-6`, or `ip-fd00-0-0-0-0-0-0-6`.
fn name_of(ip: IpAddr) -> String {
    let parts: Vec<String> = match ip {
        IpAddr::V4(ip) => ip.octets().iter().map(ToString::to_string).collect(),
        IpAddr::V6(ip) => ip.segments().iter().map(|part| format!("{part:x}")).collect(),
    };
    format!("ip-{}", parts.join("-"))
}

/// The UUID of a node that brought none: made of its name, so that it is the same for ever
/// (version 8 of RFC 9562 §5.8: of whoever makes it).
pub(super) fn uuid_of(node: &str) -> String {
    let hash = SipHasher24::new().hash(node.to_lowercase().as_bytes()).as_u128();
    let bits = hash & !(0xF << 76) & !(0b11 << 62) | (8 << 76) | (0b10 << 62);
    let hex = format!("{bits:032x}");
    let parts = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]];
    parts.join("-")
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use axum::http::Extensions;

    use super::{Options, uuid_of};
    use crate::http::connection::{Local, Peer};

    #[test]
    fn a_client_is_on_the_node_that_its_address_names() {
        let options = Options { node_address: [10, 0, 0, 1].into(), ..Options::default() };
        for (peer, local, name, address) in [
            ("127.0.0.1", "127.0.0.1", "rollcall", "10.0.0.1"),
            ("::1", "::1", "rollcall", "10.0.0.1"),
            ("::ffff:127.0.0.1", "::ffff:127.0.0.1", "rollcall", "10.0.0.1"),
            ("10.0.0.1", "10.0.0.1", "rollcall", "10.0.0.1"),
            ("10.0.1.6", "10.0.0.1", "ip-10-0-1-6", "10.0.1.6"),
            ("::ffff:10.0.1.6", "10.0.0.1", "ip-10-0-1-6", "10.0.1.6"),
            ("fd00::6", "fd00::1", "ip-fd00-0-0-0-0-0-0-6", "fd00::6"),
            // Another address of this host.
            ("192.168.7.1", "192.168.7.1", "rollcall", "10.0.0.1"),
            ("::ffff:192.168.7.1", "192.168.7.1", "rollcall", "10.0.0.1"),
            ("fd00::1", "fd00::1", "rollcall", "10.0.0.1"),
        ] {
            let at = |ip: &str| SocketAddr::new(ip.parse().unwrap(), 40_000);
            let mut request = Extensions::new();
            request.insert(Peer(at(peer)));
            request.insert(Local(at(local)));
            let host = options.host_of(&request);
            assert_eq!((&*host.name, &*host.address), (name, address), "{peer} {local}");
        }
        assert_eq!(options.host_of(&Extensions::new()).name, "rollcall");
    }

    #[test]
    fn a_node_s_uuid_is_made_of_its_name() {
        let uuid = uuid_of("Web-1");
        assert_eq!(uuid, uuid_of("web-1"));
        assert_ne!(uuid, uuid_of("web-2"));
        let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(uuid[14..].starts_with('8') && "89ab".contains(&uuid[19..20]), "{uuid}");
    }
}
