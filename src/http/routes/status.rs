//! `/health`, `/ready` and `/metrics`: the server itself.

use axum::{
    extract::State,
    http::{HeaderMap, StatusCode, header},
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
    // Whoever drains the server says so on the board as well, in most cases.
    let is_said = reasons.iter().any(|reason| reason.name == "stopping");
    if api.draining().is_cancelled() && !is_said {
        let message = "the server is stopping and takes no more changes".to_owned();
        reasons.push(Note { name: "stopping".to_owned(), message });
    }
    let ready = reasons.is_empty();
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let notes = notes.into_iter().map(note).collect();
    let revision = api.registry().snapshot().revision.0;
    (status, Json(Readiness { ready, reasons, notes, revision })).into_response()
}

/// Shows the metrics, in the text form of OpenMetrics for those that ask for it, and in
/// Prometheus' older one, which everything reads, for all others.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "read_metrics",
    tag = "server",
    responses((status = 200, description = "The metrics", content(
        (String = "text/plain"),
        (String = "application/openmetrics-text"),
    ))),
)]
pub(in crate::http) async fn metrics(
    State(api): State<Api>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    const CLASSIC: &str = "text/plain; version=0.0.4; charset=utf-8";
    const OPEN: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    let (kind, text) = if asks_for_open_metrics(&headers) {
        (OPEN, api.all_metrics().encode())
    } else {
        (CLASSIC, api.all_metrics().encode_classic())
    };
    let text = text.map_err(|error| {
        tracing::error!(%error, "the metrics cannot be encoded");
        Problem::internal()
    })?;
    // Whatever stands between keeps one reply for each form.
    Ok(([(header::CONTENT_TYPE, kind), (header::VARY, "accept")], text).into_response())
}

/// Whether OpenMetrics is among the types that are accepted by name (RFC 9110 §12.5.1).
fn asks_for_open_metrics(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    accepted.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let named = parts
            .next()
            .is_some_and(|kind| kind.eq_ignore_ascii_case("application/openmetrics-text"));
        named && !parts.any(|part| matches!(part, "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}
