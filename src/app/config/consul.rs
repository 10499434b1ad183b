//! `[consul]`: what this server is to Consul's clients.

use std::{
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    Config,
    consul_node::ConsulNode,
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
    /// How long the reply to a registration waits for the first results of its checks.
    pub registration_wait: Duration,
}

/// A registration is not to be waited for longer: clients give up after some ten seconds, and try
/// again what has been done.
pub(super) const REGISTRATION_WAIT_MAX: Duration = Duration::from_secs(10);

// === impl ConsulSettings ===

impl ConsulSettings {
    /// The part of the API, which knows this server as `node`; `dns` and `http` are where it
    /// listens.
    pub fn options(
        &self,
        node: &ConsulNode,
        dns: &[SocketAddr],
        http: &[SocketAddr],
    ) -> http::ConsulOptions {
        http::ConsulOptions {
            enabled: self.enabled,
            datacenter: self.datacenter.clone(),
            node: node.name.clone(),
            node_address: node.address,
            registration_wait: self.registration_wait,
            dns: dns.to_vec(),
            http: http.to_vec(),
        }
    }
}

impl Default for ConsulSettings {
    fn default() -> Self {
        Self {
            enabled: true,
            datacenter: "dc1".into(),
            node_name: None,
            node_address: None,
            registration_wait: Duration::from_millis(500),
        }
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
    let is_of_hosts = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if let Some(other) = name.chars().find(|&c| !is_of_hosts(c)) {
        let rule = "in names of DNS there are letters, digits, hyphens, underscores and dots";
        return Err(given.refuse(format!("has the character {other:?}; {rule}")));
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
