//! `/api/v1/openapi.json`: the contract, generated from the handlers.

use std::sync::LazyLock;

use axum::response::Response;
use bytes::Bytes;
use utoipa::OpenApi;

use super::all;
use crate::http::{dto::Problem, json::json_response};

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
pub(super) async fn openapi() -> Response {
    static DOCUMENT: LazyLock<Bytes> = LazyLock::new(|| openapi_document().into());
    json_response(DOCUMENT.clone().into())
}
