//! Who asks, and how.

use std::{net::IpAddr, time::Duration};

/// Who asks for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The address that the query came from; one of IPv4 is never written as one of IPv6.
    pub client: IpAddr,
    /// How it came.
    pub transport: Transport,
    /// Whether the answer may allocate, or take long: not on the fast path, which hands the few
    /// names that need it to the full path.
    pub may_allocate: bool,
    /// The time, seconds since the Unix epoch modulo 2³²: the age of DNS cookies (RFC 9018 §4.3).
    pub now: u32,
    /// The time since the server's start, by which rates are counted.
    pub since_start: Duration,
    /// After which an idle connection is closed, in units of 100 ms: what a client is told that
    /// asks for it (RFC 7828 §3.1). Zero where no connection is kept.
    pub keepalive: u16,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Transport {
    /// In an HTTP request (DoH, RFC 8484).
    Https,
    /// In a stream of a QUIC connection (DoQ, RFC 9250).
    Quic,
    /// As a stream of messages: long replies are welcome.
    Tcp,
    /// The same within TLS (DoT, RFC 7858).
    Tls,
    /// As a datagram: the reply is held to a size, and cut where it must be.
    Udp,
}

// === impl Caller ===

impl Caller {
    /// A client at `client`, for an answer that neither allocates nor takes long, without a
    /// connection that is kept.
    #[inline]
    pub const fn new(client: IpAddr, transport: Transport, now: u32) -> Self {
        let since_start = Duration::ZERO;
        Self { client, transport, may_allocate: false, now, since_start, keepalive: 0 }
    }

    /// The same for an answer that may allocate and take long.
    #[must_use]
    pub fn unhurried(self) -> Self {
        Self { may_allocate: true, ..self }
    }
}

// === impl Transport ===

impl Transport {
    /// All of them, in order.
    pub const ALL: [Self; 5] = [Self::Https, Self::Quic, Self::Tcp, Self::Tls, Self::Udp];

    /// Whether the client's address may be forged, and the reply is held to the size of a datagram.
    #[inline]
    pub fn is_datagram(self) -> bool {
        self == Self::Udp
    }

    /// Whether nobody on the way can read it.
    #[inline]
    pub fn is_encrypted(self) -> bool {
        matches!(self, Self::Https | Self::Quic | Self::Tls)
    }

    /// Its name as people write it.
    pub fn title(self) -> &'static str {
        match self {
            Self::Https => "HTTPS",
            Self::Quic => "QUIC",
            Self::Tcp => "TCP",
            Self::Tls => "TLS",
            Self::Udp => "UDP",
        }
    }

    /// Its name as a label of metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Quic => "quic",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Udp => "udp",
        }
    }
}
