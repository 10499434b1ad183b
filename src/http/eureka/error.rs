//! Refusals as Eureka has them: a status and a line of text.

use std::{borrow::Cow, fmt::Display};

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{
    http::problem::Problem,
    model::Invalid,
    registry::{JournalError, RegistryError},
};

/// Why a request was refused. Clients look at the status, people at the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EurekaError {
    /// The status of the reply.
    pub(crate) status: StatusCode,
    /// What is wrong; empty where Eureka says nothing either.
    pub(crate) text: Cow<'static, str>,
    /// When to try again, seconds.
    retry_after: Option<u8>,
}

// === impl EurekaError ===

impl EurekaError {
    /// A refusal.
    pub(crate) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into(), retry_after: None }
    }

    /// A body that is not what it should be. What the fault says may have much of the body in it,
    /// and is cut.
    pub(super) fn unreadable(form: &str, fault: impl Display) -> Self {
        const SHOWN_OCTETS: usize = 200; // three lines
        let mut fault = fault.to_string();
        if fault.len() > SHOWN_OCTETS {
            fault.truncate(fault.floor_char_boundary(SHOWN_OCTETS));
            fault.push('…');
        }
        Self::bad_request(format!("the body is no {form}: {fault}"))
    }

    /// What is not there; Eureka says nothing of it, and clients look at the status.
    pub(crate) fn not_found() -> Self {
        Self::new(StatusCode::NOT_FOUND, "")
    }

    /// What cannot be done now.
    fn unavailable(text: String, retry_after: u8) -> Self {
        let retry_after = Some(retry_after);
        Self { retry_after, ..Self::new(StatusCode::SERVICE_UNAVAILABLE, text) }
    }

    /// A request that says something wrong.
    pub(crate) fn bad_request(text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

impl From<Invalid> for EurekaError {
    fn from(invalid: Invalid) -> Self {
        Self::bad_request(invalid.to_string())
    }
}

impl From<Problem> for EurekaError {
    fn from(problem: Problem) -> Self {
        let retry_after = problem.retry_after_seconds();
        let (status, text) = problem.into_status_and_text();
        Self { retry_after, ..Self::new(status, text) }
    }
}

/// In the statuses that clients know: 404 has them register again, 503 has them try another server.
impl From<RegistryError> for EurekaError {
    fn from(error: RegistryError) -> Self {
        let text = error.to_string();
        match error {
            RegistryError::Invalid(_) | RegistryError::Limit(_) => Self::bad_request(text),
            RegistryError::NoTtlCheck(_)
            | RegistryError::UnknownInstance(_)
            | RegistryError::UnknownPolicy(_) => Self::new(StatusCode::NOT_FOUND, text),
            RegistryError::Busy
            | RegistryError::Conflict(_)
            | RegistryError::Held(_)
            | RegistryError::NotDurable(JournalError::Unsure(_)) => Self::unavailable(text, 1),
            RegistryError::NotDurable(_) | RegistryError::Stopping => Self::unavailable(text, 5),
        }
    }
}

impl IntoResponse for EurekaError {
    fn into_response(self) -> Response {
        let mut response = (self.status, self.text).into_response();
        if let Some(seconds) = self.retry_after {
            let seconds = HeaderValue::from(u16::from(seconds));
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use axum::response::IntoResponse;

    use super::EurekaError;
    use crate::{
        http::problem::Problem,
        model::{InstanceKey, Invalid, ServiceName},
        registry::{JournalError, RegistryError, testing},
    };

    #[test]
    fn every_error_of_the_registry_has_a_status_that_clients_know() {
        let key = || -> InstanceKey { testing::key("web/web-1") };
        let invalid = || Invalid::new("instances", 5, "is above the limit of 4");
        let (full, failed) = (JournalError::Full("f".into()), JournalError::Failed("f".into()));
        let unreachable = JournalError::Unreachable("no leader".into());
        let unsure = JournalError::Unsure("no reply in time".into());
        for (error, status, retry_after) in [
            (RegistryError::Busy, 503, Some("1")),
            (RegistryError::Held("a bulk".into()), 503, Some("1")),
            (RegistryError::Conflict(key()), 503, Some("1")),
            (RegistryError::Invalid(invalid()), 400, None),
            (RegistryError::Limit(invalid()), 400, None),
            (RegistryError::NoTtlCheck(key()), 404, None),
            (RegistryError::NotDurable(full), 503, Some("5")),
            (RegistryError::NotDurable(failed), 503, Some("5")),
            (RegistryError::NotDurable(unreachable), 503, Some("5")),
            (RegistryError::NotDurable(unsure), 503, Some("1")),
            (RegistryError::Stopping, 503, Some("5")),
            (RegistryError::UnknownInstance(key()), 404, None),
            (RegistryError::UnknownPolicy(ServiceName::parse("web").unwrap()), 404, None),
        ] {
            let text = error.to_string();
            let refusal = EurekaError::from(error);
            assert_eq!(&*refusal.text, text);
            let response = refusal.into_response();
            let header = response.headers().get("retry-after").map(|v| v.to_str().unwrap());
            assert_eq!((response.status().as_u16(), header), (status, retry_after), "{text}");
        }
    }

    #[test]
    fn a_server_that_is_busy_says_when_to_try_again() {
        let response = EurekaError::from(Problem::busy("too much")).into_response();
        assert_eq!(
            (response.status().as_u16(), &response.headers()["retry-after"]),
            (503, &"1".parse().unwrap())
        );
    }
}
