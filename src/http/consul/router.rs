//! The routes of Consul's interface, below `/v1`.

use axum::Router;

use crate::http::Api;

/// All routes.
pub(in crate::http) fn routes() -> Router<Api> {
    Router::new()
}
