//! Refusals as Consul words them: a status and a line of text, on which clients rely.

use std::borrow::Cow;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::quote::quoted;
use crate::http::problem::Problem;

/// Why a request was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http) struct ConsulError {
    /// The status of the reply.
    pub(in crate::http) status: StatusCode,
    /// Its body, without a newline at its end.
    pub(in crate::http) text: Cow<'static, str>,
}

// === impl ConsulError ===

impl ConsulError {
    fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into() }
    }

    /// 400: the request is not acceptable.
    pub(in crate::http) fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// 403: what this server does not do, as a sentence.
    pub(in crate::http) fn not_done(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }

    /// 401: what tokens and policies are asked for when there are none.
    pub(in crate::http) fn acl_disabled() -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "ACL support disabled")
    }

    /// 404: there is no such thing.
    pub(in crate::http) fn not_found(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    /// 500: what Consul answers to all that has no status of its own, faults of the request among
    /// it.
    pub(in crate::http) fn failed(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    }

    /// 503: not now.
    pub(in crate::http) fn unavailable(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, text)
    }

    /// 500: a change while nobody can take it. Clients know it by its text.
    pub(in crate::http) fn no_leader() -> Self {
        Self::failed("No cluster leader")
    }

    /// 500: a change of which nobody knows whether it was taken.
    pub(in crate::http) fn leadership_lost() -> Self {
        Self::failed("leadership lost while committing log")
    }

    // --- Bodies ---------------------------------------------------------------------------------

    /// A body that does not say what it should.
    pub(in crate::http) fn decode(fault: &str) -> Self {
        Self::bad_request(format!("Request decode failed: {fault}"))
    }

    // --- Paths, methods, query strings ----------------------------------------------------------

    /// A path below `/v1/` that is nobody's, or one outside of it.
    pub(in crate::http) fn no_such_path(path: &str) -> Self {
        Self::not_found(if path.contains("/v1/") {
            "Invalid URL path: not a recognized HTTP API endpoint"
        } else {
            "Invalid URL path: if attempting to use the HTTP API, ensure the path starts with \
             '/v1/'"
        })
    }

    /// A method that the path does not have. The caller adds `Allow`.
    pub(in crate::http) fn method_not_allowed(method: &str) -> Self {
        let text = format!("method {method} not allowed");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, text)
    }

    /// A query string that cannot be decoded: 500 and nothing else, as Consul does.
    pub(in crate::http) fn malformed_query() -> Self {
        Self::failed("")
    }

    /// `?index=`.
    pub(in crate::http) fn invalid_index() -> Self {
        Self::bad_request("Invalid index")
    }

    /// `?wait=`.
    pub(in crate::http) fn invalid_wait() -> Self {
        Self::bad_request("Invalid wait time")
    }

    /// `?max_stale=`.
    pub(in crate::http) fn invalid_max_stale(value: &str) -> Self {
        Self::bad_request(format!("Invalid max_stale value {}", quoted(value)))
    }

    /// `?passing=`.
    pub(in crate::http) fn invalid_passing() -> Self {
        Self::bad_request("Invalid value for ?passing")
    }

    /// The header `Cache-Control`.
    pub(in crate::http) fn invalid_cache_control() -> Self {
        Self::bad_request("Invalid Cache-Control header.")
    }

    /// `?stale` and `?consistent`, or `?cached` and `?consistent`.
    pub(in crate::http) fn conflicting(one: &str) -> Self {
        let text = format!("Cannot specify ?{one} with ?consistent, conflicting semantics.");
        Self::bad_request(text)
    }

    /// A query parameter of the Enterprise version; `noun` is `Namespaces` or `Partitions`.
    pub(in crate::http) fn enterprise_parameter(name: &str, noun: &str) -> Self {
        let text = format!(
            "Invalid query parameter: {} - {noun} are a Consul Enterprise feature",
            quoted(name)
        );
        Self::bad_request(text)
    }

    /// A header of the Enterprise version.
    pub(in crate::http) fn enterprise_header(name: &str, noun: &str) -> Self {
        let text =
            format!("Invalid header: {} - {noun} are a Consul Enterprise feature", quoted(name));
        Self::bad_request(text)
    }

    /// A datacenter that is not ours.
    pub(in crate::http) fn no_path_to_datacenter() -> Self {
        Self::failed("No path to datacenter")
    }

    /// A filter that is none; `fault` is what is wrong with it.
    pub(in crate::http) fn bad_filter(fault: &str) -> Self {
        Self::failed(format!("Failed to create boolean expression evaluator: {fault}"))
    }

    // --- Services -------------------------------------------------------------------------------

    /// A path or a body without the name of a service.
    pub(in crate::http) fn missing_service_name() -> Self {
        Self::bad_request("Missing service name")
    }

    /// A path without the id of a service, for the maintenance mode.
    pub(in crate::http) fn missing_service_id() -> Self {
        Self::bad_request("Missing service ID")
    }

    /// The service to take away is not there (1.8.7 says 200 then).
    pub(in crate::http) fn unknown_service_id(id: &str) -> Self {
        Self::not_found(format!(
            "Unknown service ID {}. Ensure that the service ID is passed, not the service name.",
            quoted(id)
        ))
    }

    /// The service to read is not there.
    pub(in crate::http) fn no_service(id: &str) -> Self {
        Self::not_found(format!("unknown service ID: {id}"))
    }

    /// A check for a service that is not there (1.8.7 says 500 with the same text).
    pub(in crate::http) fn no_service_of_check(id: &str) -> Self {
        Self::not_found(format!("ServiceID {} does not exist", quoted(id)))
    }

    /// The maintenance mode without `?enable`.
    pub(in crate::http) fn missing_enable() -> Self {
        Self::bad_request("Missing value for enable")
    }

    /// The maintenance mode with another `?enable`.
    pub(in crate::http) fn invalid_enable(value: &str) -> Self {
        Self::bad_request(format!("Invalid value for enable: {}", quoted(value)))
    }

    // --- Checks ---------------------------------------------------------------------------------

    /// A body without the name of a check.
    pub(in crate::http) fn missing_check_name() -> Self {
        Self::bad_request("Missing check name")
    }

    /// A path without the state of checks.
    pub(in crate::http) fn missing_check_state() -> Self {
        Self::bad_request("Missing check state")
    }

    /// A definition of a check that is not acceptable.
    pub(in crate::http) fn invalid_check(fault: &str) -> Self {
        Self::bad_request(format!("Invalid check: {fault}"))
    }

    /// The first state of a check that is registered.
    pub(in crate::http) fn bad_check_status() -> Self {
        Self::bad_request("Bad check status")
    }

    /// The first state of a check that is registered with its service.
    pub(in crate::http) fn bad_service_check_status() -> Self {
        Self::bad_request("Status for checks must 'passing', 'warning', 'critical'")
    }

    /// The new state of a check.
    pub(in crate::http) fn invalid_check_status(status: &str) -> Self {
        Self::bad_request(format!("Invalid check status: '{status}'"))
    }

    /// The check to take away or to report on is not there (1.8.7 says 200, and 500 with the text
    /// of [`Self::no_ttl`]).
    pub(in crate::http) fn unknown_check_id(id: &str) -> Self {
        Self::not_found(format!(
            "Unknown check ID {}. Ensure that the check ID is passed, not the check name.",
            quoted(id)
        ))
    }

    /// The check to report on is no TTL check.
    pub(in crate::http) fn no_ttl(id: &str) -> Self {
        Self::failed(format!("CheckID {} does not have associated TTL", quoted(id)))
    }

    /// A check that would run a program.
    pub(in crate::http) fn scripts_disabled() -> Self {
        Self::failed(
            "Scripts are disabled on this agent from remote calls; to enable, configure \
             'enable_script_checks' to true",
        )
    }

    // --- Catalog --------------------------------------------------------------------------------

    /// A path or a body without the name of a node.
    pub(in crate::http) fn missing_node_name() -> Self {
        Self::bad_request("Missing node name")
    }

    /// A registration without a node.
    pub(in crate::http) fn must_provide_node() -> Self {
        Self::failed("Must provide node")
    }
}

/// What is said in the native interface's words, as far as a line of text goes.
impl From<Problem> for ConsulError {
    fn from(problem: Problem) -> Self {
        let (status, text) = problem.into_status_and_text();
        Self::new(status, text)
    }
}

impl IntoResponse for ConsulError {
    fn into_response(self) -> Response {
        if self.text.is_empty() {
            return self.status.into_response();
        }
        let mut response = (self.status, self.text.into_owned()).into_response();
        let headers = response.headers_mut();
        let plain = HeaderValue::from_static("text/plain; charset=utf-8");
        headers.insert(header::CONTENT_TYPE, plain);
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        http::{StatusCode, header},
        response::IntoResponse,
    };
    use http_body_util::BodyExt;

    use super::ConsulError;

    #[tokio::test]
    async fn a_refusal_is_a_line_of_text_without_a_newline() {
        let error = ConsulError::invalid_enable("x\n");
        let response = error.into_response();
        assert_eq!(response.status(), StatusCode::BAD_REQUEST);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "text/plain; charset=utf-8");
        let body = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(body, r#"Invalid value for enable: "x\n""#);
    }

    #[test]
    fn a_refusal_without_a_text_has_no_type_either() {
        let response = ConsulError::malformed_query().into_response();
        assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
        assert!(!response.headers().contains_key(header::CONTENT_TYPE));
    }

    #[test]
    fn the_texts_are_consuls() {
        for (error, status, text) in [
            (
                ConsulError::unknown_service_id("web"),
                404,
                "Unknown service ID \"web\". Ensure that the service ID is passed, not the \
                 service name.",
            ),
            (ConsulError::no_ttl("c"), 500, "CheckID \"c\" does not have associated TTL"),
            (
                ConsulError::no_such_path("/v1/nothing"),
                404,
                "Invalid URL path: not a recognized HTTP API endpoint",
            ),
            (
                ConsulError::no_such_path("/nothing"),
                404,
                "Invalid URL path: if attempting to use the HTTP API, ensure the path starts \
                 with '/v1/'",
            ),
            (ConsulError::malformed_query(), 500, ""),
            (
                ConsulError::conflicting("cached"),
                400,
                "Cannot specify ?cached with ?consistent, conflicting semantics.",
            ),
            (
                ConsulError::enterprise_parameter("ns", "Namespaces"),
                400,
                "Invalid query parameter: \"ns\" - Namespaces are a Consul Enterprise feature",
            ),
            (ConsulError::method_not_allowed("DELETE"), 405, "method DELETE not allowed"),
        ] {
            assert_eq!((error.status.as_u16(), &*error.text), (status, text));
        }
    }
}
