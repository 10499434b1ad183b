//! The routes of Consul's interface, below `/v1`.

use axum::Router;

use super::routes::{agent_check, agent_service, catalog_write, maintenance};
use crate::http::Api;

/// All routes.
pub(in crate::http) fn routes() -> Router<Api> {
    Router::new()
        .merge(agent_check::routes())
        .merge(agent_service::routes())
        .merge(catalog_write::routes())
        .merge(maintenance::routes())
}
