//! An instance as text: what was registered, and beside it what is known of it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    check::CheckText,
    values::{Instant, InterfaceText, Pairs, Period, ScopeFields, StatusText},
};
use crate::model::{
    Addresses, CheckState, Instance, InstanceKey, Invalid, Meta, Node, Origin, Tag, Timestamp,
};

/// An instance. What is known of it stands behind what was registered, each where it is written:
/// all of it in a backup, where one line has everything.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct InstanceText {
    /// Its names, where nothing else says them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    addresses: Vec<String>,
    #[serde(default)]
    port: u16,
    #[serde(default = "one")]
    weight: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    warning_weight: Option<u16>,
    #[serde(default = "one")]
    priority: u16,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    meta: Pairs,
    #[serde(default)]
    checks: Vec<CheckText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_after: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_status: Option<StatusText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drained: Option<bool>,
    /// For who reads it: it follows from those of the checks, and of the node.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<StatusText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub created: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub registered_at: Option<Instant>,
    /// The revision of its last change, as the API calls it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<u64>,
}

/// Where an instance came from. The document is in the interface's own format.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginText {
    interface: InterfaceText,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    id: String,
    document: String,
    #[serde(default)]
    other_tags: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    machine: Option<MachineText>,
}

/// The machine that it is on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineText {
    addresses: Vec<String>,
    #[serde(default)]
    lends_address: bool,
}

fn one() -> u16 {
    1
}

// === impl InstanceText ===

impl InstanceText {
    /// What was registered, without its names; with the state of each check for which one is given,
    /// by its index.
    pub(crate) fn new<'s>(
        instance: &Instance,
        state_of: impl Fn(usize) -> Option<&'s CheckState>,
    ) -> Self {
        let meta = instance.meta.pairs().iter();
        let checks = instance.checks.iter().enumerate();
        Self {
            service: None,
            instance: None,
            addresses: shown(&instance.addresses),
            port: instance.port,
            weight: instance.weight,
            warning_weight: instance.warning_weight,
            priority: instance.priority,
            tags: instance.tags.iter().map(ToString::to_string).collect(),
            meta: Pairs(meta.map(|(key, value)| (key.to_string(), value.to_string())).collect()),
            checks: checks.map(|(index, spec)| CheckText::new(spec, state_of(index))).collect(),
            deregister_after: instance.deregister_after.map(Period),
            initial_status: instance.initial_status.map(StatusText),
            origin: instance.origin.as_deref().map(OriginText::from),
            drained: None,
            status: None,
            since: None,
            created: None,
            registered: None,
            registered_at: None,
            revision: None,
        }
    }

    /// Whether it says anything of the state of a check.
    pub(crate) fn has_states(&self) -> bool {
        self.checks.iter().any(CheckText::has_state)
    }

    /// The first field of each check that its type does not have: a mistake, or of a later version,
    /// in which it has one.
    pub(crate) fn foreign(&self) -> impl Iterator<Item = Invalid> {
        let foreign = |(index, check): (usize, &CheckText)| {
            Some(check.foreign()?.under(format_args!("checks[{index}]")))
        };
        self.checks.iter().enumerate().filter_map(foreign)
    }

    /// What was registered, and the states of its checks: what is left out of these is as it is
    /// before their first result, with a registration at `at`.
    ///
    /// # Errors
    /// Names the field that is not acceptable.
    pub(crate) fn into_model(
        self,
        key: InstanceKey,
        at: Timestamp,
    ) -> Result<(Instance, Vec<CheckState>), Invalid> {
        let initial = self.initial_status.map(|status| status.0);
        let mut specs = Vec::with_capacity(self.checks.len());
        let mut states = Vec::with_capacity(self.checks.len());
        for (index, check) in self.checks.into_iter().enumerate() {
            let (spec, state) = check
                .into_model(initial, at)
                .map_err(|refusal| refusal.under(format_args!("checks[{index}]")))?;
            specs.push(spec);
            states.push(state);
        }
        let meta = self.meta.0.into_iter().map(|(key, value)| (key.into(), value.into()));
        let instance = Instance {
            service: key.service,
            id: key.id,
            addresses: Addresses::parse(&self.addresses)?,
            port: self.port,
            weight: self.weight,
            warning_weight: self.warning_weight,
            priority: self.priority,
            tags: self.tags.iter().map(|tag| Tag::parse(tag)).collect::<Result<_, _>>()?,
            meta: Meta::new(meta.collect())?,
            checks: specs.into(),
            deregister_after: self.deregister_after.map(|period| period.0),
            initial_status: initial,
            origin: self.origin.map(OriginText::into_model).transpose()?.map(Arc::new),
        }
        .checked()?;
        check_kind(&instance)?;
        Ok((instance, states))
    }
}

// === impl OriginText ===

impl From<&Origin> for OriginText {
    fn from(origin: &Origin) -> Self {
        let ScopeFields { interface, node, application } = ScopeFields::from(&origin.scope);
        Self {
            interface,
            node,
            application,
            id: origin.id.to_string(),
            document: origin.document.to_string(),
            other_tags: origin.other_tags.iter().map(ToString::to_string).collect(),
            service: origin.service.as_ref().map(ToString::to_string),
            machine: origin.node.as_ref().map(|node| MachineText {
                addresses: shown(&node.addresses),
                lends_address: node.lends_address,
            }),
        }
    }
}

impl OriginText {
    fn into_model(self) -> Result<Origin, Invalid> {
        let Self { interface, node, application, .. } = self;
        let scope = ScopeFields { interface, node, application }.into_model();
        let scope = scope.map_err(|refusal| refusal.under("origin"))?;
        let other_tags = self.other_tags.into_iter().map(Into::into).collect();
        let node = self.machine.map(|MachineText { addresses, lends_address }| {
            let addresses = Addresses::parse(&addresses)?;
            Ok::<_, Invalid>(Node { addresses, lends_address })
        });
        let node = node.transpose().map_err(|refusal| refusal.under("origin.machine"))?;
        let (id, document) = (self.id.into(), self.document.into());
        let service = self.service.map(Into::into);
        Origin { scope, id, document, other_tags, service, node }.checked()
    }
}

/// Refuses a node that nobody could find, and an instance that would be taken for a node.
fn check_kind(instance: &Instance) -> Result<(), Invalid> {
    let id = instance.origin.as_ref().map(|origin| &*origin.id);
    let problem = match (instance.service.is_nodes(), id) {
        (true, Some("")) => return Ok(()),
        (true, None) => "is needed by a node",
        (true, Some(_)) => "has an `id`, but is that of a node, which has an empty one",
        (false, Some("")) => "has an empty `id`, but is not that of a node",
        (false, _) => return Ok(()),
    };
    Err(Invalid::new("origin", instance.key(), problem))
}

fn shown(addresses: &Addresses) -> Vec<String> {
    match addresses {
        Addresses::Host(name) => vec![name.to_string()],
        ips => ips.as_ips().iter().map(ToString::to_string).collect(),
    }
}
