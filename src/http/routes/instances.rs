//! `/api/v1/services/{service}/instances/{instance}`: register, read, deregister.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::StatusCode,
    response::{IntoResponse, Response},
};

use super::refused::{Change, ChangeWithBody, Named};
use crate::{
    http::{
        Api,
        connection::Peer,
        dto::{InstanceView, Registration},
        json::{Json, at_revision},
        path::InstancePath,
        problem::Problem,
        seen::{Seen, SeenParameters},
    },
    model::{Command, Instance, InstanceKey, Revision, Timestamp},
    registry::{Member, ServiceEntry, Snapshot},
};

/// Registers an instance, or replaces it.
///
/// The reply is sent when the registration is durable and visible to DNS. Registering counts as
/// the first heartbeat; registering again with the same content changes nothing and keeps the
/// status.
#[utoipa::path(
    put,
    path = "/api/v1/services/{service}/instances/{instance}",
    operation_id = "register_instance",
    tag = "instances",
    params(
        SeenParameters,
        ("service" = String, Path, description = "The service: letters, digits and inner hyphens"),
        ("instance" = String, Path,
            description = "The instance: letters, digits and inner hyphens"),
    ),
    request_body(content = Registration, description = "All of the instance"),
    responses(
        (status = 200, description = "It was there; it is now as given", body = InstanceView,
            headers(("X-Rollcall-Revision" = u64,
                description = "The revision at which it is visible"))),
        (status = 201, description = "It is new", body = InstanceView,
            headers(("X-Rollcall-Revision" = u64,
                description = "The revision at which it is visible"))),
        ChangeWithBody,
    ),
)]
pub(super) async fn register(
    State(api): State<Api>,
    InstancePath(key): InstancePath,
    _: Seen,
    Extension(Peer(peer)): Extension<Peer>,
    Json(registration): Json<Registration>,
) -> Result<Response, Problem> {
    let instance = Arc::new(api.checked(registration.into_model(key, peer.ip())?)?);
    let applied = api.submit(Command::Register(vec![Arc::clone(&instance)])).await?;
    let status = if applied.created > 0 { StatusCode::CREATED } else { StatusCode::OK };
    let view = view_of(&api, &instance.key())
        .unwrap_or_else(|| view_of_gone(&api, instance, applied.revision));
    Ok(at_revision(applied.revision, (status, Json(view))))
}

/// Shows an instance.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}/instances/{instance}",
    operation_id = "read_instance",
    tag = "instances",
    params(
        SeenParameters,
        ("service" = String, Path, description = "The service"),
        ("instance" = String, Path, description = "The instance"),
    ),
    responses(
        (status = 200, description = "The instance", body = InstanceView,
            headers(("X-Rollcall-Revision" = u64, description = "The revision that it shows"))),
        Named,
    ),
)]
pub(super) async fn read(
    State(api): State<Api>,
    InstancePath(key): InstancePath,
    _: Seen,
) -> Result<Response, Problem> {
    let snapshot = api.registry().snapshot();
    let view = view_in(&snapshot, &key).ok_or_else(|| Problem::unknown_instance(&key))?;
    // The first of those who check it is the one that writes what they find.
    let jury = api.peers().map(|peers| peers.ownership.jury(&key)).unwrap_or_default();
    let view = view.with_owner(jury.first());
    let dissent = api.registry().dissent().of(&key);
    let view = match snapshot.member(&key) {
        Some(member) => view.with_dissent(member, &dissent),
        None => view,
    };
    Ok(at_revision(snapshot.revision, Json(view)))
}

/// Removes an instance.
///
/// When the reply is sent, no later DNS query returns the instance.
#[utoipa::path(
    delete,
    path = "/api/v1/services/{service}/instances/{instance}",
    operation_id = "deregister_instance",
    tag = "instances",
    params(
        SeenParameters,
        ("service" = String, Path, description = "The service"),
        ("instance" = String, Path, description = "The instance"),
    ),
    responses(
        (status = 204, description = "It is gone",
            headers(("X-Rollcall-Revision" = u64,
                description = "The revision at which it is gone"))),
        Change,
    ),
)]
pub(super) async fn deregister(
    State(api): State<Api>,
    InstancePath(key): InstancePath,
    _: Seen,
) -> Result<Response, Problem> {
    let applied = api.submit(Command::Deregister(key)).await?;
    Ok(at_revision(applied.revision, StatusCode::NO_CONTENT.into_response()))
}

/// The instance as the newest snapshot has it.
pub(super) fn view_of(api: &Api, key: &InstanceKey) -> Option<InstanceView> {
    view_in(&api.registry().snapshot(), key)
}

fn view_in(snapshot: &Snapshot, key: &InstanceKey) -> Option<InstanceView> {
    let service = snapshot.service(key.service.as_str())?;
    let index = service.members.binary_search_by(|m| m.instance.id.cmp(&key.id)).ok()?;
    let answered = is_answered(service, index);
    Some(InstanceView::new(&service.members[index], answered))
}

fn is_answered(service: &ServiceEntry, index: usize) -> bool {
    service.all.groups().any(|group| usize::from(group.member) == index)
}

/// The instance as it was at `revision`: somebody else removed it before the reply was written.
fn view_of_gone(api: &Api, instance: Arc<Instance>, revision: Revision) -> InstanceView {
    let at = Timestamp(api.clock().wall_millis());
    InstanceView::new(&Member::new(instance, revision, at), false)
}
