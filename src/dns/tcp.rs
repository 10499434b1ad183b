//! DNS over TCP (RFC 7766): accepting connections, within limits.
//!
//! The accept loop is ours, because hickory's has no limit on connections; framing and sending are
//! hickory's stream of messages. What a connection may cost is bounded on all sides: how many there
//! are, how many of one client, how long one may be without a whole message, and, since a message
//! is read only when the reply to the one before it is on its way, one message and one reply each.

mod connection;
mod gate;
mod stream;

use std::{sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::connection::Connection;
pub(super) use self::gate::Gate;
use super::{
    stats::{SharedPen, Stats},
    view::World,
};
use crate::util::Clock;

/// How long the accept loop rests when the system has no more descriptors or memory.
const FAILURE_REST: Duration = Duration::from_millis(100);

/// What TCP connections may take. May change while the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpLimits {
    /// Connections in all. Each may hold one message of 64 KiB, so the default bounds them to
    /// 64 MiB together.
    pub connections: usize,
    /// Connections of one client: an IPv4 address, or an IPv6 /64, which is what one host is given.
    pub connections_per_client: usize,
    /// How long a connection is kept without a whole message, or with a reply that is not read.
    pub idle_timeout: Duration,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub world: World,
    pub stats: Stats,
    pub pen: SharedPen,
    pub limits: Arc<ArcSwap<TcpLimits>>,
    pub clock: Clock,
    pub stop: CancellationToken,
    pub gate: Gate,
}

// === impl TcpLimits ===

impl Default for TcpLimits {
    fn default() -> Self {
        Self {
            connections: 1_000,
            connections_per_client: 100,
            idle_timeout: Duration::from_secs(10),
        }
    }
}

/// Serves the connections that come to `listener` until stopped; returns when the last one is done.
pub(super) async fn serve(listener: TcpListener, shared: Arc<Shared>) {
    let connections = TaskTracker::new();
    let mut is_failing = false;
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = shared.stop.cancelled() => break,
        };
        match accepted {
            Ok((stream, peer)) => {
                is_failing = false;
                let limits = **shared.limits.load();
                match shared.gate.admit(peer.ip(), &limits) {
                    Ok(pass) => {
                        let connection = Connection::new(Arc::clone(&shared), peer, pass);
                        connections.spawn(connection.serve(stream));
                    }
                    Err(refusal) => shared.stats.refuse_connection(refusal),
                }
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

/// Whether the error is about one connection, gone before it was accepted.
fn is_clients_fault(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
