//! A service: of an agent, of a node, in the catalog, and with its node and its checks.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value};

use super::{HealthCheck, Node};
use crate::http::consul::definition::{ServiceAddress, ServicePort};

/// Shares of the answers by state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::http::consul) struct Weights {
    /// While it is passing.
    pub passing: u16,
    /// While it is warning.
    pub warning: u16,
}

/// A service as its agent has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::http::consul) struct AgentService {
    /// Its kind, if it is no ordinary one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub service: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
    /// Its port.
    pub port: u16,
    /// Its ports by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// Its address; empty for its node's.
    pub address: String,
    /// The socket in place of a port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub socket_path: String,
    /// Its addresses by the networks that they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_addresses: BTreeMap<String, ServiceAddress>,
    /// Its shares of the answers.
    pub weights: Weights,
    /// Whether the catalog's tags stand over those of the agent.
    pub enable_tag_override: bool,
    /// `Proxy`, `Connect`, `Locality`, as far as they were sent.
    #[serde(flatten)]
    pub rest: Map<String, Value>,
    /// The datacenter.
    pub datacenter: String,
    /// What all of this comes to, where it is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_hash: Option<String>,
}

/// A service of a node, and of an entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::http::consul) struct NodeService {
    /// Its kind, if it is no ordinary one.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Its id.
    #[serde(rename = "ID")]
    pub id: String,
    /// Its name.
    pub service: String,
    /// Its tags.
    pub tags: Vec<String>,
    /// Its address; empty for its node's.
    pub address: String,
    /// Its addresses by the networks that they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_addresses: BTreeMap<String, ServiceAddress>,
    /// Its metadata.
    pub meta: BTreeMap<String, String>,
    /// Its port.
    pub port: u16,
    /// Its ports by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// The socket in place of a port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub socket_path: String,
    /// Its shares of the answers.
    pub weights: Weights,
    /// Whether the catalog's tags stand over those of the agent.
    pub enable_tag_override: bool,
    /// What it is a proxy of.
    pub proxy: Value,
    /// What it is in a mesh.
    pub connect: Value,
    /// Where it is, if that was sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locality: Option<Value>,
    /// The peer that it came from; none.
    pub peer_name: &'static str,
    /// The revision at which it came.
    pub create_index: u64,
    /// The revision of its last registration.
    pub modify_index: u64,
}

/// A service in the catalog, with its node in the same row.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::http::consul) struct CatalogService {
    /// The node's UUID.
    #[serde(rename = "ID")]
    pub id: String,
    /// The node.
    pub node: String,
    /// The node's address.
    pub address: String,
    /// The datacenter.
    pub datacenter: String,
    /// The node's addresses by the networks that they are for.
    pub tagged_addresses: BTreeMap<String, String>,
    /// The node's metadata.
    pub node_meta: BTreeMap<String, String>,
    /// Its kind; empty for an ordinary one.
    pub service_kind: String,
    /// Its id.
    #[serde(rename = "ServiceID")]
    pub service_id: String,
    /// Its name.
    pub service_name: String,
    /// Its tags.
    pub service_tags: Vec<String>,
    /// Its address; empty for its node's.
    pub service_address: String,
    /// Its addresses by the networks that they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub service_tagged_addresses: BTreeMap<String, ServiceAddress>,
    /// Its shares of the answers.
    pub service_weights: Weights,
    /// Its metadata.
    pub service_meta: BTreeMap<String, String>,
    /// Its port.
    pub service_port: u16,
    /// Its ports by name.
    pub service_ports: Option<Vec<ServicePort>>,
    /// The socket in place of a port.
    pub service_socket_path: String,
    /// Whether the catalog's tags stand over those of the agent.
    pub service_enable_tag_override: bool,
    /// What it is a proxy of.
    pub service_proxy: Value,
    /// What it is in a mesh.
    pub service_connect: Value,
    /// Where it is, if that was sent.
    pub service_locality: Option<Value>,
    /// The revision at which it came.
    pub create_index: u64,
    /// The revision of its last registration.
    pub modify_index: u64,
}

/// A service with its node and the checks of both: a row of `/v1/health/service`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "PascalCase")]
pub(in crate::http::consul) struct Entry {
    /// The node.
    pub node: Node,
    /// The service.
    pub service: NodeService,
    /// The node's checks and the service's.
    pub checks: Vec<HealthCheck>,
}
