//! `/v1/agent/health/service/…`: the state of what is on the client's host, as a status.

use axum::{
    Router,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::agent_services::of_agent;
use crate::http::{
    Api,
    consul::{
        call::Call,
        methods::{at, get},
        reply,
        texts::ConsulError,
        view::{AgentService, HealthCheck},
        world::{NODE_MAINTENANCE, SERF_HEALTH, SERVER, SERVICE_MAINTENANCE, Service},
    },
};

/// A service and what its checks come to.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct ServiceHealth {
    aggregated_status: &'static str,
    service: Option<AgentService>,
    checks: Option<Vec<HealthCheck>>,
}

/// States from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Aggregated {
    Passing,
    Warning,
    Critical,
    Maintenance,
}

const REASON: HeaderName = HeaderName::from_static("x-consul-reason");

/// All routes.
pub(in crate::http::consul) fn routes() -> Router<Api> {
    Router::new()
        .merge(at("/v1/agent/health/service/id/", get(by_id)))
        .merge(at("/v1/agent/health/service/name/", get(by_name)))
}

/// The service of an id.
async fn by_id(call: Call) -> Result<Response, ConsulError> {
    let id = call.named(|| ConsulError::bad_request("Missing serviceID"))?.to_owned();
    let host = call.host.clone();
    let found = call.look(
        |_| 0,
        move |world| {
            let service = world.service_on(&host, &id);
            Ok(service.map(|service| health_of(&service)).ok_or(id))
        },
    );
    match found.await? {
        Ok((worst, health)) => shown(&call, worst.status(), worst.as_str(), &health),
        Err(id) => {
            let reason = format!("ServiceId {id} not found");
            let nothing =
                ServiceHealth { aggregated_status: "critical", service: None, checks: None };
            shown(&call, StatusCode::NOT_FOUND, &reason, &nothing)
        }
    }
}

/// The services of a name: the worst of them counts.
async fn by_name(call: Call) -> Result<Response, ConsulError> {
    let name = call.named(|| ConsulError::bad_request("Missing service Name"))?.to_owned();
    let (host, wanted) = (call.host.clone(), name.clone());
    let found = call.look(
        |world| world.count_on(&call.host),
        move |world| {
            let services = world.services_on(&host).into_iter();
            let named =
                services.filter(|service| service.kept.name == wanted && service.id != SERVER);
            Ok(named.map(|service| health_of(&service)).collect::<Vec<_>>())
        },
    );
    let found = found.await?;
    let worst = found.iter().map(|(status, _)| *status).max();
    let all: Vec<_> = found.into_iter().map(|(_, health)| health).collect();
    match worst {
        Some(worst) => shown(&call, worst.status(), worst.as_str(), &all),
        None => {
            let reason = format!("ServiceName {name} Not Found");
            shown(&call, StatusCode::NOT_FOUND, &reason, &all)
        }
    }
}

fn health_of(service: &Service<'_>) -> (Aggregated, ServiceHealth) {
    let of_node = service.node_checks().into_iter().filter(|check| check.check_id != SERF_HEALTH);
    let checks: Vec<_> = service.checks().into_iter().chain(of_node).map(of_agent).collect();
    let worst = checks.iter().map(Aggregated::of).max().unwrap_or(Aggregated::Passing);
    let service = Some(service.of_agent());
    let health = ServiceHealth { aggregated_status: worst.as_str(), service, checks: Some(checks) };
    (worst, health)
}

/// As text or as JSON, as the client wants it, with the reason in a header.
fn shown(
    call: &Call,
    status: StatusCode,
    reason: &str,
    value: &impl Serialize,
) -> Result<Response, ConsulError> {
    let mut response = if call.wants_text {
        let plain = HeaderValue::from_static("text/plain");
        ([(header::CONTENT_TYPE, plain)], reason.to_owned()).into_response()
    } else {
        reply::plain(value, call.params.pretty)?
    };
    *response.status_mut() = status;
    if let Ok(reason) = HeaderValue::from_str(reason) {
        response.headers_mut().insert(REASON, reason);
    }
    Ok(response)
}

// === impl Aggregated ===

impl Aggregated {
    fn of(check: &HealthCheck) -> Self {
        let id = &*check.check_id;
        match check.status {
            _ if id == NODE_MAINTENANCE || id.starts_with(SERVICE_MAINTENANCE) => Self::Maintenance,
            "passing" => Self::Passing,
            "warning" => Self::Warning,
            _ => Self::Critical,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Passing => "passing",
            Self::Warning => "warning",
            Self::Critical => "critical",
            Self::Maintenance => "maintenance",
        }
    }

    fn status(self) -> StatusCode {
        match self {
            Self::Passing => StatusCode::OK,
            Self::Warning => StatusCode::TOO_MANY_REQUESTS,
            Self::Critical | Self::Maintenance => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}
