//! One check of an instance, as the API has it.
//!
//! One flat object with a `type`, not one shape per type: serde would have to hold a tagged value
//! back until it knows the type, and a fault in it would lose its JSON path. Fields that a type
//! does not have are refused by name all the same.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Period, StatusName, number::whole};

mod expected;
mod sent;
mod shown;
mod text;

pub use expected::Expected;

/// What is checked of an instance, how often, and how many results it takes to believe them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The kind of check.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// `ttl`: the longest silence that is believed, 100ms to 8,760h; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// All that are probed: from one check's start to the next one's, 100ms to 24h; default `10s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Period>,
    /// All that are probed: after which an unanswered check has failed, at most the interval;
    /// default `2s`, or the interval when that is shorter. A `udp` check has passed then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// All that are probed: successes in a row that turn a critical check, 1 to 100; default 1.
    #[serde(
        default,
        deserialize_with = "whole::<_, 1, 100>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 100)]
    pub rise: Option<u16>,
    /// All that are probed: failures in a row that turn a check critical, 1 to 100; default 2.
    #[serde(
        default,
        deserialize_with = "whole::<_, 1, 100>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 100)]
    pub fall: Option<u16>,
    /// All that are probed: failures in a row that turn a passing check warning, 1 to 99 and
    /// below `fall`; left out, it stays passing until `fall`.
    #[serde(
        default,
        deserialize_with = "whole::<_, 1, 99>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 99)]
    pub warn_after: Option<u16>,
    /// All that are probed: an address or host name other than the instance's first address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// All that are probed: a port other than the instance's.
    #[serde(
        default,
        deserialize_with = "whole::<_, 1, 65535>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 65535)]
    pub port: Option<u16>,
    /// `http`, `https`: path and query of the request; default `/`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `http`, `https`: method of the request; default `GET`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// `http`, `https`: headers of the request; they may replace `Host` and `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub headers: Option<super::registration::Strings>,
    /// `http`, `https`: body of the request, at most 4096 octets; default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// `http`, `https`: whether to ask where a redirect leads to, up to ten times; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow_redirects: Option<bool>,
    /// `http`, `https`: the status codes that pass; default `200-299`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expected>,
    /// `http`, `https`: the status codes that mean `warning`, also if they are expected; default
    /// none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warn: Option<Expected>,
    /// `grpc`: the service to ask about; default the server as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `grpc`, `h2ping`, `tcp`: whether to speak TLS; default true for `h2ping`, else false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// `https`, and others with `tls`: whether to accept any certificate; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_skip_verify: Option<bool>,
    /// `https`, and others with `tls`: the name that is asked for and that the certificate must
    /// have; default the host that is checked. A `grpc` server is called so in `:authority`, also
    /// without `tls`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_name: Option<String>,
    /// The state before the first result; default the instance's `initial_status`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initial_status: Option<StatusName>,
    /// How long this check may be critical before the instance is removed, 100ms to 8760h; left
    /// out, it is not removed by this check. 0s, of a `ttl` check: the instance is removed as soon
    /// as it is silent, and only then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deregister_after: Option<Period>,
}

/// The kinds of check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    /// As well as another instance or a node. Only shown; not to be registered here.
    Alias,
    /// `grpc.health.v1.Health/Check` answers `SERVING`.
    Grpc,
    /// An HTTP/2 connection acknowledges a PING.
    H2ping,
    /// An HTTP request is answered with an expected status.
    Http,
    /// As `http`, over TLS.
    Https,
    /// Nobody looks: the state is what was last said. Only shown; not to be registered here.
    Manual,
    /// A connection is accepted.
    Tcp,
    /// The instance reports at least once in `ttl`.
    Ttl,
    /// A datagram is not refused.
    Udp,
}

// === impl CheckType ===

impl CheckType {
    /// The name of the type.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Grpc => "grpc",
            Self::H2ping => "h2ping",
            Self::Http => "http",
            Self::Https => "https",
            Self::Manual => "manual",
            Self::Tcp => "tcp",
            Self::Ttl => "ttl",
            Self::Udp => "udp",
        }
    }
}
