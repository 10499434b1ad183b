//! `/v1/agent/services`, `/v1/agent/service/{id}`, `/v1/agent/checks`: what is registered from the
//! client's own host.

use std::collections::BTreeMap;

use axum::{
    Router,
    http::{HeaderName, HeaderValue},
    response::Response,
};
use siphasher::sip::SipHasher24;

use crate::{
    http::{
        Api,
        consul::{
            blocking::{Blocking, Has, Indexed},
            call::Call,
            filter::Rows,
            methods::{at, get},
            reply::{self, OneByOne},
            site::Host,
            texts::ConsulError,
            view::HealthCheck,
            waiters::Interest,
            world::{SERF_HEALTH, SERVER, Service, World},
        },
    },
    model::Revision,
};

const CONTENT_HASH: HeaderName = HeaderName::from_static("x-consul-contenthash");

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/agent/services", get(services)))
        .merge(at("/v1/agent/service/", get(service)))
        .merge(at("/v1/agent/checks", get(checks)))
}

/// The services by id, without that of the server itself.
async fn services(call: Call) -> Result<Response, ConsulError> {
    let (host, pretty) = (call.host.clone(), call.params.pretty);
    let sieve = call.sieve(Rows::Services).await?;
    let size = |world: World<'_>| world.count_on(&call.host);
    let body = call.look(size, move |world| {
        let services = world.services_on(&host).into_iter().filter(|s| s.id != SERVER);
        let services = services.map(|service| service.of_agent());
        let services = services.filter(|service| sieve.passes(service));
        let services = services.map(|service| (service.id.clone(), service));
        reply::written(&OneByOne::new(services), pretty)
    });
    Ok(reply::json(body.await?))
}

/// A service, as soon as it is other than the one with the hash that the client has.
async fn service(call: Call) -> Result<Response, ConsulError> {
    let Call { api, host, name: id, query, params, .. } = call;
    let snapshot = api.registry().snapshot();
    let world = World { snapshot: &snapshot, options: api.consul() };
    let found = world.service_on(&host, &id).ok_or_else(|| ConsulError::no_service(&id))?;
    let interest = Interest::Service(found.key().service);
    let hash = query.get("hash").and_then(|digits| u64::from_str_radix(digits, 16).ok());
    let blocking = Blocking { has: hash.map_or(Has::Nothing, Has::Hash), wait: params.wait };
    let read = async |snapshot: std::sync::Arc<_>| {
        hashed(World { snapshot: &snapshot, options: api.consul() }, &host, &id, params.pretty)
    };
    let stop = api.stop().cancelled();
    let answer = blocking.answer((api.registry(), api.waiters()), interest, stop, read).await?;
    let mut response = reply::json(answer.body);
    if let Ok(hash) = HeaderValue::from_str(&shown(answer.index.0)) {
        response.headers_mut().insert(CONTENT_HASH, hash);
    }
    Ok(response)
}

fn hashed(world: World<'_>, host: &Host, id: &str, pretty: bool) -> Result<Indexed, ConsulError> {
    let service = world.service_on(host, id).ok_or_else(|| ConsulError::no_service(id))?;
    let mut service = service.of_agent();
    let hash = SipHasher24::new().hash(&reply::written(&service, false)?);
    service.content_hash = Some(shown(hash));
    Ok(Indexed::new(Revision(hash), reply::written(&service, pretty)?))
}

fn shown(hash: u64) -> String {
    format!("{hash:016x}")
}

/// The checks by id: those of the node, without the one that agents stand for, and of its services.
async fn checks(call: Call) -> Result<Response, ConsulError> {
    let (host, pretty) = (call.host.clone(), call.params.pretty);
    let sieve = call.sieve(Rows::Checks).await?;
    let size = |world: World<'_>| world.count_on(&call.host);
    let body = call.look(size, move |world| {
        let checks = world.services_on(&host);
        let checks = checks.iter().flat_map(Service::checks).chain(own_checks(world, &host));
        let checks = checks.map(of_agent).filter(|check| sieve.passes(check));
        let checks: BTreeMap<String, HealthCheck> =
            checks.map(|check| (check.check_id.clone(), check)).collect();
        reply::written(&checks, pretty)
    });
    Ok(reply::json(body.await?))
}

/// A node's own checks, as its agent knows them.
pub(super) fn own_checks(world: World<'_>, host: &Host) -> Vec<HealthCheck> {
    let mut checks = world.node_checks(host);
    checks.retain(|check| check.check_id != SERF_HEALTH);
    checks
}

/// A check as its agent knows it, which knows of no indexes.
pub(super) fn of_agent(check: HealthCheck) -> HealthCheck {
    HealthCheck { create_index: 0, modify_index: 0, ..check }
}

#[cfg(test)]
mod tests;
