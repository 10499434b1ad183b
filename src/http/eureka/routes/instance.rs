//! `apps/{app}` as the place to register, `apps/{app}/{id}` and what is below it, `instances/{id}`.

use axum::{
    extract::{Path, Request, State},
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::{Asked, Parameters};
use crate::{
    http::{
        Api,
        eureka::{
            body::InstanceStatus,
            change::{Change, Named, Renewed},
            error::EurekaError,
            negotiate::Form,
            read, registration, render, shown,
        },
        json,
    },
    model::{Interface, Scope, limit},
    registry::Snapshot,
};

/// Registers an instance.
pub(in crate::http::eureka) async fn register(
    State(api): State<Api>,
    asked: Asked,
    Path(app): Path<String>,
    request: Request,
) -> Result<StatusCode, EurekaError> {
    let headers = request.headers().clone();
    let body = json::read(request, limit::HTTP_BODY_OCTETS_MAX, &api).await?;
    let instance = read::instance(Form::of_body(&headers, &body), &body)?;
    let instance = registration::admit(&app, instance)?;
    Change { api: &api, by_peer: asked.by_peer }.register(instance).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Shows an instance.
pub(in crate::http::eureka) async fn read(
    State(api): State<Api>,
    asked: Asked,
    Path((app, id)): Path<(String, String)>,
) -> Result<Response, EurekaError> {
    let snapshot = api.registry().snapshot();
    reply(&api, asked, &snapshot, &Named::new(&app, id))
}

/// Shows an instance of whichever application.
pub(in crate::http::eureka) async fn read_by_id(
    State(api): State<Api>,
    asked: Asked,
    Path(id): Path<String>,
) -> Result<Response, EurekaError> {
    let snapshot = api.registry().snapshot();
    let looked = snapshot.clone();
    let found = api.aside(move || {
        let is_there = |scope: &&Scope| {
            scope.interface == Interface::Eureka && looked.origins.get(scope, &id).is_some()
        };
        let scope = looked.origins.scopes().find(is_there);
        let app = match scope {
            Some(scope) => scope.name.to_string(),
            // One of another interface has its service's name in its id.
            None => id.split(':').nth(1).unwrap_or("").to_owned(),
        };
        Named::new(&app, id)
    });
    let named = found.await?;
    reply(&api, asked, &snapshot, &named)
}

/// Renews a lease.
pub(in crate::http::eureka) async fn renew(
    State(api): State<Api>,
    asked: Asked,
    Path((app, id)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<Response, EurekaError> {
    let change = Change { api: &api, by_peer: asked.by_peer };
    match change.renew(&Named::new(&app, id), parameters.dirty()).await? {
        Renewed::Alive => Ok(StatusCode::OK.into_response()),
        Renewed::Newer(instance) => {
            let body = asked.form.reply(render::instance(asked.form, &instance));
            Ok((StatusCode::CONFLICT, body).into_response())
        }
    }
}

/// Removes an instance.
pub(in crate::http::eureka) async fn cancel(
    State(api): State<Api>,
    asked: Asked,
    Path((app, id)): Path<(String, String)>,
) -> Result<StatusCode, EurekaError> {
    Change { api: &api, by_peer: asked.by_peer }.cancel(&Named::new(&app, id)).await?;
    Ok(StatusCode::OK)
}

/// Overrides the state of an instance.
pub(in crate::http::eureka) async fn set_status(
    State(api): State<Api>,
    asked: Asked,
    Path((app, id)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<StatusCode, EurekaError> {
    let status = parameters.status()?;
    let status =
        status.ok_or_else(|| EurekaError::bad_request("the parameter `value` is needed"))?;
    let change = Change { api: &api, by_peer: asked.by_peer };
    change.override_status(&Named::new(&app, id), status, parameters.dirty()).await?;
    Ok(StatusCode::OK)
}

/// Takes an override away.
pub(in crate::http::eureka) async fn remove_override(
    State(api): State<Api>,
    asked: Asked,
    Path((app, id)): Path<(String, String)>,
    parameters: Parameters,
) -> Result<StatusCode, EurekaError> {
    let status = parameters.status()?.unwrap_or(InstanceStatus::Unknown);
    let change = Change { api: &api, by_peer: asked.by_peer };
    change.remove_override(&Named::new(&app, id), status, parameters.dirty()).await?;
    Ok(StatusCode::OK)
}

/// Adds metadata to an instance.
pub(in crate::http::eureka) async fn add_metadata(
    State(api): State<Api>,
    asked: Asked,
    Path((app, id)): Path<(String, String)>,
    Parameters(entries): Parameters,
) -> Result<StatusCode, EurekaError> {
    let change = Change { api: &api, by_peer: asked.by_peer };
    change.add_metadata(&Named::new(&app, id), &entries).await?;
    Ok(StatusCode::OK)
}

fn reply(
    api: &Api,
    asked: Asked,
    snapshot: &Snapshot,
    named: &Named,
) -> Result<Response, EurekaError> {
    let found = named.find(snapshot).filter(|member| api.recent().is_shown(member));
    let instance = shown::instance(found.ok_or_else(EurekaError::not_found)?);
    Ok(asked.form.reply(render::instance(asked.form, &instance)))
}
