//! `/v1/status/…`: who leads. There is one server, and it is its own leader.

use axum::{Router, response::Response};

use crate::http::{
    Api,
    consul::{
        call::Call,
        methods::{at, get},
        reply,
        texts::ConsulError,
    },
};

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/status/leader", get(leader)))
        .merge(at("/v1/status/peers", get(peers)))
}

/// The server's own address.
async fn leader(call: Call) -> Result<Response, ConsulError> {
    call.here()?;
    reply::plain(&call.api.consul().server_address(), call.params.pretty)
}

/// The same, as the only one of a list.
async fn peers(call: Call) -> Result<Response, ConsulError> {
    call.here()?;
    reply::plain(&[call.api.consul().server_address()], call.params.pretty)
}
