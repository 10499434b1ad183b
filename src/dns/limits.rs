//! What connections may take. May change while the server runs.

use std::time::Duration;

use super::Transport;

/// The limits of all kinds of connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Plain TCP.
    pub tcp: ConnectionLimits,
    /// The encrypted transports together. Apart from those of plain TCP, so that whoever takes all
    /// of these keeps nobody from asking again over TCP after a reply that was cut.
    pub encrypted: ConnectionLimits,
    /// How long a handshake of TLS or QUIC may take.
    pub handshake_timeout: Duration,
    /// Questions that may be under way at once on one connection over HTTPS or QUIC.
    pub streams: u32,
}

/// What connections of one kind may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// Connections in all. An idle one over TCP holds no buffer; one whose client asks for the
    /// longest replies and reads none holds up to 416 KiB: 80 that were read, 80 to be sent, and
    /// four replies that took long. So the default bounds them to 400 MiB, if all clients mean
    /// harm. Replies of upstreams that such a client does not read keep their places among what is
    /// forwarded: over all connections they are as many as may be forwarded at once, 64 KiB each at
    /// the most. An idle one that is encrypted holds 12 to 40 KiB; one whose client means harm up
    /// to 2 MiB over HTTPS or QUIC: 512 KiB of replies, what HTTP/2 or QUIC has taken of them for
    /// each stream, 256 KiB of questions that do not end, and as much that has come and is not
    /// read. Measured were up to 1 MiB, of clients that read nothing, or end nothing, or both.
    pub connections: usize,
    /// Connections of one client: an IPv4 address, or an IPv6 /64, which is what one host is given.
    pub connections_per_client: usize,
    /// How long a connection is kept without a whole message, or with replies that are not read.
    pub idle_timeout: Duration,
}

// === impl Limits ===

impl Limits {
    /// The limits of the connections of one transport.
    pub(super) fn of(&self, transport: Transport) -> &ConnectionLimits {
        if transport.is_encrypted() { &self.encrypted } else { &self.tcp }
    }
}

impl Default for Limits {
    fn default() -> Self {
        let tcp = ConnectionLimits::default();
        Self {
            tcp,
            // A handshake costs both sides more than keeping the connection for a while.
            encrypted: ConnectionLimits { idle_timeout: Duration::from_secs(30), ..tcp },
            handshake_timeout: Duration::from_secs(5),
            streams: 64,
        }
    }
}

// === impl ConnectionLimits ===

impl Default for ConnectionLimits {
    fn default() -> Self {
        Self {
            connections: 1_000,
            connections_per_client: 100,
            idle_timeout: Duration::from_secs(10),
        }
    }
}
