//! The routes of Consul's interface, below `/v1`.

use axum::Router;

use super::routes::{
    agent_check, agent_health, agent_self, agent_service, agent_services, catalog, catalog_nodes,
    catalog_write, health, maintenance, off, status,
};
use crate::http::Api;

/// All routes.
pub(in crate::http) fn routes() -> Router<Api> {
    Router::new()
        .merge(agent_check::routes())
        .merge(agent_health::routes())
        .merge(agent_self::routes())
        .merge(agent_service::routes())
        .merge(agent_services::routes())
        .merge(catalog::routes())
        .merge(catalog_nodes::routes())
        .merge(catalog_write::routes())
        .merge(health::routes())
        .merge(maintenance::routes())
        .merge(off::routes())
        .merge(status::routes())
}
