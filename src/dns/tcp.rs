//! DNS over TCP (RFC 7766): accepting connections, within limits.
//!
//! All that has come on a connection is read at once, answered at once and sent at once: a system
//! call costs more than ten answers. That is why hickory's streams, which take a message at a time
//! in two reads, are not used here; framing is tokio-util's. Connections live on threads of their
//! own, one runtime each ([`Runners`]), so that neither do they wait behind the API's work nor it
//! behind theirs.
//!
//! What a connection may cost is bounded on all sides: how many there are, how many of one client,
//! how long one may be without a whole message, how much is read of it before it is answered, how
//! long it is answered before it is another one's turn, how much waits to be sent before more is
//! read, and how many of its messages are on the long lane.

mod connection;
#[cfg(any(test, fuzzing))]
mod fuzzing;
mod gates;
mod line;
mod room;
mod runners;
#[cfg(any(test, fuzzing))]
pub(super) mod testing;
mod visit;
mod wire;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[cfg(any(test, fuzzing))]
pub use self::fuzzing::framing;
pub(super) use self::{
    connection::Connection,
    gates::Gates,
    room::{Full, Question, Room, Taken, WAITING_OCTETS_MAX},
    runners::{Runner, Runners},
    visit::{NoReply, Visit},
    wire::Wire,
};
use super::{Limits, Transport, full::Lanes, https, stats::Stats, tls, view::World};
use crate::util::{Clock, Places};

/// How long the accept loop rests when the system has no more descriptors or memory.
const FAILURE_REST: Duration = Duration::from_millis(100);

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub world: World,
    pub stats: Stats,
    pub lanes: Lanes,
    pub limits: Arc<ArcSwap<Limits>>,
    pub clock: Clock,
    pub stop: CancellationToken,
    pub gates: Gates,
    /// Handshakes over QUIC of addresses that are not proven.
    pub unproven: Places,
    pub runners: Runners,
    /// Those of the encrypted transports, if any is served. A handshake takes half a millisecond
    /// of a core, and is not to be in the way of whoever asks again over TCP.
    pub encrypted_runners: Option<Runners>,
}

// === impl Shared ===

impl Shared {
    /// The thread whose turn it is to take a connection.
    pub(super) fn runner(&self, transport: Transport) -> &Runner {
        let encrypted = self.encrypted_runners.as_ref().filter(|_| transport.is_encrypted());
        encrypted.unwrap_or(&self.runners).next()
    }
}

/// What is spoken on the connections of a listener.
pub(super) enum Speech {
    /// DNS as it is.
    Plain,
    /// DNS within TLS.
    Tls(Arc<rustls::ServerConfig>),
    /// DNS over HTTPS, at a path.
    Https(Arc<rustls::ServerConfig>, Arc<str>),
}

// === impl Speech ===

impl Speech {
    fn transport(&self) -> Transport {
        match self {
            Self::Plain => Transport::Tcp,
            Self::Tls(_) => Transport::Tls,
            Self::Https(..) => Transport::Https,
        }
    }
}

/// Serves the connections that come to `listener` until stopped; returns when the last one is done.
pub(super) async fn serve(listener: TcpListener, speech: Speech, shared: Arc<Shared>) {
    let connections = TaskTracker::new();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => break,
        };
        match accepted {
            Ok(accepted) => {
                is_failing = false;
                admit(accepted, &speech, &shared, &connections);
            }
            Err(error) if is_clients_fault(&error) => {}
            Err(error) => {
                if !is_failing {
                    let address = listener.local_addr().ok();
                    tracing::error!(?address, %error, "cannot accept DNS connections; retrying");
                }
                is_failing = true;
                tokio::time::sleep(FAILURE_REST).await;
            }
        }
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// Gives a connection that is within the limits to a runner; another is closed.
fn admit(
    (stream, peer): (TcpStream, SocketAddr),
    speech: &Speech,
    shared: &Arc<Shared>,
    connections: &TaskTracker,
) {
    let transport = speech.transport();
    let runner = shared.runner(transport);
    let visit = Visit::begin(shared, transport, peer.ip(), runner.pen(transport));
    let Some(visit) = visit else { return };
    // A reply waits for no acknowledgement of the one before. Without it, it is only slow.
    let _ = stream.set_nodelay(true);
    // It is for the runtime that it goes to, to watch it. A socket that cannot be moved is a broken
    // one.
    let Ok(stream) = stream.into_std() else { return };
    // Futures of their own: an idle plain connection does not take the room of the others.
    match speech {
        Speech::Plain => {
            let serving = async move {
                if let Ok(stream) = TcpStream::from_std(stream) {
                    Connection::new(visit).serve(stream).await;
                }
            };
            connections.spawn_on(serving, &runner.runtime)
        }
        Speech::Tls(config) => {
            let config = Arc::clone(config);
            let serving = async move {
                if let Some(stream) = tls::shake_hands(stream, config, &visit).await {
                    Connection::new(visit).serve(stream).await;
                }
            };
            connections.spawn_on(serving, &runner.runtime)
        }
        Speech::Https(config, path) => {
            let (config, path) = (Arc::clone(config), Arc::clone(path));
            let serving = async move {
                if let Some(stream) = tls::shake_hands(stream, config, &visit).await {
                    https::serve(stream, visit, path).await;
                }
            };
            connections.spawn_on(serving, &runner.runtime)
        }
    };
}

/// Whether the error is about one connection, gone before it was accepted.
fn is_clients_fault(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
