//! A request that changes something: who sends it, and what.

use axum::{
    extract::{FromRequest, FromRequestParts, RawPathParams, Request},
    http::request::Parts,
};

use super::{
    params::Query,
    reader::{self, Body},
    site::Host,
    texts::ConsulError,
};
use crate::{
    http::{Api, json},
    model::limit,
};

/// Who asks for a change, and the parameters.
pub(super) struct Caller {
    /// The registry.
    pub api: Api,
    /// The node that the client is on.
    pub host: Host,
    /// What follows the route in the path; empty when nothing does.
    pub name: String,
    /// The parameters.
    pub query: Query,
}

/// A body, read as Consul reads it.
pub(super) struct Sent<T>(pub T);

// === impl Caller ===

impl FromRequestParts<Api> for Caller {
    type Rejection = ConsulError;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, ConsulError> {
        let query = Query::parse(parts.uri.query())?;
        query.no_enterprise(&parts.headers)?;
        let name = name_in_path(parts, api).await?;
        let host = api.consul().host_of(&parts.extensions);
        Ok(Self { api: api.clone(), host, name, query })
    }
}

/// What follows the route in the path; empty when nothing does.
///
/// # Errors
/// 400 when it is no UTF-8.
pub(super) async fn name_in_path(parts: &mut Parts, api: &Api) -> Result<String, ConsulError> {
    let path = RawPathParams::from_request_parts(parts, api).await;
    let path = path.map_err(|_| ConsulError::bad_request("the path is no UTF-8"))?;
    let name = path.iter().find(|(key, _)| *key == "name");
    Ok(name.map_or(String::new(), |(_, value)| value.to_owned()))
}

// === impl Sent ===

impl<T: Body> FromRequest<Api> for Sent<T> {
    type Rejection = ConsulError;

    async fn from_request(request: Request, api: &Api) -> Result<Self, ConsulError> {
        let body = json::read(request, limit::HTTP_BODY_OCTETS_MAX, api).await;
        reader::read(&body.map_err(ConsulError::from)?).map(Self)
    }
}
