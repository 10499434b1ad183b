//! The `http` check, with or without TLS: one request, one reply, and those that redirects lead to.
//!
//! Unless the check follows redirects, one is a reply like any other and fails unless its status is
//! expected: following it checks whatever it points to. The reply's body is read up to a bound, its
//! first part becomes the output; a reply that breaks off fails, because its reader would fail too.
//!
//! The exchange is our own, over httparse, hyper's parser: a client for connections that live on
//! keeps channels, buffers and states that one request does not need.

use hyper::{
    Method,
    header::{ACCEPT, CONNECTION, HOST, HeaderName, HeaderValue, USER_AGENT},
    http::uri::PathAndQuery,
};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::{
    ProbeError, Prober,
    connect::Destination,
    prober::{Progress, innermost},
    redirect::Request,
    reply::{BadReply, Body, Head},
    tls::{How, Inside},
};
use crate::model::{HttpCheck, Status, limit};

/// How a probe introduces itself.
pub(super) const AGENT: &str = concat!("rollcall/", env!("CARGO_PKG_VERSION"));
/// Room for an ordinary request, and for an ordinary reply in one read.
const BUFFER_OCTETS: usize = 2 * 1024;
/// Room for a longer body, of which at most four reads are of use.
const BODY_READ_OCTETS: usize = 16 * 1024;

/// What came of a request.
enum Reply {
    /// The last word: the status code, and what was said.
    Final(u16, String),
    /// A redirect that is to be followed: the status code, how it reads, and where it leads.
    Redirect(u16, String, String),
}

/// Sends the request, and those that redirects lead to, and judges the last reply.
pub(super) async fn probe(
    prober: &Prober,
    to: &Destination,
    check: &HttpCheck,
    progress: &Progress,
) -> Result<(Status, String), ProbeError> {
    let mut asked = Request::first(check, to);
    for _ in 0..=limit::CHECK_REDIRECTS_MAX {
        match ask(prober, &asked, progress).await? {
            Reply::Final(status, output) => return judge(check, status, output),
            Reply::Redirect(status, reads, place) => {
                let refuse = |problem| ProbeError::Failed(format!("{reads}, which {problem}"));
                asked = asked.follow(status, &place).map_err(refuse)?;
                progress.go_to(&asked.to);
            }
        }
    }
    let limit = limit::CHECK_REDIRECTS_MAX;
    Err(ProbeError::Failed(format!("HTTP: more redirects than the limit of {limit}")))
}

fn judge(check: &HttpCheck, status: u16, output: String) -> Result<(Status, String), ProbeError> {
    if check.warn.as_ref().is_some_and(|warn| warn.accepts(status)) {
        Ok((Status::Warning, output))
    } else if check.expect.accepts(status) {
        Ok((Status::Passing, output))
    } else {
        Err(ProbeError::Failed(output))
    }
}

async fn ask(
    prober: &Prober,
    asked: &Request<'_>,
    progress: &Progress,
) -> Result<Reply, ProbeError> {
    let (check, octets) = (asked.check, octets(asked)?);
    let (skip_verify, name) = (check.tls_skip_verify, check.tls_name().map(|name| &**name));
    let how = How { inside: Inside::Http1, tls: asked.tls, skip_verify, name };
    let mut stream = prober.open(&asked.to, how, progress).await?;
    exchange(&mut stream, octets, asked, progress).await
}

/// Sends `request` and reads the reply into the same buffer.
async fn exchange(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    request: Vec<u8>,
    asked: &Request<'_>,
    progress: &Progress,
) -> Result<Reply, ProbeError> {
    let to = &asked.to;
    progress.enter("waiting for the reply of");
    let sent = stream.write_all(&request).await;
    // TLS keeps what it has encrypted until it is told.
    let sent = if sent.is_ok() { stream.flush().await } else { sent };
    let mut buffer = request;
    buffer.clear();
    let head = match (read_head(stream, &mut buffer, asked.method == "HEAD").await, sent) {
        // Who answers without reading the request may have closed while it was sent.
        (Ok(head), _) => head,
        (Err(_), Err(error)) => return Err(ProbeError::talking("HTTP", to, &error)),
        (Err(error), Ok(())) => return Err(ProbeError::talking("HTTP", to, &error)),
    };
    let follows = asked.check.follow_redirects;
    let mut output = head.describe(follows);
    if let Some(place) = head.redirect().filter(|_| follows) {
        return Ok(Reply::Redirect(head.status, output, place.to_owned()));
    }
    progress.enter("reading the body of the reply of");
    let mut body = Body::new(head.framing);
    if let Err(error) = read_body(stream, &mut buffer, &mut body).await {
        let cause = innermost(&error);
        return Err(ProbeError::Failed(format!("{output}, but the body broke off: {cause}")));
    }
    let text = String::from_utf8_lossy(body.kept());
    if !text.trim().is_empty() {
        output.push_str(": ");
        output.push_str(text.trim());
    }
    Ok(Reply::Final(head.status, output))
}

/// Reads up to the end of the head of the final reply, and leaves what follows it in `buffer`.
async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    is_head_request: bool,
) -> Result<Head, BadReply> {
    // Looked at again when it has doubled or seems complete: a head that comes octet by octet
    // costs no more than one that comes at once.
    let mut worth_a_look = 1;
    loop {
        let seen = buffer.len();
        if stream.read_buf(buffer).await? == 0 {
            return Err(BadReply::Closed);
        }
        let new = &buffer[seen.saturating_sub(3)..];
        let may_end = new.windows(2).any(|pair| pair == b"\n\n" || pair == b"\n\r");
        if !may_end && buffer.len() < worth_a_look {
            continue;
        }
        while let Some((head, octets)) = Head::parse(buffer, is_head_request)? {
            buffer.drain(..octets);
            if !head.is_interim() {
                return Ok(head);
            }
        }
        worth_a_look = 2 * buffer.len() + 1;
    }
}

/// Reads the body as far as is of use.
async fn read_body(
    stream: &mut (impl AsyncRead + Unpin),
    buffer: &mut Vec<u8>,
    body: &mut Body,
) -> Result<(), BadReply> {
    loop {
        body.take(buffer)?;
        if body.is_done() {
            return Ok(());
        }
        buffer.clear();
        buffer.reserve(BODY_READ_OCTETS);
        if stream.read_buf(buffer).await? == 0 {
            return body.closed();
        }
    }
}

/// The octets of a request.
fn octets(asked: &Request<'_>) -> Result<Vec<u8>, ProbeError> {
    let (method, path) = (asked.method, &*asked.path);
    let refuse = |error: &dyn std::fmt::Display| {
        ProbeError::Failed(format!("`{method} {path}` is no HTTP request: {error}"))
    };
    Method::from_bytes(method.as_bytes()).map_err(|error| refuse(&error))?;
    let path = PathAndQuery::try_from(path).map_err(|error| refuse(&error))?;
    let mut text = Vec::with_capacity(BUFFER_OCTETS);
    for part in [method, " ", path.as_str(), " HTTP/1.1\r\n"] {
        text.extend_from_slice(part.as_bytes());
    }
    let mut has = [false; 4];
    let ours = [HOST, USER_AGENT, ACCEPT, CONNECTION];
    for (name, value) in asked.check.headers.iter().filter(|(name, _)| asked.sends(name)) {
        let refuse = || ProbeError::Failed(format!("`{name}` is no valid HTTP header"));
        let parsed = HeaderName::try_from(&**name).map_err(|_| refuse())?;
        let value = HeaderValue::from_str(value).map_err(|_| refuse())?;
        for (has, name) in has.iter_mut().zip(&ours) {
            *has |= parsed == *name;
        }
        add(&mut text, name, value.as_bytes());
    }
    let port = if asked.tls { 443 } else { 80 };
    let host = if has[0] { String::new() } else { asked.to.authority(port) };
    let values = [host.as_str(), AGENT, "*/*", "close"];
    for ((has, name), value) in has.into_iter().zip(&ours).zip(values) {
        if !has {
            add(&mut text, name.as_str(), value.as_bytes());
        }
    }
    if let Some(body) = asked.body {
        add(&mut text, "content-length", body.len().to_string().as_bytes());
    }
    text.extend_from_slice(b"\r\n");
    text.extend_from_slice(asked.body.unwrap_or_default().as_bytes());
    Ok(text)
}

fn add(text: &mut Vec<u8>, name: &str, value: &[u8]) {
    text.extend_from_slice(name.as_bytes());
    text.extend_from_slice(b": ");
    text.extend_from_slice(value);
    text.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
