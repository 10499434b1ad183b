//! Checks, as Consul defines them, in the registry's words.

use std::{sync::Arc, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine};
use url::Url;

use super::address::{seen_from_here, target};
use crate::{
    http::consul::{
        definition::{CheckKind as Kind, CheckType},
        duration::GoDuration,
        site::Host,
        texts::ConsulError,
    },
    model::{
        AliasCheck, CheckKind, CheckSpec, Expect, GrpcCheck, H2pingCheck, HttpCheck, HttpExtra,
        Invalid, Scope, Status, Target, TcpCheck, Thresholds, UdpCheck, limit,
    },
};

/// A check in the registry's words, and the state that it begins in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::http::consul) struct Checked {
    /// What is checked.
    pub spec: CheckSpec,
    /// The state before the first result.
    pub start: Status,
}

/// A header's name and value.
type Header = (Arc<str>, Arc<str>);

/// How long an unanswered check waits that does not say.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest interval: a shorter one counts as this, as in Consul.
const INTERVAL_MIN: Duration = Duration::from_secs(1);
/// The shortest time after which a service is removed: a shorter one counts as this, as in Consul.
pub(in crate::http::consul) const DEREGISTER_MIN: Duration = Duration::from_secs(60);
/// Consul's status for a service that is in trouble but there.
const TOO_MANY_REQUESTS: u16 = 429;

// === impl Checked ===

impl From<CheckSpec> for Checked {
    fn from(spec: CheckSpec) -> Self {
        let start = spec.start.unwrap_or(Status::Critical);
        Self { spec, start }
    }
}

/// Translates the check of a service or a node on `host`; `is_own` says whether that is this host.
///
/// # Errors
/// 400 for what is no check, 500 for what is not done here, as in Consul.
pub(in crate::http::consul) fn check(
    check: &CheckType,
    host: &Host,
    is_own: bool,
) -> Result<Checked, ConsulError> {
    let invalid = |text: String| ConsulError::invalid_check(&text);
    let kind = match check.kind() {
        Kind::Docker | Kind::OsService | Kind::Script => {
            return Err(ConsulError::scripts_disabled());
        }
        Kind::Alias => CheckKind::Alias(Box::new(AliasCheck {
            scope: match &*check.alias_node {
                "" => host.scope(),
                node => Scope::node(node),
            },
            id: check.alias_service.as_str().into(),
        })),
        Kind::Ttl => CheckKind::ttl(duration(check.ttl)).map_err(refused)?,
        Kind::Http => http(check, host, is_own)?,
        Kind::Tcp => {
            let to = target(&check.tcp, host, is_own).map_err(invalid)?;
            CheckKind::Tcp(Box::new(TcpCheck {
                tls: check.tcp_use_tls,
                tls_skip_verify: check.tls_skip_verify,
                tls_name: tls_name(check),
                ..TcpCheck::new(to, thresholds(check)?)
            }))
        }
        Kind::Udp => {
            let target = target(&check.udp, host, is_own).map_err(invalid)?;
            CheckKind::Udp(Box::new(UdpCheck { target, thresholds: thresholds(check)? }))
        }
        Kind::Grpc => {
            let (to, service) = check.grpc.split_once('/').unwrap_or((&check.grpc, ""));
            CheckKind::Grpc(Box::new(GrpcCheck {
                target: target(to, host, is_own).map_err(invalid)?,
                tls: check.grpc_use_tls,
                tls_skip_verify: check.tls_skip_verify,
                tls_name: tls_name(check),
                service: service.into(),
                thresholds: thresholds(check)?,
            }))
        }
        Kind::H2ping => CheckKind::H2ping(Box::new(H2pingCheck {
            target: target(&check.h2ping, host, is_own).map_err(invalid)?,
            tls: check.h2ping_over_tls(),
            tls_skip_verify: check.tls_skip_verify,
            tls_name: tls_name(check),
            thresholds: thresholds(check)?,
        })),
    };
    let start = Status::parse(&check.status).unwrap_or(Status::Critical);
    let after = duration(check.deregister_critical_service_after);
    let deregister_after = (!after.is_zero()).then(|| after.max(DEREGISTER_MIN));
    Ok(Checked { spec: CheckSpec { kind, start: Some(start), deregister_after }, start })
}

fn http(check: &CheckType, host: &Host, is_own: bool) -> Result<CheckKind, ConsulError> {
    let invalid = |text: &str| ConsulError::invalid_check(&format!("\"{}\" {text}", check.http));
    let url = Url::parse(&check.http).map_err(|_| invalid("is no URL"))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return Err(invalid("is no URL of HTTP")),
    };
    let name = url.host_str().ok_or_else(|| invalid("names no host"))?;
    let name = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    let port = url.port_or_known_default();
    let target = Target { host: Some(seen_from_here(name, host, is_own)), port };
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let method = if check.method.is_empty() { "GET" } else { &check.method };
    let body = (!check.body.is_empty()).then(|| HttpExtra::checked_body(check.body.clone()));
    let body = body.transpose().map_err(refused)?;
    Ok(CheckKind::Http(Box::new(HttpCheck {
        target,
        tls,
        tls_skip_verify: check.tls_skip_verify,
        follow_redirects: !check.disable_redirects,
        method: method.to_uppercase().into(),
        path: path.into(),
        headers: headers(check, &url)?.into(),
        expect: Expect::default(),
        warn: Some(only(TOO_MANY_REQUESTS)?),
        extra: HttpExtra::new(body, tls_name(check)),
        thresholds: thresholds(check)?,
    })))
}

/// The headers, each value in one of its own, and what the URL says of who asks.
fn headers(check: &CheckType, url: &Url) -> Result<Vec<Header>, ConsulError> {
    let mut headers: Vec<Header> = Vec::new();
    for (name, values) in &check.header {
        headers.extend(values.iter().map(|value| (name.as_str().into(), value.as_str().into())));
    }
    if !url.username().is_empty() {
        let text = format!("{}:{}", url.username(), url.password().unwrap_or(""));
        headers.push((
            "Authorization".into(),
            format!("Basic {}", BASE64_STANDARD.encode(text)).into(),
        ));
    }
    let most = limit::CHECK_HEADERS_MAX;
    if headers.len() > most {
        let text = format!("{} headers are above the limit of {most}", headers.len());
        return Err(ConsulError::invalid_check(&text));
    }
    Ok(headers)
}

fn only(status: u16) -> Result<Expect, ConsulError> {
    Expect::new(vec![(status, status)]).map_err(refused)
}

fn thresholds(check: &CheckType) -> Result<Thresholds, ConsulError> {
    let interval = duration(check.interval).max(INTERVAL_MIN);
    let timeout = duration(check.timeout);
    let timeout = if timeout.is_zero() { TIMEOUT } else { timeout };
    let times = |count: i64| u16::try_from(count.max(1)).unwrap_or(u16::MAX);
    let rise = times(check.success_before_passing).min(limit::CHECK_THRESHOLD_MAX);
    let fall = times(check.failures_before_critical).min(limit::CHECK_THRESHOLD_MAX);
    let warn_after = u16::try_from(check.failures_before_warning).unwrap_or(0);
    // As many as turn it critical are none that warn.
    let warn_after = if warn_after < fall { warn_after } else { 0 };
    Thresholds { interval, timeout, rise, fall, warn_after }.checked().map_err(refused)
}

fn tls_name(check: &CheckType) -> Option<Arc<str>> {
    (!check.tls_server_name.is_empty()).then(|| check.tls_server_name.as_str().into())
}

/// What is negative counts as nothing, as in Consul.
fn duration(duration: GoDuration) -> Duration {
    Duration::from_nanos(u64::try_from(duration.nanos()).unwrap_or(0))
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn refused(refusal: Invalid) -> ConsulError {
    ConsulError::invalid_check(&refusal.to_string())
}
