//! Refusals as Eureka has them: a status and a line of text.

use std::{borrow::Cow, fmt::Display};

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};

use crate::{http::problem::Problem, model::Invalid, registry::RegistryError};

/// Why a request was refused. Clients look at the status, people at the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct EurekaError {
    /// The status of the reply.
    pub(crate) status: StatusCode,
    /// What is wrong; empty where Eureka says nothing either.
    pub(crate) text: Cow<'static, str>,
}

// === impl EurekaError ===

impl EurekaError {
    /// A refusal.
    pub(crate) fn new(status: StatusCode, text: impl Into<Cow<'static, str>>) -> Self {
        Self { status, text: text.into() }
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
        let (status, text) = problem.into_status_and_text();
        Self::new(status, text)
    }
}

impl From<RegistryError> for EurekaError {
    fn from(error: RegistryError) -> Self {
        Problem::from(error).into()
    }
}

impl IntoResponse for EurekaError {
    fn into_response(self) -> Response {
        (self.status, self.text).into_response()
    }
}
