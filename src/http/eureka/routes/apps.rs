//! `apps`, `apps/delta`, `apps/{app}`: what there is, and what changed.
//!
//! Answered from the newest snapshot, where Eureka has caches that are up to a minute behind.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{Path, State},
    response::Response,
};
use bytes::Bytes;
use futures_util::stream;

use super::Asked;
use crate::{
    http::{
        Api,
        eureka::{
            body::{Application, Applications},
            error::EurekaError,
            render, shown,
        },
    },
    model::ServiceName,
};

/// All applications.
pub(in crate::http::eureka) async fn all(State(api): State<Api>, asked: Asked) -> Response {
    let moment = api.recent().now(api.registry(), api.clock());
    let entries: Vec<_> = moment.snapshot.services.iter().map(|(_, e)| Arc::clone(e)).collect();
    let recent = api.recent().clone();
    let applications = entries
        .into_iter()
        .flat_map(move |entry| shown::applications(&entry, |member| recent.is_shown(member)));
    let (version, hashcode) = (moment.snapshot.revision.0, moment.counts.to_string());
    let pieces = render::applications_in_pieces(asked.form, version, &hashcode, applications);
    let pieces = pieces.map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    asked.form.reply(Body::from_stream(stream::iter(pieces)))
}

/// What changed within the last three minutes, and how many there are of all. Aside, because after
/// a deployment that is tens of thousands.
pub(in crate::http::eureka) async fn delta(
    State(api): State<Api>,
    asked: Asked,
) -> Result<Response, EurekaError> {
    let shared = api.clone();
    let written = move || {
        let (moment, instances) = shared.recent().delta(shared.registry(), shared.clock());
        let applications = Applications {
            version: moment.snapshot.revision.0,
            hashcode: moment.counts.to_string().into(),
            applications: shown::grouped(instances.into_iter()),
        };
        render::applications(asked.form, &applications)
    };
    Ok(asked.form.reply(api.aside(written).await?))
}

/// One application.
pub(in crate::http::eureka) async fn one(
    State(api): State<Api>,
    asked: Asked,
    Path(app): Path<String>,
) -> Result<Response, EurekaError> {
    let application = application(&api, &app).ok_or_else(EurekaError::not_found)?;
    Ok(asked.form.reply(render::application(asked.form, &application)))
}

fn application(api: &Api, app: &str) -> Option<Application> {
    let (name, snapshot) = (app.to_uppercase(), api.registry().snapshot());
    let entry = snapshot.service(ServiceName::derived(&name).as_str())?;
    let all = shown::applications(entry, |member| api.recent().is_shown(member));
    all.into_iter().find(|application| application.name == name)
}
