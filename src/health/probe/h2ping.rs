//! The `h2ping` check: an HTTP/2 connection acknowledges a PING (RFC 9113 §6.7). Nothing is asked.

use h2::{Ping, client};

use super::{
    ProbeError, Prober,
    connect::Destination,
    prober::Progress,
    tls::{How, Inside},
};
use crate::model::H2pingCheck;

/// Connects, sends a PING and waits for its acknowledgement.
pub(super) async fn probe(
    prober: &Prober,
    to: &Destination,
    check: &H2pingCheck,
    progress: &Progress,
) -> Result<String, ProbeError> {
    let H2pingCheck { tls, tls_skip_verify: skip_verify, tls_name, .. } = check;
    let (tls, skip_verify, name) = (*tls, *skip_verify, tls_name.as_deref());
    let how = How { inside: Inside::Http2, tls, skip_verify, name };
    let stream = prober.open(to, how, progress).await?;
    progress.enter("waiting for the acknowledgement of a PING by");
    let failed = |error: h2::Error| ProbeError::talking("HTTP/2", to, &error);
    let (requests, mut connection) = client::handshake(stream).await.map_err(failed)?;
    let mut pings = connection.ping_pong().expect("nobody has taken it before");
    let acknowledged = tokio::select! {
        // The connection moves the frames; it ends when the peer ends it.
        ended = connection => match ended {
            Ok(()) => Err(ProbeError::Failed(format!("HTTP/2 with {to}: connection closed"))),
            Err(error) => Err(failed(error)),
        },
        pong = pings.ping(Ping::opaque()) => pong.map(drop).map_err(failed),
    };
    drop(requests); // without it the connection would have ended for want of work
    acknowledged?;
    Ok(format!("HTTP/2 PING {to}: success"))
}

#[cfg(test)]
mod tests;
