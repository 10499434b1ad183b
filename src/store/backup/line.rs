//! The lines of a backup.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::IgnoredAny};

use super::{
    check::CheckLine,
    text::{Instant, InterfaceText, Pairs, Period, ScopeFields, StatusText},
};
use crate::{
    model::{
        Addresses, Instance, InstanceId, Invalid, Meta, Node, Origin, Policy, Revision,
        ServiceName, Share, Status, Tag, WhenNoneHealthy,
    },
    registry::Member,
};

/// The first line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header {
    pub rollcall_export: u32,
    pub revision: u64,
    pub exported_at: Instant,
}

/// Tells the other lines apart.
#[derive(Debug, Deserialize)]
pub(super) struct Kind {
    pub end: Option<IgnoredAny>,
    pub policy: Option<IgnoredAny>,
}

/// The last line: what there must have been.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndLine {
    end: End,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    instances: u64,
    policies: u64,
}

/// A service's policy.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PolicyLine {
    service: String,
    policy: PolicyBody,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PolicyBody {
    ttl: Option<Period>,
    answer_limit: Option<u16>,
    when_none_healthy: Option<String>,
    min_healthy: Option<f64>,
}

/// An instance.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InstanceLine {
    service: String,
    instance: String,
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
    checks: Vec<CheckLine>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_after: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_status: Option<StatusText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<OriginLine>,
    #[serde(default)]
    drained: bool,
    /// For who reads it: it follows from those of the checks, and of the node.
    status: Option<StatusText>,
    since: Option<Instant>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    registered: Option<u64>,
    registered_at: Option<Instant>,
    /// The revision of its last change, as the API calls it.
    revision: Option<u64>,
}

/// Where an instance came from. The document is in the interface's own format.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct OriginLine {
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
    machine: Option<MachineLine>,
}

/// The machine that it is on.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct MachineLine {
    addresses: Vec<String>,
    #[serde(default)]
    lends_address: bool,
}

fn one() -> u16 {
    1
}

// === impl Header ===

impl Header {
    /// The version of the lines that this code writes and reads.
    pub(super) const VERSION: u32 = 1;

    pub(super) fn revision(&self) -> Revision {
        Revision(self.revision)
    }
}

// === impl EndLine ===

impl EndLine {
    pub(super) fn new(instances: u64, policies: u64) -> Self {
        Self { end: End { instances, policies } }
    }

    pub(super) fn check(&self, instances: usize, policies: usize) -> Result<(), String> {
        let End { instances: all_instances, policies: all_policies } = self.end;
        if (instances as u64, policies as u64) == (all_instances, all_policies) {
            return Ok(());
        }
        Err(format!(
            "the export had {all_instances} instances and {all_policies} policies, but here are \
             {instances} and {policies}"
        ))
    }
}

// === impl PolicyLine ===

impl PolicyLine {
    pub(super) fn new(service: &ServiceName, policy: &Policy) -> Self {
        let policy = PolicyBody {
            ttl: Some(Period(std::time::Duration::from_secs(policy.ttl_seconds.into()))),
            answer_limit: Some(policy.answer_limit),
            when_none_healthy: Some(policy.when_none_healthy.as_str().into()),
            min_healthy: Some(policy.min_healthy.as_f64()),
        };
        Self { service: service.to_string(), policy }
    }

    pub(super) fn into_model(self) -> Result<(ServiceName, Policy), Invalid> {
        let service = ServiceName::parse(&self.service)?;
        let mut policy = Policy::default();
        if let Some(Period(ttl)) = self.policy.ttl {
            policy.ttl_seconds = u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX);
            if ttl.subsec_nanos() > 0 {
                let problem = "is no whole number of seconds";
                return Err(Invalid::new("policy.ttl", format!("{ttl:?}"), problem));
            }
        }
        if let Some(limit) = self.policy.answer_limit {
            policy.answer_limit = limit;
        }
        if let Some(text) = self.policy.when_none_healthy {
            let problem = "is none of `all`, `nodata`, `nxdomain` and `servfail`";
            policy.when_none_healthy = WhenNoneHealthy::parse(&text)
                .ok_or_else(|| Invalid::new("policy.when_none_healthy", &text, problem))?;
        }
        if let Some(share) = self.policy.min_healthy {
            policy.min_healthy = Share::new(share).map_err(|refusal| refusal.under("policy"))?;
        }
        Ok((service, policy.checked().map_err(|refusal| refusal.under("policy"))?))
    }
}

// === impl InstanceLine ===

impl From<&Member> for InstanceLine {
    fn from(member: &Member) -> Self {
        let instance = &*member.instance;
        let meta = instance.meta.pairs().iter();
        let checks = instance.checks.iter().zip(&member.checks);
        Self {
            service: instance.service.to_string(),
            instance: instance.id.to_string(),
            addresses: shown(&instance.addresses),
            port: instance.port,
            weight: instance.weight,
            warning_weight: instance.warning_weight,
            priority: instance.priority,
            tags: instance.tags.iter().map(ToString::to_string).collect(),
            meta: Pairs(meta.map(|(key, value)| (key.to_string(), value.to_string())).collect()),
            checks: checks.map(|(spec, state)| CheckLine::new(spec, state)).collect(),
            deregister_after: instance.deregister_after.map(Period),
            initial_status: instance.initial_status.map(StatusText),
            origin: instance.origin.as_deref().map(OriginLine::from),
            drained: member.drained,
            status: Some(StatusText(member.status)),
            since: Some(Instant(member.since)),
            created: member.kept_created().map(|revision| revision.0),
            registered: Some(member.registered.0),
            registered_at: Some(Instant(member.registered_at)),
            revision: Some(member.modified.0),
        }
    }
}

impl InstanceLine {
    /// The instance; what is left out is as if it had been registered when the export was made.
    pub(super) fn into_model(self, header: &Header) -> Result<Member, Invalid> {
        let Instant(now) = self.registered_at.unwrap_or(header.exported_at);
        let initial = self.initial_status.map(|status| status.0);
        let mut specs = Vec::with_capacity(self.checks.len());
        let mut states = Vec::with_capacity(self.checks.len());
        for (index, check) in self.checks.into_iter().enumerate() {
            let (spec, state) = check
                .into_model(initial, now)
                .map_err(|refusal| refusal.under(format_args!("checks[{index}]")))?;
            specs.push(spec);
            states.push(state);
        }
        let meta = self.meta.0.into_iter().map(|(key, value)| (key.into(), value.into()));
        let instance = Instance {
            service: ServiceName::parse_kept(&self.service)?,
            id: InstanceId::parse(&self.instance)?,
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
            origin: self.origin.map(OriginLine::into_model).transpose()?.map(Arc::new),
        }
        .checked()?;
        check_kind(&instance)?;
        let registered = self.registered.map_or(header.revision(), Revision);
        let mut member = Member::new(Arc::new(instance), registered, now);
        member.status = Status::worst(states.iter().map(|state| state.status));
        member.checks = states.into();
        member.drained = self.drained;
        member.created = self.created.map_or(registered, Revision);
        if let Some(Instant(since)) = self.since {
            member.since = since;
        }
        if let Some(revision) = self.revision {
            member.modified = Revision(revision);
        }
        Ok(member)
    }
}

// === impl OriginLine ===

impl From<&Origin> for OriginLine {
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
            machine: origin.node.as_ref().map(|node| MachineLine {
                addresses: shown(&node.addresses),
                lends_address: node.lends_address,
            }),
        }
    }
}

impl OriginLine {
    fn into_model(self) -> Result<Origin, Invalid> {
        let Self { interface, node, application, .. } = self;
        let scope = ScopeFields { interface, node, application }.into_model();
        let scope = scope.map_err(|refusal| refusal.under("origin"))?;
        let other_tags = self.other_tags.into_iter().map(Into::into).collect();
        let node = self.machine.map(|MachineLine { addresses, lends_address }| {
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
