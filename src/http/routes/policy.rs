//! `/api/v1/services/{service}/policy`: how one service is answered.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::refused::{Change, ChangeWithBody, Named};
use crate::{
    http::{
        Api,
        dto::{PolicyBody, PolicyView},
        json::{Json, at_revision},
        path::ServicePath,
        problem::Problem,
        seen::{Seen, SeenParameters},
    },
    model::Command,
};

/// Sets the policy of a service, which need not have instances yet.
///
/// The policy is replaced as a whole: what is left out is the server's default.
#[utoipa::path(
    put,
    path = "/api/v1/services/{service}/policy",
    operation_id = "set_policy",
    tag = "policies",
    params(SeenParameters, ("service" = String, Path, description = "The service")),
    request_body(content = PolicyBody, description = "All of the policy"),
    responses(
        (status = 200, description = "It is set", body = PolicyView,
            headers(("X-Rollcall-Revision" = u64, description = "The revision at which it holds"))),
        ChangeWithBody,
    ),
)]
pub(super) async fn set(
    State(api): State<Api>,
    ServicePath(name): ServicePath,
    _: Seen,
    Json(body): Json<PolicyBody>,
) -> Result<Response, Problem> {
    let policy = body.into_model(api.default_policy())?;
    let applied = api.submit(Command::SetPolicy(name, policy)).await?;
    Ok(at_revision(applied.revision, Json(PolicyView::new(&policy, true, applied.revision))))
}

/// Shows the policy that a service is answered by: its own, or the server's default.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}/policy",
    operation_id = "read_policy",
    tag = "policies",
    params(SeenParameters, ("service" = String, Path, description = "The service")),
    responses(
        (status = 200, description = "The policy", body = PolicyView,
            headers(("X-Rollcall-Revision" = u64, description = "The revision that it shows"))),
        Named,
    ),
)]
pub(super) async fn read(
    State(api): State<Api>,
    ServicePath(name): ServicePath,
    _: Seen,
) -> Result<Response, Problem> {
    let snapshot = api.registry().snapshot();
    let entry = snapshot.service(name.as_str()).ok_or_else(|| Problem::unknown_service(&name))?;
    let view = PolicyView::new(&entry.policy, entry.has_own_policy, entry.modified);
    Ok(at_revision(snapshot.revision, Json(view)))
}

/// Forgets the policy of a service, which is then answered by the server's default.
#[utoipa::path(
    delete,
    path = "/api/v1/services/{service}/policy",
    operation_id = "remove_policy",
    tag = "policies",
    params(SeenParameters, ("service" = String, Path, description = "The service")),
    responses(
        (status = 204, description = "The default holds",
            headers(("X-Rollcall-Revision" = u64, description = "The revision at which it holds"))),
        Change,
    ),
)]
pub(super) async fn remove(
    State(api): State<Api>,
    ServicePath(name): ServicePath,
    _: Seen,
) -> Result<Response, Problem> {
    let applied = api.submit(Command::RemovePolicy(name)).await?;
    Ok(at_revision(applied.revision, StatusCode::NO_CONTENT.into_response()))
}
