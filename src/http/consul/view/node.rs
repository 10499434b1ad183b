//! A node.

use std::collections::BTreeMap;

use serde::Serialize;

/// A node in the catalog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::http::consul) struct Node {
    /// Its UUID.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub node: String,
    /// Its address: an IP address or a host name.
    pub address: String,
    /// The datacenter that it is in.
    pub datacenter: String,
    /// Its addresses by the networks that they are for.
    pub tagged_addresses: BTreeMap<String, String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
    /// The revision at which it came.
    pub create_index: u64,
    /// The revision of its last change.
    pub modify_index: u64,
}

// === impl Node ===

impl Node {
    /// The addresses that a node has for each network unless it says otherwise: its own.
    pub(in crate::http::consul) fn default_addresses(address: &str) -> BTreeMap<String, String> {
        let family = match address.parse() {
            Ok(std::net::IpAddr::V4(_)) => &["lan", "lan_ipv4", "wan", "wan_ipv4"][..],
            Ok(std::net::IpAddr::V6(_)) => &["lan", "lan_ipv6", "wan", "wan_ipv6"],
            Err(_) => &["lan", "wan"],
        };
        family.iter().map(|tag| ((*tag).to_owned(), address.to_owned())).collect()
    }
}
