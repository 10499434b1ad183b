//! `/api/v1/services` and below: what there is.
//!
//! Lists come whole, at one revision, written piece by piece as the client takes them. Pages are
//! left out on purpose: a client that pages through a changing registry sees no state that ever
//! was.

use std::sync::Arc;

use axum::{extract::State, response::Response};

use super::refused::{Named, Read};
use crate::{
    http::{
        Api,
        dto::{InstanceList, InstanceView, ServiceList, ServiceView},
        json::{Json, at_revision, json_list},
        path::ServicePath,
        problem::Problem,
        query::Parameters,
        seen::{Seen, SeenParameters, seen},
    },
    model::{Invalid, Status, Tag},
    registry::Member,
};

/// Lists all services, sorted by name, with the numbers of their instances.
#[utoipa::path(
    get,
    path = "/api/v1/services",
    operation_id = "list_services",
    tag = "services",
    params(SeenParameters),
    responses(
        (status = 200, description = "The services", body = ServiceList,
            headers(("X-Rollcall-Revision" = u64, description = "The revision that they show"))),
        Read,
    ),
)]
pub(super) async fn list(State(api): State<Api>, _: Seen) -> Result<Response, Problem> {
    let snapshot = api.registry().snapshot();
    let revision = snapshot.revision;
    let sorted = move || {
        let mut entries: Vec<_> = snapshot.services.iter().map(|(_, e)| Arc::clone(e)).collect();
        entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        entries
    };
    let entries = api.aside(sorted).await?;
    let views = entries.into_iter().map(|entry| ServiceView::from(&*entry));
    Ok(json_list(revision, "services", views))
}

/// Shows a service: its numbers, tags and policy, and whether it fails open.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}",
    operation_id = "read_service",
    tag = "services",
    params(SeenParameters, ("service" = String, Path, description = "The service")),
    responses(
        (status = 200, description = "The service", body = ServiceView,
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
    Ok(at_revision(snapshot.revision, Json(ServiceView::from(&**entry))))
}

/// Lists the instances of a service, sorted by name.
#[utoipa::path(
    get,
    path = "/api/v1/services/{service}/instances",
    operation_id = "list_instances",
    tag = "services",
    params(
        SeenParameters,
        ("service" = String, Path, description = "The service"),
        ("tag" = Option<Vec<String>>, Query, description = "Only instances that carry the tag; \
            given again, that carry all of them"),
        ("health" = Option<Vec<String>>, Query, description = "Only instances in this state: \
            `passing`, `warning`, `critical`, `healthy` (passing or warning), `answered` (DNS \
            answers with them now), `drained` or `suspect`; given again, in any of them"),
    ),
    responses(
        (status = 200, description = "The instances", body = InstanceList,
            headers(("X-Rollcall-Revision" = u64, description = "The revision that they show"))),
        Named,
    ),
)]
pub(super) async fn instances(
    State(api): State<Api>,
    ServicePath(name): ServicePath,
    parameters: Parameters,
) -> Result<Response, Problem> {
    let filter = Filter::parse(&seen(&api, parameters, &["tag", "health"]).await?)?;
    let snapshot = api.registry().snapshot();
    let entry = snapshot.service(name.as_str()).ok_or_else(|| Problem::unknown_service(&name))?;
    let wanted = move |member: &Member, answered| filter.wants(member, answered);
    let views = InstanceView::of_service(Arc::clone(entry), wanted);
    Ok(json_list(snapshot.revision, "instances", views))
}

/// Which instances are listed.
#[derive(Debug)]
struct Filter {
    /// All of these.
    tags: Vec<Tag>,
    /// Any of these; everything when empty.
    health: Vec<Health>,
}

#[derive(Debug, Clone, Copy)]
enum Health {
    Answered,
    Drained,
    Healthy,
    Is(Status),
    Suspect,
}

// === impl Filter ===

impl Filter {
    fn parse(parameters: &Parameters) -> Result<Self, Problem> {
        let tags = parameters.all("tag").map(Tag::parse).collect::<Result<_, _>>();
        let health = parameters.all("health").map(Health::parse).collect::<Result<_, _>>();
        Ok(Self {
            tags: tags.map_err(Problem::bad_query)?,
            health: health.map_err(Problem::bad_query)?,
        })
    }

    fn wants(&self, member: &Member, answered: bool) -> bool {
        let carries = |tag: &Tag| member.instance.tags.binary_search(tag).is_ok();
        let is = |health: &Health| match health {
            Health::Answered => answered,
            Health::Drained => member.drained,
            Health::Healthy => member.status.is_up(),
            Health::Is(status) => member.status == *status,
            Health::Suspect => member.suspect,
        };
        self.tags.iter().all(carries) && (self.health.is_empty() || self.health.iter().any(is))
    }
}

// === impl Health ===

impl Health {
    fn parse(text: &str) -> Result<Self, Invalid> {
        match text {
            "answered" => Ok(Self::Answered),
            "drained" => Ok(Self::Drained),
            "healthy" => Ok(Self::Healthy),
            "suspect" => Ok(Self::Suspect),
            text => Status::parse(text).map(Self::Is).ok_or_else(|| {
                let problem = "is none of passing, warning, critical, healthy, answered, drained \
                               and suspect";
                Invalid::new("health", text, problem)
            }),
        }
    }
}
