//! `[consul]`: what this server is to Consul's clients.

use std::{
    fs,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket},
};

use super::{
    Config,
    given::{Given, Refusal},
};
use crate::{http, model::limit};

/// `[consul]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsulSettings {
    /// Whether Consul's interface is there.
    pub enabled: bool,
    /// The datacenter's name.
    pub datacenter: String,
    /// The node of what is registered from this host; `None` for the host's name.
    pub node_name: Option<String>,
    /// That node's address; `None` for one by which others reach this host.
    pub node_address: Option<IpAddr>,
}

/// The node when the host has no name that could be read.
const NODE: &str = "rollcall";

// === impl ConsulSettings ===

impl ConsulSettings {
    /// The part of the API; `dns` and `http` are where this server listens.
    pub fn options(&self, dns: &[SocketAddr], http: &[SocketAddr]) -> http::ConsulOptions {
        http::ConsulOptions {
            enabled: self.enabled,
            datacenter: self.datacenter.clone(),
            node: self.node_name.clone().or_else(host_name).unwrap_or_else(|| NODE.into()),
            node_address: self.node_address.unwrap_or_else(|| own_address(http)),
            dns: dns.to_vec(),
            http: http.to_vec(),
        }
    }
}

impl Default for ConsulSettings {
    fn default() -> Self {
        Self { enabled: true, datacenter: "dc1".into(), node_name: None, node_address: None }
    }
}

/// A datacenter's name: it stands in names of DNS.
pub(super) fn datacenter(given: &Given) -> Result<String, Refusal> {
    let name = given.text()?;
    let inner = |octet: u8| octet.is_ascii_lowercase() || octet.is_ascii_digit() || octet == b'-';
    let is_label = (1..=limit::LABEL_OCTETS_MAX).contains(&name.len())
        && name.bytes().all(inner)
        && !name.starts_with('-')
        && !name.ends_with('-');
    if is_label {
        return Ok(name.to_owned());
    }
    Err(given.refuse("is not 1 to 63 small letters, digits and hyphens, no hyphen at an end"))
}

/// A node's name; empty for the host's.
pub(super) fn node_name(given: &Given) -> Result<Option<String>, Refusal> {
    let Some(name) = given.optional_text()? else { return Ok(None) };
    if name.len() > limit::ORIGIN_NAME_OCTETS_MAX {
        let most = limit::ORIGIN_NAME_OCTETS_MAX;
        return Err(given.refuse(format!("has {} octets, above the limit of {most}", name.len())));
    }
    Ok(Some(name.to_owned()))
}

/// A node's address; empty for one that is found.
pub(super) fn node_address(given: &Given) -> Result<Option<IpAddr>, Refusal> {
    let Some(text) = given.optional_text()? else { return Ok(None) };
    let address: IpAddr = text.parse().map_err(|_| given.refuse("is no IP address"))?;
    if address.is_unspecified() || address.is_multicast() {
        return Err(given.refuse("is no address of a host"));
    }
    Ok(Some(address))
}

/// The node's name as it is shown.
pub(super) fn shown_name(config: &Config) -> &str {
    config.consul.node_name.as_deref().unwrap_or("")
}

/// The node's address as it is shown.
pub(super) fn shown_address(config: &Config) -> String {
    config.consul.node_address.map(|address| address.to_string()).unwrap_or_default()
}

/// The host's name, up to its first dot, as the kernel has it.
fn host_name() -> Option<String> {
    let name = fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
    let name = name.trim().split('.').next().unwrap_or("");
    (!name.is_empty()).then(|| name.to_owned())
}

/// The address by which others most likely reach this host: one that HTTP listens on, if that is
/// one of a network; else the one from which packets to other networks would be sent; else, on a
/// host without a network, that of the loopback.
fn own_address(http: &[SocketAddr]) -> IpAddr {
    let is_of_network = |ip: &IpAddr| !ip.is_unspecified() && !ip.is_loopback();
    let listened = http.iter().map(|address| address.ip().to_canonical()).find(is_of_network);
    let routed = || {
        // Addresses of documentation: to connect a UDP socket chooses a route and sends nothing.
        [
            (IpAddr::from(Ipv4Addr::UNSPECIFIED), IpAddr::from([192, 0, 2, 1])),
            (
                IpAddr::from(Ipv6Addr::UNSPECIFIED),
                IpAddr::from([0x2001, 0xdb8, 0, 0, 0, 0, 0, 1_u16]),
            ),
        ]
        .into_iter()
        .find_map(|(from, to)| {
            let socket = UdpSocket::bind((from, 0)).ok()?;
            socket.connect((to, 9)).ok()?;
            let ip = socket.local_addr().ok()?.ip();
            is_of_network(&ip).then_some(ip)
        })
    };
    listened.or_else(routed).unwrap_or(IpAddr::from(Ipv4Addr::LOCALHOST))
}

#[cfg(test)]
mod tests {
    use super::{ConsulSettings, own_address};

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
        assert_eq!(settings.options(&[], &[]).node, "N");
        assert!(!ConsulSettings::default().options(&[], &[]).node.is_empty());
    }
}
