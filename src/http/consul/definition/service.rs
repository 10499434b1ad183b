//! `PUT /v1/agent/service/register`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    super::{
        reader::{Body, Field, Fields, Shape},
        texts::ConsulError,
    },
    check_type::{CHECK_TYPE, CheckType, is_status},
    meta::{self, Meta},
    proxy,
};
use crate::model::limit;

/// A service of the agent that it is sent to.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::http) struct ServiceDefinition {
    /// Its kind; empty for an ordinary one.
    pub(in crate::http) kind: String,
    /// Its id; empty for its name.
    #[serde(rename = "ID")]
    pub(in crate::http) id: String,
    /// Its name; required.
    pub(in crate::http) name: String,
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
    /// A check.
    pub(in crate::http) check: Option<CheckType>,
    /// More checks.
    pub(in crate::http) checks: Vec<CheckType>,
    /// Its weights; left out, 1 and 1.
    pub(in crate::http) weights: Option<Weights>,
    /// A token; nothing looks at it.
    pub(in crate::http) token: String,
    /// Whether the catalog's tags stand over those of the agent.
    pub(in crate::http) enable_tag_override: bool,
    /// Kept as it was sent.
    pub(in crate::http) proxy: Option<Value>,
    /// Kept as it was sent.
    pub(in crate::http) connect: Option<Value>,
    /// Kept as it was sent.
    pub(in crate::http) locality: Option<Value>,
}

/// An address of a service.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::http) struct ServiceAddress {
    /// An IP address or a host name.
    pub(in crate::http) address: String,
    /// Its port, 0 for none.
    pub(in crate::http) port: i64,
}

/// A port with a name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::http) struct ServicePort {
    /// Its name.
    pub(in crate::http) name: String,
    /// The port.
    pub(in crate::http) port: i64,
    /// Whether it is the one that is answered to those who name none.
    pub(in crate::http) default: bool,
}

/// Shares of the answers by state.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "PascalCase")]
pub(in crate::http) struct Weights {
    /// While it is passing.
    pub(in crate::http) passing: i64,
    /// While it is warning.
    pub(in crate::http) warning: i64,
}

pub(super) static SERVICE_ADDRESS: Fields = Fields {
    owner: "ServiceAddress",
    kind: "structs.ServiceAddress",
    fields: &[Field::new("Address", Shape::Text), Field::new("Port", Shape::Integer)],
    common: &[],
    open: false,
};

pub(super) static SERVICE_PORT: Fields = Fields {
    owner: "ServicePort",
    kind: "structs.ServicePort",
    fields: &[
        Field::new("Name", Shape::Text),
        Field::new("Port", Shape::Integer),
        Field::new("Default", Shape::Bool),
    ],
    common: &[],
    open: false,
};

pub(super) static WEIGHTS: Fields = Fields {
    owner: "Weights",
    kind: "structs.Weights",
    fields: &[Field::new("Passing", Shape::Integer), Field::new("Warning", Shape::Integer)],
    common: &[],
    open: false,
};

static SERVICE_DEFINITION: Fields = Fields {
    owner: "",
    kind: "structs.ServiceDefinition",
    fields: &[
        Field::new("Kind", Shape::Text),
        Field::new("ID", Shape::Text),
        Field::new("Name", Shape::Text),
        Field::new("Tags", Shape::List(&Shape::Text)),
        Field::new("Address", Shape::Text),
        Field::or(
            "TaggedAddresses",
            &["tagged_addresses"],
            Shape::Map(&Shape::Object(&SERVICE_ADDRESS)),
        ),
        Field::new("Meta", Shape::Map(&Shape::Text)),
        Field::new("Port", Shape::Integer),
        Field::new("Ports", Shape::List(&Shape::Object(&SERVICE_PORT))),
        Field::or("SocketPath", &["socket_path"], Shape::Text),
        Field::new("Check", Shape::Object(&CHECK_TYPE)),
        Field::new("Checks", Shape::List(&Shape::Object(&CHECK_TYPE))),
        Field::new("Weights", Shape::Object(&WEIGHTS)),
        Field::new("Token", Shape::Text),
        Field::or("EnableTagOverride", &["enable_tag_override"], Shape::Bool),
        Field::new("Proxy", Shape::Any),
        Field::new("Connect", Shape::Any),
        Field::new("Locality", Shape::Any),
    ],
    common: &[],
    open: false,
};

// === impl ServiceDefinition ===

impl ServiceDefinition {
    /// Its id: its name unless it has one.
    pub(in crate::http) fn id(&self) -> &str {
        if self.id.is_empty() { &self.name } else { &self.id }
    }

    /// `Check`, unless it is empty, and then `Checks`.
    pub(in crate::http) fn all_checks(&self) -> impl Iterator<Item = &CheckType> {
        self.check.iter().filter(|check| !check.is_empty()).chain(&self.checks)
    }

    /// Consul's own checks, in its order, and one of ours: of ports, of which Consul takes any
    /// number and answers with another one.
    ///
    /// # Errors
    /// 400 that says which.
    pub(in crate::http) fn validate(&self) -> Result<(), ConsulError> {
        if self.name.is_empty() {
            return Err(ConsulError::missing_service_name());
        }
        if is_any_address(&self.address) {
            return Err(ConsulError::bad_request("Invalid service address"));
        }
        if let Some(weights) = &self.weights {
            let fault = |text| ConsulError::bad_request(format!("Invalid Weights: {text}"));
            weights.validate().map_err(fault)?;
        }
        meta::validate(&self.meta, self.kind == "mesh-gateway")
            .map_err(|text| ConsulError::bad_request(format!("Invalid Service Meta: {text}")))?;
        proxy::validate(&self.kind, self.proxy.as_ref(), self.port)
            .map_err(ConsulError::bad_request)?;
        // Held to before each is looked for among all others.
        let (checks, most) = (self.all_checks().count(), limit::INSTANCE_CHECKS_MAX);
        if checks > most {
            let text = format!("Invalid service: {checks} checks are above the limit of {most}");
            return Err(ConsulError::bad_request(text));
        }
        proxy::validate_connect(self.connect.as_ref()).map_err(ConsulError::bad_request)?;
        let connect = self.connect.is_some();
        validate_ports(self.port, &self.ports, &self.socket_path, connect)?;
        for check in self.all_checks() {
            check.validate().map_err(ConsulError::invalid_check)?;
            if !check.status.is_empty() && !is_status(&check.status) {
                return Err(ConsulError::bad_service_check_status());
            }
        }
        Ok(())
    }
}

impl Body for ServiceDefinition {
    const FIELDS: &'static Fields = &SERVICE_DEFINITION;
}

// === impl Weights ===

impl Weights {
    /// Consul's own checks.
    ///
    /// # Errors
    /// The text, without what stands before it.
    pub(super) fn validate(&self) -> Result<(), &'static str> {
        let most = i64::from(u16::MAX);
        if self.passing < 1 {
            Err("Passing must be greater than 0")
        } else if self.warning < 0 {
            Err("Warning must be greater or equal than 0")
        } else if self.passing > most || self.warning > most {
            Err("DNS Weight must be between 0 and 65535")
        } else {
            Ok(())
        }
    }
}

/// An address on which one listens, but at which nobody is found.
pub(super) fn is_any_address(address: &str) -> bool {
    matches!(address, "0.0.0.0" | "::" | "[::]")
}

/// Ports, of which a service has one, several by name, or a socket in place of them. Only the text
/// about Connect is Consul's.
pub(super) fn validate_ports(
    port: i64,
    ports: &[ServicePort],
    socket: &str,
    connect: bool,
) -> Result<(), ConsulError> {
    let most = i64::from(u16::MAX);
    let refuse = |text: String| Err(ConsulError::bad_request(text));
    if !(0..=most).contains(&port) {
        return refuse(format!("Invalid service port: {port} is not between 0 and {most}"));
    }
    if port != 0 && !socket.is_empty() {
        return refuse("Invalid service: Port and SocketPath cannot both be specified".to_owned());
    }
    if ports.is_empty() {
        return Ok(());
    }
    if port != 0 || !socket.is_empty() {
        let other = if port == 0 { "SocketPath" } else { "Port" };
        return refuse(format!("Invalid service: {other} and Ports cannot both be specified"));
    }
    if connect {
        return refuse("MultiPort cannot be used with Consul Connect.".to_owned());
    }
    for (at, named) in ports.iter().enumerate() {
        let ServicePort { name, port, .. } = named;
        if name.is_empty() {
            return refuse("Invalid service port: each of Ports needs a Name".to_owned());
        }
        if !(1..=most).contains(port) {
            return refuse(format!(
                "Invalid service port: {name} {port} is not between 1 and {most}"
            ));
        }
        if ports[..at].iter().any(|other| other.name == *name) {
            return refuse(format!("Invalid service port: {name} is there twice"));
        }
    }
    match ports.iter().filter(|named| named.default).count() {
        1 => Ok(()),
        _ => refuse("Invalid service: exactly one of Ports must be the Default".to_owned()),
    }
}
