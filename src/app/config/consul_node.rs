//! The node that this server is to Consul's clients: found once, when the server starts, for HTTP
//! and DNS alike. A reload does not look again, so that neither tells of another node than the
//! other when the host's name or its addresses have changed since.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use super::{
    ConsulSettings,
    route::{ELSEWHERE, address_towards, is_of_network},
};

/// A node, and the port at which this server is Consul's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsulNode {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub address: IpAddr,
    /// The port of HTTP; 0 where that is not known before it listens.
    pub port: u16,
}

/// The node when the host has no name that could be read.
const NAME: &str = "rollcall";

// === impl ConsulNode ===

impl ConsulNode {
    /// The node of a server whose HTTP interface is at `http`: as it is configured, or else as the
    /// host is called, at an address by which others reach it.
    pub fn of(settings: &ConsulSettings, http: &[SocketAddr]) -> Self {
        let name = settings.node_name.clone().or_else(host_name);
        Self {
            name: name.unwrap_or_else(|| NAME.into()),
            address: settings.node_address.unwrap_or_else(|| own_address(http)),
            port: http.first().map_or(0, SocketAddr::port),
        }
    }
}

/// The host's name, up to its first dot, as the kernel has it.
pub(super) fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().split('.').next().unwrap_or("");
    (!name.is_empty()).then(|| name.to_owned())
}

/// The address by which others most likely reach this host: one that HTTP listens on, if that is
/// one of a network; else the one from which packets to other networks would be sent; else, on a
/// host without a network, that of the loopback.
fn own_address(http: &[SocketAddr]) -> IpAddr {
    let listened = http.iter().map(|address| address.ip().to_canonical()).find(is_of_network);
    let routed = || ELSEWHERE.into_iter().find_map(address_towards);
    listened.or_else(routed).unwrap_or(IpAddr::from(Ipv4Addr::LOCALHOST))
}

#[cfg(test)]
mod tests {
    use super::{ConsulNode, own_address};
    use crate::app::config::ConsulSettings;

    #[test]
    fn a_node_has_the_address_that_others_reach() {
        let of = |listen: &[&str]| {
            let listen: Vec<_> = listen.iter().map(|text| text.parse().unwrap()).collect();
            own_address(&listen)
        };
        assert_eq!(of(&["127.0.0.1:8500", "10.0.0.7:8500"]).to_string(), "10.0.0.7");
        assert!(!of(&["0.0.0.0:8500"]).is_unspecified());
        assert!(!of(&[]).is_unspecified());
    }

    #[test]
    fn a_node_is_called_as_its_host_unless_it_is_told() {
        let settings = ConsulSettings { node_name: Some("N".into()), ..Default::default() };
        assert_eq!(ConsulNode::of(&settings, &[]).name, "N");
        let found = ConsulNode::of(&ConsulSettings::default(), &["10.0.0.7:8501".parse().unwrap()]);
        assert!(!found.name.is_empty());
        assert_eq!((found.address.to_string().as_str(), found.port), ("10.0.0.7", 8501));
    }
}
