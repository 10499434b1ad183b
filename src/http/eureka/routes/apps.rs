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
        Api, encoding,
        eureka::{
            body::Instance,
            error::EurekaError,
            negotiate::Form,
            recent::{Delta, Recent},
            render, shown,
        },
        problem::Problem,
        shared::Indexed,
    },
    model::{Revision, ServiceName},
    registry::{Member, ServiceEntry},
};

/// Instances of one application that are gathered where they are asked for: it takes less than a
/// millisecond.
const LARGE: usize = 1_000;

/// Changes of a delta that is in memory as a whole without being compressed: some 6 MB.
const PLAIN_MAX: usize = 4_096;

/// A delta that is not for others as well.
enum Alone {
    Refused(EurekaError),
    Streamed(Box<Delta>),
}

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
/// after a deployment that is tens of thousands, and once for all who ask at the same time: that is
/// every client, twice a minute.
pub(in crate::http::eureka) async fn delta(
    State(api): State<Api>,
    asked: Asked,
) -> Result<Response, EurekaError> {
    // A slow reader may keep one for long; meanwhile changes grow old that it has.
    let moment = api.clock().elapsed().as_secs() / 10;
    let era = api.registry().snapshot().steps.era;
    let key = format!("eureka delta {:?} {} {moment} {era}", asked.form, asked.in_gzip);
    let wanted = api.registry().snapshot().revision;
    let make = || {
        let inner = api.clone();
        let found = api.clone();
        let work = move || written(found.recent().delta(found.registry(), found.clock()), asked);
        async move { inner.aside(work).await? }
    };
    match api.answers().answer(&key, wanted, make).await {
        Ok(Indexed { body, .. }) => Ok(asked.form.whole(body)),
        Err(Alone::Streamed(delta)) => Ok(streamed(asked, pieces_of(*delta, asked.form))),
        Err(Alone::Refused(error)) => Err(error),
    }
}

/// One application.
pub(in crate::http::eureka) async fn one(
    State(api): State<Api>,
    asked: Asked,
    Path(app): Path<String>,
) -> Result<Response, EurekaError> {
    let (name, snapshot) = (app.to_uppercase(), api.registry().snapshot());
    let entry = snapshot.service(ServiceName::derived(&name).as_str()).map(Arc::clone);
    let entry = entry.ok_or_else(EurekaError::not_found)?;
    let recent = api.recent().clone();
    let is_large = entry.members.len() > LARGE;
    let found = move || {
        let mut members = members(&entry, &recent);
        members.retain(|(application, _)| *application == name);
        members
    };
    let members = if is_large { api.aside(found).await? } else { found() };
    if members.is_empty() {
        return Err(EurekaError::not_found());
    }
    let members = members.into_iter();
    let instances = members.map(|(application, member)| (application, shown::instance(&member)));
    Ok(streamed(asked, render::application(asked.form, instances)))
}

/// The body of a delta, unless it is too large to be in memory as a whole.
fn written(delta: Delta, asked: Asked) -> Result<(Revision, Indexed), Alone> {
    if !asked.in_gzip && delta.changed.len() > PLAIN_MAX {
        return Err(Alone::Streamed(Box::new(delta)));
    }
    let index = delta.snapshot.revision;
    let body = encoding::collected(asked.in_gzip, pieces_of(delta, asked.form));
    Ok((index, Indexed::new(index, body)))
}

fn pieces_of(delta: Delta, form: Form) -> impl Iterator<Item = Vec<u8>> + Send + 'static {
    let Delta { snapshot, hashcode, changed } = delta;
    let instances = changed.into_iter().map(|(application, (member, action))| {
        let instance = Instance { action_type: Some(action), ..shown::instance(&member) };
        (application, instance)
    });
    render::applications(form, snapshot.revision.0, &hashcode, instances)
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

// === impl Alone ===

impl From<Problem> for Alone {
    fn from(problem: Problem) -> Self {
        Self::Refused(problem.into())
    }
}
