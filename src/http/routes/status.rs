//! `/health`, `/ready` and `/metrics`: the server itself.

use axum::{
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    http::{Api, json::Json, problem::Problem},
    telemetry::Condition,
};

/// The server runs.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Health {
    /// Always `ok`; a server that does not run does not answer.
    status: String,
    /// The server's version.
    version: String,
}

/// Whether the server should be asked.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Readiness {
    /// Whether nothing stands against it.
    ready: bool,
    /// What stands against it.
    reasons: Vec<Note>,
    /// What is not as it should be, but does not stand against it.
    notes: Vec<Note>,
    /// The revision of the registry.
    revision: u64,
}

/// One thing that is not as it should be.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct Note {
    /// What it is about.
    name: String,
    /// What is wrong, and what to do about it.
    message: String,
}

/// Says that the server runs.
#[utoipa::path(
    get,
    path = "/health",
    operation_id = "read_health",
    tag = "server",
    responses((status = 200, description = "It runs", body = Health)),
)]
pub(super) async fn health() -> Json<Health> {
    let version = env!("CARGO_PKG_VERSION").to_owned();
    Json(Health { status: "ok".to_owned(), version })
}

/// Says whether the server should be asked, and what is not as it should be.
#[utoipa::path(
    get,
    path = "/ready",
    operation_id = "read_readiness",
    tag = "server",
    responses(
        (status = 200, description = "It is ready", body = Readiness),
        (status = 503, description = "It is not", body = Readiness),
    ),
)]
pub(super) async fn ready(State(api): State<Api>) -> Response {
    let conditions = api.board().conditions();
    let (blocks, notes): (Vec<_>, Vec<_>) = conditions.into_iter().partition(|(_, c)| c.blocks);
    let note = |(name, Condition { message, .. })| Note { name, message };
    let mut reasons: Vec<Note> = blocks.into_iter().map(note).collect();
    if api.draining().is_cancelled() {
        let message = "the server is stopping and takes no more changes".to_owned();
        reasons.push(Note { name: "stopping".to_owned(), message });
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let notes = notes.into_iter().map(note).collect();
    let revision = api.registry().snapshot().revision.0;
    (status, Json(Readiness { ready, reasons, notes, revision })).into_response()
}

/// Shows the metrics in the text form of OpenMetrics, which Prometheus reads.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "read_metrics",
    tag = "server",
    responses((status = 200, description = "The metrics", body = String,
        content_type = "application/openmetrics-text")),
)]
pub(super) async fn metrics(State(api): State<Api>) -> Result<Response, Problem> {
    const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let text = api.all_metrics().encode().map_err(|error| {
        tracing::error!(%error, "the metrics cannot be encoded");
        Problem::internal()
    })?;
    Ok(([(header::CONTENT_TYPE, OPEN_METRICS)], text).into_response())
}
