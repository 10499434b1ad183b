//! A check as text: its fields as the HTTP interface has them, and its last known state.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::values::{Instant, InterfaceText, Pairs, Period, ScopeFields, StatusText};
use crate::model::{
    AliasCheck, CheckKind, CheckSpec, CheckState, Expect, GrpcCheck, H2pingCheck, HttpCheck,
    HttpExtra, Invalid, Scope, Status, Target, TcpCheck, Thresholds, Timestamp, UdpCheck,
    check_text, limit,
};

/// One flat object for all types, as in the API; what a type does not have is left out.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct CheckText {
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Pairs>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expect: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warn: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    follow_redirects: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    service: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls: Option<bool>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    tls_skip_verify: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    tls_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    interval: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    timeout: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rise: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    warn_after: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    fall: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    initial_status: Option<StatusText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deregister_after: Option<Period>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<StatusText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    alias: Option<AliasText>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    since: Option<Instant>,
}

/// Whom an `alias` check takes its state from.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct AliasText {
    interface: InterfaceText,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    application: Option<String>,
    #[serde(default)]
    id: String,
}

// === impl AliasText ===

impl From<&AliasCheck> for AliasText {
    fn from(alias: &AliasCheck) -> Self {
        let AliasCheck { scope, id } = alias;
        let ScopeFields { interface, node, application } = ScopeFields::from(scope);
        Self { interface, node, application, id: id.to_string() }
    }
}

impl AliasText {
    fn into_model(self) -> Result<AliasCheck, Invalid> {
        let Self { interface, node, application, id } = self;
        let scope = ScopeFields { interface, node, application }.into_model();
        let scope = scope.and_then(Scope::checked).map_err(|refusal| refusal.under("alias"))?;
        AliasCheck::new(scope, id)
    }
}

// === impl CheckText ===

impl CheckText {
    /// The check, with its state if that is given.
    pub(crate) fn new(spec: &CheckSpec, state: Option<&CheckState>) -> Self {
        let (target, thresholds) = (spec.target(), spec.thresholds());
        let mut line = Self {
            kind: spec.kind_name().into(),
            ttl: spec.ttl().map(Period),
            host: target.and_then(|target| target.host.as_deref()).map(str::to_owned),
            port: target.and_then(|target| target.port),
            interval: thresholds.map(|thresholds| Period(thresholds.interval)),
            timeout: thresholds.map(|thresholds| Period(thresholds.timeout)),
            rise: thresholds.map(|thresholds| thresholds.rise),
            fall: thresholds.map(|thresholds| thresholds.fall),
            warn_after: thresholds.map(|t| t.warn_after).filter(|count| *count > 0),
            initial_status: spec.start.map(StatusText),
            deregister_after: spec.deregister_after.map(Period),
            status: state.map(|state| StatusText(state.status)),
            output: state.map(|state| state.output.to_string()),
            since: state.map(|state| Instant(state.since)),
            ..Self::default()
        };
        match &spec.kind {
            CheckKind::Manual | CheckKind::Ttl { .. } | CheckKind::Udp(_) => {}
            CheckKind::Alias(alias) => line.alias = Some(AliasText::from(&**alias)),
            CheckKind::Grpc(grpc) => {
                line.service = (!grpc.service.is_empty()).then(|| grpc.service.to_string());
                line.tls = grpc.tls.then_some(true);
                line.tls_skip_verify = grpc.tls_skip_verify;
                line.tls_name = grpc.tls_name.as_deref().map(str::to_owned);
            }
            CheckKind::H2ping(ping) => {
                line.tls = Some(ping.tls);
                line.tls_skip_verify = ping.tls_skip_verify;
                line.tls_name = ping.tls_name.as_deref().map(str::to_owned);
            }
            CheckKind::Http(http) => line.put_http(http),
            CheckKind::Tcp(tcp) => {
                line.tls = tcp.tls.then_some(true);
                line.tls_skip_verify = tcp.tls_skip_verify;
                line.tls_name = tcp.tls_name.as_deref().map(str::to_owned);
            }
        }
        line
    }

    fn put_http(&mut self, http: &HttpCheck) {
        let texts = |expect: &Expect| {
            expect.ranges().iter().map(|(low, high)| format!("{low}-{high}")).collect()
        };
        self.kind = if http.tls { "https" } else { "http" }.into();
        self.tls_skip_verify = http.tls_skip_verify;
        self.tls_name = http.tls_name().map(ToString::to_string);
        self.method = Some(http.method.to_string());
        self.path = Some(http.path.to_string());
        let headers = http.headers.iter();
        let headers = headers.map(|(name, value)| (name.to_string(), value.to_string()));
        self.headers = (!http.headers.is_empty()).then(|| Pairs(headers.collect()));
        self.expect = Some(texts(&http.expect));
        self.warn = http.warn.as_ref().map(texts);
        self.body = http.body().map(ToString::to_string);
        self.follow_redirects = http.follow_redirects;
    }

    /// The check and its state: what is left out of that is as it is before the first result, with
    /// a registration at `at`.
    ///
    /// # Errors
    /// Names the field that is not acceptable.
    pub(super) fn into_model(
        mut self,
        initial: Option<Status>,
        at: Timestamp,
    ) -> Result<(CheckSpec, CheckState), Invalid> {
        let kind = match self.kind.as_str() {
            "grpc" => CheckKind::Grpc(Box::new(self.take_grpc()?)),
            "h2ping" => CheckKind::H2ping(Box::new(H2pingCheck {
                target: self.take_target()?,
                tls: self.tls.unwrap_or(true),
                tls_skip_verify: self.tls_skip_verify,
                tls_name: self.take_tls_name()?,
                thresholds: self.thresholds()?,
            })),
            "http" => CheckKind::Http(Box::new(self.take_http(false)?)),
            "https" => CheckKind::Http(Box::new(self.take_http(true)?)),
            "alias" => match self.alias.take() {
                Some(alias) => CheckKind::Alias(Box::new(alias.into_model()?)),
                None => {
                    let problem = "is needed by a check of type `alias`";
                    return Err(Invalid::new("alias", "", problem));
                }
            },
            "manual" => CheckKind::Manual,
            "tcp" => CheckKind::Tcp(Box::new(TcpCheck {
                target: self.take_target()?,
                tls: self.tls.unwrap_or(false),
                tls_skip_verify: self.tls_skip_verify,
                tls_name: self.take_tls_name()?,
                thresholds: self.thresholds()?,
            })),
            "ttl" => match self.ttl {
                Some(Period(ttl)) => CheckKind::ttl(ttl)?,
                None => return Err(Invalid::new("ttl", "", "is needed by a check of type `ttl`")),
            },
            "udp" => CheckKind::Udp(Box::new(UdpCheck {
                target: self.take_target()?,
                thresholds: self.thresholds()?,
            })),
            other => {
                let problem = "is no type of check; one is `http`, `https`, `tcp`, `udp`, `grpc`, \
                               `h2ping`, `ttl`, `alias` or `manual`";
                return Err(Invalid::new("type", other, problem));
            }
        };
        let spec = CheckSpec {
            kind,
            start: self.initial_status.map(|status| status.0),
            deregister_after: self.deregister_after.map(|period| period.0),
        };
        let mut state = CheckState::initial(&spec, initial, at);
        if let Some(StatusText(status)) = self.status {
            state.status = status;
        }
        if let Some(output) = self.output {
            state.output = within("output", output, limit::CHECK_OUTPUT_OCTETS_MAX)?;
        }
        if let Some(Instant(since)) = self.since {
            state.since = since;
        }
        Ok((spec, state))
    }

    /// Whether it says anything of the check's state.
    pub(super) fn has_state(&self) -> bool {
        self.status.is_some() || self.output.is_some() || self.since.is_some()
    }

    /// A field that the type of check does not have, which is without effect.
    pub(super) fn foreign(&self) -> Option<Invalid> {
        let kind = self.kind.as_str();
        let is_http = matches!(kind, "http" | "https");
        let is_passive = matches!(kind, "ttl" | "manual" | "alias");
        let may_use_tls = matches!(kind, "grpc" | "h2ping" | "tcp");
        let foreign = [
            ("ttl", self.ttl.is_some() && kind != "ttl"),
            ("host", self.host.is_some() && is_passive),
            ("port", self.port.is_some() && is_passive),
            ("interval", self.interval.is_some() && is_passive),
            ("timeout", self.timeout.is_some() && is_passive),
            ("rise", self.rise.is_some() && is_passive),
            ("warn_after", self.warn_after.is_some() && is_passive),
            ("fall", self.fall.is_some() && is_passive),
            ("method", self.method.is_some() && !is_http),
            ("path", self.path.is_some() && !is_http),
            ("headers", self.headers.is_some() && !is_http),
            ("expect", self.expect.is_some() && !is_http),
            ("warn", self.warn.is_some() && !is_http),
            ("body", self.body.is_some() && !is_http),
            ("follow_redirects", self.follow_redirects && !is_http),
            ("service", self.service.is_some() && kind != "grpc"),
            ("tls", self.tls == Some(true) && !may_use_tls),
            ("tls_skip_verify", self.tls_skip_verify && !is_http && !may_use_tls),
            ("tls_name", self.tls_name.is_some() && !is_http && !may_use_tls),
        ];
        let (field, _) = foreign.into_iter().find(|(_, is_foreign)| *is_foreign)?;
        Some(Invalid::new(field, field, format!("is no field of a check of type `{kind}`")))
    }

    fn take_grpc(&mut self) -> Result<GrpcCheck, Invalid> {
        Ok(GrpcCheck {
            target: self.take_target()?,
            tls: self.tls.unwrap_or(false),
            tls_skip_verify: self.tls_skip_verify,
            tls_name: self.take_tls_name()?,
            service: check_text::word("service", self.service.as_deref().unwrap_or_default())?,
            thresholds: self.thresholds()?,
        })
    }

    fn take_http(&mut self, tls: bool) -> Result<HttpCheck, Invalid> {
        let headers = self.headers.take().unwrap_or_default().0;
        if headers.len() > limit::CHECK_HEADERS_MAX {
            let problem = format!("entries are above the limit of {}", limit::CHECK_HEADERS_MAX);
            return Err(Invalid::new("headers", headers.len(), problem));
        }
        let headers = headers.iter().map(|(name, value)| check_text::header(name, value));
        let body = self.body.take().map(HttpExtra::checked_body).transpose()?;
        Ok(HttpCheck {
            target: self.take_target()?,
            tls,
            tls_skip_verify: self.tls_skip_verify,
            follow_redirects: self.follow_redirects,
            method: check_text::method(self.method.as_deref().unwrap_or("GET"))?,
            path: check_text::path(self.path.as_deref().unwrap_or("/"))?,
            headers: headers.collect::<Result<_, Invalid>>()?,
            expect: self
                .expect
                .take()
                .map_or_else(|| Ok(Expect::default()), |texts| codes("expect", &texts))?,
            warn: self.warn.take().map(|texts| codes("warn", &texts)).transpose()?,
            extra: HttpExtra::new(body, self.take_tls_name()?),
            thresholds: self.thresholds()?,
        })
    }

    fn take_tls_name(&mut self) -> Result<Option<Arc<str>>, Invalid> {
        self.tls_name.as_deref().map(|name| check_text::host("tls_name", name)).transpose()
    }

    fn take_target(&mut self) -> Result<Target, Invalid> {
        let host = self.host.as_deref().map(|host| check_text::host("host", host));
        Ok(Target { host: host.transpose()?, port: self.port })
    }

    fn thresholds(&self) -> Result<Thresholds, Invalid> {
        let default = Thresholds::DEFAULT;
        let interval = self.interval.map_or(default.interval, |period| period.0);
        Thresholds {
            interval,
            timeout: self.timeout.map_or(default.timeout.min(interval), |period| period.0),
            rise: self.rise.unwrap_or(default.rise),
            warn_after: self.warn_after.unwrap_or(0),
            fall: self.fall.unwrap_or(default.fall),
        }
        .checked()
    }
}

fn codes(field: &str, texts: &[String]) -> Result<Expect, Invalid> {
    let range = |text: &String| -> Option<(u16, u16)> {
        let (low, high) = text.split_once('-').unwrap_or((text, text));
        Some((low.parse().ok()?, high.parse().ok()?))
    };
    let ranges = texts.iter().map(|text| {
        range(text).ok_or_else(|| Invalid::new(field, text, "is no range such as `200-299`"))
    });
    let named = |refusal| Invalid { field: field.to_owned(), ..refusal };
    Expect::new(ranges.collect::<Result<_, _>>()?).map_err(named)
}

fn within(field: &str, value: String, limit: usize) -> Result<Arc<str>, Invalid> {
    if value.len() > limit {
        let problem = format!("is above the limit of {limit} octets");
        return Err(Invalid::new(field, value, problem));
    }
    Ok(value.into())
}
