//! `/api/v1/services/{service}/instances/{instance}/heartbeat`.

use axum::{extract::State, response::Response};

use super::refused::ChangeWithBody;
use crate::{
    http::{
        Api,
        dto::{Acknowledged, Heartbeat},
        json::{Json, OptionalJson, at_revision},
        path::InstancePath,
        problem::Problem,
        seen::{Seen, SeenParameters},
    },
    model::Command,
};

/// Renews the `ttl` checks of an instance.
///
/// 404 means that the server does not know the instance: register it again.
#[utoipa::path(
    put,
    path = "/api/v1/services/{service}/instances/{instance}/heartbeat",
    operation_id = "renew_instance",
    tag = "instances",
    params(
        SeenParameters,
        ("service" = String, Path, description = "The service"),
        ("instance" = String, Path, description = "The instance"),
    ),
    request_body(content = Option<Heartbeat>, description = "May be left out: passing"),
    responses(
        (status = 200, description = "It was heard", body = Acknowledged,
            headers(("X-Rollcall-Revision" = u64,
                description = "The revision at which it is visible"))),
        (status = 409, description = "The instance has no check of type `ttl`",
            body = crate::http::dto::Problem, content_type = "application/problem+json"),
        ChangeWithBody,
    ),
)]
pub(super) async fn heartbeat(
    State(api): State<Api>,
    InstancePath(key): InstancePath,
    _: Seen,
    OptionalJson(heartbeat): OptionalJson<Heartbeat>,
) -> Result<Response, Problem> {
    let applied = api.submit(Command::Heartbeat(heartbeat.into_model(key))).await?;
    Ok(at_revision(applied.revision, Json(Acknowledged::from(applied))))
}
