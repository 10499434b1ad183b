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
mod gate;
mod line;
mod runners;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use arc_swap::ArcSwap;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::connection::Connection;
pub(super) use self::{
    gate::{Gate, client_of},
    runners::Runners,
};
use super::{full::Lanes, stats::Stats, view::World};
use crate::util::Clock;

/// How long the accept loop rests when the system has no more descriptors or memory.
const FAILURE_REST: Duration = Duration::from_millis(100);

/// What TCP connections may take. May change while the server runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TcpLimits {
    /// Connections in all. An idle one holds no buffer; one whose client asks for the longest
    /// replies and reads none holds up to 416 KiB: 80 that were read, 80 to be sent, and four
    /// replies that took long. So the default bounds them to 400 MiB, if all clients mean harm.
    pub connections: usize,
    /// Connections of one client: an IPv4 address, or an IPv6 /64, which is what one host is given.
    pub connections_per_client: usize,
    /// How long a connection is kept without a whole message, or with replies that are not read.
    pub idle_timeout: Duration,
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Shared {
    pub world: World,
    pub stats: Stats,
    pub lanes: Lanes,
    pub limits: Arc<ArcSwap<TcpLimits>>,
    pub clock: Clock,
    pub stop: CancellationToken,
    pub gate: Gate,
    pub runners: Runners,
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
                admit(stream, peer, &shared, &connections);
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
fn admit(stream: TcpStream, peer: SocketAddr, shared: &Arc<Shared>, connections: &TaskTracker) {
    let limits = **shared.limits.load();
    match shared.gate.admit(peer.ip(), &limits) {
        Ok(pass) => {
            // A reply waits for no acknowledgement of the one before. Without it, it is only slow.
            let _ = stream.set_nodelay(true);
            // It is for the runtime that it goes to, to watch it. A socket that cannot be moved is
            // a broken one.
            let Ok(stream) = stream.into_std() else { return };
            let runner = shared.runners.next();
            let connection =
                Connection::new(Arc::clone(shared), Arc::clone(&runner.pen), pass, peer.ip());
            connections.spawn_on(connection.serve(stream), &runner.runtime);
        }
        Err(refusal) => shared.stats.refuse_connection(refusal),
    }
}

/// Whether the error is about one connection, gone before it was accepted.
fn is_clients_fault(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}
