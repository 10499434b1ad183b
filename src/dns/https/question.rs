//! The DNS message in an HTTP request (RFC 8484 §4.1), or what is wrong with the request.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http_body_util::BodyExt;
use hyper::{Method, Request, StatusCode, body::Body, header::CONTENT_TYPE, http::request::Parts};
use tokio::time::timeout;

use crate::dns::tcp::{Full, Question, WAITING_OCTETS_MAX};

/// The media type of a DNS message (RFC 8484 §6).
pub(super) const MEDIA_TYPE: &str = "application/dns-message";

/// Octets of a message: what every other transport can carry.
pub(super) const MESSAGE_OCTETS_MAX: usize = 65_535;

/// Octets of a body that are passed over when a request is refused.
const DRAINED_OCTETS_MAX: usize = 4 * MESSAGE_OCTETS_MAX;

/// How long a body is passed over: for what is on its way. A client that is slow is told before.
const DRAIN_TIMEOUT: Duration = Duration::from_secs(1);

/// A request that is refused: why, for whoever looks at it with curl.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub status: StatusCode,
    pub problem: String,
}

// === impl Refusal ===

impl Refusal {
    pub(super) fn new(status: StatusCode, problem: impl Into<String>) -> Self {
        Self { status, problem: problem.into() }
    }
}

/// Reads the message of a request to `path`; the body has `patience` to arrive.
pub(super) async fn read<B: Body<Data = Bytes> + Unpin>(
    request: Request<B>,
    path: &str,
    mut question: Question,
    patience: Duration,
) -> Result<Question, Refusal> {
    let (head, mut body) = request.into_parts();
    let read = match of_head(&head, path) {
        Ok(Some(message)) => question.push(&message).map_err(too_much),
        Ok(None) => match timeout(patience, from_body(&mut question, &mut body)).await {
            Ok(read) => read,
            Err(_late) => {
                let problem = "the body did not arrive in time";
                Err(Refusal::new(StatusCode::REQUEST_TIMEOUT, problem))
            }
        },
        Err(refusal) => Err(refusal),
    };
    let Err(refusal) = read else { return Ok(question) };
    // What has come of it is needed no more; its room is, by other questions.
    drop(question);
    // A client that is refused while it is still sending may not read why.
    if refusal.status != StatusCode::REQUEST_TIMEOUT {
        let _late = timeout(DRAIN_TIMEOUT, drain(body)).await;
    }
    Err(refusal)
}

/// The message of a request that has it in its head, nothing if it is to be in the body.
fn of_head(head: &Parts, path: &str) -> Result<Option<Vec<u8>>, Refusal> {
    if head.uri.path() != path {
        let problem = format!("DNS is answered at `{path}`");
        return Err(Refusal::new(StatusCode::NOT_FOUND, problem));
    }
    match head.method {
        Method::GET | Method::HEAD => from_query(head.uri.query().unwrap_or_default()).map(Some),
        Method::POST => {
            let given = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            check_media_type(given.unwrap_or_default())?;
            Ok(None)
        }
        _ => {
            let problem = "a question is asked by GET or POST";
            Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, problem))
        }
    }
}

/// Passes over a body, but not for ever.
async fn drain(mut body: impl Body<Data = Bytes> + Unpin) {
    let mut octets = 0;
    while octets <= DRAINED_OCTETS_MAX
        && let Some(Ok(frame)) = body.frame().await
    {
        octets += frame.data_ref().map_or(0, Bytes::len);
    }
}

/// The parameter `dns` of a URL. Padding is refused, as RFC 8484 §6 has it, and as servers that
/// people try their clients with do.
fn from_query(query: &str) -> Result<Vec<u8>, Refusal> {
    let refuse = |problem: String| Err(Refusal::new(StatusCode::BAD_REQUEST, problem));
    let Some(text) = query.split('&').find_map(|pair| pair.strip_prefix("dns=")) else {
        return refuse("the URL has no parameter `dns` with the question in base64url".into());
    };
    match URL_SAFE_NO_PAD.decode(text) {
        Ok(message) => Ok(message),
        Err(error) => refuse(format!("`dns` is no base64url without padding: {error}")),
    }
}

fn check_media_type(given: &str) -> Result<(), Refusal> {
    let essence = given.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case(MEDIA_TYPE) {
        return Ok(());
    }
    let problem = format!("the Content-Type is `{given}`, and has to be `{MEDIA_TYPE}`");
    Err(Refusal::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, problem))
}

/// Copies, because the parts of a body may be of one octet each, and keep what they came in.
async fn from_body(
    question: &mut Question,
    body: &mut (impl Body<Data = Bytes> + Unpin),
) -> Result<(), Refusal> {
    if body.size_hint().lower() > MESSAGE_OCTETS_MAX as u64 {
        return Err(too_long());
    }
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else {
            return Err(Refusal::new(StatusCode::BAD_REQUEST, "the body did not arrive whole"));
        };
        let part = frame.data_ref().map_or(&[][..], |part| part);
        if question.len() + part.len() > MESSAGE_OCTETS_MAX {
            return Err(too_long());
        }
        question.push(part).map_err(too_much)?;
    }
    Ok(())
}

fn too_long() -> Refusal {
    let problem = format!("the body is above the limit of {MESSAGE_OCTETS_MAX} octets");
    Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, problem)
}

/// More waits on the connection than may.
pub(super) fn too_much(Full: Full) -> Refusal {
    let problem = format!("more than {WAITING_OCTETS_MAX} octets wait on this connection");
    Refusal::new(StatusCode::SERVICE_UNAVAILABLE, problem)
}

#[cfg(test)]
mod tests {
    use std::{convert::Infallible, time::Duration};

    use bytes::Bytes;
    use futures_util::{FutureExt, StreamExt, stream};
    use http_body_util::StreamBody;
    use hyper::{Request, StatusCode, body::Frame, header::CONTENT_TYPE};

    use super::{MEDIA_TYPE, MESSAGE_OCTETS_MAX, check_media_type, from_query, read};
    use crate::dns::tcp::{Room, WAITING_OCTETS_MAX};

    /// Or the most part of a connection's questions is refused by those that were refused before.
    #[tokio::test(start_paused = true)]
    async fn a_question_that_is_refused_leaves_its_room_while_the_rest_of_it_comes() {
        let room = Room::new();
        // Too long, but not before it has taken room; and it does not end.
        let parts = [MESSAGE_OCTETS_MAX, 1].map(|octets| Bytes::from(vec![7; octets]));
        let parts = stream::iter(parts.map(|part| Ok::<_, Infallible>(Frame::data(part))));
        let body = StreamBody::new(parts.chain(stream::pending()));
        let request = Request::post("/").header(CONTENT_TYPE, MEDIA_TYPE).body(body).unwrap();
        let patience = Duration::from_secs(60);
        let mut refused = Box::pin(read(request, "/", room.question(), patience));
        assert!((&mut refused).now_or_never().is_none(), "the rest is passed over");
        let mut other = room.question();
        assert_eq!(other.push(&vec![7; WAITING_OCTETS_MAX]), Ok(()));
        let status = refused.await.err().map(|refusal| refusal.status);
        assert_eq!(status, Some(StatusCode::PAYLOAD_TOO_LARGE));
    }

    #[test]
    fn the_parameter_is_base64url_without_padding() {
        let read = from_query;
        for query in ["dns=AAE-_w", "ct=x&dns=AAE-_w", "dns=AAE-_w&dns=other"] {
            assert_eq!(read(query), Ok(vec![0, 1, 0x3E, 0xFF]), "{query}");
        }
        assert_eq!(read("dns="), Ok(Vec::new()), "which is no query, and refused as that");
        for query in ["", "DNS=AAE", "dns=AAE-_w==", "dns=AAE+/w", "dns=A", "dns=%41AE"] {
            assert_eq!(read(query).unwrap_err().status, StatusCode::BAD_REQUEST, "{query}");
        }
    }

    #[test]
    fn only_dns_messages_are_posted() {
        for right in ["application/dns-message", "Application/DNS-Message; charset=utf-8"] {
            assert_eq!(check_media_type(right), Ok(()), "{right}");
        }
        for wrong in ["", "application/json", "application/x-www-form-urlencoded", "application"] {
            let status = check_media_type(wrong).unwrap_err().status;
            assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{wrong}");
        }
    }
}
