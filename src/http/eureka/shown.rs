//! What the registry knows, as Eureka's clients see it.
//!
//! What they registered is given back from the document that was kept of it, with what the registry
//! knows better: states, drains and times. What came by another interface is shown as an instance
//! of the application that is called as its service is.

use hashbrown::HashMap;
use serde::Deserialize;
use smol_str::{SmolStr, format_smolstr};

use super::{
    body::{
        DataCenterInfo, Instance,
        InstanceStatus::{self, Down, OutOfService, Starting, Unknown, Up},
        LeaseInfo, Metadata, Port,
    },
    negotiate::Form,
    read,
};
use crate::{
    model::{Addresses, CheckKind, CheckSpec, Interface, Origin, Timestamp},
    registry::Member,
};

/// What the id of an instance begins with that came by another interface, so that no client's own
/// id is the same.
const FOREIGN: &str = "rollcall:";

/// What is known by this interface of an instance; `None` when it came by another one.
pub(super) fn origin(member: &Member) -> Option<&Origin> {
    member.instance.origin.as_deref().filter(|origin| origin.scope.interface == Interface::Eureka)
}

/// The application that an instance belongs to, in capitals.
pub(super) fn application_of(member: &Member) -> SmolStr {
    match origin(member) {
        Some(origin) => SmolStr::new(&origin.scope.name),
        None => {
            let elsewhere = member.instance.service_elsewhere();
            elsewhere.unwrap_or(member.instance.service.as_str()).to_uppercase().into()
        }
    }
}

/// Its id within the application.
pub(super) fn id(member: &Member) -> SmolStr {
    match origin(member) {
        Some(origin) => SmolStr::new(&origin.id),
        None => format_smolstr!("{FOREIGN}{}:{}", member.instance.service, member.instance.id),
    }
}

/// The label of an instance of another interface whose id is this.
pub(super) fn label_of<'i>(service: &str, id: &'i str) -> Option<&'i str> {
    id.strip_prefix(FOREIGN)?.strip_prefix(service)?.strip_prefix(':')
}

/// The state of an instance. A word that the registry has no state for is kept as what its check
/// says; it stands over a drain, which is an override that waits for the instance to be well.
pub(super) fn status(member: &Member) -> InstanceStatus {
    let own = origin(member).map_or(&[][..], |_| &member.instance.checks);
    let mut words = own.iter().zip(&member.checks);
    let word = words.find(|(spec, _)| spec.kind == CheckKind::Manual).map(|(_, state)| state);
    match word.filter(|word| !word.status.is_up()) {
        Some(word) => match InstanceStatus::parse(&word.output) {
            word @ (Starting | Unknown) => word,
            _ => Down,
        },
        None if member.drained => OutOfService,
        None if member.status.is_up() => Up,
        None => Down,
    }
}

/// The instance as it is shown.
pub(super) fn instance(member: &Member) -> Instance {
    let Some(kept) = kept(member) else { return foreign(member) };
    let (registered, changed) = (millis(member.registered_at), last_change(member));
    let lease = kept.lease_info.unwrap_or_default();
    Instance {
        status: status(member),
        overridden_status: overridden(member, &kept),
        lease_info: Some(LeaseInfo {
            registration_timestamp: registered,
            last_renewal_timestamp: registered,
            ..lease
        }),
        last_updated_timestamp: Some(changed),
        last_dirty_timestamp: kept.last_dirty_timestamp.or(Some(registered)),
        ..kept
    }
}

/// When its owner last changed it, as it is shown; milliseconds since the Unix epoch.
pub(super) fn dirty(member: &Member) -> i64 {
    said_dirty(member).unwrap_or_else(|| millis(member.registered_at))
}

/// When its owner said to have changed it last. Of its document nothing else is read: every renewal
/// asks.
pub(super) fn said_dirty(member: &Member) -> Option<i64> {
    #[derive(Deserialize)]
    struct Document<'d> {
        #[serde(borrow)]
        instance: Fields<'d>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Fields<'d> {
        last_dirty_timestamp: Option<&'d str>,
    }
    let document: Document<'_> = serde_json::from_str(&origin(member)?.document).ok()?;
    document.instance.last_dirty_timestamp?.parse().ok()
}

/// What was kept of a registration; `None` when it came by another interface, and when another
/// version wrote what this one does not read.
pub(super) fn kept(member: &Member) -> Option<Instance> {
    let origin = origin(member)?;
    let kept = read::instance(Form::Json, origin.document.as_bytes());
    if let Err(error) = &kept {
        let (id, error) = (&*origin.id, &*error.text);
        tracing::debug!(id, error, "a document of Eureka's interface is not read");
    }
    kept.ok()
}

/// What there is of each application, those of one beside one another, in the order of their first
/// ones.
pub(super) fn grouped<T>(all: impl Iterator<Item = (SmolStr, T)>) -> Vec<(SmolStr, T)> {
    let mut places = HashMap::new();
    let mut placed = Vec::new();
    for (application, each) in all {
        let next = places.len();
        let place = *places.entry_ref(application.as_str()).or_insert(next);
        placed.push((place, application, each));
    }
    placed.sort_by_key(|(place, ..)| *place); // which keeps the order of those of one place
    placed.into_iter().map(|(_, application, each)| (application, each)).collect()
}

/// The override: what was asked for here, unless somebody has drained or undrained it elsewhere.
fn overridden(member: &Member, kept: &Instance) -> InstanceStatus {
    match (member.drained, kept.overridden_status, kept.status) {
        (true, Unknown, OutOfService) => Unknown, // it took itself out
        (true, ..) => OutOfService,
        (false, OutOfService, _) => Unknown,
        (false, own, _) => own,
    }
}

fn foreign(member: &Member) -> Instance {
    let own = &member.instance;
    let ips = own.addresses.as_ips();
    let address = match &own.addresses {
        Addresses::Host(name) => name.to_string(),
        // Clients put it into a URL as it is, which an IPv6 address does not survive.
        _ => ips
            .iter()
            .find(|ip| ip.is_ipv4())
            .or(ips.first())
            .map(ToString::to_string)
            .unwrap_or_default(),
    };
    let address = SmolStr::new(address);
    let status = status(member);
    let (registered, changed) = (millis(member.registered_at), last_change(member));
    let ttl = own.checks.iter().find_map(CheckSpec::ttl);
    let seconds = ttl.map(|ttl| i32::try_from(ttl.as_secs().max(1)).unwrap_or(i32::MAX));
    let default = LeaseInfo::default();
    let pairs = own.meta.pairs().iter();
    Instance {
        instance_id: Some(id(member)),
        host_name: Some(address.clone()),
        app: Some(application_of(member)),
        ip_addr: Some(address),
        status,
        overridden_status: if member.drained { OutOfService } else { Unknown },
        port: Port { number: own.port.into(), enabled: own.port != 0 },
        data_center_info: Some(DataCenterInfo::MyOwn),
        lease_info: Some(LeaseInfo {
            duration_in_secs: seconds.unwrap_or(default.duration_in_secs),
            registration_timestamp: registered,
            last_renewal_timestamp: registered,
            service_up_timestamp: if status == Up { millis(member.since) } else { 0 },
            ..default
        }),
        metadata: pairs
            .map(|(key, value)| (key.as_ref().into(), value.as_ref().into()))
            .collect::<Metadata>(),
        vip_address: Some(own.service_elsewhere().unwrap_or(own.service.as_str()).into()),
        last_updated_timestamp: Some(changed),
        last_dirty_timestamp: Some(changed),
        ..Instance::default()
    }
}

fn last_change(member: &Member) -> i64 {
    millis(member.registered_at.max(member.since))
}

fn millis(at: Timestamp) -> i64 {
    i64::try_from(at.0).unwrap_or(i64::MAX)
}
