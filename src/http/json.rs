//! Bodies: read as JSON whatever their Content-Type says, held to a size and a time, and refused
//! with the path of the fault.
//!
//! Rejected: axum's own `Json`, which insists on a Content-Type (so that a plain `curl -d` fails),
//! and reports faults as one line of text without the path.

use std::ops::Deref;

use axum::{
    body::Body,
    extract::{FromRef, FromRequest, Request},
    http::header,
    response::{IntoResponse, Response},
};
use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;
use serde::{Serialize, de::DeserializeOwned};
use serde_path_to_error::{Path, Segment};

use super::{Api, bodies::Place, dto::Object, problem::Problem};
use crate::{
    model::{Invalid, Revision, limit},
    util::{json_words, named_field},
};

/// A body that was read as JSON, or the reply with such a body.
#[derive(Debug)]
pub(super) struct Json<T>(pub(super) T);

/// As [`Json`], but the body may be left out.
#[derive(Debug)]
pub(super) struct OptionalJson<T>(pub(super) T);

/// A body, and its place among those that may be in memory.
#[derive(Debug)]
pub(super) struct HeldBody {
    octets: Bytes,
    place: Place,
}

/// The revision at which a change is visible, or that is shown, as a header of the reply.
pub(super) const REVISION_HEADER: &str = "x-rollcall-revision";

// === impl Json ===

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T>
where
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = read(request, limit::HTTP_BODY_OCTETS_MAX, &Api::from_ref(state)).await?;
        parse(&body).map(|Object(value)| Self(value))
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        match serde_json::to_vec(&self.0) {
            Ok(body) => json_response(body.into()),
            Err(error) => {
                tracing::error!(%error, "a reply could not be written as JSON");
                Problem::internal().into_response()
            }
        }
    }
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T>
where
    Api: FromRef<S>,
{
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let body = read(request, limit::HTTP_BODY_OCTETS_MAX, &Api::from_ref(state)).await?;
        if body.trim_ascii().is_empty() {
            Ok(Self(T::default()))
        } else {
            parse(&body).map(|Object(value)| Self(value))
        }
    }
}

impl Deref for HeldBody {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.octets
    }
}

/// A reply whose body is JSON already.
pub(super) fn json_response(body: Body) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// A list at a revision, `{"revision": …, "<name>": […]}`. It is written piece by piece as the
/// client takes it, so that a client which takes its time holds a piece in memory and not a list,
/// which may have 100 MB.
pub(super) fn json_list<T: Serialize>(
    revision: Revision,
    name: &str,
    mut items: impl Iterator<Item = T> + Send + 'static,
) -> Response {
    /// What one system call takes well.
    const PIECE_OCTETS: usize = 64 << 10;

    let mut piece = format!("{{\"revision\":{revision},\"{name}\":[").into_bytes();
    let (mut first, mut ended) = (true, false);
    let pieces = std::iter::from_fn(move || {
        while !ended && piece.len() < PIECE_OCTETS {
            let Some(item) = items.next() else {
                ended = true;
                piece.extend_from_slice(b"]}");
                break;
            };
            if !std::mem::take(&mut first) {
                piece.push(b',');
            }
            if let Err(error) = serde_json::to_writer(&mut piece, &item) {
                tracing::error!(%error, "a reply could not be written as JSON");
                return Some(Err(error)); // breaks off, which no client takes for the end
            }
        }
        let piece = std::mem::take(&mut piece);
        (!piece.is_empty()).then_some(Ok(Bytes::from(piece)))
    });
    at_revision(revision, json_response(Body::from_stream(futures_util::stream::iter(pieces))))
}

/// The reply `reply`, and the revision that it shows, or at which the change is visible.
pub(super) fn at_revision(revision: Revision, reply: impl IntoResponse) -> Response {
    ([(REVISION_HEADER, revision.to_string())], reply).into_response()
}

/// The body, held to its limits of octets and of time.
///
/// # Errors
/// When it is too large (413), too slow (408), breaks off (400), or is compressed (415), or all
/// bodies together are above their limit (503).
pub(super) async fn read(
    request: Request,
    octets_max: usize,
    api: &Api,
) -> Result<HeldBody, Problem> {
    let held = HeldBody { octets: Bytes::new(), place: api.bodies().place() };
    let encoding = request.headers().get(header::CONTENT_ENCODING);
    let encoding = encoding.map(|value| value.to_str().unwrap_or("(unreadable)").to_owned());
    let patience = api.options().body_timeout;
    let read = tokio::time::timeout(patience, collect(request.into_body(), octets_max, held)).await;
    let read = read.unwrap_or_else(|_| Err(Problem::slow_body()))?;
    // Only now: what is left of a body would be taken for the next request.
    match encoding.filter(|encoding| !encoding.eq_ignore_ascii_case("identity")) {
        Some(encoding) => Err(Problem::unread_encoding(&encoding)),
        None => Ok(read),
    }
}

async fn collect(
    mut body: Body,
    octets_max: usize,
    mut held: HeldBody,
) -> Result<HeldBody, Problem> {
    let mut kept = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let broken = |_| Problem::malformed_body("the body broke off");
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        // What is left of a body that is refused is read and thrown away by `unread`.
        if kept.len() + data.len() > octets_max {
            return Err(Problem::body_too_large(octets_max));
        }
        if !held.place.grow(data.len()) {
            return Err(Problem::too_many_bodies());
        }
        kept.extend_from_slice(&data);
    }
    held.octets = kept.freeze();
    Ok(held)
}

/// Reads JSON; nesting is held to 128 levels by serde_json.
///
/// # Errors
/// What is no JSON is malformed (400); JSON that says something else than it should is
/// unprocessable (422), with the path and the value.
pub(super) fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    if body.trim_ascii().is_empty() {
        return Err(Problem::malformed_body("the body is empty; JSON is needed"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    let value = T::deserialize(&mut reader).map_err(|fault| fault_of::<T>(body, &fault))?;
    reader.end().map_err(|fault| {
        Problem::malformed_body(format!("the body goes on after its JSON value: {fault}"))
    })?;
    Ok(value)
}

/// Where the fault is. To keep the path while reading takes as long as reading, so a body is read
/// again for it once it is known to have a fault.
fn fault_of<T: DeserializeOwned>(body: &[u8], fault: &serde_json::Error) -> Problem {
    if !fault.is_data() {
        return Problem::malformed_body(format!("the body is no JSON: {fault}"));
    }
    let mut reader = serde_json::Deserializer::from_slice(body);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => refused(body, error.path(), error.inner()),
        Ok(_) => Problem::malformed_body(fault.to_string()), // it has one, only without a path
    }
}

fn refused(body: &[u8], path: &Path, fault: &serde_json::Error) -> Problem {
    let message = fault.to_string();
    let at = format!(" at line {} column {}", fault.line(), fault.column());
    let message = message.strip_suffix(&at).unwrap_or(&message);
    let mut field = path.to_string();
    if let Some(name) = named_field(message)
        && !ends_with(path, name)
    {
        let parent = if field == "." { "" } else { &*field };
        field = Invalid::new(name, "", "").under(parent).field;
        field = field.trim_start_matches('.').to_owned();
    }
    if field == "." {
        field = "$".to_owned(); // the whole of it
    }
    let named = named_field(message);
    let message = &*json_words(message);
    match value_at(body, path).filter(|_| named.is_none()) {
        // Our own refusals read on from the value, as the model's do.
        Some(value) if message.starts_with("is ") || message.starts_with("has ") => {
            Invalid::new(field, value, message).into()
        }
        value => {
            let line = fault.line();
            let detail = format!("`{field}`: {message} (line {line}, column {})", fault.column());
            let shown = value.map(|value| Invalid::new("", value, "").value);
            Problem::invalid_field(field, shown, detail)
        }
    }
}

fn ends_with(path: &Path, name: &str) -> bool {
    matches!(path.iter().next_back(), Some(Segment::Map { key }) if key == name)
}

/// The value that was refused, as it stands in the body. Read again only for a refusal, and only
/// from a body that is not huge.
fn value_at(body: &[u8], path: &Path) -> Option<String> {
    if body.len() > limit::HTTP_BODY_OCTETS_MAX {
        return None;
    }
    let whole: serde_json::Value = serde_json::from_slice(body).ok()?;
    let mut value = &whole;
    for segment in path {
        value = match segment {
            Segment::Map { key } => value.get(key)?,
            Segment::Seq { index } => value.get(index)?,
            Segment::Enum { .. } | Segment::Unknown => return None,
        };
    }
    Some(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use serde_json::{Value, json};

    use super::json_list;
    use crate::model::Revision;

    #[tokio::test]
    async fn a_list_is_made_as_it_is_taken() {
        let endless = std::iter::repeat("an item that never ends");
        let mut body = json_list(Revision(7), "items", endless).into_body();
        for _ in 0..3 {
            let piece = body.frame().await.unwrap().unwrap().into_data().unwrap();
            assert!((64 << 10..65 << 10).contains(&piece.len()), "{}", piece.len());
        }
    }

    #[tokio::test]
    async fn the_pieces_of_a_list_are_one_document() {
        for length in [0, 1, 2, 50_000] {
            let body = json_list(Revision(7), "items", 0..length).into_body();
            let whole: Value =
                serde_json::from_slice(&body.collect().await.unwrap().to_bytes()).unwrap();
            let expected: Vec<_> = (0..length).collect();
            assert_eq!(whole, json!({"revision": 7, "items": expected}), "{length}");
        }
    }
}
