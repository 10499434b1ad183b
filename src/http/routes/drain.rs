//! `/api/v1/services/{service}/instances/{instance}/drain`.

use axum::{extract::State, response::Response};
use serde::Deserialize;

use super::{
    instances::view_of,
    refused::{Change, ChangeWithBody},
};
use crate::{
    http::{
        Api,
        dto::InstanceView,
        json::{Json, OptionalJson, at_revision},
        path::InstancePath,
        problem::Problem,
        seen::{Seen, SeenParameters},
    },
    model::{Command, InstanceKey},
};

/// A body that says nothing. One that does is refused by name: `{"on": false}` is asked for by
/// `DELETE`, and would drain here.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

/// Takes an instance out of the answers. It stays registered and checked, over restarts too.
#[utoipa::path(
    put,
    path = "/api/v1/services/{service}/instances/{instance}/drain",
    operation_id = "drain_instance",
    tag = "instances",
    params(
        SeenParameters,
        ("service" = String, Path, description = "The service"),
        ("instance" = String, Path, description = "The instance"),
    ),
    responses(
        (status = 200, description = "It is out of the answers", body = InstanceView,
            headers(("X-Rollcall-Revision" = u64,
                description = "The revision at which it is out"))),
        ChangeWithBody,
    ),
)]
pub(super) async fn drain(
    State(api): State<Api>,
    InstancePath(key): InstancePath,
    _: Seen,
    OptionalJson(Nothing {}): OptionalJson<Nothing>,
) -> Result<Response, Problem> {
    set(&api, key, true).await
}

/// Puts an instance back into the answers.
#[utoipa::path(
    delete,
    path = "/api/v1/services/{service}/instances/{instance}/drain",
    operation_id = "undrain_instance",
    tag = "instances",
    params(
        SeenParameters,
        ("service" = String, Path, description = "The service"),
        ("instance" = String, Path, description = "The instance"),
    ),
    responses(
        (status = 200, description = "It is no longer drained", body = InstanceView,
            headers(("X-Rollcall-Revision" = u64,
                description = "The revision at which it is back"))),
        Change,
    ),
)]
pub(super) async fn undrain(
    State(api): State<Api>,
    InstancePath(key): InstancePath,
    _: Seen,
) -> Result<Response, Problem> {
    set(&api, key, false).await
}

async fn set(api: &Api, key: InstanceKey, on: bool) -> Result<Response, Problem> {
    let applied = api.submit(Command::Drain { key: key.clone(), on }).await?;
    // Gone by now means that somebody else removed it.
    let view = view_of(api, &key).ok_or_else(|| Problem::unknown_instance(&key))?;
    Ok(at_revision(applied.revision, Json(view)))
}
