//! The `grpc` check: `grpc.health.v1.Health/Check` answers `SERVING`.
//!
//! The connection is made by us, so that its errors read as in every other check, and handed to
//! tonic's channel, which may take it once. The channel's two tasks end when it is dropped.

use std::{future::ready, sync::Arc};

use hyper::Uri;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tonic::{Code, Status, transport::Endpoint};
use tonic_health::pb::{
    HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient,
};
use tower::service_fn;

use super::{
    ProbeError, Prober,
    connect::Destination,
    http::AGENT,
    prober::{Progress, innermost},
    tls::{How, Inside},
};
use crate::model::GrpcCheck;

/// Octets of a reply that are read: the message has one field, a number.
const REPLY_OCTETS_MAX: usize = 4 * 1024;

/// Calls `Check` and judges the serving status.
pub(super) async fn probe(
    prober: &Prober,
    to: &Destination,
    check: &GrpcCheck,
    progress: &Progress,
) -> Result<String, ProbeError> {
    let GrpcCheck { tls, tls_skip_verify: skip_verify, tls_name, .. } = check;
    let (tls, skip_verify, name) = (*tls, *skip_verify, tls_name.as_deref());
    let how = How { inside: Inside::Http2, tls, skip_verify, name };
    let stream = prober.open(to, how, progress).await?;
    progress.enter("waiting for the reply of");
    let endpoint = match name {
        Some(name) => endpoint(&to.called(name), tls)?,
        None => endpoint(to, tls)?,
    };
    let stream = Arc::new(Mutex::new(Some(TokioIo::new(stream))));
    let connector = service_fn(move |_: Uri| {
        let closed = || std::io::Error::other("connection closed before the reply");
        ready(stream.lock().take().ok_or_else(closed))
    });
    let channel = endpoint.connect_with_connector(connector).await;
    let channel = channel.map_err(|error| ProbeError::talking("gRPC", to, &error))?;
    let mut client = HealthClient::new(channel).max_decoding_message_size(REPLY_OCTETS_MAX);
    let request = HealthCheckRequest { service: check.service.to_string() };
    match client.check(request).await {
        Ok(reply) => match reply.get_ref().status() {
            ServingStatus::Serving => Ok("gRPC SERVING".into()),
            other => Err(ProbeError::Failed(format!("gRPC {}", other.as_str_name()))),
        },
        Err(status) => Err(ProbeError::Failed(explain(&status, to, check))),
    }
}

fn endpoint(to: &Destination, tls: bool) -> Result<Endpoint, ProbeError> {
    let (scheme, port) = if tls { ("https", 443) } else { ("http", 80) };
    let origin = format!("{scheme}://{}", to.authority(port));
    let refuse = |what: String| ProbeError::Failed(format!("`{origin}` is no address: {what}"));
    let uri: Uri = origin.parse().map_err(|error| refuse(format!("{error}")))?;
    // The channel would speak TLS itself to an https address; the origin only names the scheme.
    let plain = format!("http://{}", to.authority(port));
    let endpoint = Endpoint::from_shared(plain).map_err(|error| refuse(format!("{error}")))?;
    let endpoint = endpoint.user_agent(AGENT).map_err(|error| refuse(format!("{error}")))?;
    Ok(endpoint.origin(uri))
}

/// A gRPC error in an operator's words.
fn explain(status: &Status, to: &Destination, check: &GrpcCheck) -> String {
    match status.code() {
        Code::NotFound => format!("gRPC NOT_FOUND: no service `{}` there", check.service),
        Code::Unimplemented => {
            "gRPC UNIMPLEMENTED: the server does not offer grpc.health.v1.Health".into()
        }
        code => match std::error::Error::source(status) {
            Some(source) => format!("gRPC with {to}: {}", innermost(source)),
            None => format!("gRPC {code:?}: {}", status.message()),
        },
    }
}

#[cfg(test)]
mod tests;
