//! `PUT /v1/agent/check/…`: checks of the client's node and of services on it, and what those say
//! who send heartbeats.

use std::sync::Arc;

use axum::{Router, http::StatusCode};

use crate::{
    http::{
        Api,
        consul::{
            definition::{CheckDefinition, CheckUpdate},
            edit::{Edit, Owner, Row, change, cut, drain_elsewhere, report, settle},
            methods::{at, put},
            texts::ConsulError,
            translate,
            world::{NODE_MAINTENANCE, SERVICE_MAINTENANCE},
            write::{Caller, Sent},
        },
    },
    model::Status,
};

pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/agent/check/register", put(register)))
        .merge(at("/v1/agent/check/deregister/", put(deregister)))
        .merge(at("/v1/agent/check/pass/", put(pass)))
        .merge(at("/v1/agent/check/warn/", put(warn)))
        .merge(at("/v1/agent/check/fail/", put(fail)))
        .merge(at("/v1/agent/check/update/", put(update)))
}

/// Registers a check of a service that is there, or of the node.
async fn register(
    Caller { api, host, .. }: Caller,
    Sent(definition): Sent<CheckDefinition>,
) -> Result<StatusCode, ConsulError> {
    definition.validate()?;
    let service = &*definition.service_id;
    change(&api, (&host, service), |edit| {
        edit.meet_agent();
        let checked = translate::check(&definition.check, edit.host(), edit.is_own())?;
        let owner = match service {
            "" => Owner::Node,
            id if edit.service(id).is_none() => return Err(ConsulError::no_service_of_check(id)),
            id => Owner::Service(id),
        };
        edit.put_check(owner, Row::own(&definition, checked));
        Ok(())
    })
    .await?;
    settle(&api, &host, service).await;
    Ok(StatusCode::OK)
}

/// Takes a check away. The checks that stand for maintenance end it.
async fn deregister(Caller { api, host, name, .. }: Caller) -> Result<StatusCode, ConsulError> {
    let removed = change(&api, (&host, ""), |edit| match remove(edit, &name) {
        true => Ok(()),
        false => Err(ConsulError::unknown_check_id(&name)),
    });
    match (removed.await, name.strip_prefix(SERVICE_MAINTENANCE)) {
        (Err(refusal), Some(id)) if refusal.status == StatusCode::NOT_FOUND => {
            let drained = drain_elsewhere(&api, &host, (id, false)).await;
            drained
                .map_err(|other| if other.status == refusal.status { refusal } else { other })?;
        }
        (outcome, _) => outcome?,
    }
    Ok(StatusCode::OK)
}

/// Whether there was something to remove.
fn remove(edit: &mut Edit, id: &str) -> bool {
    if edit.take_check(id).is_some() {
        return true;
    }
    if id == NODE_MAINTENANCE {
        return edit.node().maintain(false, None);
    }
    let service = id.strip_prefix(SERVICE_MAINTENANCE).and_then(|id| edit.service(id));
    service.is_some_and(|service| service.maintain(false, None))
}

async fn pass(caller: Caller) -> Result<StatusCode, ConsulError> {
    said(caller, Status::Passing).await
}

async fn warn(caller: Caller) -> Result<StatusCode, ConsulError> {
    said(caller, Status::Warning).await
}

async fn fail(caller: Caller) -> Result<StatusCode, ConsulError> {
    said(caller, Status::Critical).await
}

/// What a client says of its TTL check, which renews it too.
async fn said(caller: Caller, status: Status) -> Result<StatusCode, ConsulError> {
    let Caller { api, host, name, query } = caller;
    let note: Arc<str> = cut(query.get("note").unwrap_or_default());
    report(&api, &host, (&name, status, note)).await?;
    Ok(StatusCode::OK)
}

/// The same in a body.
async fn update(
    Caller { api, host, name, .. }: Caller,
    Sent(update): Sent<CheckUpdate>,
) -> Result<StatusCode, ConsulError> {
    update.validate()?;
    let refused = || ConsulError::invalid_check_status(&update.status);
    let status = Status::parse(&update.status).ok_or_else(refused)?;
    report(&api, &host, (&name, status, cut(&update.output))).await?;
    Ok(StatusCode::OK)
}

#[cfg(test)]
mod tests;
