//! Which methods a path has, said as Consul says it: `OPTIONS` is answered with `Allow`, and so is
//! a method that is not there; `HEAD` is none.

use axum::{
    Router,
    handler::Handler,
    http::{HeaderValue, Method, header},
    response::{IntoResponse, Response},
    routing::{self, MethodRouter},
};

use super::texts::ConsulError;
use crate::http::Api;

/// `GET` and nothing else.
pub(super) fn get<H: Handler<T, Api>, T: 'static>(handler: H) -> MethodRouter<Api> {
    allow("OPTIONS,GET", routing::get(handler))
}

/// `PUT` and nothing else.
pub(super) fn put<H: Handler<T, Api>, T: 'static>(handler: H) -> MethodRouter<Api> {
    allow("OPTIONS,PUT", routing::put(handler))
}

/// The methods that `methods` has, which `allowed` lists as Consul does: `OPTIONS` first.
pub(super) fn allow(allowed: &'static str, methods: MethodRouter<Api>) -> MethodRouter<Api> {
    let refuse = async move |method: Method| -> Response {
        let refusal = ConsulError::method_not_allowed(method.as_str());
        ([(header::ALLOW, HeaderValue::from_static(allowed))], refusal).into_response()
    };
    let options = async move || [(header::ALLOW, HeaderValue::from_static(allowed))];
    methods.options(options).head(refuse).fallback(refuse)
}

/// A path; one that ends with a slash has all that begins with it, as in Consul: what follows is
/// the parameter `name`, slashes and all.
pub(super) fn at(path: &str, methods: MethodRouter<Api>) -> Router<Api> {
    let Some(bare) = path.strip_suffix('/') else { return Router::new().route(path, methods) };
    Router::new()
        .route(bare, methods.clone())
        .route(path, methods.clone())
        .route(&format!("{path}{{*name}}"), methods)
}
