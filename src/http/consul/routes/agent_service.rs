//! `PUT /v1/agent/service/{register,deregister,maintenance}`: the services of the client's node.

use axum::{Router, http::StatusCode};

use crate::http::{
    Api,
    consul::{
        definition::ServiceDefinition,
        edit::{change, deregister_elsewhere, drain_elsewhere, settle},
        methods::{at, put},
        number::truth,
        texts::ConsulError,
        translate,
        write::{Caller, Sent},
    },
};

pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/agent/service/register", put(register)))
        .merge(at("/v1/agent/service/deregister/", put(deregister)))
        .merge(at("/v1/agent/service/maintenance/", put(maintain)))
}

/// Registers a service, or replaces it.
async fn register(
    caller: Caller,
    Sent(definition): Sent<ServiceDefinition>,
) -> Result<StatusCode, ConsulError> {
    let replaces_checks = caller.query.all("replace-existing-checks").next();
    let replaces_checks =
        replaces_checks.is_some_and(|value| value.is_empty() || truth(value) == Some(true));
    definition.validate()?;
    let of = definition.id();
    change(&caller.api, (&caller.host, of), |edit| {
        edit.meet_agent();
        let (host, is_own) = (edit.host(), edit.is_own());
        let service = translate::service(definition.clone(), host, is_own)?;
        edit.register(service, replaces_checks);
        Ok(())
    })
    .await?;
    settle(&caller.api, &caller.host, of).await;
    Ok(StatusCode::OK)
}

/// Takes a service away with its checks.
async fn deregister(Caller { api, host, name, .. }: Caller) -> Result<StatusCode, ConsulError> {
    let removed = change(&api, (&host, &name), |edit| match edit.remove_service(&name) {
        true => Ok(()),
        false => Err(ConsulError::unknown_service_id(&name)),
    });
    match removed.await {
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => {
            deregister_elsewhere(&api, &host, &name).await?;
        }
        outcome => outcome?,
    }
    Ok(StatusCode::OK)
}

/// Takes a service out of the answers, or puts it back. What another interface calls drained is the
/// same.
async fn maintain(Caller { api, host, name, query }: Caller) -> Result<StatusCode, ConsulError> {
    if name.is_empty() {
        return Err(ConsulError::missing_service_id());
    }
    let on = query.enable()?;
    let maintained = change(&api, (&host, &name), |edit| {
        let service = edit.service(&name).ok_or_else(|| ConsulError::unknown_service_id(&name))?;
        service.maintain(on, query.get("reason"));
        Ok(())
    });
    match maintained.await {
        Err(refusal) if refusal.status == StatusCode::NOT_FOUND => {
            drain_elsewhere(&api, &host, (&name, on)).await?;
        }
        outcome => outcome?,
    }
    Ok(StatusCode::OK)
}

#[cfg(test)]
mod tests;
