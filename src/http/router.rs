//! The routes and the layers around them, in their order.

use std::any::Any;

use axum::{
    Router,
    extract::{Request, State},
    http::{Method, Uri},
    middleware::{Next, from_fn_with_state},
    response::{IntoResponse, Response},
};
use tower_http::catch_panic::CatchPanicLayer;

use super::{Api, guard, metrics, problem::Problem, routes};

/// All of the API.
pub(super) fn router(api: &Api) -> Router {
    let (router, document) = routes::all().split_for_parts();
    layered(router.layer(axum::Extension(routes::Document::new(&document))), api)
}

/// Routes with all that goes around them. From the outside in: counted and logged, panics caught,
/// guarded, timed, routed.
pub(super) fn layered(routes: Router<Api>, api: &Api) -> Router {
    routes
        .method_not_allowed_fallback(async |method: Method, uri: Uri| {
            Problem::method_not_allowed(method.as_str(), uri.path())
        })
        .fallback(async |uri: Uri| Problem::no_such_path(uri.path()))
        .layer(from_fn_with_state(api.clone(), in_time))
        .layer(from_fn_with_state(api.clone(), guard::guard))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(api.clone(), metrics::observe))
        .with_state(api.clone())
}

/// Holds a request to its time until the reply begins.
async fn in_time(State(api): State<Api>, request: Request, next: Next) -> Response {
    let reply = tokio::time::timeout(api.options().request_timeout, next.run(request));
    reply.await.unwrap_or_else(|_| Problem::timeout().into_response())
}

/// A panic is a fault of ours: it ends the request and not the server, and its text stays here.
#[expect(clippy::needless_pass_by_value, reason = "the layer's signature")]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    tracing::error!(panic = text.unwrap_or("(no text)"), "a request met a fault of ours");
    Problem::internal().into_response()
}
