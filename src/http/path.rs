//! Names in the path, parsed into the model's types.

use axum::{
    extract::{FromRequestParts, RawPathParams},
    http::request::Parts,
};

use super::problem::Problem;
use crate::model::{InstanceId, InstanceKey, Invalid, ServiceName};

/// `{service}` of the path.
#[derive(Debug)]
pub(super) struct ServicePath(pub(super) ServiceName);

/// `{service}` and `{instance}` of the path.
#[derive(Debug)]
pub(super) struct InstancePath(pub(super) InstanceKey);

// === impl ServicePath ===

impl<S: Send + Sync> FromRequestParts<S> for ServicePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        Ok(Self(ServiceName::parse(segment(&params, "service"))?))
    }
}

// === impl InstancePath ===

impl<S: Send + Sync> FromRequestParts<S> for InstancePath {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = params(parts, state).await?;
        let service = ServiceName::parse(segment(&params, "service"))?;
        let id = InstanceId::parse(segment(&params, "instance"))?;
        Ok(Self(InstanceKey::new(service, id)))
    }
}

async fn params<S: Send + Sync>(parts: &mut Parts, state: &S) -> Result<RawPathParams, Problem> {
    RawPathParams::from_request_parts(parts, state).await.map_err(|_| {
        let problem = "has octets that are no UTF-8; a name has letters, digits and hyphens";
        Invalid::new("path", parts.uri.path(), problem).into()
    })
}

fn segment<'p>(params: &'p RawPathParams, name: &str) -> &'p str {
    // A route without the parameter would be our mistake, and reads as an empty name: refused.
    params.iter().find(|(key, _)| *key == name).map_or("", |(_, value)| value)
}
