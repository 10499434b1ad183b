//! What is kept of a registration for Consul's clients, beside what the registry knows of it.
//!
//! Clients compare what they read with what they sent (Nomad registers again for as long as the
//! two differ), so letters, order and all that has no place in an instance are kept as they came:
//! the document of an [`Origin`]. Whatever the registry has is not in it twice: addresses, ports
//! and weights in the registry's own words, states of checks.
//!
//! Fields that this version does not know were written by a newer one, and are passed over.

use std::{borrow::Cow, collections::BTreeMap};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    definition::{CheckType, ServiceAddress, ServicePort},
    duration::GoDuration,
};
use crate::model::{Addresses, Instance, Interface, Origin};

/// What is kept of a service.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Kept {
    /// The node's name, in the letters in which it was sent.
    pub node: String,
    /// The node's address.
    pub node_address: String,
    /// The service's name, in the letters in which it was sent.
    pub name: String,
    /// The tags, in their order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The service's address; empty for its node's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub address: String,
    /// Addresses by the networks that they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_addresses: BTreeMap<String, ServiceAddress>,
    /// Metadata, of which the registry has what fits a TXT record.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Ports by name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ports: Vec<ServicePort>,
    /// The socket in place of a port.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub socket_path: String,
    /// The kind; empty for an ordinary service.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub kind: String,
    /// Whether the catalog's tags stand over those of the agent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub enable_tag_override: bool,
    /// What is given back as it was sent, by its name: `Proxy`, `Connect`, `Locality`.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub rest: Map<String, Value>,
    /// Whether it was registered in the catalog, where nothing is added to what was sent, and not
    /// with an agent.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_of_catalog: bool,
    /// Why it is in maintenance, if somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<String>,
    /// The checks, in the registry's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<KeptCheck>,
}

/// What is kept of a check.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct KeptCheck {
    /// Its id; empty for the one that is made of its service's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its name; empty for the one that is made of its service's.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// Text for people.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub notes: String,
    /// Its type as it is shown, where that is not what the registry's kind of check says.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub shown_type: String,
    /// How often others probe it, as they wrote it; empty for what we probe.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub interval: String,
    /// After which an unanswered run has failed, as it was sent; empty for the default.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub timeout: String,
    /// For others than us to probe; shown in the catalog.
    #[serde(skip_serializing_if = "Map::is_empty")]
    pub definition: Map<String, Value>,
}

/// What is kept of a node that has a state of its own.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct KeptNode {
    /// Its UUID; empty for none, or for the one that is made of an agent's name.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub id: String,
    /// Its name, in the letters in which it was sent.
    pub node: String,
    /// Its address.
    pub address: String,
    /// Addresses by the networks that they are for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub tagged_addresses: BTreeMap<String, String>,
    /// Metadata.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub meta: BTreeMap<String, String>,
    /// Whether it was registered by itself, and stays without checks and services.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_registered: bool,
    /// Whether it is a registered one's agent, too, that things are registered with.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub has_agent: bool,
    /// Why it is in maintenance, if somebody said so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub maintenance: Option<String>,
    /// Its checks, in the registry's order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<KeptCheck>,
}

// === impl Kept ===

impl Kept {
    /// What is kept of an instance that came by this door; `None` for any other, and for a document
    /// that this version does not read.
    pub(super) fn of(instance: &Instance) -> Option<Self> {
        read(instance.origin.as_deref()?)
    }

    /// What is kept of an instance that came by this door. A document that this version does not
    /// read is made anew of what the registry knows.
    pub(super) fn known(instance: &Instance) -> Self {
        Self::of(instance).unwrap_or_else(|| {
            let shown = |addresses: &Addresses| match addresses.host() {
                Some(host) => host.to_string(),
                None => addresses.as_ips().first().map(ToString::to_string).unwrap_or_default(),
            };
            let origin = instance.origin.as_deref();
            let node = origin.and_then(|origin| origin.node.as_ref());
            let lends_address = node.is_some_and(|node| node.lends_address);
            let own = (!lends_address).then(|| shown(&instance.addresses));
            let tags = instance.tags.iter().map(ToString::to_string);
            let other = origin.into_iter().flat_map(|origin| &origin.other_tags);
            let pairs = instance.meta.pairs().iter();
            Self {
                node: origin.map(|origin| origin.scope.name.to_string()).unwrap_or_default(),
                node_address: node.map(|node| shown(&node.addresses)).unwrap_or_default(),
                name: instance.service.to_string(),
                tags: tags.chain(other.map(ToString::to_string)).collect(),
                address: own.unwrap_or_default(),
                meta: pairs.map(|(key, value)| (key.to_string(), value.to_string())).collect(),
                checks: vec![KeptCheck::default(); instance.checks.len()],
                ..Self::default()
            }
        })
    }
}

/// What a service is called, and its tags. Of its document nothing else is read: lists of all names
/// ask for those of a hundred thousand.
pub(super) fn title(instance: &Instance) -> Option<(Cow<'_, str>, Vec<Cow<'_, str>>)> {
    #[derive(Default, Deserialize)]
    #[serde(default)]
    struct Title<'d> {
        #[serde(borrow)]
        name: Cow<'d, str>,
        #[serde(borrow)]
        tags: Vec<Cow<'d, str>>,
    }
    let origin =
        instance.origin.as_deref().filter(|origin| origin.scope.interface == Interface::Consul)?;
    let Title { name, tags } = serde_json::from_str(&origin.document).ok()?;
    Some((name, tags))
}

// === impl KeptCheck ===

impl From<&CheckType> for KeptCheck {
    fn from(check: &CheckType) -> Self {
        Self {
            id: check.check_id.clone(),
            name: check.name.clone(),
            notes: check.notes.clone(),
            timeout: written(check.timeout),
            ..Self::default()
        }
    }
}

impl KeptCheck {
    /// Its id: that of the `number`th of `count` checks of a service, unless it has one of its own.
    pub(super) fn id(&self, service_id: &str, number: usize, count: usize) -> String {
        match (&*self.id, count) {
            ("", 1) => format!("service:{service_id}"),
            ("", _) => format!("service:{service_id}:{number}"),
            (own, _) => own.to_owned(),
        }
    }

    /// Its name, as a check of the service that is called so.
    pub(super) fn name(&self, service: &str) -> String {
        if self.name.is_empty() { format!("Service '{service}' check") } else { self.name.clone() }
    }
}

// === impl KeptNode ===

impl KeptNode {
    /// What is kept of a node.
    pub(super) fn of(instance: &Instance) -> Option<Self> {
        read(instance.origin.as_deref()?)
    }

    /// Whether it was registered in the catalog and nothing with its agent: nobody says that it
    /// has one.
    pub(super) fn is_external(&self) -> bool {
        self.is_registered && !self.has_agent
    }
}

/// A duration as Go writes it; nothing when it was not set.
fn written(duration: GoDuration) -> String {
    if duration.nanos() == 0 { String::new() } else { duration.to_string() }
}

fn read<T: for<'d> Deserialize<'d>>(origin: &Origin) -> Option<T> {
    if origin.scope.interface != Interface::Consul {
        return None;
    }
    let read = serde_json::from_str(&origin.document);
    if let Err(error) = &read {
        // It was written by another version; what the registry knows is shown without it.
        tracing::debug!(id = &*origin.id, %error, "a document of Consul's interface is not read");
    }
    read.ok()
}

#[cfg(test)]
mod tests;
