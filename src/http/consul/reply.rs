//! Replies of reads: JSON as Consul writes it, and the headers that its clients look for.

use std::cell::Cell;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{Serialize, Serializer};
use serde_json::ser::PrettyFormatter;

use super::{
    blocking::Indexed,
    params::{Consistency, ReadParams},
    texts::ConsulError,
};
use crate::http::encoding;

const CACHE: HeaderName = HeaderName::from_static("x-cache");
const CONSISTENCY: HeaderName = HeaderName::from_static("x-consul-effective-consistency");
const INDEX: HeaderName = HeaderName::from_static("x-consul-index");
const KNOWN_LEADER: HeaderName = HeaderName::from_static("x-consul-knownleader");
const LAST_CONTACT: HeaderName = HeaderName::from_static("x-consul-lastcontact");
const POLICY: HeaderName = HeaderName::from_static("x-consul-default-acl-policy");
const QUERY_BACKEND: HeaderName = HeaderName::from_static("x-consul-query-backend");

/// An object whose fields are made one by one while it is written: of a hundred thousand services
/// one is in memory then, and not all. It is written once, and empty if it is again.
pub(super) struct OneByOne<I>(Cell<Option<I>>);

/// A list whose rows are made one by one while it is written, once.
pub(super) struct RowByRow<I>(Cell<Option<I>>);

/// A value as JSON, indented by four spaces if it is to be pretty.
///
/// # Errors
/// 500, which no value that is shown comes to.
pub(super) fn written(value: &impl Serialize, pretty: bool) -> Result<Bytes, ConsulError> {
    let mut body = Vec::new();
    let written = if pretty {
        let formatter = PrettyFormatter::with_indent(b"    ");
        value.serialize(&mut serde_json::Serializer::with_formatter(&mut body, formatter))
    } else {
        value.serialize(&mut serde_json::Serializer::new(&mut body))
    };
    if pretty {
        body.push(b'\n');
    }
    match written {
        Ok(()) => Ok(body.into()),
        Err(error) => {
            tracing::error!(%error, "a reply could not be written as JSON");
            Err(ConsulError::failed("the reply could not be written"))
        }
    }
}

/// A value without an index: of an agent, of the server itself.
///
/// # Errors
/// As [`written`].
pub(super) fn plain(value: &impl Serialize, pretty: bool) -> Result<Response, ConsulError> {
    written(value, pretty).map(json)
}

/// JSON, as it is or in gzip.
pub(super) fn json(body: Bytes) -> Response {
    let start = body.clone();
    let response = ([(header::CONTENT_TYPE, "application/json")], Body::from(body));
    encoding::told(response.into_response(), &start)
}

/// An answer at its index.
pub(super) fn indexed(answer: Indexed, params: &ReadParams) -> Response {
    let Indexed { index, body, .. } = answer;
    let mut response = json(body);
    let consistency = match params.consistency {
        Consistency::Default => "leader",
        Consistency::Consistent => "consistent",
        Consistency::Stale => "stale",
    };
    let headers = response.headers_mut();
    headers.insert(CONSISTENCY, HeaderValue::from_static(consistency));
    headers.insert(QUERY_BACKEND, HeaderValue::from_static("blocking-query"));
    if params.cached {
        headers.insert(CACHE, HeaderValue::from_static("MISS"));
    }
    at(response, index.0)
}

/// 404 without a body, but at an index: a key that is not there.
pub(super) fn nothing_at(index: u64) -> Response {
    at(StatusCode::NOT_FOUND.into_response(), index)
}

/// A reply with an index, from a server that is its own leader.
pub(super) fn at(mut response: Response, index: u64) -> Response {
    let headers = response.headers_mut();
    // Clients take 0 for no index at all, and would ask again at once.
    headers.insert(INDEX, HeaderValue::from(index.max(1)));
    headers.insert(KNOWN_LEADER, HeaderValue::from_static("true"));
    headers.insert(LAST_CONTACT, HeaderValue::from_static("0"));
    response
}

/// What all replies below `/v1` have: who brings no token may do everything.
pub(in crate::http) fn with_policy(mut response: Response) -> Response {
    response.headers_mut().insert(POLICY, HeaderValue::from_static("allow"));
    response
}

// === impl OneByOne ===

impl<I> OneByOne<I> {
    /// An object with these fields, by name.
    pub(super) fn new(fields: I) -> Self {
        Self(Cell::new(Some(fields)))
    }
}

impl<V: Serialize, I: Iterator<Item = (String, V)>> Serialize for OneByOne<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.take().into_iter().flatten())
    }
}

// === impl RowByRow ===

impl<I> RowByRow<I> {
    /// A list of these rows.
    pub(super) fn new(rows: I) -> Self {
        Self(Cell::new(Some(rows)))
    }
}

impl<V: Serialize, I: Iterator<Item = V>> Serialize for RowByRow<I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.take().into_iter().flatten())
    }
}
