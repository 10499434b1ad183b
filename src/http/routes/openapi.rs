//! `/api/v1/openapi.json`: the contract, generated from the handlers.

use axum::{Extension, response::Response};
use bytes::Bytes;
use utoipa::OpenApi;

use super::all;
use crate::http::{dto::Problem, json::json_response};

/// The contract as it is served.
#[derive(Debug, Clone)]
pub(in crate::http) struct Document(Bytes);

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Rollcall",
        description = "A DNS server for service discovery: register instances, have them checked, \
            and resolve the healthy ones by name. A change is durable and visible to DNS before \
            its reply is sent; `X-Rollcall-Revision` says at which revision. Refusals are problem \
            documents (RFC 9457) that name the field.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    components(schemas(Problem)),
    tags(
        (name = "instances", description = "Register, renew, drain and remove instances"),
        (name = "services", description = "What there is"),
        (name = "policies", description = "How a service is answered"),
        (name = "watch", description = "What happens"),
        (name = "server", description = "The server itself"),
    ),
)]
struct Base;

// === impl Document ===

impl Document {
    /// The contract as JSON.
    pub(in crate::http) fn new(document: &utoipa::openapi::OpenApi) -> Self {
        let json = document.to_pretty_json().expect("the document is made of strings and numbers");
        Self(json.into())
    }
}

/// What the contract says beside the routes.
pub(super) fn base() -> utoipa::openapi::OpenApi {
    Base::openapi()
}

/// The contract as JSON text, as `/api/v1/openapi.json` serves it.
pub fn openapi_document() -> String {
    let (_, document) = all().split_for_parts();
    document.to_pretty_json().expect("the document is made of strings and numbers")
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    operation_id = "read_contract",
    tag = "server",
    responses((status = 200, description = "The contract (OpenAPI 3.1)", body = serde_json::Value)),
)]
pub(super) async fn openapi(Extension(Document(json)): Extension<Document>) -> Response {
    json_response(json.into())
}
