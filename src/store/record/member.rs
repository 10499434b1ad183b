//! The record of an instance with what is known of it.

use std::{net::IpAddr, sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{
    Interner, RecordError,
    check::{CheckRecord, CheckRecordV2, DecodeCheck, StatusRecord, is_version_1},
    seal::{self, VERSION, VERSION_2, seal_as},
};
use crate::{
    model::{
        Addresses, CheckSpec, CheckState, DnsName, Instance, InstanceId, InstanceKey, Interface,
        Meta, Node, Origin, Revision, Scope, Status, Tag, Timestamp,
    },
    registry::Member,
};

/// Everything but the key's service and name, and `suspect`, which is an opinion of the moment.
#[derive(Serialize, Deserialize)]
struct MemberRecord<'a, C> {
    #[serde(borrow)]
    addresses: AddressesRecord<'a>,
    port: u16,
    weight: u16,
    priority: u16,
    tags: Vec<&'a str>,
    meta: Vec<(&'a str, &'a str)>,
    checks: Vec<C>,
    deregister_after: Option<Duration>,
    initial_status: Option<StatusRecord>,
    status: StatusRecord,
    since_millis: u64,
    drained: bool,
    registered: u64,
    registered_at_millis: u64,
    modified: u64,
}

/// Version 2: checks that say more, and a list of what few instances have.
#[derive(Serialize, Deserialize)]
struct MemberRecordV2<'a> {
    #[serde(borrow)]
    member: MemberRecord<'a, CheckRecordV2<'a>>,
    #[serde(borrow)]
    facts: Vec<MemberFact<'a>>,
}

/// What few instances have. New ones go behind the others.
#[derive(Serialize, Deserialize)]
enum MemberFact<'a> {
    WarningWeight(u16),
    Origin {
        interface: InterfaceRecord,
        scope: &'a str,
        id: &'a str,
        document: &'a str,
        other_tags: Vec<&'a str>,
    },
    /// Where the node of its origin is, which stands before.
    Node {
        addresses: AddressesRecord<'a>,
        lends_address: bool,
    },
    /// The revision at which it was first registered, unless that is this registration's.
    Created(u64),
    /// What the service of its origin, which stands before, is called there.
    Service(&'a str),
}

#[derive(Serialize, Deserialize)]
pub(super) enum InterfaceRecord {
    Consul,
    Eureka,
}

#[derive(Serialize, Deserialize)]
enum AddressesRecord<'a> {
    /// A host name as lower-case wire labels.
    Host(&'a [u8]),
    Ips(Vec<IpAddr>),
}

/// Appends the key of an instance's row.
pub(in crate::store) fn member_key(key: &InstanceKey, out: &mut Vec<u8>) {
    out.extend_from_slice(key.service.as_bytes());
    out.push(0);
    out.extend_from_slice(key.id.as_bytes());
}

/// Appends the value of an instance's row to `out`, which ends with the row's key from `key` on.
///
/// # Errors
/// When the member has not one state for each check.
pub(in crate::store) fn seal_member(
    member: &Member,
    out: &mut Vec<u8>,
    key: usize,
) -> Result<(), RecordError> {
    let instance = &member.instance;
    let (states, checks) = (member.checks.len(), instance.checks.len());
    if states != checks {
        return Err(RecordError::States { states, checks });
    }
    let facts = facts(member);
    if facts.is_empty() && instance.checks.iter().all(is_version_1) {
        seal_as(VERSION, &MemberRecord::new(member, CheckRecord::new), out, key);
    } else {
        let member = MemberRecord::new(member, CheckRecordV2::new);
        seal_as(VERSION_2, &MemberRecordV2 { member, facts }, out, key);
    }
    Ok(())
}

/// The instance in a row.
pub(in crate::store) fn decode_member(
    key: &[u8],
    value: &[u8],
    interner: &mut Interner,
) -> Result<Member, RecordError> {
    match seal::open(key, value)? {
        (VERSION, encoded) => {
            let member: MemberRecord<'_, CheckRecord<'_>> = seal::decode(encoded)?;
            member.decode(key, Vec::new(), interner)
        }
        (VERSION_2, encoded) => {
            let MemberRecordV2 { member, facts } = seal::decode(encoded)?;
            member.decode(key, facts, interner)
        }
        (version, _) => Err(RecordError::Version(version)),
    }
}

/// What there is of `member` besides what all have, in the order of the facts.
fn facts(member: &Member) -> Vec<MemberFact<'_>> {
    let (mut facts, instance) = (Vec::new(), &member.instance);
    facts.extend(instance.warning_weight.map(MemberFact::WarningWeight));
    facts.extend(instance.origin.as_deref().map(|origin| MemberFact::Origin {
        interface: origin.scope.interface.into(),
        scope: &origin.scope.name,
        id: &origin.id,
        document: &origin.document,
        other_tags: origin.other_tags.iter().map(|tag| &**tag).collect(),
    }));
    let node = instance.origin.as_deref().and_then(|origin| origin.node.as_ref());
    facts.extend(node.map(|node| MemberFact::Node {
        addresses: (&node.addresses).into(),
        lends_address: node.lends_address,
    }));
    facts.extend(member.kept_created().map(|revision| MemberFact::Created(revision.0)));
    let service = instance.origin.as_deref().and_then(|origin| origin.service.as_deref());
    facts.extend(service.map(MemberFact::Service));
    facts
}

// === impl AddressesRecord ===

impl<'a> From<&'a Addresses> for AddressesRecord<'a> {
    fn from(addresses: &'a Addresses) -> Self {
        match addresses {
            Addresses::Host(name) => Self::Host(name.as_wire()),
            ips => Self::Ips(ips.as_ips().to_vec()),
        }
    }
}

impl AddressesRecord<'_> {
    fn decode(self) -> Result<Addresses, RecordError> {
        Ok(match self {
            Self::Host(wire) => Addresses::Host(DnsName::from_wire(wire)?),
            Self::Ips(ips) => Addresses::ips(ips)?,
        })
    }
}

// === impl MemberFact ===

impl MemberFact<'_> {
    fn add_to(
        self,
        (instance, created): (&mut Instance, &mut u64),
        interner: &mut Interner,
    ) -> Result<(), RecordError> {
        match self {
            Self::Created(revision) => *created = revision,
            Self::WarningWeight(weight) => instance.warning_weight = Some(weight),
            Self::Origin { interface, scope, id, document, other_tags } => {
                let scope = Scope { interface: interface.into(), name: interner.text(scope) };
                let other_tags = other_tags.into_iter().map(|tag| interner.text(tag)).collect();
                let (id, document) = (id.into(), document.into());
                let origin = Origin { scope, id, document, other_tags, service: None, node: None }
                    .checked()?;
                instance.origin = Some(Arc::new(origin));
            }
            Self::Node { addresses, lends_address } => {
                let origin = instance.origin.as_mut().ok_or(RecordError::Node)?;
                let addresses = addresses.decode()?;
                Arc::make_mut(origin).node = Some(Node { addresses, lends_address });
            }
            Self::Service(name) => {
                let origin = instance.origin.as_mut().ok_or(RecordError::Node)?;
                Arc::make_mut(origin).service = Some(interner.text(name));
            }
        }
        Ok(())
    }
}

// === impl InterfaceRecord ===

impl From<Interface> for InterfaceRecord {
    fn from(interface: Interface) -> Self {
        match interface {
            Interface::Consul => Self::Consul,
            Interface::Eureka => Self::Eureka,
        }
    }
}

impl From<InterfaceRecord> for Interface {
    fn from(interface: InterfaceRecord) -> Self {
        match interface {
            InterfaceRecord::Consul => Self::Consul,
            InterfaceRecord::Eureka => Self::Eureka,
        }
    }
}

// === impl MemberRecord ===

impl<'a, C> MemberRecord<'a, C> {
    fn new(member: &'a Member, check: fn(&'a CheckSpec, &'a CheckState) -> C) -> Self {
        let instance = &*member.instance;
        Self {
            addresses: (&instance.addresses).into(),
            port: instance.port,
            weight: instance.weight,
            priority: instance.priority,
            tags: instance.tags.iter().map(Tag::as_str).collect(),
            meta: instance.meta.pairs().iter().map(|(name, value)| (&**name, &**value)).collect(),
            checks: instance
                .checks
                .iter()
                .zip(&member.checks)
                .map(|(spec, state)| check(spec, state))
                .collect(),
            deregister_after: instance.deregister_after,
            initial_status: instance.initial_status.map(Into::into),
            status: member.status.into(),
            since_millis: member.since.0,
            drained: member.drained,
            registered: member.registered.0,
            registered_at_millis: member.registered_at.0,
            modified: member.modified.0,
        }
    }
}

impl<'a, C: DecodeCheck> MemberRecord<'a, C> {
    fn decode(
        self,
        key: &[u8],
        facts: Vec<MemberFact<'_>>,
        interner: &mut Interner,
    ) -> Result<Member, RecordError> {
        let record = self;
        let key = str::from_utf8(key).map_err(|_| RecordError::Key)?;
        let (service, id) = key.split_once('\0').ok_or(RecordError::Key)?;
        let mut specs: Vec<CheckSpec> = Vec::with_capacity(record.checks.len());
        let mut states: Vec<CheckState> = Vec::with_capacity(record.checks.len());
        for check in record.checks {
            let (spec, state) = check.decode(interner)?;
            specs.push(spec);
            states.push(state);
        }
        let meta = record.meta.into_iter();
        let mut instance = Instance {
            service: interner.service(service)?,
            id: InstanceId::parse(id)?,
            addresses: record.addresses.decode()?,
            port: record.port,
            weight: record.weight,
            warning_weight: None,
            priority: record.priority,
            tags: interner.tags(&record.tags)?,
            meta: Meta::new(meta.map(|(n, v)| (interner.text(n), interner.text(v))).collect())?,
            checks: interner.checks(&specs),
            deregister_after: record.deregister_after,
            initial_status: record.initial_status.map(Into::into),
            origin: None,
        };
        let mut created = record.registered;
        for fact in facts {
            fact.add_to((&mut instance, &mut created), interner)?;
        }
        Ok(Member {
            instance: Arc::new(instance),
            checks: states.into(),
            node_status: Status::Passing,
            status: record.status.into(),
            since: Timestamp(record.since_millis),
            drained: record.drained,
            suspect: false,
            created: Revision(created),
            registered: Revision(record.registered),
            registered_at: Timestamp(record.registered_at_millis),
            modified: Revision(record.modified),
        })
    }
}
