//! How a check finds out: the fields that checks of services and checks of their own share.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::super::{
    duration::GoDuration,
    reader::{Field, Fields, Shape},
};

/// What is checked, how, and how often. Fields that are not set have their type's zero.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::http) struct CheckType {
    /// Its id; empty for one that is made of its service's.
    #[serde(rename = "CheckID")]
    pub(in crate::http) check_id: String,
    /// Its name; empty for one that is made of its service's.
    #[serde(rename = "Name")]
    pub(in crate::http) name: String,
    /// Its first state; empty for `critical`.
    #[serde(rename = "Status")]
    pub(in crate::http) status: String,
    /// Text for people.
    #[serde(rename = "Notes")]
    pub(in crate::http) notes: String,
    /// A program and its arguments.
    #[serde(rename = "ScriptArgs")]
    pub(in crate::http) script_args: Vec<String>,
    /// A URL.
    #[serde(rename = "HTTP")]
    pub(in crate::http) http: String,
    /// Host and port that are sent a PING of HTTP/2.
    #[serde(rename = "H2PING")]
    pub(in crate::http) h2ping: String,
    /// Whether over TLS; left out, it is.
    #[serde(rename = "H2PingUseTLS")]
    pub(in crate::http) h2ping_use_tls: Option<bool>,
    /// Headers of the HTTP request.
    #[serde(rename = "Header")]
    pub(in crate::http) header: BTreeMap<String, Vec<String>>,
    /// Its method; empty for GET.
    #[serde(rename = "Method")]
    pub(in crate::http) method: String,
    /// Its body.
    #[serde(rename = "Body")]
    pub(in crate::http) body: String,
    /// Whether redirects are results, not followed.
    #[serde(rename = "DisableRedirects")]
    pub(in crate::http) disable_redirects: bool,
    /// Host and port that accept a connection.
    #[serde(rename = "TCP")]
    pub(in crate::http) tcp: String,
    /// Whether a TLS handshake is part of it.
    #[serde(rename = "TCPUseTLS")]
    pub(in crate::http) tcp_use_tls: bool,
    /// Host and port that are sent a datagram.
    #[serde(rename = "UDP")]
    pub(in crate::http) udp: String,
    /// From one check's start to the next one's.
    #[serde(rename = "Interval")]
    pub(in crate::http) interval: GoDuration,
    /// The node whose state is taken over.
    #[serde(rename = "AliasNode")]
    pub(in crate::http) alias_node: String,
    /// The id of the service whose state is taken over.
    #[serde(rename = "AliasService")]
    pub(in crate::http) alias_service: String,
    /// The container that the program runs in.
    #[serde(rename = "DockerContainerID")]
    pub(in crate::http) docker_container_id: String,
    /// The shell that it runs in there.
    #[serde(rename = "Shell")]
    pub(in crate::http) shell: String,
    /// Host and port, and after a slash the service, that are asked by grpc.health.v1.
    #[serde(rename = "GRPC")]
    pub(in crate::http) grpc: String,
    /// Whether over TLS.
    #[serde(rename = "GRPCUseTLS")]
    pub(in crate::http) grpc_use_tls: bool,
    /// A service of the operating system.
    #[serde(rename = "OSService")]
    pub(in crate::http) os_service: String,
    /// The name that the certificate is checked against.
    #[serde(rename = "TLSServerName")]
    pub(in crate::http) tls_server_name: String,
    /// Whether any certificate is accepted.
    #[serde(rename = "TLSSkipVerify")]
    pub(in crate::http) tls_skip_verify: bool,
    /// After which an unanswered check has failed; zero for the default.
    #[serde(rename = "Timeout")]
    pub(in crate::http) timeout: GoDuration,
    /// The longest silence that is believed.
    #[serde(rename = "TTL")]
    pub(in crate::http) ttl: GoDuration,
    /// Successes in a row that turn a check passing.
    #[serde(rename = "SuccessBeforePassing")]
    pub(in crate::http) success_before_passing: i64,
    /// Failures in a row that turn it warning; zero for as many as turn it critical.
    #[serde(rename = "FailuresBeforeWarning")]
    pub(in crate::http) failures_before_warning: i64,
    /// Failures in a row that turn it critical.
    #[serde(rename = "FailuresBeforeCritical")]
    pub(in crate::http) failures_before_critical: i64,
    /// Where a proxy answers for the HTTP check.
    #[serde(rename = "ProxyHTTP")]
    pub(in crate::http) proxy_http: String,
    /// Where a proxy answers for the gRPC check.
    #[serde(rename = "ProxyGRPC")]
    pub(in crate::http) proxy_grpc: String,
    /// How long it may be critical before its service is removed; zero for ever.
    #[serde(rename = "DeregisterCriticalServiceAfter")]
    pub(in crate::http) deregister_critical_service_after: GoDuration,
    /// Octets of output that are kept; zero for the default.
    #[serde(rename = "OutputMaxSize")]
    pub(in crate::http) output_max_size: i64,
}

/// The kinds of checks. A definition with the fields of several is the first of them, in the order
/// of [`CheckType::kind`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::http) enum CheckKind {
    /// The state of a node or of another service.
    Alias,
    /// A program in a container.
    Docker,
    /// grpc.health.v1.
    Grpc,
    /// A PING of HTTP/2.
    H2ping,
    /// An HTTP request.
    Http,
    /// A service of the operating system.
    OsService,
    /// A program.
    Script,
    /// A TCP connection.
    Tcp,
    /// Reports of the service itself.
    Ttl,
    /// A datagram.
    Udp,
}

const TEXTS: Shape = Shape::List(&Shape::Text);

/// The fields that all definitions of checks have.
pub(super) static COMMON: &[Field] = &[
    Field::or("CheckID", &["ID"], Shape::Text),
    Field::new("Name", Shape::Text),
    Field::or("ServiceID", &["service_id"], Shape::Text),
    Field::new("Status", Shape::Text),
    Field::new("Notes", Shape::Text),
    Field::or("ScriptArgs", &["Args", "script_args"], TEXTS),
    Field::new("HTTP", Shape::Text),
    Field::new("H2PING", Shape::Text),
    Field::or("H2PingUseTLS", &["h2ping_use_tls"], Shape::Bool),
    Field::new("Header", Shape::Map(&TEXTS)),
    Field::new("Method", Shape::Text),
    Field::new("Body", Shape::Text),
    Field::or("DisableRedirects", &["disable_redirects"], Shape::Bool),
    Field::new("TCP", Shape::Text),
    Field::or("TCPUseTLS", &["tcp_use_tls"], Shape::Bool),
    Field::new("UDP", Shape::Text),
    Field::new("Interval", Shape::Duration),
    Field::new("AliasNode", Shape::Text),
    Field::new("AliasService", Shape::Text),
    Field::or("DockerContainerID", &["docker_container_id"], Shape::Text),
    Field::new("Shell", Shape::Text),
    Field::new("GRPC", Shape::Text),
    Field::or("GRPCUseTLS", &["grpc_use_tls"], Shape::Bool),
    Field::new("OSService", Shape::Text),
    Field::or("TLSServerName", &["tls_server_name"], Shape::Text),
    Field::or("TLSSkipVerify", &["tls_skip_verify"], Shape::Bool),
    Field::new("Timeout", Shape::Duration),
    Field::new("TTL", Shape::Duration),
    Field::new("SuccessBeforePassing", Shape::Integer),
    Field::new("FailuresBeforeWarning", Shape::Integer),
    Field::new("FailuresBeforeCritical", Shape::Integer),
    Field::new("ProxyHTTP", Shape::Text),
    Field::new("ProxyGRPC", Shape::Text),
    Field::or(
        "DeregisterCriticalServiceAfter",
        &["deregister_critical_service_after"],
        Shape::Duration,
    ),
    Field::new("OutputMaxSize", Shape::Integer),
];

/// The fields of a check that is registered with its service. Some clients also send the service's
/// id, which says nothing here.
pub(super) static CHECK_TYPE: Fields =
    Fields { owner: "", kind: "structs.CheckType", fields: &[], common: COMMON, open: false };

// === impl CheckType ===

impl CheckType {
    /// What it is, by the fields that are set; without any it is one of type `ttl`.
    pub(in crate::http) fn kind(&self) -> CheckKind {
        let has_script = !self.script_args.is_empty();
        let kinds = [
            (CheckKind::Grpc, !self.grpc.is_empty()),
            (CheckKind::Http, !self.http.is_empty()),
            (CheckKind::Ttl, self.ttl.is_positive()),
            (CheckKind::Tcp, !self.tcp.is_empty()),
            (CheckKind::Udp, !self.udp.is_empty()),
            (CheckKind::Alias, self.is_alias()),
            (CheckKind::Docker, has_script && !self.docker_container_id.is_empty()),
            (CheckKind::Script, has_script),
            (CheckKind::H2ping, !self.h2ping.is_empty()),
            (CheckKind::OsService, !self.os_service.is_empty()),
        ];
        kinds.iter().find(|(_, is)| *is).map_or(CheckKind::Ttl, |(kind, _)| *kind)
    }

    /// Whether a PING of HTTP/2 goes over TLS, which is the default.
    pub(in crate::http) fn h2ping_over_tls(&self) -> bool {
        self.h2ping_use_tls.unwrap_or(true)
    }

    /// Whether nothing is set: `"Check": {}` is no check.
    pub(in crate::http) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Consul's own checks, in its order. (1.8.7 speaks of `Script, HTTP, or TCP checks`.)
    ///
    /// # Errors
    /// The text, without what stands before it.
    pub(in crate::http) fn validate(&self) -> Result<(), &'static str> {
        let (alias, periodic) = (self.is_alias(), self.is_periodic());
        let (interval, ttl) = (self.interval.is_positive(), self.ttl.is_positive());
        let faults = [
            (interval && ttl, "Interval and TTL cannot both be specified"),
            (
                periodic && !interval,
                "Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks",
            ),
            (periodic && alias, "Interval cannot be set for Alias checks"),
            (alias && ttl, "TTL must be not be set for Alias checks"),
            (!periodic && !alias && !ttl, "TTL must be > 0 for TTL checks"),
            (self.output_max_size < 0, "MaxOutputMaxSize must be positive"),
            (
                self.failures_before_warning > self.failures_before_critical,
                "FailuresBeforeWarning can't be higher than FailuresBeforeCritical",
            ),
        ];
        faults.iter().find(|(is, _)| *is).map_or(Ok(()), |(_, text)| Err(text))
    }

    fn is_alias(&self) -> bool {
        !self.alias_node.is_empty() || !self.alias_service.is_empty()
    }

    /// Whether it is run again and again.
    fn is_periodic(&self) -> bool {
        let targets =
            [&self.http, &self.tcp, &self.udp, &self.grpc, &self.h2ping, &self.os_service];
        !self.script_args.is_empty() || targets.iter().any(|target| !target.is_empty())
    }
}

// === impl CheckKind ===

impl CheckKind {
    /// The `Type` of the check.
    #[cfg(test)]
    pub(in crate::http) fn as_str(self) -> &'static str {
        match self {
            Self::Alias => "alias",
            Self::Docker => "docker",
            Self::Grpc => "grpc",
            Self::H2ping => "h2ping",
            Self::Http => "http",
            Self::OsService => "os_service",
            Self::Script => "script",
            Self::Tcp => "tcp",
            Self::Ttl => "ttl",
            Self::Udp => "udp",
        }
    }
}

/// Whether `status` is one that a check may have, apart from none.
pub(super) fn is_status(status: &str) -> bool {
    matches!(status, "passing" | "warning" | "critical")
}
