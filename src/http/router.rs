//! The routes, and what goes around each of them.

use std::{any::Any, panic::AssertUnwindSafe};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, Uri},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::post,
};
use futures_util::FutureExt;
use tower_http::{
    CompressionLevel,
    compression::{CompressionLayer, predicate::SizeAbove},
};

use super::{
    Api,
    consul::{self, ConsulError},
    encoding,
    eureka::{self, EurekaError},
    guard,
    metrics::Observed,
    problem::Problem,
    routes, seen,
    unread::Unread,
};

/// The interfaces, each with a form of its own for what it refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Interface {
    Native,
    Consul,
    Eureka,
}

/// All of the API.
pub(super) fn router(api: &Api) -> Router {
    let mut all = routes::all().split_for_parts().0;
    if api.peers().is_some() {
        all = all.route(routes::BEATS, post(routes::take_beats));
    }
    if api.consul().enabled {
        all = all.merge(consul::routes().layer(gzip()));
    }
    if api.eureka().enabled {
        all = all.merge(eureka::routes().layer(gzip()));
    }
    layered(all, api)
}

/// gzip for those who ask for it, as the clients of Consul and Eureka do with each request: their
/// lists shrink to a tenth, at the quickest level as well as at the others.
fn gzip() -> CompressionLayer<SizeAbove> {
    CompressionLayer::new()
        .quality(CompressionLevel::Fastest)
        .compress_when(SizeAbove::new(encoding::GZIP_FROM_OCTETS))
}

/// Routes with all that goes around them.
pub(super) fn layered(routes: Router<Api>, api: &Api) -> Router {
    routes
        .method_not_allowed_fallback(async |api: State<Api>, method: Method, uri: Uri| {
            let problem = || Problem::method_not_allowed(method.as_str(), uri.path());
            match Interface::of(&api, &uri) {
                Interface::Consul => {
                    ConsulError::method_not_allowed(method.as_str()).into_response()
                }
                other => other.refusal(problem()),
            }
        })
        .fallback(async |api: State<Api>, uri: Uri| match Interface::of(&api, &uri) {
            Interface::Consul => ConsulError::no_such_path(uri.path()).into_response(),
            other => other.refusal(Problem::no_such_path(uri.path())),
        })
        .layer(from_fn_with_state(api.clone(), around))
        .with_state(api.clone())
}

/// From the outside in: counted and logged, the body read to its end, guarded, panics caught, held
/// to its time until the reply begins.
///
/// One layer and not one for each: axum clones all that is within a layer for every request, and
/// layers in layers over again.
async fn around(State(api): State<Api>, request: Request, next: Next) -> Response {
    let interface = Interface::of(&api, request.uri());
    let waits = waits(interface, &request);
    let observed = Observed::new(&request, waits);
    let (request, unread) = Unread::of(request);
    let reply = reply(&api, request, next, (interface, waits)).await;
    let response = reply.unwrap_or_else(|problem| interface.refusal(problem));
    observed.count(api.metrics(), response.status());
    let response = unread.before(response, api.options().body_timeout).await;
    if interface == Interface::Consul { consul::with_policy(response) } else { response }
}

/// The reply; the request is gone by then, and what is left of its body with nobody.
async fn reply(
    api: &Api,
    mut request: Request,
    next: Next,
    (interface, waits): (Interface, bool),
) -> Result<Response, Problem> {
    guard::check(api, &request)?;
    encoding::settle(request.headers_mut());
    if interface == Interface::Consul
        && let Some(elsewhere) = consul::clean::elsewhere(request.method(), request.uri())
    {
        return Ok(elsewhere);
    }
    // Waiting has a time of its own, which it keeps.
    let patience = match (waits, interface) {
        (false, _) => api.options().request_timeout,
        (true, Interface::Consul) => 2 * consul::WAIT_MAX,
        (true, _) => seen::WAIT_MAX + api.options().request_timeout,
    };
    let reply = tokio::time::timeout(patience, next.run(request));
    match AssertUnwindSafe(reply).catch_unwind().await {
        Ok(reply) => reply.map_err(|_| Problem::timeout()),
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// Whether a request may wait for a change: by Consul's interface a read that says what it has, by
/// the native one what says which change it is.
fn waits(interface: Interface, request: &Request) -> bool {
    let mut pairs = request.uri().query().unwrap_or("").split('&');
    match interface {
        Interface::Native => pairs.any(|pair| pair.starts_with("min_revision=")),
        Interface::Consul => {
            let says = |pair: &str| pair.starts_with("index=") || pair.starts_with("hash=");
            *request.method() == Method::GET && pairs.any(says)
        }
        Interface::Eureka => false,
    }
}

/// A panic is a fault of ours: it ends the request and not the server, and its text stays here.
fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)"), "a request met a fault of ours");
    Problem::internal()
}

// === impl Interface ===

impl Interface {
    /// The one that a path belongs to; the native one has what belongs to none that is there.
    fn of(api: &Api, uri: &Uri) -> Self {
        let path = uri.path();
        let is_eurekas = path == "/eureka" || path.starts_with("/eureka/");
        if path.starts_with("/v1/") && api.consul().enabled {
            Self::Consul
        } else if is_eurekas && api.eureka().enabled {
            Self::Eureka
        } else {
            Self::Native
        }
    }

    /// What is refused around the routes, in the form of the interface.
    fn refusal(self, problem: Problem) -> Response {
        match self {
            Self::Native => problem.into_response(),
            Self::Consul => ConsulError::from(problem).into_response(),
            Self::Eureka => EurekaError::from(problem).into_response(),
        }
    }
}
