//! What a request says beside its path and body.

use axum::{
    extract::{FromRequestParts, Query},
    http::{HeaderMap, request::Parts},
};

use crate::http::{
    encoding,
    eureka::{body::InstanceStatus, error::EurekaError, negotiate::Form},
};

/// The header by which servers tell that they speak for their clients.
const REPLICATION: &str = "x-netflix-discovery-replication";

/// Who asks, and in which form.
#[derive(Debug, Clone, Copy)]
pub(in crate::http::eureka) struct Asked {
    /// The form of the reply.
    pub form: Form,
    /// Whether it is to be in gzip.
    pub in_gzip: bool,
    /// Whether a Eureka server asks on behalf of its clients.
    pub by_peer: bool,
}

/// The parameters of the query, decoded. Those that are not known mean nothing, as with Eureka.
#[derive(Debug, Default)]
pub(in crate::http::eureka) struct Parameters(pub Vec<(String, String)>);

// === impl Asked ===

impl<S: Send + Sync> FromRequestParts<S> for Asked {
    type Rejection = EurekaError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, EurekaError> {
        let headers = &parts.headers;
        let (form, in_gzip) = (Form::of_reply(headers), encoding::is_gzip(headers));
        Ok(Self { form, in_gzip, by_peer: is_by_peer(headers) })
    }
}

fn is_by_peer(headers: &HeaderMap) -> bool {
    let said = headers.get(REPLICATION).and_then(|value| value.to_str().ok());
    said.is_some_and(|said| said.eq_ignore_ascii_case("true"))
}

// === impl Parameters ===

impl Parameters {
    /// The first value of a parameter that says anything.
    pub(in crate::http::eureka) fn get(&self, name: &str) -> Option<&str> {
        let mut values = self.0.iter().filter(|(given, value)| given == name && !value.is_empty());
        values.next().map(|(_, value)| &**value)
    }

    /// When the instance's owner last changed it, as a renewal has it. What is no number says
    /// nothing: py-eureka-client has sent `None`.
    pub(in crate::http::eureka) fn dirty(&self) -> Option<i64> {
        self.get("lastDirtyTimestamp")?.parse().ok()
    }

    /// The state that `value` names.
    ///
    /// # Errors
    /// When there is no such state (400).
    pub(in crate::http::eureka) fn status(&self) -> Result<Option<InstanceStatus>, EurekaError> {
        let Some(text) = self.get("value") else { return Ok(None) };
        let named = |status: &InstanceStatus| status.as_str().eq_ignore_ascii_case(text);
        let found = InstanceStatus::ALL.into_iter().find(named);
        let none = || {
            let shown = crate::model::Invalid::new("", text, "").value;
            let all = InstanceStatus::ALL.map(InstanceStatus::as_str).join(", ");
            EurekaError::bad_request(format!("`{shown}` is no status; there are {all}"))
        };
        found.map(Some).ok_or_else(none)
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Parameters {
    type Rejection = EurekaError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, EurekaError> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(pairs)) => Ok(Self(pairs)),
            Err(fault) => {
                Err(EurekaError::bad_request(format!("the query cannot be read: {fault}")))
            }
        }
    }
}
