//! The handshake of TLS over a stream, for a limited time.

use std::{fmt::Display, net::IpAddr, sync::Arc};

use rustls::ServerConfig;
use tokio::{net::TcpStream, time::timeout};
use tokio_rustls::{TlsAcceptor, server::TlsStream};

use crate::dns::{
    Transport,
    stats::{HandshakeFault, Stats},
    tcp::Visit,
};

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
    let who = (visit.transport, visit.client);
    match shaken {
        Ok(Ok(stream)) => return Some(stream),
        Ok(Err(error)) => handshake_failed(&shared.stats, who, HandshakeFault::Tls, error),
        Err(late) => handshake_failed(&shared.stats, who, HandshakeFault::TimedOut, late),
    }
    None
}

/// Counts a handshake that failed, and tells of it if the log is to have such things: anybody can
/// have as many as there are connections.
pub(in crate::dns) fn handshake_failed(
    stats: &Stats,
    (transport, client): (Transport, IpAddr),
    fault: HandshakeFault,
    reason: impl Display,
) {
    let transport_name = transport.as_str();
    tracing::debug!(transport = transport_name, %client, %reason, "handshake failed");
    stats.fail_handshake(transport, fault);
}
