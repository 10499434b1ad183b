//! `PUT /v1/catalog/{register,deregister}`: nodes, services and checks that others look after.

use axum::{
    Json, Router,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::http::{
    Api,
    consul::{
        definition::{CatalogDeregistration, CatalogRegistration},
        edit::{Edit, Owner, Row, change, deregister_elsewhere},
        methods::{at, put},
        quote::quoted,
        site::Host,
        texts::ConsulError,
        translate,
        write::{Caller, Sent},
    },
};

pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/catalog/register", put(register)))
        .merge(at("/v1/catalog/deregister", put(deregister)))
}

/// Registers a node, and a service and checks on it: all or none.
async fn register(
    Caller { api, .. }: Caller,
    Sent(registration): Sent<CatalogRegistration>,
) -> Result<Response, ConsulError> {
    check_datacenter(&api, &registration.datacenter)?;
    registration.validate()?;
    let host = host_named(&api, &registration.node, &registration.address);
    let of = registration.service.as_ref().map_or("", |service| service.id());
    change(&api, (&host, of), |edit| put_all(edit, &registration)).await?;
    Ok(Json(true).into_response())
}

fn put_all(edit: &mut Edit, registration: &CatalogRegistration) -> Result<(), ConsulError> {
    if !registration.skip_node_update || !edit.is_known() {
        edit.register_node(registration)?;
    } else {
        edit.leave_node();
    }
    if let Some(service) = &registration.service {
        let service = translate::of_catalog(service.clone(), edit.host())?;
        edit.register(service, false);
    }
    for check in registration.all_checks() {
        let owner = match &*check.service_id {
            "" => Owner::Node,
            id if edit.service(id).is_none() => {
                let node = quoted(&registration.node);
                return Err(ConsulError::failed(format!(
                    "failed inserting check: Missing service registration on node {node}"
                )));
            }
            id => Owner::Service(id),
        };
        edit.put_check(owner, Row::of_catalog(check)?);
    }
    Ok(())
}

/// Takes a service, a check or a whole node away. What is not there is away already.
async fn deregister(
    Caller { api, .. }: Caller,
    Sent(deregistration): Sent<CatalogDeregistration>,
) -> Result<Response, ConsulError> {
    let CatalogDeregistration { node, datacenter, service_id, check_id, .. } = &deregistration;
    check_datacenter(&api, datacenter)?;
    deregistration.validate()?;
    let host = host_named(&api, node, "");
    let removed = change(&api, (&host, service_id), |edit| {
        match (&**service_id, &**check_id) {
            ("", "") => edit.remove_node(),
            ("", check) => {
                edit.take_check(check);
            }
            (service, _) if !edit.remove_service(service) => {
                return Err(ConsulError::unknown_service_id(service));
            }
            _ => {}
        }
        Ok(())
    });
    let removed = match removed.await {
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => {
            deregister_elsewhere(&api, &host, service_id).await
        }
        outcome => outcome,
    };
    match removed {
        Err(refusal) if refusal.status != StatusCode::NOT_FOUND => Err(refusal),
        _ => Ok(Json(true).into_response()),
    }
}

/// The node of that name. This server's own has an address without saying so.
fn host_named(api: &Api, name: &str, address: &str) -> Host {
    let own = api.consul().own_host();
    let host = Host { name: name.to_owned(), address: address.to_owned() };
    if host.scope() == own.scope() { own } else { host }
}

fn check_datacenter(api: &Api, datacenter: &str) -> Result<(), ConsulError> {
    if datacenter.is_empty() || *datacenter == api.consul().datacenter {
        return Ok(());
    }
    Err(ConsulError::no_path_to_datacenter())
}

#[cfg(test)]
mod tests;
