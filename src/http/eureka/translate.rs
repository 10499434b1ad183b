//! Registrations in the registry's words.

use std::{sync::Arc, time::Duration};

use super::{
    body::{
        Instance as Body,
        InstanceStatus::{self, OutOfService, Unknown, Up},
        LeaseInfo,
    },
    error::EurekaError,
    render, shown,
};
use crate::{
    http::Api,
    model::{
        Addresses, Amendment, Carry, CheckKind, CheckSpec, Instance, InstanceId, InstanceKey, Meta,
        Origin, Replacement, Scope, ServiceName, Status, limit,
    },
    registry::{Member, Snapshot},
};

/// What the check of the lease says of one that was just registered.
const REGISTERED: &str = "registered";

/// What has the registry keep `body`, which is complete and has the state that it is to be in, in
/// place of what it knows of it.
///
/// # Errors
/// When something of it is not acceptable.
pub(super) fn amendment(
    api: &Api,
    snapshot: &Snapshot,
    known: Option<&Member>,
    body: Body,
) -> Result<Amendment, EurekaError> {
    let id = body.id().unwrap_or_default().to_owned();
    let scope = Scope::application(body.app.as_deref().unwrap_or_default());
    let key = match known {
        Some(known) => known.key(),
        None => new_key(snapshot, &scope, &id),
    };
    let (status, lease) = (body.status, held(body.lease_info.unwrap_or_default()));
    let body = Body { lease_info: Some(lease), ..body };
    let drained = [status, body.overridden_status].contains(&OutOfService);
    let origin = origin(scope, &id, body.clone())?;
    let instance = Instance {
        service: key.service.clone(),
        id: key.id.clone(),
        addresses: addresses(&body)?,
        port: body.port.usable().or_else(|| body.secure_port.usable()).unwrap_or(0),
        weight: 1,
        warning_weight: None,
        priority: 1,
        tags: Arc::default(),
        // Clients get all of it.
        meta: Meta::what_fits(body.metadata.iter()),
        checks: checks(&lease, status)?,
        deregister_after: None,
        initial_status: None,
        origin: Some(Arc::new(origin)),
    };
    let instance = Arc::new(api.checked(instance.checked()?)?);
    let checks = carried(known, &instance, status);
    // Only what is to be another: somebody may be draining it by another interface right now.
    let drained = known.is_none_or(|known| known.drained != drained).then_some(drained);
    let to = Some(Replacement { instance, checks, drained });
    Ok(Amendment { key, seen: known.map(|known| known.registered), to })
}

/// The name of a new instance: made of its id, unless another interface has something there.
fn new_key(snapshot: &Snapshot, scope: &Scope, id: &str) -> InstanceKey {
    /// As often as somebody may have taken the place of one that was kept apart already.
    const TRIES_MAX: usize = 8;
    let key = |id| InstanceKey::new(ServiceName::derived(&scope.name), id);
    let apart = |number| InstanceId::derived_apart(id, &format!("eureka/{}/{number}", scope.name));
    let own = key(InstanceId::derived(id));
    let mut names = std::iter::once(own.clone()).chain((1..TRIES_MAX).map(|n| key(apart(n))));
    names.find(|key| snapshot.member(key).is_none()).unwrap_or(own)
}

/// The address that it says; its host name if that is none.
fn addresses(body: &Body) -> Result<Addresses, EurekaError> {
    let parse =
        |text: &Option<smol_str::SmolStr>| Addresses::parse(&[text.as_deref().unwrap_or("")]);
    let address = parse(&body.ip_addr);
    address.or_else(|refusal| parse(&body.host_name).map_err(|_| refusal)).map_err(|refusal| {
        EurekaError::from(crate::model::Invalid { field: "instance.ipAddr".into(), ..refusal })
    })
}

/// The lease as it holds here, and is shown: a silence of more than a day is not believed.
fn held(lease: LeaseInfo) -> LeaseInfo {
    let most = i32::try_from(limit::CHECK_PERIOD_MAX.as_secs()).unwrap_or(i32::MAX);
    LeaseInfo { duration_in_secs: lease.duration_in_secs.min(most), ..lease }
}

/// The lease, which removes it when nothing is heard of it, whatever else is said; and what says
/// that it wants no traffic.
fn checks(lease: &LeaseInfo, status: InstanceStatus) -> Result<Arc<[CheckSpec]>, EurekaError> {
    let seconds = u64::try_from(lease.duration_in_secs).unwrap_or(0);
    let ttl = Duration::from_secs(seconds).clamp(limit::CHECK_PERIOD_MIN, limit::CHECK_PERIOD_MAX);
    let lease = CheckSpec {
        deregister_after: Some(Duration::ZERO),
        ..CheckSpec::new(CheckKind::ttl(ttl)?)
    };
    Ok(match status {
        Up | OutOfService => [lease].into(),
        _ => [lease, CheckSpec::new(CheckKind::Manual)].into(),
    })
}

/// What is known of the checks: what holds already is carried over, so that the same registration
/// again changes nothing.
fn carried(known: Option<&Member>, next: &Instance, status: InstanceStatus) -> Vec<Carry> {
    let is_held = known.is_some_and(|known| known.suspect);
    let wanted = [(Status::Passing, REGISTERED), (Status::Critical, status.as_str())];
    let carry = |(index, (status, output)): (usize, (Status, &str))| {
        let before = known.and_then(|known| known.checks.get(index));
        let holds = before.is_some_and(|before| {
            before.status == status && (index == 0 && !is_held || &*before.output == output)
        });
        // Whatever is changed of an instance is a sign of life, as at Eureka's servers.
        if holds { Carry::Renewed(index) } else { Carry::Anew(status, output.into()) }
    };
    wanted.into_iter().take(next.checks.len()).enumerate().map(carry).collect()
}

/// What is kept for clients: all that the registry does not know itself.
fn origin(scope: Scope, id: &str, body: Body) -> Result<Origin, EurekaError> {
    let lease = body.lease_info.unwrap_or_default();
    let lease = LeaseInfo {
        registration_timestamp: 0,
        last_renewal_timestamp: 0,
        eviction_timestamp: 0,
        ..lease
    };
    let kept =
        Body { lease_info: Some(lease), last_updated_timestamp: None, action_type: None, ..body };
    let document = render::kept(&kept).into();
    let other_tags = Box::default();
    Ok(Origin { scope, id: id.into(), document, other_tags, service: None, node: None }
        .checked()?)
}

/// What is to be registered of what a client sent, given what is known of it and when it is.
pub(super) fn settled(sent: Body, known: Option<&Member>, by_peer: bool, now: i64) -> Body {
    let shown = known.map(shown::instance);
    let override_of =
        |body: &Body| Some(body.overridden_status).filter(|status| *status != Unknown);
    let overridden = shown.as_ref().and_then(override_of).or_else(|| override_of(&sent));
    let before = shown.as_ref().map(|shown| shown.status).filter(|_| !by_peer);
    let status = super::rules::status(sent.status, overridden, before);
    let up_since = shown.and_then(|shown| shown.lease_info).map_or(0, |l| l.service_up_timestamp);
    let body = Body { overridden_status: overridden.unwrap_or(Unknown), ..sent };
    in_state(body, status, up_since, now)
}

/// `body` in a state; it is up since then, if it has not been before.
pub(super) fn in_state(body: Body, status: InstanceStatus, up_since: i64, now: i64) -> Body {
    let lease = body.lease_info.unwrap_or_default();
    let is_first = up_since == 0 && status == Up;
    let service_up_timestamp = if is_first { now } else { up_since };
    Body { status, lease_info: Some(LeaseInfo { service_up_timestamp, ..lease }), ..body }
}
