//! The `http` check, with or without TLS: one request, one reply, no redirect.
//!
//! A redirect is a reply like any other and fails unless its status is expected: following it
//! would check whatever it points to. The reply's body is read up to a bound, its first part
//! becomes the output; a reply that breaks off fails, because its reader would fail too.

use std::pin::pin;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{
    Request, Response, StatusCode,
    body::Incoming,
    client::conn::http1::{self, SendRequest},
    header::{ACCEPT, CONNECTION, HOST, HeaderMap, HeaderName, HeaderValue, LOCATION, USER_AGENT},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use super::{
    ProbeError, Prober,
    connect::Destination,
    prober::{Progress, innermost},
    tls::Inside,
};
use crate::model::{HttpCheck, limit};

/// How a probe introduces itself.
pub(super) const AGENT: &str = concat!("rollcall/", env!("CARGO_PKG_VERSION"));
/// Octets of a body that are read; what comes after them is somebody's download, not a health page.
const BODY_OCTETS_MAX: usize = 64 * 1024;
/// Octets of a reply's head. Servers rarely take more than 16 KiB; this is room for cookies.
const HEAD_OCTETS_MAX: usize = 64 * 1024;

/// Sends the request and judges the reply.
pub(super) async fn probe(
    prober: &Prober,
    to: &Destination,
    check: &HttpCheck,
    progress: &Progress,
) -> Result<String, ProbeError> {
    let request = request(check, to)?;
    let stream = prober.resolver.connect(to, progress).await?;
    if check.tls {
        let how = (Inside::Http1, check.tls_skip_verify);
        let stream = prober.tls.connect(stream, to, how, progress).await?;
        converse(stream, request, check, (to, progress)).await
    } else {
        converse(stream, request, check, (to, progress)).await
    }
}

async fn converse(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send,
    request: Request<Empty<Bytes>>,
    check: &HttpCheck,
    (to, progress): (&Destination, &Progress),
) -> Result<String, ProbeError> {
    progress.enter("waiting for the reply of");
    let mut builder = http1::Builder::new();
    builder.max_buf_size(HEAD_OCTETS_MAX);
    let handshake = builder.handshake(TokioIo::new(stream)).await;
    let (sender, connection) = handshake.map_err(|e| ProbeError::talking("HTTP", to, &e))?;
    let mut exchange = pin!(exchange(sender, request, check, (to, progress)));
    // Both halves in one future: when the timeout drops it, the socket is closed with it.
    tokio::select! {
        result = &mut exchange => result,
        _ = connection => exchange.await, // what ended the connection reaches the exchange
    }
}

async fn exchange(
    mut sender: SendRequest<Empty<Bytes>>,
    request: Request<Empty<Bytes>>,
    check: &HttpCheck,
    (to, progress): (&Destination, &Progress),
) -> Result<String, ProbeError> {
    let reply = sender.send_request(request).await;
    let reply = reply.map_err(|error| ProbeError::talking("HTTP", to, &error))?;
    progress.enter("reading the body of the reply of");
    let head = describe(&reply);
    let passes = check.expect.accepts(reply.status().as_u16());
    let body = match read_some(reply.into_body()).await {
        Ok(body) => body,
        Err(error) => {
            let cause = innermost(&error);
            return Err(ProbeError::Failed(format!("{head}, but the body broke off: {cause}")));
        }
    };
    let body = String::from_utf8_lossy(&body);
    let output = match body.trim() {
        "" => head,
        text => format!("{head}: {text}"),
    };
    if passes { Ok(output) } else { Err(ProbeError::Failed(output)) }
}

/// `HTTP 200 OK`, and where a redirect would lead.
fn describe(reply: &Response<Incoming>) -> String {
    let status = reply.status();
    let reason = status.canonical_reason().map(|reason| format!(" {reason}")).unwrap_or_default();
    let code = status.as_u16();
    match reply.headers().get(LOCATION) {
        Some(place) if status.is_redirection() && status != StatusCode::NOT_MODIFIED => {
            let place = String::from_utf8_lossy(place.as_bytes());
            format!("HTTP {code}{reason} to {place} (redirects are not followed)")
        }
        _ => format!("HTTP {code}{reason}"),
    }
}

/// Reads up to the bound and keeps what an output can show.
async fn read_some(mut body: Incoming) -> Result<Vec<u8>, hyper::Error> {
    let (mut kept, mut seen) = (Vec::new(), 0);
    while seen < BODY_OCTETS_MAX
        && let Some(frame) = body.frame().await
    {
        if let Some(data) = frame?.data_ref() {
            seen += data.len();
            let room = limit::CHECK_OUTPUT_OCTETS_MAX - kept.len();
            kept.extend_from_slice(&data[..data.len().min(room)]);
        }
    }
    Ok(kept)
}

fn request(check: &HttpCheck, to: &Destination) -> Result<Request<Empty<Bytes>>, ProbeError> {
    let mut request =
        Request::builder().method(&*check.method).uri(&*check.path).body(Empty::new()).map_err(
            |error| {
                let (method, path) = (&check.method, &check.path);
                ProbeError::Failed(format!("`{method} {path}` is no HTTP request: {error}"))
            },
        )?;
    *request.headers_mut() = headers(check, to)?;
    Ok(request)
}

fn headers(check: &HttpCheck, to: &Destination) -> Result<HeaderMap, ProbeError> {
    let refuse = |name: &str| ProbeError::Failed(format!("`{name}` is no valid HTTP header"));
    let mut headers = HeaderMap::new();
    for (name, value) in &check.headers {
        let value = HeaderValue::from_str(value).map_err(|_| refuse(name))?;
        headers.append(HeaderName::try_from(&**name).map_err(|_| refuse(name))?, value);
    }
    let host = to.authority(if check.tls { 443 } else { 80 });
    let host = HeaderValue::try_from(host).map_err(|_| refuse("Host"))?;
    headers.entry(HOST).or_insert(host);
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.entry(CONNECTION).or_insert(HeaderValue::from_static("close"));
    Ok(headers)
}

#[cfg(test)]
mod tests;
