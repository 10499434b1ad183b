//! `/v1/health/…`: instances with their states.

use axum::{Router, response::Response};

use super::catalog::{carries, in_a_mesh, index_of, is_on, label_of};
use crate::http::{
    Api,
    consul::{
        blocking::Indexed,
        call::{Call, Seen},
        filter::Rows,
        methods::{at, get},
        reply::{self, RowByRow},
        texts::ConsulError,
        view::HealthCheck,
        waiters::Interest,
        world::{Service, World},
    },
};

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/health/service/", get(service)))
        .merge(at("/v1/health/connect/", get(in_a_mesh)))
        .merge(at("/v1/health/ingress/", get(in_a_mesh)))
        .merge(at("/v1/health/checks/", get(checks)))
        .merge(at("/v1/health/node/", get(node)))
        .merge(at("/v1/health/state/", get(state)))
}

/// The instances of a service, each with its node and the checks of both.
async fn service(call: Call) -> Result<Response, ConsulError> {
    let name = label_of(call.named(ConsulError::missing_service_name)?);
    let passing = call.query.passing()?;
    let sieve = call.sieve(Rows::HealthOfService).await?;
    let (tags, node_meta) = (call.params.tags.clone(), call.params.node_meta.clone());
    let interest = Interest::Service(name.clone());
    call.answer(interest, move |world| {
        let services = world.services(name.as_str());
        let wanted = services.iter().filter(|service| {
            carries(&service.kept.tags, &tags) && is_on(world, &service.host(), &node_meta)
        });
        let mut entries: Vec<_> = wanted.map(Service::entry).collect();
        entries.retain(|entry| {
            let passes = || entry.checks.iter().all(HealthCheck::is_passing);
            (!passing || passes()) && sieve.passes(entry)
        });
        Ok(Seen { index: index_of(world, &name), value: entries })
    })
    .await
}

/// The checks of a service's instances, without those of their nodes.
async fn checks(call: Call) -> Result<Response, ConsulError> {
    let name = label_of(call.named(ConsulError::missing_service_name)?);
    let sieve = call.sieve(Rows::Checks).await?;
    let node_meta = call.params.node_meta.clone();
    let interest = Interest::Service(name.clone());
    call.answer(interest, move |world| {
        let services = world.services(name.as_str());
        let wanted = services.iter().filter(|service| is_on(world, &service.host(), &node_meta));
        let mut checks = World::checks_of(wanted);
        checks.retain(|check| sieve.passes(check));
        Ok(Seen { index: index_of(world, &name), value: checks })
    })
    .await
}

/// All checks on a node.
async fn node(call: Call) -> Result<Response, ConsulError> {
    let name = call.named(ConsulError::missing_node_name)?.to_owned();
    let sieve = call.sieve(Rows::Checks).await?;
    let interest = call.api.consul().interest_in(&name);
    call.answer(interest, move |world| {
        let host = world.host(&name);
        let mut checks = host.map(|host| world.checks_on(&host)).unwrap_or_default();
        checks.retain(|check| sieve.passes(check));
        Ok(Seen { index: world.changed_on(&name), value: checks })
    })
    .await
}

/// All checks in a state; nobody's when it is none.
async fn state(call: Call) -> Result<Response, ConsulError> {
    let state = call.named(ConsulError::missing_check_state)?.to_owned();
    let sieve = call.sieve(Rows::Checks).await?;
    let node_meta = call.params.node_meta.clone();
    let pretty = call.params.pretty;
    call.answer_written(Interest::Anything, move |world| {
        let is_wanted = |check: &HealthCheck| {
            let is_on_wanted = || {
                let host = world.host(&check.node);
                host.is_some_and(|host| is_on(world, &host, &node_meta))
            };
            (state == "any" || check.status == state)
                && (node_meta.is_empty() || is_on_wanted())
                && sieve.passes(check)
        };
        let checks = RowByRow::new(world.all_checks().filter(is_wanted));
        Ok(Indexed::new(world.snapshot.changed, reply::written(&checks, pretty)?))
    })
    .await
}

#[cfg(test)]
mod tests;
