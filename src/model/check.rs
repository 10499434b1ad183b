//! What is checked of an instance, how often, and how many results it takes to believe them.

use std::{net::IpAddr, sync::Arc, time::Duration};

use super::{Invalid, limit};

/// One check of an instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct CheckSpec {
    /// What is done.
    pub kind: CheckKind,
}

/// The kinds of check.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CheckKind {
    /// `grpc.health.v1.Health/Check` answers `SERVING`.
    Grpc(Box<GrpcCheck>),
    /// A request is answered with an expected status.
    Http(Box<HttpCheck>),
    /// A connection is accepted.
    Tcp(Box<TcpCheck>),
    /// The instance (or something on its behalf) reports at least once in `ttl`.
    Ttl {
        /// The longest silence that is believed.
        ttl: Duration,
    },
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
    /// The request's method, upper case.
    pub method: Arc<str>,
    /// Path and query, beginning with `/`.
    pub path: Arc<str>,
    /// Headers to send beside `Host` and `User-Agent`, which they may replace.
    pub headers: Box<[(Arc<str>, Arc<str>)]>,
    /// The status codes that pass.
    pub expect: Expect,
    /// When to ask and how many results to believe.
    pub thresholds: Thresholds,
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct TcpCheck {
    /// Whom to call.
    pub target: Target,
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
    /// The service to ask about; empty for the server as a whole.
    pub service: Arc<str>,
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

/// The HTTP status codes that pass, as inclusive ranges.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Expect(Box<[(u16, u16)]>);

/// The times and counts of an active check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Thresholds {
    /// From one check's start to the next one's.
    pub interval: Duration,
    /// After which an unanswered check has failed.
    pub timeout: Duration,
    /// Successes in a row that turn a critical check.
    pub rise: u16,
    /// Failures in a row that turn a check critical.
    pub fall: u16,
}

// === impl CheckSpec ===

impl CheckSpec {
    /// The thresholds of an active check; `None` for a `ttl` check.
    pub fn thresholds(&self) -> Option<&Thresholds> {
        match &self.kind {
            CheckKind::Grpc(check) => Some(&check.thresholds),
            CheckKind::Http(check) => Some(&check.thresholds),
            CheckKind::Tcp(check) => Some(&check.thresholds),
            CheckKind::Ttl { .. } => None,
        }
    }

    /// Whether `other` is an active check that does the very same, however often and however
    /// patiently: what one has found is what the other would have found.
    pub fn probes_the_same(&self, other: &Self) -> bool {
        let (Some(thresholds), mut like) = (other.thresholds(), self.clone()) else { return false };
        match &mut like.kind {
            CheckKind::Grpc(check) => check.thresholds = *thresholds,
            CheckKind::Http(check) => check.thresholds = *thresholds,
            CheckKind::Tcp(check) => check.thresholds = *thresholds,
            CheckKind::Ttl { .. } => return false,
        }
        like == *other
    }

    /// The ttl of a `ttl` check; `None` for an active one.
    pub fn ttl(&self) -> Option<Duration> {
        match self.kind {
            CheckKind::Ttl { ttl } => Some(ttl),
            _ => None,
        }
    }

    /// The name of the kind, as the API has it: `grpc`, `http`, `tcp` or `ttl`.
    pub fn kind_name(&self) -> &'static str {
        match &self.kind {
            CheckKind::Grpc(_) => "grpc",
            CheckKind::Http(_) => "http",
            CheckKind::Tcp(_) => "tcp",
            CheckKind::Ttl { .. } => "ttl",
        }
    }

    /// Where an active check goes; `None` for a `ttl` check.
    pub fn target(&self) -> Option<&Target> {
        match &self.kind {
            CheckKind::Grpc(check) => Some(&check.target),
            CheckKind::Http(check) => Some(&check.target),
            CheckKind::Tcp(check) => Some(&check.target),
            CheckKind::Ttl { .. } => None,
        }
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

    /// Whether `status` passes.
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

// === impl Thresholds ===

impl Thresholds {
    /// Every ten seconds, two seconds' patience, one success and two failures believed.
    pub const DEFAULT: Self = Self {
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(2),
        rise: 1,
        fall: 2,
    };

    /// Holds the times and counts to their limits.
    ///
    /// # Errors
    /// Names the field that is out of its range.
    pub fn checked(self) -> Result<Self, Invalid> {
        checked_period("interval", self.interval)?;
        checked_period("timeout", self.timeout)?;
        for (field, value) in [("rise", self.rise), ("fall", self.fall)] {
            if value == 0 || value > limit::CHECK_THRESHOLD_MAX {
                let problem =
                    format!("is outside the limits of 1 to {}", limit::CHECK_THRESHOLD_MAX);
                return Err(Invalid::new(field, value, problem));
            }
        }
        Ok(self)
    }
}

/// Holds an interval, timeout, ttl or `deregister_after` to its limits.
///
/// # Errors
/// When it is below 100 ms or above a day.
pub(crate) fn checked_period(field: &str, period: Duration) -> Result<Duration, Invalid> {
    if period < limit::CHECK_PERIOD_MIN {
        return Err(Invalid::new(field, format!("{period:?}"), "is below the limit of 100ms"));
    }
    if period > limit::CHECK_PERIOD_MAX {
        return Err(Invalid::new(field, format!("{period:?}"), "is above the limit of 24h"));
    }
    Ok(period)
}

impl CheckKind {
    /// A `ttl` check.
    ///
    /// # Errors
    /// When `ttl` is out of its range.
    pub fn ttl(ttl: Duration) -> Result<Self, Invalid> {
        checked_period("ttl", ttl).map(|ttl| Self::Ttl { ttl })
    }
}
