//! The kinds of check, and what each of them does.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Thresholds, checked_ttl};
use crate::model::{Invalid, Scope, limit};

/// The kinds of check.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// It is as well as another instance, or as a node: the registry knows.
    Alias(Box<AliasCheck>),
    /// `grpc.health.v1.Health/Check` answers `SERVING`.
    Grpc(Box<GrpcCheck>),
    /// An HTTP/2 connection acknowledges a PING (RFC 9113 §6.7).
    H2ping(Box<H2pingCheck>),
    /// A request is answered with an expected status.
    Http(Box<HttpCheck>),
    /// Nobody looks: its state is what was last said of it.
    Manual,
    /// A connection is accepted.
    Tcp(Box<TcpCheck>),
    /// The instance (or something on its behalf) reports at least once in `ttl`.
    Ttl {
        /// The longest silence that is believed.
        ttl: Duration,
    },
    /// A datagram is not refused.
    Udp(Box<UdpCheck>),
}

/// Whom a check takes its state from.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct AliasCheck {
    /// Within which the id is unique.
    pub scope: Scope,
    /// What the other is called there; empty for the node itself.
    pub id: Arc<str>,
}

/// An HTTP or HTTPS request.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpCheck {
    /// Whom to ask.
    pub target: Target,
    /// Whether to speak TLS.
    pub tls: bool,
    /// Whether to accept any certificate.
    pub tls_skip_verify: bool,
    /// Whether to ask where a redirect leads to; otherwise it is a reply like any other.
    pub follow_redirects: bool,
    /// The request's method, upper case.
    pub method: Arc<str>,
    /// Path and query, beginning with `/`.
    pub path: Arc<str>,
    /// Headers to send beside `Host` and `User-Agent`, which they may replace.
    pub headers: Box<[(Arc<str>, Arc<str>)]>,
    /// The status codes that pass.
    pub expect: Expect,
    /// The status codes that mean warning, whether they are among those that pass or not.
    pub warn: Option<Expect>,
    /// What few requests have.
    pub extra: Option<Box<HttpExtra>>,
    /// When to ask and how many results to believe.
    pub thresholds: Thresholds,
}

/// What few requests have, and all others need no room for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HttpExtra {
    /// The request's body.
    pub body: Option<Arc<str>>,
    /// The name that TLS asks for and that the certificate must have, instead of the target's.
    pub tls_name: Option<Arc<str>>,
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpCheck {
    /// Whom to call.
    pub target: Target,
    /// Whether a TLS handshake must come to its end, too.
    pub tls: bool,
    /// Whether to accept any certificate.
    pub tls_skip_verify: bool,
    /// The name that TLS asks for and that the certificate must have, instead of the target's.
    pub tls_name: Option<Arc<str>>,
    /// When to ask and how many results to believe.
    pub thresholds: Thresholds,
}

/// A call of the gRPC health protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GrpcCheck {
    /// Whom to ask.
    pub target: Target,
    /// Whether to speak TLS.
    pub tls: bool,
    /// Whether to accept any certificate.
    pub tls_skip_verify: bool,
    /// The name that TLS asks for and that the certificate must have, instead of the target's;
    /// also without TLS the name of the server in `:authority`.
    pub tls_name: Option<Arc<str>>,
    /// The service to ask about; empty for the server as a whole.
    pub service: Arc<str>,
    /// When to ask and how many results to believe.
    pub thresholds: Thresholds,
}

/// An HTTP/2 connection and a PING.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct H2pingCheck {
    /// Whom to ask.
    pub target: Target,
    /// Whether to speak TLS, and to agree on `h2` there; otherwise HTTP/2 is spoken at once.
    pub tls: bool,
    /// Whether to accept any certificate.
    pub tls_skip_verify: bool,
    /// The name that TLS asks for and that the certificate must have, instead of the target's.
    pub tls_name: Option<Arc<str>>,
    /// When to ask and how many results to believe.
    pub thresholds: Thresholds,
}

/// A UDP datagram.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct UdpCheck {
    /// Whom to send it to.
    pub target: Target,
    /// When to ask and how many results to believe.
    pub thresholds: Thresholds,
}

/// Where a check goes; what is left out is the instance's own.
#[derive(Debug, Clone, PartialEq, Eq, Default, Hash)]
pub struct Target {
    /// An address or host name other than the instance's first address.
    pub host: Option<Arc<str>>,
    /// A port other than the instance's.
    pub port: Option<u16>,
}

/// HTTP status codes, as inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expect(Box<[(u16, u16)]>);

// === impl CheckKind ===

impl CheckKind {
    /// A `ttl` check.
    ///
    /// # Errors
    /// When `ttl` is out of its range.
    pub fn ttl(ttl: Duration) -> Result<Self, Invalid> {
        checked_ttl(ttl).map(|ttl| Self::Ttl { ttl })
    }

    /// The name of the kind, as the API has it, but for `https`, which is an `http` check.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Alias(_) => "alias",
            Self::Grpc(_) => "grpc",
            Self::H2ping(_) => "h2ping",
            Self::Http(_) => "http",
            Self::Manual => "manual",
            Self::Tcp(_) => "tcp",
            Self::Ttl { .. } => "ttl",
            Self::Udp(_) => "udp",
        }
    }

    /// Where an active check goes and when; `None` for one that nobody probes.
    pub(super) fn probe(&self) -> Option<(&Target, &Thresholds)> {
        match self {
            Self::Grpc(check) => Some((&check.target, &check.thresholds)),
            Self::H2ping(check) => Some((&check.target, &check.thresholds)),
            Self::Http(check) => Some((&check.target, &check.thresholds)),
            Self::Tcp(check) => Some((&check.target, &check.thresholds)),
            Self::Udp(check) => Some((&check.target, &check.thresholds)),
            Self::Alias(_) | Self::Manual | Self::Ttl { .. } => None,
        }
    }

    /// Where an active check goes.
    pub(super) fn target_mut(&mut self) -> Option<&mut Target> {
        match self {
            Self::Grpc(check) => Some(&mut check.target),
            Self::H2ping(check) => Some(&mut check.target),
            Self::Http(check) => Some(&mut check.target),
            Self::Tcp(check) => Some(&mut check.target),
            Self::Udp(check) => Some(&mut check.target),
            Self::Alias(_) | Self::Manual | Self::Ttl { .. } => None,
        }
    }

    /// The thresholds of an active check.
    pub(super) fn thresholds_mut(&mut self) -> Option<&mut Thresholds> {
        match self {
            Self::Grpc(check) => Some(&mut check.thresholds),
            Self::H2ping(check) => Some(&mut check.thresholds),
            Self::Http(check) => Some(&mut check.thresholds),
            Self::Tcp(check) => Some(&mut check.thresholds),
            Self::Udp(check) => Some(&mut check.thresholds),
            Self::Alias(_) | Self::Manual | Self::Ttl { .. } => None,
        }
    }
}

// === impl AliasCheck ===

impl AliasCheck {
    /// The state of what is called `id` in a scope, or of a node itself when that is empty.
    ///
    /// # Errors
    /// When a name is longer than any can be that something is registered by.
    pub fn new(scope: Scope, id: impl Into<Arc<str>>) -> Result<Self, Invalid> {
        let id = id.into();
        let most = limit::ORIGIN_NAME_OCTETS_MAX;
        for (field, text) in [("alias.scope", &scope.name), ("alias.id", &id)] {
            if text.len() > most {
                let problem = format!("octets are above the limit of {most}");
                return Err(Invalid::new(field, text.len(), problem));
            }
        }
        Ok(Self { scope, id })
    }
}

// === impl HttpCheck ===

impl HttpCheck {
    /// The request's body.
    pub fn body(&self) -> Option<&Arc<str>> {
        self.extra.as_ref()?.body.as_ref()
    }

    /// The name that TLS asks for and that the certificate must have, instead of the target's.
    pub fn tls_name(&self) -> Option<&Arc<str>> {
        self.extra.as_ref()?.tls_name.as_ref()
    }
}

// === impl HttpExtra ===

impl HttpExtra {
    /// What there is of it; `None` when that is nothing.
    pub fn new(body: Option<Arc<str>>, tls_name: Option<Arc<str>>) -> Option<Box<Self>> {
        (body.is_some() || tls_name.is_some()).then(|| Box::new(Self { body, tls_name }))
    }

    /// Holds a body to its limit.
    ///
    /// # Errors
    /// When it is longer than that.
    pub fn checked_body(body: String) -> Result<Arc<str>, Invalid> {
        let octets = body.len();
        if octets > limit::CHECK_BODY_OCTETS_MAX {
            let limit = limit::CHECK_BODY_OCTETS_MAX;
            let problem = format!("octets are above the limit of {limit}");
            return Err(Invalid::new("body", octets, problem));
        }
        Ok(body.into())
    }
}

// === impl TcpCheck ===

impl TcpCheck {
    /// A connection without TLS.
    pub fn new(target: Target, thresholds: Thresholds) -> Self {
        Self { target, tls: false, tls_skip_verify: false, tls_name: None, thresholds }
    }
}

// === impl Target ===

impl Target {
    /// The address that is meant literally, if the host is an address.
    pub fn ip(&self) -> Option<IpAddr> {
        self.host.as_ref()?.parse().ok()
    }
}

// === impl Expect ===

impl Expect {
    /// Status codes as inclusive ranges.
    ///
    /// # Errors
    /// When there is none, or one is no HTTP status or runs backwards.
    pub fn new(ranges: Vec<(u16, u16)>) -> Result<Self, Invalid> {
        if ranges.is_empty() {
            return Err(Invalid::new("expect", "[]", "names no status code"));
        }
        for &(low, high) in &ranges {
            if !(100..=599).contains(&low) || !(100..=599).contains(&high) || low > high {
                let problem = "is no range of HTTP status codes from 100 to 599";
                return Err(Invalid::new("expect", format!("{low}-{high}"), problem));
            }
        }
        Ok(Self(ranges.into()))
    }

    /// Whether `status` is among them.
    pub fn accepts(&self, status: u16) -> bool {
        self.0.iter().any(|&(low, high)| (low..=high).contains(&status))
    }

    /// The inclusive ranges.
    pub fn ranges(&self) -> &[(u16, u16)] {
        &self.0
    }
}

/// Any success: 200 to 299.
impl Default for Expect {
    fn default() -> Self {
        Self(Box::new([(200, 299)]))
    }
}
