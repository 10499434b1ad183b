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
use smol_str::SmolStr;

use super::Asked;
use crate::{
    http::{
        Api,
        eureka::{
            body::Instance,
            error::EurekaError,
            recent::{Delta, Recent},
            render, shown,
        },
    },
    model::ServiceName,
    registry::{Member, ServiceEntry},
};

/// All applications.
pub(in crate::http::eureka) async fn all(State(api): State<Api>, asked: Asked) -> Response {
    let moment = api.recent().now(api.registry(), api.clock());
    let entries: Vec<_> = moment.snapshot.services.iter().map(|(_, e)| Arc::clone(e)).collect();
    let recent = api.recent().clone();
    let members = entries.into_iter().flat_map(move |entry| members(&entry, &recent));
    let instances = members.map(|(application, member)| (application, shown::instance(&member)));
    let (version, hashcode) = (moment.snapshot.revision.0, moment.counts.to_string());
    streamed(asked, render::applications(asked.form, version, &hashcode, instances))
}

/// What changed within the last three minutes, and how many there are of all. Found aside, because
/// after a deployment that is tens of thousands.
pub(in crate::http::eureka) async fn delta(
    State(api): State<Api>,
    asked: Asked,
) -> Result<Response, EurekaError> {
    let shared = api.clone();
    let found = move || shared.recent().delta(shared.registry(), shared.clock());
    let Delta { snapshot, hashcode, changed } = api.aside(found).await?;
    let instances = changed.into_iter().map(|(application, (member, action))| {
        let instance = Instance { action_type: Some(action), ..shown::instance(&member) };
        (application, instance)
    });
    Ok(streamed(asked, render::applications(asked.form, snapshot.revision.0, &hashcode, instances)))
}

/// One application.
pub(in crate::http::eureka) async fn one(
    State(api): State<Api>,
    asked: Asked,
    Path(app): Path<String>,
) -> Result<Response, EurekaError> {
    let (name, snapshot) = (app.to_uppercase(), api.registry().snapshot());
    let entry = snapshot.service(ServiceName::derived(&name).as_str());
    let mut members = entry.map_or_else(Vec::new, |entry| members(entry, api.recent()));
    members.retain(|(application, _)| *application == name);
    if members.is_empty() {
        return Err(EurekaError::not_found());
    }
    let members = members.into_iter();
    let instances = members.map(|(application, member)| (application, shown::instance(&member)));
    Ok(streamed(asked, render::application(asked.form, instances)))
}

/// A reply that is made as the client takes it, some instances at a time.
pub(super) fn streamed(
    asked: Asked,
    pieces: impl Iterator<Item = Vec<u8>> + Send + 'static,
) -> Response {
    let pieces = pieces.map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    asked.form.reply(Body::from_stream(stream::iter(pieces)))
}

/// The instances of a service that are shown, by application.
fn members(entry: &ServiceEntry, recent: &Recent) -> Vec<(SmolStr, Arc<Member>)> {
    let members = entry.members.iter().filter(|member| recent.is_shown(member));
    shown::grouped(members.map(|member| (shown::application_of(member), Arc::clone(member))))
}
