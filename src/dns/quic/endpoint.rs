//! One address on which QUIC is spoken: who comes in.

use std::{io, net::UdpSocket, sync::Arc, time::Duration};

use quinn::{
    EndpointConfig, IdleTimeout, ServerConfig, TokioRuntime, TransportConfig, VarInt,
    crypto::rustls::QuicServerConfig,
};
use tokio::time::timeout;
use tokio_util::task::TaskTracker;

use super::{code, connection};
use crate::dns::{
    Limits, Transport,
    tcp::{Shared, Visit},
};

/// Handshakes of unproven addresses under way, over all sockets, with which an address has to be
/// proven first. So many clients come at once when a server begins.
const UNPROVEN_MAX: usize = 64;

/// The part of a limit on connections that those may take: a flood in others' names leaves the
/// rest to whoever is there.
const UNPROVEN_DIVISOR: usize = 4;

/// Clients that wait to be let in, which happens at once; more are a flood.
const INCOMING_MAX: usize = 1_024;

/// Octets that those may have sent meanwhile, all together.
const INCOMING_OCTETS_MAX: u64 = 1 << 20;

/// Octets of one question with its length, with room to spare.
const STREAM_WINDOW: u32 = 68 << 10;

/// Octets of all questions of a connection that may come before they are read.
const RECEIVE_WINDOW: u32 = 256 << 10;

/// Octets of replies that are sent before the client has said that it has them.
const SEND_WINDOW: u64 = 256 << 10;

/// How much later than idleness ends a connection by a word to its client, silence ends it without
/// one: the client is gone, and would not hear it.
const SILENCE: Duration = Duration::from_secs(5);

/// How long closed connections are waited for, whose clients are told so once more if they ask.
const CLOSING_TIMEOUT: Duration = Duration::from_secs(2);

/// A socket on which QUIC is spoken.
pub(in crate::dns) struct Endpoint {
    quinn: quinn::Endpoint,
    crypto: Arc<QuicServerConfig>,
    shared: Arc<Shared>,
    /// For which limits the configuration was made, and the configuration.
    made: (Limits, Arc<ServerConfig>),
}

// === impl Endpoint ===

impl Endpoint {
    /// To be called within the runtime that is to watch the socket.
    ///
    /// # Errors
    /// When the system refuses to watch it, or TLS is not what QUIC needs.
    pub(in crate::dns) fn new(
        socket: UdpSocket,
        tls: rustls::ServerConfig,
        shared: Arc<Shared>,
    ) -> io::Result<Self> {
        let crypto = Arc::new(QuicServerConfig::try_from(tls).map_err(io::Error::other)?);
        let limits = **shared.limits.load();
        let config = configure(&crypto, &limits);
        let (endpoint, runtime) = (EndpointConfig::default(), Arc::new(TokioRuntime));
        let quinn = quinn::Endpoint::new(endpoint, Some(config.clone()), socket, runtime)?;
        Ok(Self { quinn, crypto, shared, made: (limits, Arc::new(config)) })
    }

    /// The configuration for whoever comes now.
    fn config(&mut self) -> Arc<ServerConfig> {
        let limits = **self.shared.limits.load();
        if self.made.0 != limits {
            self.made = (limits, Arc::new(configure(&self.crypto, &limits)));
        }
        Arc::clone(&self.made.1)
    }
}

fn configure(crypto: &Arc<QuicServerConfig>, limits: &Limits) -> ServerConfig {
    let mut transport = TransportConfig::default();
    let idle = IdleTimeout::try_from(limits.encrypted.idle_timeout + SILENCE);
    transport
        .max_concurrent_bidi_streams(VarInt::from_u32(limits.streams))
        // There is nothing that a client could say on them (RFC 9250 §4.3.3).
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .max_idle_timeout(Some(idle.expect("the limits are some minutes")))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(RECEIVE_WINDOW))
        .send_window(SEND_WINDOW)
        .datagram_receive_buffer_size(None);
    let mut config = ServerConfig::with_crypto(Arc::clone(crypto) as _);
    config
        .transport_config(Arc::new(transport))
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_OCTETS_MAX)
        .incoming_buffer_size_total(INCOMING_OCTETS_MAX);
    config
}

/// Serves the connections that come until stopped; returns when the last one is done.
pub(in crate::dns) async fn serve(mut endpoint: Endpoint) {
    let shared = Arc::clone(&endpoint.shared);
    let connections = TaskTracker::new();
    loop {
        let incoming = tokio::select! {
            incoming = endpoint.quinn.accept() => incoming,
            () = shared.stop.cancelled() => break,
        };
        let Some(incoming) = incoming else { break };
        let is_proven = incoming.remote_address_validated() || !incoming.may_retry();
        let handshaking = (!is_proven).then(|| shared.unproven.take(unproven_max(&shared)));
        if let Some(None) = handshaking {
            shared.stats.ask_for_proof();
            let _gone = incoming.retry();
            continue;
        }
        let (client, runner) = (incoming.remote_address().ip(), shared.runner(Transport::Quic));
        let pen = runner.pen(Transport::Quic);
        match Visit::begin(&shared, Transport::Quic, client, pen) {
            None => incoming.refuse(),
            Some(visit) => {
                let (config, handshaking) = (endpoint.config(), handshaking.flatten());
                let serving = connection::serve(incoming, config, visit, handshaking);
                connections.spawn_on(serving, &runner.runtime);
            }
        }
    }
    endpoint.quinn.set_server_config(None);
    connections.close();
    connections.wait().await;
    endpoint.quinn.close(code::NO_ERROR, b"the server stops");
    let _late = timeout(CLOSING_TIMEOUT, endpoint.quinn.wait_idle()).await;
}

/// Handshakes of unproven addresses that may be under way now. Each takes a place among all
/// connections, and one of those of the client in whose name it comes.
fn unproven_max(shared: &Shared) -> usize {
    let limits = shared.limits.load().encrypted;
    let places = limits.connections.min(limits.connections_per_client);
    UNPROVEN_MAX.min(places / UNPROVEN_DIVISOR)
}
