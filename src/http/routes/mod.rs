//! The routes, one file per resource, and the contract that is generated from them.

mod beats;
mod bulk;
mod drain;
mod heartbeat;
mod instances;
mod openapi;
mod policy;
mod refused;
mod servers;
mod services;
mod status;
mod watch;

use utoipa_axum::{router::OpenApiRouter, routes};

use super::Api;

pub(super) use beats::{PATH as BEATS, take as take_beats};
pub use openapi::openapi_document;
pub(super) use status::metrics;

/// All routes with their contract.
pub(super) fn all() -> OpenApiRouter<Api> {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(instances::register, instances::read, instances::deregister))
        .routes(routes!(heartbeat::heartbeat))
        .routes(routes!(drain::drain, drain::undrain))
        .routes(routes!(services::list))
        .routes(routes!(services::read))
        .routes(routes!(services::instances))
        .routes(routes!(policy::set, policy::read, policy::remove))
        .routes(routes!(bulk::register_many))
        .routes(routes!(watch::watch))
        .routes(routes!(servers::list))
        .routes(routes!(openapi::openapi))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::metrics))
}
