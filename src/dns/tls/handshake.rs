//! The handshake of TLS over a stream, for a limited time.

use std::sync::Arc;

use rustls::ServerConfig;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::dns::{stats::HandshakeFault, tcp::Visit};

/// Agrees with a client on TLS; nothing if that fails or takes too long, which is counted, or if
/// the server stops meanwhile.
pub(in crate::dns) async fn shake_hands(
    stream: std::net::TcpStream,
    config: Arc<ServerConfig>,
    visit: &Visit,
) -> Option<TlsStream<TcpStream>> {
    let shared = &visit.shared;
    let patience = shared.limits.load().handshake_timeout;
    let stream = TcpStream::from_std(stream).ok()?;
    let shaken = timeout(patience, TlsAcceptor::from(config).accept(stream));
    let shaken = tokio::select! {
        shaken = shaken => shaken,
        () = shared.stop.cancelled() => return None,
    };
    let fault = match shaken {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(_)) => HandshakeFault::Tls,
        Err(_) => HandshakeFault::TimedOut,
    };
    shared.stats.fail_handshake(visit.transport, fault);
    None
}
