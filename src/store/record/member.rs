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
        Addresses, CheckSpec, CheckState, DnsName, Instance, InstanceId, InstanceKey, Meta,
        Revision, Tag, Timestamp,
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
    facts: Vec<MemberFact>,
}

/// What few instances have; nothing so far. New ones go behind the others.
#[derive(Serialize, Deserialize)]
enum MemberFact {}

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
    if instance.checks.iter().all(is_version_1) {
        seal_as(VERSION, &MemberRecord::new(member, CheckRecord::new), out, key);
    } else {
        let member = MemberRecord::new(member, CheckRecordV2::new);
        seal_as(VERSION_2, &MemberRecordV2 { member, facts: Vec::new() }, out, key);
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
            seal::decode::<MemberRecord<'_, CheckRecord<'_>>>(encoded)?.decode(key, interner)
        }
        (VERSION_2, encoded) => {
            // There is no fact yet: a list that has one does not decode.
            let MemberRecordV2 { member, facts: _ } = seal::decode(encoded)?;
            member.decode(key, interner)
        }
        (version, _) => Err(RecordError::Version(version)),
    }
}

// === impl MemberRecord ===

impl<'a, C> MemberRecord<'a, C> {
    fn new(member: &'a Member, check: fn(&'a CheckSpec, &'a CheckState) -> C) -> Self {
        let instance = &*member.instance;
        Self {
            addresses: match &instance.addresses {
                Addresses::Host(name) => AddressesRecord::Host(name.as_wire()),
                ips => AddressesRecord::Ips(ips.as_ips().to_vec()),
            },
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
    fn decode(self, key: &[u8], interner: &mut Interner) -> Result<Member, RecordError> {
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
        let instance = Instance {
            service: interner.service(service)?,
            id: InstanceId::parse(id)?,
            addresses: match record.addresses {
                AddressesRecord::Host(wire) => Addresses::Host(DnsName::from_wire(wire)?),
                AddressesRecord::Ips(ips) => Addresses::ips(ips)?,
            },
            port: record.port,
            weight: record.weight,
            priority: record.priority,
            tags: interner.tags(&record.tags)?,
            meta: Meta::new(meta.map(|(n, v)| (interner.text(n), interner.text(v))).collect())?,
            checks: interner.checks(&specs),
            deregister_after: record.deregister_after,
            initial_status: record.initial_status.map(Into::into),
        };
        Ok(Member {
            instance: Arc::new(instance),
            checks: states.into(),
            status: record.status.into(),
            since: Timestamp(record.since_millis),
            drained: record.drained,
            suspect: false,
            registered: Revision(record.registered),
            registered_at: Timestamp(record.registered_at_millis),
            modified: Revision(record.modified),
        })
    }
}
