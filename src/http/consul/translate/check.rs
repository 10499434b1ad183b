//! Checks, as Consul defines them, in the registry's words.

use std::{sync::Arc, time::Duration};

use base64::prelude::{BASE64_STANDARD, Engine};
use url::Url;

use super::address::{seen_from_here, target};
use crate::{
    http::consul::{
        definition::{CheckKind as Kind, CheckType},
        duration::GoDuration,
        params::decode,
        site::Host,
        texts::ConsulError,
    },
    model::{
        AliasCheck, CheckKind, CheckSpec, Expect, GrpcCheck, H2pingCheck, HttpCheck, HttpExtra,
        Invalid, Scope, Status, Target, TcpCheck, Thresholds, UdpCheck, check_text, limit,
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
    let to = |text: &str| target(text, host, is_own).map_err(invalid);
    let kind = match check.kind() {
        Kind::Docker | Kind::OsService | Kind::Script => {
            return Err(ConsulError::scripts_disabled());
        }
        Kind::Alias => {
            let scope = match &*check.alias_node {
                "" => host.scope(),
                node => Scope::node(node),
            };
            let alias = AliasCheck::new(scope, check.alias_service.as_str()).map_err(refused)?;
            CheckKind::Alias(Box::new(alias))
        }
        Kind::Ttl => CheckKind::ttl(duration(check.ttl)).map_err(refused)?,
        Kind::Http => http(check, host, is_own)?,
        Kind::Tcp => {
            let (target, sent) = to(&check.tcp)?;
            CheckKind::Tcp(Box::new(TcpCheck {
                tls: check.tcp_use_tls,
                tls_skip_verify: check.tls_skip_verify,
                tls_name: tls_name(check, sent.filter(|_| check.tcp_use_tls))?,
                ..TcpCheck::new(target, thresholds(check)?)
            }))
        }
        Kind::Udp => {
            let (target, _) = to(&check.udp)?;
            CheckKind::Udp(Box::new(UdpCheck { target, thresholds: thresholds(check)? }))
        }
        Kind::Grpc => {
            let (whom, service) = check.grpc.split_once('/').unwrap_or((&check.grpc, ""));
            let (target, sent) = to(whom)?;
            CheckKind::Grpc(Box::new(GrpcCheck {
                target,
                tls: check.grpc_use_tls,
                tls_skip_verify: check.tls_skip_verify,
                // Its server is called so without TLS, too; what the client names is for TLS.
                tls_name: if check.grpc_use_tls { tls_name(check, sent)? } else { sent },
                service: check_text::word("service", service).map_err(refused)?,
                thresholds: thresholds(check)?,
            }))
        }
        Kind::H2ping => {
            let (target, sent) = to(&check.h2ping)?;
            CheckKind::H2ping(Box::new(H2pingCheck {
                target,
                tls: check.h2ping_over_tls(),
                tls_skip_verify: check.tls_skip_verify,
                tls_name: tls_name(check, sent.filter(|_| check.h2ping_over_tls()))?,
                thresholds: thresholds(check)?,
            }))
        }
    };
    let start = Status::parse(&check.status).unwrap_or(Status::Critical);
    let after = duration(check.deregister_critical_service_after);
    let deregister_after = (!after.is_zero()).then(|| after.max(DEREGISTER_MIN));
    Ok(Checked { spec: CheckSpec { kind, start: Some(start), deregister_after }, start })
}

fn http(check: &CheckType, host: &Host, is_own: bool) -> Result<CheckKind, ConsulError> {
    let invalid = |text: &str| {
        refused(Invalid { field: "HTTP".into(), ..Invalid::new("", &check.http, text) })
    };
    let url = Url::parse(&check.http).map_err(|_| invalid("is no URL"))?;
    let tls = match url.scheme() {
        "http" => false,
        "https" => true,
        _ => return Err(invalid("is no URL of HTTP")),
    };
    let name = url.host_str().ok_or_else(|| invalid("names no host"))?;
    let name = name.strip_prefix('[').and_then(|n| n.strip_suffix(']')).unwrap_or(name);
    let (seen, sent) =
        seen_from_here(name, host, is_own).map_err(|text| ConsulError::invalid_check(&text))?;
    let path = &url[url::Position::BeforePath..url::Position::AfterQuery];
    let method = if check.method.is_empty() { "GET" } else { &check.method };
    let body = (!check.body.is_empty()).then(|| HttpExtra::checked_body(check.body.clone()));
    let body = body.transpose().map_err(refused)?;
    let headers = headers(check, &url, sent.is_some())?;
    Ok(CheckKind::Http(Box::new(HttpCheck {
        target: Target { host: Some(seen), port: url.port_or_known_default() },
        tls,
        tls_skip_verify: check.tls_skip_verify,
        follow_redirects: !check.disable_redirects,
        method: check_text::method(method).map_err(refused)?,
        path: check_text::path(path).map_err(refused)?,
        headers: headers.into(),
        expect: Expect::default(),
        warn: Some(only(TOO_MANY_REQUESTS)?),
        extra: HttpExtra::new(body, tls_name(check, sent.filter(|_| tls))?),
        thresholds: thresholds(check)?,
    })))
}

/// The headers, each value in one of its own, and what the URL says of who asks and who is asked:
/// of a host that is called otherwise here than there (`names_host`) the service is to see the name
/// that it knows. What frames the message is left out, as in Go.
fn headers(check: &CheckType, url: &Url, names_host: bool) -> Result<Vec<Header>, ConsulError> {
    let mut headers: Vec<Header> = Vec::new();
    for (name, values) in &check.header {
        if check_text::frames(name) {
            continue;
        }
        for value in values {
            headers.push(check_text::header(name, value).map_err(refused)?);
        }
    }
    let mut from_url = |name: &str, value: &str| -> Result<(), ConsulError> {
        if headers.iter().any(|(known, _)| known.eq_ignore_ascii_case(name)) {
            return Ok(());
        }
        headers.push(check_text::header(name, value).map_err(refused)?);
        Ok(())
    };
    if !url.username().is_empty() || url.password().is_some() {
        // A plus is one here, and no blank.
        let decoded = |text: &str| decode(&text.replace('+', "%2B"));
        let both = decoded(url.username()).zip(decoded(url.password().unwrap_or("")));
        let no_url = || ConsulError::invalid_check("\"HTTP\" has a % that begins no octet");
        let (name, password) = both.ok_or_else(no_url)?;
        let encoded = BASE64_STANDARD.encode(format!("{name}:{password}"));
        from_url("Authorization", &format!("Basic {encoded}"))?;
    }
    if names_host {
        from_url("Host", &url[url::Position::BeforeHost..url::Position::AfterPort])?;
    }
    let most = limit::CHECK_HEADERS_MAX;
    if headers.len() > most {
        let text = format!(
            "{} headers, with those that the URL stands for, are above the limit of {most}",
            headers.len()
        );
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

/// The name that the certificate must have: the one that was sent, else that of the host where it
/// is called otherwise here.
fn tls_name(check: &CheckType, sent: Option<Arc<str>>) -> Result<Option<Arc<str>>, ConsulError> {
    match &*check.tls_server_name {
        "" => Ok(sent),
        name => check_text::host("TLSServerName", name).map(Some).map_err(refused),
    }
}

/// What is negative counts as nothing, as in Consul.
fn duration(duration: GoDuration) -> Duration {
    Duration::from_nanos(u64::try_from(duration.nanos()).unwrap_or(0))
}

#[expect(clippy::needless_pass_by_value, reason = "as `map_err` gives it")]
fn refused(refusal: Invalid) -> ConsulError {
    ConsulError::invalid_check(&refusal.to_string())
}

#[cfg(test)]
mod tests;
