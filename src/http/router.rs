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

use super::{
    Api,
    consul::{self, ConsulError},
    guard,
    metrics::Observed,
    problem::Problem,
    routes,
};

/// All of the API.
pub(super) fn router(api: &Api) -> Router {
    let native = routes::all().split_for_parts().0;
    let all = if api.consul().enabled { native.merge(consul::routes()) } else { native };
    layered(all, api)
}

/// Routes with all that goes around them.
pub(super) fn layered(routes: Router<Api>, api: &Api) -> Router {
    routes
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            if is_consuls(&uri) {
                return ConsulError::method_not_allowed(method.as_str()).into_response();
            }
            Problem::method_not_allowed(method.as_str(), uri.path()).into_response()
        })
        .fallback(async |uri: Uri| {
            if is_consuls(&uri) {
                return ConsulError::no_such_path(uri.path()).into_response();
            }
            Problem::no_such_path(uri.path()).into_response()
        })
        .layer(from_fn_with_state(api.clone(), around))
        .with_state(api.clone())
}

/// From the outside in: counted and logged, guarded, panics caught, held to its time until the
/// reply begins.
///
/// One layer and not one for each: axum clones all that is within a layer for every request, and
/// layers in layers over again.
async fn around(State(api): State<Api>, request: Request, next: Next) -> Response {
    let observed = Observed::new(&request);
    let response = match guard::check(&api, &request) {
        Err(problem) => problem.into_response(),
        Ok(()) => {
            let patience = patience(&api, &request);
            let reply = tokio::time::timeout(patience, next.run(request));
            match AssertUnwindSafe(reply).catch_unwind().await {
                Ok(Ok(response)) => response,
                Ok(Err(_)) => Problem::timeout().into_response(),
                Err(panic) => panicked(&*panic),
            }
        }
    };
    observed.count(api.metrics(), response.status());
    response
}

/// How long a reply may take to begin. A blocking query has a time of its own, which it keeps.
fn patience(api: &Api, request: &Request) -> Duration {
    let query = request.uri().query().unwrap_or("");
    let is_blocking =
        query.split('&').any(|pair| pair.starts_with("index=") || pair.starts_with("hash="));
    if is_blocking && is_consuls(request.uri()) {
        return 2 * consul::WAIT_MAX;
    }
    api.options().request_timeout
}

fn is_consuls(uri: &Uri) -> bool {
    uri.path().starts_with("/v1/")
}

/// A panic is a fault of ours: it ends the request and not the server, and its text stays here.
fn panicked(panic: &(dyn Any + Send)) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)"), "a request met a fault of ours");
    Problem::internal().into_response()
}
