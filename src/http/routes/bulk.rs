//! `/api/v1/instances`: many registrations, all or none.

use std::{net::IpAddr, sync::Arc};

use axum::{
    Extension,
    body::HttpBody,
    extract::{Request, State},
    response::Response,
};

use super::refused::ChangeWithBody;
use crate::{
    http::{
        Api,
        connection::Peer,
        dto::{Acknowledged, NamedRegistration, Object},
        json::{self, Json, at_revision},
        problem::Problem,
        seen::{Seen, SeenParameters},
    },
    model::{Command, Instance, Invalid, limit},
};

/// Registers or replaces many instances at one revision, all or none.
#[utoipa::path(
    post,
    path = "/api/v1/instances",
    operation_id = "register_instances",
    tag = "instances",
    params(SeenParameters),
    request_body(content = Vec<NamedRegistration>, description = "At most 100000 registrations"),
    responses(
        (status = 200, description = "All are registered", body = Acknowledged,
            headers(("X-Rollcall-Revision" = u64,
                description = "The revision at which they are visible"))),
        ChangeWithBody,
    ),
)]
pub(super) async fn register_many(
    State(api): State<Api>,
    _: Seen,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Result<Response, Problem> {
    // Those that are no larger than any other body need no turn; the others wait for theirs.
    let octets_max = request.body().size_hint().upper().unwrap_or(u64::MAX);
    let is_large = octets_max > limit::HTTP_BODY_OCTETS_MAX as u64;
    let _held = if is_large { api.bulks().acquire().await.ok() } else { None };
    let body = json::read(request, limit::HTTP_BULK_OCTETS_MAX, &api).await?;
    let door = api.clone();
    let instances = api.aside(move || parse(&door, &body, peer.ip())).await??;
    if instances.is_empty() {
        let revision = api.registry().snapshot().revision;
        let nothing = Acknowledged { revision: revision.0, created: 0, changed: false };
        return Ok(at_revision(revision, Json(nothing)));
    }
    let applied = api.submit(Command::Register(instances)).await?;
    Ok(at_revision(applied.revision, Json(Acknowledged::from(applied))))
}

fn parse(api: &Api, body: &[u8], peer: IpAddr) -> Result<Vec<Arc<Instance>>, Problem> {
    let registrations: Vec<Object<NamedRegistration>> = json::parse(body)?;
    if registrations.len() > limit::BULK_REGISTRATIONS_MAX {
        let problem =
            format!("registrations are above the limit of {}", limit::BULK_REGISTRATIONS_MAX);
        return Err(Invalid::new("[]", registrations.len(), problem).into());
    }
    let instances = registrations.into_iter().enumerate().map(|(index, Object(registration))| {
        let instance = registration.into_model(peer).and_then(|instance| api.checked(instance));
        instance.map(Arc::new).map_err(|refusal| refusal.under(format_args!("[{index}]")))
    });
    Ok(instances.collect::<Result<_, _>>()?)
}
