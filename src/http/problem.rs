//! Refusals as the API shows them: problem documents (RFC 9457).
//!
//! One type, and one conversion from each module's errors, so that a fault reads the same wherever
//! it was found.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{dto, json::REVISION_HEADER};
use crate::{
    model::{InstanceKey, Invalid, Revision, ServiceName, limit},
    registry::{JournalError, RegistryError},
};

/// Why a request was refused.
#[derive(Debug)]
pub(super) struct Problem {
    code: Code,
    /// What is wrong with this request, and what to do about it.
    detail: String,
    /// The JSON path of the fault.
    field: Option<String>,
    /// The refused value.
    value: Option<String>,
    /// The limit that it went over.
    limit: Option<Box<str>>,
    /// When to try again, seconds.
    retry_after: Option<u8>,
    /// The revision that this server is at.
    revision: Option<Revision>,
}

/// A stable word to tell refusals apart by, its status and its meaning.
type Code = &'static (&'static str, StatusCode, &'static str);

const BAD_HOST: Code = &("bad-host", StatusCode::BAD_REQUEST, "The request names no one host");
const BAD_QUERY: Code =
    &("bad-query", StatusCode::UNPROCESSABLE_ENTITY, "A query parameter is not acceptable");
const BODY_TOO_LARGE: Code =
    &("body-too-large", StatusCode::PAYLOAD_TOO_LARGE, "The body is above its limit");
const BUSY: Code = &("busy", StatusCode::SERVICE_UNAVAILABLE, "The server is too busy");
const CONFLICT: Code =
    &("conflict", StatusCode::CONFLICT, "The instance was changed by somebody else meanwhile");
const CROSS_SITE: Code =
    &("cross-site", StatusCode::FORBIDDEN, "A web page of another site may not change anything");
const INTERNAL: Code = &("internal", StatusCode::INTERNAL_SERVER_ERROR, "The server has a fault");
const INVALID_FIELD: Code =
    &("invalid-field", StatusCode::UNPROCESSABLE_ENTITY, "A field is not acceptable");
const LIMIT_REACHED: Code =
    &("limit-reached", StatusCode::UNPROCESSABLE_ENTITY, "The registry is at its limit");
const MALFORMED_BODY: Code = &("malformed-body", StatusCode::BAD_REQUEST, "The body is no JSON");
const METHOD_NOT_ALLOWED: Code =
    &("method-not-allowed", StatusCode::METHOD_NOT_ALLOWED, "The method does not exist here");
const NO_SUCH_PATH: Code = &("no-such-path", StatusCode::NOT_FOUND, "There is nothing here");
const NO_PEER: Code =
    &("no-peer", StatusCode::UNAUTHORIZED, "Only servers of the same cluster may ask for this");
const NO_TTL_CHECK: Code =
    &("no-ttl-check", StatusCode::CONFLICT, "The instance takes no heartbeats");
const REVISION_NOT_SEEN: Code = &(
    "revision-not-seen",
    StatusCode::SERVICE_UNAVAILABLE,
    "This server has not seen that revision yet",
);
const SLOW_BODY: Code =
    &("slow-body", StatusCode::REQUEST_TIMEOUT, "The body took too long to arrive");
const STOPPING: Code = &("stopping", StatusCode::SERVICE_UNAVAILABLE, "The server is stopping");
const STORE_FAILED: Code =
    &("store-failed", StatusCode::SERVICE_UNAVAILABLE, "The change was not made durable");
const STORE_FULL: Code =
    &("store-full", StatusCode::INSUFFICIENT_STORAGE, "The store has no room left");
const STORE_UNREACHABLE: Code =
    &("store-unreachable", StatusCode::SERVICE_UNAVAILABLE, "The shared store takes no changes");
const STORE_UNSURE: Code = &(
    "store-unsure",
    StatusCode::SERVICE_UNAVAILABLE,
    "The shared store may have taken the change, or not",
);
const TIMEOUT: Code = &("timeout", StatusCode::SERVICE_UNAVAILABLE, "The request took too long");
const UNREAD_ENCODING: Code = &(
    "unread-encoding",
    StatusCode::UNSUPPORTED_MEDIA_TYPE,
    "The body is in an encoding that is not read",
);
const UNKNOWN_INSTANCE: Code =
    &("unknown-instance", StatusCode::NOT_FOUND, "There is no such instance");
const UNKNOWN_POLICY: Code =
    &("unknown-policy", StatusCode::NOT_FOUND, "The service has no policy of its own");
const UNKNOWN_SERVICE: Code =
    &("unknown-service", StatusCode::NOT_FOUND, "There is no such service");

// === impl Problem ===

impl Problem {
    fn new(code: Code, detail: impl Into<String>) -> Self {
        let detail = detail.into();
        let (field, value, limit) = (None, None, None);
        Self { code, detail, field, value, limit, retry_after: None, revision: None }
    }

    fn invalid(code: Code, invalid: Invalid) -> Self {
        let detail = invalid.to_string();
        let limit = limit_in(&invalid.problem);
        Self {
            field: Some(invalid.field),
            value: Some(invalid.value).filter(|value| !value.is_empty()),
            limit,
            ..Self::new(code, detail)
        }
    }

    fn retry_after(mut self, seconds: u8) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    /// A request of HTTP/1.1 without a host, or with several.
    pub(super) fn bad_host() -> Self {
        Self::new(BAD_HOST, "a request of HTTP/1.1 has one header `Host`, no less and no more")
    }

    /// A query parameter that is not acceptable.
    pub(super) fn bad_query(invalid: Invalid) -> Self {
        let field = format!("?{}", invalid.field);
        Self::invalid(BAD_QUERY, Invalid { field, ..invalid })
    }

    /// A body above its limit of octets.
    pub(super) fn body_too_large(limit: usize) -> Self {
        let detail = format!("the body is above the limit of {limit} octets");
        Self { limit: Some(limit.to_string().into()), ..Self::new(BODY_TOO_LARGE, detail) }
    }

    /// Its status, and what is wrong in a sentence: for interfaces without such documents.
    pub(super) fn into_status_and_text(self) -> (StatusCode, String) {
        (self.code.1, self.detail)
    }

    /// When to try again, seconds.
    pub(super) fn retry_after_seconds(&self) -> Option<u8> {
        self.retry_after
    }

    /// Too much of something at once.
    pub(super) fn busy(detail: impl Into<String>) -> Self {
        Self::new(BUSY, detail).retry_after(1)
    }

    /// A browser's request on behalf of another site.
    pub(super) fn cross_site(detail: impl Into<String>) -> Self {
        Self::new(CROSS_SITE, detail)
    }

    /// A fault of ours; what it was is in the log, not in the reply.
    pub(super) fn internal() -> Self {
        Self::new(INTERNAL, "the server met a fault of its own; its log has the details")
    }

    /// A field that serde refused in its own words.
    pub(super) fn invalid_field(field: String, value: Option<String>, detail: String) -> Self {
        Self { field: Some(field), value, ..Self::new(INVALID_FIELD, detail) }
    }

    /// A body that is no JSON.
    pub(super) fn malformed_body(detail: impl Into<String>) -> Self {
        Self::new(MALFORMED_BODY, detail)
    }

    /// A method that the path does not have; the `Allow` header names those that it has.
    pub(super) fn method_not_allowed(method: &str, path: &str) -> Self {
        let path = shortened(path);
        let detail = format!("`{path}` has no method {method}; `Allow` names those that it has");
        Self::new(METHOD_NOT_ALLOWED, detail)
    }

    /// A request for servers alone, by somebody who does not know this one's token.
    pub(super) fn no_peer() -> Self {
        let detail = "a server shows this server's token as `Authorization: Bearer TOKEN`; the row \
                      of this server in the shared store has it";
        Self::new(NO_PEER, detail)
    }

    /// A path that is nobody's.
    pub(super) fn no_such_path(path: &str) -> Self {
        let path = shortened(path);
        let detail =
            format!("there is nothing at `{path}`; /api/v1/openapi.json lists what there is");
        Self::new(NO_SUCH_PATH, detail)
    }

    /// A revision that has not been seen here within the time for it.
    pub(super) fn revision_not_seen(wanted: Revision, here: Revision, wait: &str) -> Self {
        let detail = format!(
            "this server is at revision {here} and has not seen {wanted} within {wait}; ask again, \
             or another server"
        );
        Self {
            field: Some("?min_revision".to_owned()),
            value: Some(wanted.to_string()),
            revision: Some(here),
            ..Self::new(REVISION_NOT_SEEN, detail).retry_after(1)
        }
    }

    /// A body that did not arrive in time.
    pub(super) fn slow_body() -> Self {
        Self::new(SLOW_BODY, "the body did not arrive in time")
    }

    /// The server takes no more changes.
    pub(super) fn stopping() -> Self {
        let detail = "the server is stopping and takes no more changes; ask another one";
        Self::new(STOPPING, detail).retry_after(5)
    }

    /// A request that took too long.
    pub(super) fn timeout() -> Self {
        let detail = "the request took too long; a change may yet take effect";
        Self::new(TIMEOUT, detail).retry_after(5)
    }

    /// More octets of bodies than there may be on all connections.
    pub(super) fn too_many_bodies() -> Self {
        let limit = limit::HTTP_BODIES_OCTETS_MAX;
        let detail = format!(
            "the bodies of all requests together are above the limit of {limit} octets; try again"
        );
        Self { limit: Some(limit.to_string().into()), ..Self::busy(detail) }
    }

    /// More requests that wait for a revision than there may be.
    pub(super) fn too_many_waiting(limit: usize) -> Self {
        let detail =
            format!("{limit} requests wait for a `min_revision`, which is the limit; try again");
        Self { limit: Some(limit.to_string().into()), ..Self::busy(detail) }
    }

    /// More watchers than there may be.
    pub(super) fn too_many_watchers(limit: usize) -> Self {
        let detail = format!("there are {limit} watchers, which is the limit; try again");
        Self { limit: Some(limit.to_string().into()), ..Self::busy(detail) }
    }

    /// An instance that there is not.
    pub(super) fn unknown_instance(key: &InstanceKey) -> Self {
        let detail = format!("there is no instance `{}` of service `{}`", key.id, key.service);
        Self::new(UNKNOWN_INSTANCE, detail)
    }

    /// A query parameter that the path does not have; `problem` says which it has.
    pub(super) fn unknown_parameter(name: &str, value: &str, problem: &str) -> Self {
        let (name, value) = (shortened(name), shortened(value));
        let detail = format!("the parameter `?{name}={value}` {problem}");
        let field = Some(format!("?{name}"));
        Self { field, value: Some(value), ..Self::new(BAD_QUERY, detail) }
    }

    /// A service that there is not.
    pub(super) fn unknown_service(name: &ServiceName) -> Self {
        Self::new(UNKNOWN_SERVICE, format!("there is no service `{name}`"))
    }

    /// A body that is compressed, or encoded in another way (RFC 9110 §15.5.16).
    pub(super) fn unread_encoding(encoding: &str) -> Self {
        let encoding = shortened(encoding);
        let detail = format!("the body is encoded as `{encoding}`; send it as it is");
        let field = Some("Content-Encoding".to_owned());
        Self { field, value: Some(encoding), ..Self::new(UNREAD_ENCODING, detail) }
    }
}

impl From<Invalid> for Problem {
    fn from(invalid: Invalid) -> Self {
        Self::invalid(INVALID_FIELD, invalid)
    }
}

impl From<RegistryError> for Problem {
    fn from(error: RegistryError) -> Self {
        let detail = error.to_string();
        match error {
            RegistryError::Busy | RegistryError::Held(_) => Self::busy(detail),
            RegistryError::Conflict(_) => Self::new(CONFLICT, detail),
            RegistryError::Invalid(invalid) => invalid.into(),
            RegistryError::Limit(invalid) => Self::invalid(LIMIT_REACHED, invalid),
            RegistryError::NoTtlCheck(_) => Self::new(NO_TTL_CHECK, detail),
            RegistryError::NotDurable(JournalError::Full(_)) => Self::new(STORE_FULL, detail),
            RegistryError::NotDurable(JournalError::Failed(_)) => {
                Self::new(STORE_FAILED, detail).retry_after(5)
            }
            RegistryError::NotDurable(JournalError::Unreachable(_)) => {
                Self::new(STORE_UNREACHABLE, detail).retry_after(5)
            }
            // To ask for the same again is safe, and settles it.
            RegistryError::NotDurable(JournalError::Unsure(_)) => {
                Self::new(STORE_UNSURE, detail).retry_after(1)
            }
            RegistryError::Stopping => Self::stopping(),
            RegistryError::UnknownInstance(_) => Self::new(UNKNOWN_INSTANCE, detail),
            RegistryError::UnknownPolicy(_) => Self::new(UNKNOWN_POLICY, detail),
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let (code, status, title) = *self.code;
        let document = dto::Problem {
            kind: format!("urn:rollcall:problem:{code}"),
            code: code.to_owned(),
            title: title.to_owned(),
            status: status.as_u16(),
            detail: self.detail,
            field: self.field,
            value: self.value,
            limit: self.limit.map(String::from),
            revision: self.revision.map(|revision| revision.0),
        };
        let body = serde_json::to_vec(&document).expect("a problem has only strings and a number");
        let mut response = (status, body).into_response();
        let headers = response.headers_mut();
        let json = HeaderValue::from_static("application/problem+json");
        headers.insert(header::CONTENT_TYPE, json);
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(u16::from(seconds)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(revision) = self.revision {
            headers.insert(REVISION_HEADER, HeaderValue::from(revision.0));
        }
        response
    }
}

/// What a client sent, as it is shown to it again: as much as is needed to recognise it.
fn shortened(text: &str) -> String {
    Invalid::new("", text, "").value
}

/// The limit that a refusal's text ends with: the model words them `… the limit of 5` and
/// `… the limits of 1 to 5`.
fn limit_in(problem: &str) -> Option<Box<str>> {
    let (_, limit) =
        problem.split_once("limit of ").or_else(|| problem.split_once("limits of "))?;
    let end = limit.find([',', ';', ':']).unwrap_or(limit.len());
    Some(limit[..end].trim_end_matches(" octets").trim_end_matches(" seconds").into())
}

#[cfg(test)]
mod tests {
    use super::{Problem, limit_in};
    use crate::{
        model::{InstanceId, InstanceKey, Invalid, ServiceName},
        registry::{JournalError, RegistryError},
    };

    #[test]
    fn every_error_of_the_registry_has_its_status() {
        let service = ServiceName::parse("web").unwrap();
        let key = InstanceKey::new(service.clone(), InstanceId::parse("web-1").unwrap());
        let full = || JournalError::Full("no space".into());
        let failed = || JournalError::Failed("i/o".into());
        let unreachable = || JournalError::Unreachable("no leader".into());
        let unsure = || JournalError::Unsure("no reply in time".into());
        let invalid = || Invalid::new("instances", 5, "is above the limit of 4");
        let cases = [
            (RegistryError::Busy, 503, "busy", Some(1)),
            (RegistryError::Held("a bulk".into()), 503, "busy", Some(1)),
            (RegistryError::Conflict(key.clone()), 409, "conflict", None),
            (RegistryError::Invalid(invalid()), 422, "invalid-field", None),
            (RegistryError::Limit(invalid()), 422, "limit-reached", None),
            (RegistryError::NoTtlCheck(key.clone()), 409, "no-ttl-check", None),
            (RegistryError::NotDurable(full()), 507, "store-full", None),
            (RegistryError::NotDurable(failed()), 503, "store-failed", Some(5)),
            (RegistryError::NotDurable(unreachable()), 503, "store-unreachable", Some(5)),
            (RegistryError::NotDurable(unsure()), 503, "store-unsure", Some(1)),
            (RegistryError::Stopping, 503, "stopping", Some(5)),
            (RegistryError::UnknownInstance(key), 404, "unknown-instance", None),
            (RegistryError::UnknownPolicy(service), 404, "unknown-policy", None),
        ];
        for (error, status, code, retry_after) in cases {
            let problem = Problem::from(error);
            let seen = (problem.code.1.as_u16(), problem.code.0, problem.retry_after);
            assert_eq!(seen, (status, code, retry_after));
        }
    }

    #[test]
    fn a_limit_is_read_off_the_refusal() {
        for (problem, limit) in [
            ("is above the limit of 65535", Some("65535")),
            ("is outside the limits of 1 to 100", Some("1 to 100")),
            ("is above the limit of 5s, which is the `interval`", Some("5s")),
            ("is no IP address", None),
        ] {
            assert_eq!(limit_in(problem).as_deref(), limit, "{problem}");
        }
    }
}
