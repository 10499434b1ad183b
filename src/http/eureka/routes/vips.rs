//! `vips/{vip}`, `svips/{vip}`: the instances that answer to a name.

use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{Asked, apps::streamed};
use crate::http::{
    Api,
    eureka::{error::EurekaError, hashcode::StatusCounts, render, shown, vips::Vip},
};

/// The instances that answer to a name.
pub(in crate::http::eureka) async fn vip(
    State(api): State<Api>,
    asked: Asked,
    Path(name): Path<String>,
) -> Result<Response, EurekaError> {
    of(api, asked, Vip::Plain, name).await
}

/// The instances that answer to a name over TLS.
pub(in crate::http::eureka) async fn secure_vip(
    State(api): State<Api>,
    asked: Asked,
    Path(name): Path<String>,
) -> Result<Response, EurekaError> {
    of(api, asked, Vip::Secure, name).await
}

/// Found aside: who is the first to ask has all documents read.
async fn of(api: Api, asked: Asked, vip: Vip, name: String) -> Result<Response, EurekaError> {
    let shared = api.clone();
    let found = move || shared.recent().answering(shared.registry(), shared.clock(), (vip, &name));
    let (snapshot, members) = api.aside(found).await?;
    let counts: StatusCounts = members.iter().map(|member| shown::status(member)).collect();
    let members = shown::grouped(members.into_iter().map(|m| (shown::application_of(&m), m)));
    let instances = members.into_iter().map(|(name, member)| (name, shown::instance(&member)));
    let hashcode = counts.to_string();
    Ok(streamed(asked, render::applications(asked.form, snapshot.revision.0, &hashcode, instances)))
}
