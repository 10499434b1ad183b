//! One check of an instance, as the API has it.
//!
//! One flat object with a `type`, not one shape per type: serde would have to hold a tagged value
//! back until it knows the type, and a fault in it would lose its JSON path. Fields that a type
//! does not have are refused by name all the same.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{Period, number::whole};
use crate::{
    model::{
        CheckKind, CheckSpec, Expect, GrpcCheck, HttpCheck, Invalid, Target, TcpCheck, Thresholds,
    },
    util::format_duration,
};

mod expected;
mod shown;
mod text;

pub use expected::Expected;
use text::{headers, host, method, within_text};

/// What is checked of an instance, how often, and how many results it takes to believe them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Check {
    /// The kind of check.
    #[serde(rename = "type")]
    pub kind: CheckType,
    /// `ttl`: the longest silence that is believed, 100ms to 24h; required.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ttl: Option<Period>,
    /// All but `ttl`: from one check's start to the next one's, 100ms to 24h; default `10s`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval: Option<Period>,
    /// All but `ttl`: after which an unanswered check has failed, at most the interval; default
    /// `2s`, or the interval when that is shorter.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
    /// All but `ttl`: successes in a row that turn a critical check, 1 to 100; default 1.
    #[serde(
        default,
        deserialize_with = "whole::<_, 1, 100>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 100)]
    pub rise: Option<u16>,
    /// All but `ttl`: failures in a row that turn a check critical, 1 to 100; default 2.
    #[serde(
        default,
        deserialize_with = "whole::<_, 1, 100>",
        skip_serializing_if = "Option::is_none"
    )]
    #[schema(minimum = 1, maximum = 100)]
    pub fall: Option<u16>,
    /// All but `ttl`: an address or host name other than the instance's first address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// All but `ttl`: a port other than the instance's.
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
    /// `http`, `https`: the status codes that pass; default `200-299`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expect: Option<Expected>,
    /// `grpc`: the service to ask about; default the server as a whole.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// `grpc`: whether to speak TLS; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<bool>,
    /// `https`, and `grpc` with `tls`: whether to accept any certificate; default false.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_skip_verify: Option<bool>,
}

/// The kinds of check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum CheckType {
    /// `grpc.health.v1.Health/Check` answers `SERVING`.
    Grpc,
    /// An HTTP request is answered with an expected status.
    Http,
    /// As `http`, over TLS.
    Https,
    /// A connection is accepted.
    Tcp,
    /// The instance reports at least once in `ttl`.
    Ttl,
}

// === impl Check ===

impl Check {
    /// The check as the model has it.
    ///
    /// # Errors
    /// Names the field that is out of its range, or that this type of check does not have.
    pub fn into_model(mut self) -> Result<CheckSpec, Invalid> {
        let kind = match self.kind {
            CheckType::Ttl => {
                let Some(Period(ttl)) = self.ttl.take() else {
                    return Err(Invalid::new("ttl", "", "is needed by a check of type `ttl`"));
                };
                CheckKind::ttl(ttl)?
            }
            CheckType::Tcp => {
                let (target, thresholds) = self.take_common()?;
                CheckKind::Tcp(Box::new(TcpCheck { target, thresholds }))
            }
            CheckType::Grpc => CheckKind::Grpc(Box::new(self.take_grpc()?)),
            CheckType::Http => CheckKind::Http(Box::new(self.take_http(false)?)),
            CheckType::Https => CheckKind::Http(Box::new(self.take_http(true)?)),
        };
        self.refuse_rest()?;
        Ok(CheckSpec { kind })
    }

    fn take_http(&mut self, tls: bool) -> Result<HttpCheck, Invalid> {
        let (target, thresholds) = self.take_common()?;
        let path = self.path.take().unwrap_or_else(|| "/".into());
        if !path.starts_with('/') || path.parse::<axum::http::uri::PathAndQuery>().is_err() {
            let problem = "is no path of a request: it begins with `/` and has no blanks";
            return Err(Invalid::new("path", path, problem));
        }
        within_text("path", &path)?;
        Ok(HttpCheck {
            target,
            tls,
            tls_skip_verify: tls && self.tls_skip_verify.take().unwrap_or(false),
            method: method(self.method.take())?,
            path: path.into(),
            headers: headers(self.headers.take().unwrap_or_default().0)?,
            expect: self
                .expect
                .take()
                .map_or_else(|| Ok(Expect::default()), Expected::into_model)?,
            thresholds,
        })
    }

    fn take_grpc(&mut self) -> Result<GrpcCheck, Invalid> {
        let (target, thresholds) = self.take_common()?;
        let service = self.service.take().unwrap_or_default();
        within_text("service", &service)?;
        let tls = self.tls.take().unwrap_or(false);
        Ok(GrpcCheck {
            target,
            tls,
            tls_skip_verify: tls && self.tls_skip_verify.take().unwrap_or(false),
            service: service.into(),
            thresholds,
        })
    }

    fn take_common(&mut self) -> Result<(Target, Thresholds), Invalid> {
        let default = Thresholds::DEFAULT;
        let interval = self.interval.take().map_or(default.interval, |period| period.0);
        let timeout = self.timeout.take().map_or(default.timeout.min(interval), |period| period.0);
        let thresholds = Thresholds {
            interval,
            timeout,
            rise: self.rise.take().unwrap_or(default.rise),
            fall: self.fall.take().unwrap_or(default.fall),
        }
        .checked()?;
        if timeout > interval {
            // A check that outlives its interval would overtake itself.
            let problem = format!(
                "is above the limit of {}, which is the `interval`",
                format_duration(interval)
            );
            return Err(Invalid::new("timeout", format_duration(timeout), problem));
        }
        let host = self.host.take().map(host).transpose()?;
        Ok((Target { host, port: self.port.take() }, thresholds))
    }

    /// What the type of check has taken is gone by now; what is left, it does not have.
    fn refuse_rest(&self) -> Result<(), Invalid> {
        let left = [
            ("ttl", self.ttl.is_some()),
            ("interval", self.interval.is_some()),
            ("timeout", self.timeout.is_some()),
            ("rise", self.rise.is_some()),
            ("fall", self.fall.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("path", self.path.is_some()),
            ("method", self.method.is_some()),
            ("headers", self.headers.is_some()),
            ("expect", self.expect.is_some()),
            ("service", self.service.is_some()),
            ("tls", self.tls.is_some()),
            ("tls_skip_verify", self.tls_skip_verify == Some(true)),
        ];
        match left.into_iter().find(|(_, is_left)| *is_left) {
            None => Ok(()),
            Some((field, _)) => {
                let kind = match self.kind {
                    CheckType::Grpc => "grpc",
                    CheckType::Http => "http",
                    CheckType::Https => "https",
                    CheckType::Tcp => "tcp",
                    CheckType::Ttl => "ttl",
                };
                let hint = match (field, self.kind) {
                    ("tls", CheckType::Http) => "; its type is `https` then",
                    ("tls_skip_verify", CheckType::Grpc) => " without `tls`",
                    _ => "",
                };
                let problem = format!("is no field of a check of type `{kind}`{hint}");
                Err(Invalid::new(field, field, problem))
            }
        }
    }
}
