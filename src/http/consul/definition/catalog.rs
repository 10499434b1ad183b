//! `PUT /v1/catalog/register` and `PUT /v1/catalog/deregister`.
//!
//! No aliases here: Consul has them only for agents. Refusals of content are 500, as in Consul.
//! Clients such as consul-esm read rows, change them and write them back: the fields of rows that
//! say nothing in a registration are known and skipped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{
        duration::GoDuration,
        quote::quoted,
        reader::{Body, Fields},
        texts::ConsulError,
    },
    check_type::is_status,
    meta::{self, Meta},
    proxy,
    service::{ServiceAddress, ServicePort, Weights, is_any_address, validate_ports},
};

mod fields;

/// A node, and a service or checks on it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::http) struct CatalogRegistration {
    /// The node's UUID; may be empty.
    #[serde(rename = "ID")]
    pub(in crate::http) id: String,
    /// The node's name; required.
    pub(in crate::http) node: String,
    /// Its address; required unless the node is not touched.
    pub(in crate::http) address: String,
    /// Its addresses by the networks that they are for.
    pub(in crate::http) tagged_addresses: BTreeMap<String, String>,
    /// Its metadata.
    pub(in crate::http) node_meta: Meta,
    /// The datacenter; empty for ours.
    pub(in crate::http) datacenter: String,
    /// A service.
    pub(in crate::http) service: Option<CatalogService>,
    /// A check.
    pub(in crate::http) check: Option<CatalogCheck>,
    /// More checks.
    pub(in crate::http) checks: Vec<CatalogCheck>,
    /// Whether the node itself is left as it is.
    pub(in crate::http) skip_node_update: bool,
    /// Read, and not shown: there is one place here, and `near` sorts nothing.
    pub(in crate::http) locality: Option<Value>,
}

/// A service of a node.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::http) struct CatalogService {
    /// Its kind; empty for an ordinary one.
    pub(in crate::http) kind: String,
    /// Its id; empty for its name.
    #[serde(rename = "ID")]
    pub(in crate::http) id: String,
    /// Its name, which is `Name` for agents.
    pub(in crate::http) service: String,
    /// Its tags, as they were sent.
    pub(in crate::http) tags: Vec<String>,
    /// Its address; empty for the node's.
    pub(in crate::http) address: String,
    /// Its addresses by the networks that they are for.
    pub(in crate::http) tagged_addresses: BTreeMap<String, ServiceAddress>,
    /// Its metadata.
    pub(in crate::http) meta: Meta,
    /// Its port, 0 for none.
    pub(in crate::http) port: i64,
    /// Its ports by name, in place of `port`.
    pub(in crate::http) ports: Vec<ServicePort>,
    /// The socket that it listens on, in place of a port.
    pub(in crate::http) socket_path: String,
    /// Its weights; left out, 1 and 1.
    pub(in crate::http) weights: Option<Weights>,
    /// Whether the catalog's tags stand over those of the agent.
    pub(in crate::http) enable_tag_override: bool,
    /// Kept as it was sent.
    pub(in crate::http) proxy: Option<Value>,
    /// Kept as it was sent.
    pub(in crate::http) connect: Option<Value>,
    /// Kept as it was sent.
    pub(in crate::http) locality: Option<Value>,
}

/// A check and its state, which nobody probes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::http) struct CatalogCheck {
    /// The node; empty or that of the registration.
    pub(in crate::http) node: String,
    /// Its id; empty for its name.
    #[serde(rename = "CheckID")]
    pub(in crate::http) check_id: String,
    /// Its name.
    pub(in crate::http) name: String,
    /// Its state; empty for `critical`.
    pub(in crate::http) status: String,
    /// Text for people.
    pub(in crate::http) notes: String,
    /// What it said last.
    pub(in crate::http) output: String,
    /// The id of the service; empty for a check of the node.
    #[serde(rename = "ServiceID")]
    pub(in crate::http) service_id: String,
    /// Its type, as it is shown.
    pub(in crate::http) r#type: String,
    /// How often others probe it, as it is shown.
    pub(in crate::http) interval: String,
    /// After which an unanswered run has failed, as it is shown.
    pub(in crate::http) timeout: String,
    /// What others, such as consul-esm, are to probe.
    pub(in crate::http) definition: CatalogCheckDefinition,
}

/// What others are to probe for a check of the catalog.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::http) struct CatalogCheckDefinition {
    /// A URL.
    #[serde(rename = "HTTP", skip_serializing_if = "String::is_empty")]
    pub(in crate::http) http: String,
    /// The name that the certificate is checked against.
    #[serde(rename = "TLSServerName", skip_serializing_if = "String::is_empty")]
    pub(in crate::http) tls_server_name: String,
    /// Whether any certificate is accepted.
    #[serde(rename = "TLSSkipVerify", skip_serializing_if = "is_false")]
    pub(in crate::http) tls_skip_verify: bool,
    /// Headers of the HTTP request.
    #[serde(rename = "Header", skip_serializing_if = "BTreeMap::is_empty")]
    pub(in crate::http) header: BTreeMap<String, Vec<String>>,
    /// Its method.
    #[serde(rename = "Method", skip_serializing_if = "String::is_empty")]
    pub(in crate::http) method: String,
    /// Its body.
    #[serde(rename = "Body", skip_serializing_if = "String::is_empty")]
    pub(in crate::http) body: String,
    /// Host and port that accept a connection.
    #[serde(rename = "TCP", skip_serializing_if = "String::is_empty")]
    pub(in crate::http) tcp: String,
    /// Whether a TLS handshake is part of it.
    #[serde(rename = "TCPUseTLS", skip_serializing_if = "is_false")]
    pub(in crate::http) tcp_use_tls: bool,
    /// Host and port that are sent a datagram.
    #[serde(rename = "UDP", skip_serializing_if = "String::is_empty")]
    pub(in crate::http) udp: String,
    /// Host and port that are asked by grpc.health.v1.
    #[serde(rename = "GRPC", skip_serializing_if = "String::is_empty")]
    pub(in crate::http) grpc: String,
    /// Whether over TLS.
    #[serde(rename = "GRPCUseTLS", skip_serializing_if = "is_false")]
    pub(in crate::http) grpc_use_tls: bool,
    /// From one check's start to the next one's.
    #[serde(rename = "Interval", skip_serializing_if = "is_zero")]
    pub(in crate::http) interval: GoDuration,
    /// After which an unanswered check has failed.
    #[serde(rename = "Timeout", skip_serializing_if = "is_zero")]
    pub(in crate::http) timeout: GoDuration,
    /// How long it may be critical before its service is removed.
    #[serde(rename = "DeregisterCriticalServiceAfter", skip_serializing_if = "is_zero")]
    pub(in crate::http) deregister_critical_service_after: GoDuration,
}

/// What is taken away: a service, a check, or with neither the whole node.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
pub(in crate::http) struct CatalogDeregistration {
    /// The node; required.
    pub(in crate::http) node: String,
    /// Nothing looks at it.
    pub(in crate::http) address: String,
    /// The datacenter; empty for ours.
    pub(in crate::http) datacenter: String,
    /// The id of a service, which stands before a check.
    #[serde(rename = "ServiceID")]
    pub(in crate::http) service_id: String,
    /// The id of a check.
    #[serde(rename = "CheckID")]
    pub(in crate::http) check_id: String,
}

// === impl CatalogRegistration ===

impl CatalogRegistration {
    /// `Check` and then `Checks`.
    pub(in crate::http) fn all_checks(&self) -> impl Iterator<Item = &CatalogCheck> {
        self.check.iter().chain(&self.checks)
    }

    /// Consul's own checks, in its order, and ours of what Consul takes and cannot answer with:
    /// weights and ports beyond DNS, states that are none.
    ///
    /// # Errors
    /// 500 that says which.
    pub(in crate::http) fn validate(&self) -> Result<(), ConsulError> {
        if self.node.is_empty() {
            return Err(ConsulError::must_provide_node());
        }
        if self.address.is_empty() && !self.skip_node_update {
            return Err(ConsulError::failed("Must provide address if SkipNodeUpdate is not set"));
        }
        if !self.id.is_empty() {
            validate_uuid(&self.id)
                .map_err(|text| ConsulError::failed(format!("Bad node ID: {text}")))?;
        }
        if let Some(service) = &self.service {
            service.validate(&self.node)?;
        }
        self.all_checks().try_for_each(|check| check.validate(&self.node))
    }
}

impl Body for CatalogRegistration {
    const FIELDS: &'static Fields = &fields::REGISTRATION;
}

// === impl CatalogService ===

impl CatalogService {
    /// Its id: its name unless it has one.
    pub(in crate::http) fn id(&self) -> &str {
        if self.id.is_empty() { &self.service } else { &self.id }
    }

    fn validate(&self, node: &str) -> Result<(), ConsulError> {
        if self.service.is_empty() {
            // 1.8.7 says `Must provide service name with ID`.
            let text = "Must provide service name (Service.Service) when service ID is provided";
            return Err(ConsulError::failed(text));
        }
        if is_any_address(&self.address) {
            return Err(ConsulError::failed("Invalid service address"));
        }
        proxy::validate(&self.kind, self.proxy.as_ref(), self.port).map_err(ConsulError::failed)?;
        if let Some(Weights { passing, warning }) = self.weights {
            let fits = |weight| (0..=i64::from(u16::MAX)).contains(&weight);
            if !fits(passing) || !fits(warning) {
                let text = "Invalid Weights: DNS Weight must be between 0 and 65535";
                return Err(ConsulError::failed(text));
            }
        }
        let connect = self
            .connect
            .as_ref()
            .is_some_and(|connect| connect.as_object().is_some_and(|members| !members.is_empty()));
        validate_ports(self.port, &self.ports, &self.socket_path, connect)?;
        meta::validate(&self.meta, self.kind == "mesh-gateway").map_err(|text| {
            let id = self.id();
            ConsulError::failed(format!(
                "failed inserting service: Invalid Service Meta for node {node} and serviceID \
                 {id}: {text}"
            ))
        })
    }
}

// === impl CatalogCheck ===

impl CatalogCheck {
    /// Its id: its name unless it has one.
    pub(in crate::http) fn id(&self) -> &str {
        if self.check_id.is_empty() { &self.name } else { &self.check_id }
    }

    fn validate(&self, node: &str) -> Result<(), ConsulError> {
        if !self.node.is_empty() && !self.node.eq_ignore_ascii_case(node) {
            let text =
                format!("check node {} does not match node {}", quoted(&self.node), quoted(node));
            return Err(ConsulError::failed(text));
        }
        if self.id().is_empty() {
            let text = format!(
                "failed inserting check: failed inserting check: object missing primary index on \
                 node {}",
                quoted(node)
            );
            return Err(ConsulError::failed(text));
        }
        match self.status.is_empty() || is_status(&self.status) {
            true => Ok(()),
            false => Err(ConsulError::invalid_check_status(&self.status)),
        }
    }
}

// === impl CatalogDeregistration ===

impl CatalogDeregistration {
    /// Consul's own check.
    ///
    /// # Errors
    /// 500 without a node.
    pub(in crate::http) fn validate(&self) -> Result<(), ConsulError> {
        if self.node.is_empty() { Err(ConsulError::must_provide_node()) } else { Ok(()) }
    }
}

impl Body for CatalogDeregistration {
    const FIELDS: &'static Fields = &fields::DEREGISTRATION;
}

fn validate_uuid(text: &str) -> Result<(), &'static str> {
    if text.len() != 36 {
        return Err("uuid string is wrong length");
    }
    let well_formed = text.bytes().enumerate().all(|(at, octet)| match at {
        8 | 13 | 18 | 23 => octet == b'-',
        _ => octet.is_ascii_hexdigit(),
    });
    if well_formed { Ok(()) } else { Err("uuid is improperly formatted") }
}

fn is_false(value: &bool) -> bool {
    !value
}

fn is_zero(duration: &GoDuration) -> bool {
    duration.nanos() == 0
}
