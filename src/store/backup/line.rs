//! The lines of a backup.

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::IgnoredAny};

use crate::{
    model::{InstanceId, InstanceKey, Invalid, Policy, Revision, ServiceName, Status},
    registry::Member,
    store::text::{InstanceText, Instant, PolicyText, StatusText},
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
    policy: PolicyText,
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
        Self { service: service.to_string(), policy: PolicyText::from(policy) }
    }

    pub(super) fn into_model(self) -> Result<(ServiceName, Policy), Invalid> {
        let service = ServiceName::parse(&self.service)?;
        let policy = self.policy.into_model().map_err(|refusal| refusal.under("policy"))?;
        Ok((service, policy))
    }
}

/// The line of an instance, with what the registry knows of it.
pub(super) fn line_of(member: &Member) -> InstanceText {
    let mut line = InstanceText::new(&member.instance, |index| member.checks.get(index));
    line.service = Some(member.instance.service.to_string());
    line.instance = Some(member.instance.id.to_string());
    line.drained = Some(member.drained);
    line.status = Some(StatusText(member.status));
    line.since = Some(Instant(member.since));
    line.created = member.kept_created().map(|revision| revision.0);
    line.registered = Some(member.registered.0);
    line.registered_at = Some(Instant(member.registered_at));
    line.revision = Some(member.modified.0);
    line
}

/// The instance; what is left out is as if it had been registered when the export was made.
pub(super) fn member_of(mut line: InstanceText, header: &Header) -> Result<Member, Invalid> {
    if let Some(refusal) = line.foreign().next() {
        return Err(refusal);
    }
    let name = |field, name: Option<String>| {
        name.ok_or_else(|| Invalid::new(field, "", "is missing, and said of all instances"))
    };
    let service = ServiceName::parse_kept(&name("service", line.service.take())?)?;
    let id = InstanceId::parse(&name("instance", line.instance.take())?)?;
    let Instant(now) = line.registered_at.unwrap_or(header.exported_at);
    let registered = line.registered.map_or(header.revision(), Revision);
    let (drained, since, created) = (line.drained, line.since, line.created);
    let modified = line.revision;
    let (instance, states) = line.into_model(InstanceKey { service, id }, now)?;
    let mut member = Member::new(Arc::new(instance), registered, now);
    member.status = Status::worst(states.iter().map(|state| state.status));
    member.checks = states.into();
    member.drained = drained.unwrap_or(false);
    member.created = created.map_or(registered, Revision);
    if let Some(Instant(since)) = since {
        member.since = since;
    }
    if let Some(revision) = modified {
        member.modified = Revision(revision);
    }
    Ok(member)
}
