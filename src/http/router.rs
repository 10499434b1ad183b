//! The routes, and what goes around each of them.

use std::{any::Any, panic::AssertUnwindSafe, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, Uri},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
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
    routes,
    unread::Unread,
};

/// All of the API.
pub(super) fn router(api: &Api) -> Router {
    let mut all = routes::all().split_for_parts().0;
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
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            if is_consuls(&uri) {
                return ConsulError::method_not_allowed(method.as_str()).into_response();
            }
            refusal(&uri, Problem::method_not_allowed(method.as_str(), uri.path()))
        })
        .fallback(async |uri: Uri| {
            if is_consuls(&uri) {
                return ConsulError::no_such_path(uri.path()).into_response();
            }
            refusal(&uri, Problem::no_such_path(uri.path()))
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
    let (observed, uri) = (Observed::new(&request), request.uri().clone());
    let is_consuls = is_consuls(&uri);
    let (request, unread) = Unread::of(request);
    let reply = reply(&api, request, next).await;
    let response = match reply {
        Ok(response) => response,
        Err(problem) if is_consuls => ConsulError::from(problem).into_response(),
        Err(problem) => refusal(&uri, problem),
    };
    observed.count(api.metrics(), response.status());
    let response = unread.before(response, api.options().body_timeout).await;
    if is_consuls { consul::with_policy(response) } else { response }
}

/// The reply; the request is gone by then, and what is left of its body with nobody.
async fn reply(api: &Api, mut request: Request, next: Next) -> Result<Response, Problem> {
    guard::check(api, &request)?;
    encoding::settle(request.headers_mut());
    if is_consuls(request.uri())
        && let Some(elsewhere) = consul::clean::elsewhere(request.method(), request.uri())
    {
        return Ok(elsewhere);
    }
    let patience = patience(api, &request);
    let reply = tokio::time::timeout(patience, next.run(request));
    match AssertUnwindSafe(reply).catch_unwind().await {
        Ok(reply) => reply.map_err(|_| Problem::timeout()),
        Err(panic) => Err(panicked(&*panic)),
    }
}

/// How long a reply may take to begin. A blocking query has a time of its own, which it keeps.
fn patience(api: &Api, request: &Request) -> Duration {
    let query = request.uri().query().unwrap_or("");
    let blocks = |pair: &str| pair.starts_with("index=") || pair.starts_with("hash=");
    if is_consuls(request.uri()) && query.split('&').any(blocks) {
        return 2 * consul::WAIT_MAX;
    }
    api.options().request_timeout
}

/// What is refused around the routes, in the form of the interface that was asked.
fn refusal(uri: &Uri, problem: Problem) -> Response {
    match uri.path().starts_with("/eureka/") {
        true => EurekaError::from(problem).into_response(),
        false => problem.into_response(),
    }
}

fn is_consuls(uri: &Uri) -> bool {
    uri.path().starts_with("/v1/")
}

/// A panic is a fault of ours: it ends the request and not the server, and its text stays here.
fn panicked(panic: &(dyn Any + Send)) -> Problem {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)"), "a request met a fault of ours");
    Problem::internal()
}
