//! A check as it is sent: held to its limits, and to the fields of its type.

use std::sync::Arc;

use super::{
    Check, CheckType, Expected,
    text::{headers, host},
};
use crate::{
    http::dto::Period,
    model::{
        CheckKind, CheckSpec, Expect, GrpcCheck, H2pingCheck, HttpCheck, HttpExtra, Invalid,
        Status, Target, TcpCheck, Thresholds, UdpCheck, check_text,
    },
    util::format_duration,
};

/// How TLS is spoken: whether at all, whether any certificate will do, and the name.
type Tls = (bool, bool, Option<Arc<str>>);

impl Check {
    /// The check as the model has it.
    ///
    /// # Errors
    /// Names the field that is out of its range, or that this type of check does not have.
    pub fn into_model(mut self) -> Result<CheckSpec, Invalid> {
        let start = self.initial_status.take().map(Status::from);
        let deregister_after = self.deregister_after.take().map(|period| period.0);
        let kind = match self.kind {
            CheckType::Alias | CheckType::Manual => {
                let problem = "is no type that can be registered here, only by Consul's interface";
                return Err(Invalid::new("type", self.kind.as_str(), problem));
            }
            CheckType::Ttl => {
                let Some(Period(ttl)) = self.ttl.take() else {
                    return Err(Invalid::new("ttl", "", "is needed by a check of type `ttl`"));
                };
                CheckKind::ttl(ttl)?
            }
            CheckType::Grpc => CheckKind::Grpc(Box::new(self.take_grpc()?)),
            CheckType::H2ping => {
                let (target, thresholds) = self.take_common()?;
                let (tls, tls_skip_verify, tls_name) = self.take_tls(true)?;
                let check = H2pingCheck { target, tls, tls_skip_verify, tls_name, thresholds };
                CheckKind::H2ping(Box::new(check))
            }
            CheckType::Http => CheckKind::Http(Box::new(self.take_http(false)?)),
            CheckType::Https => CheckKind::Http(Box::new(self.take_http(true)?)),
            CheckType::Tcp => {
                let (target, thresholds) = self.take_common()?;
                let (tls, tls_skip_verify, tls_name) = self.take_tls(false)?;
                let check = TcpCheck { target, tls, tls_skip_verify, tls_name, thresholds };
                CheckKind::Tcp(Box::new(check))
            }
            CheckType::Udp => {
                let (target, thresholds) = self.take_common()?;
                CheckKind::Udp(Box::new(UdpCheck { target, thresholds }))
            }
        };
        self.refuse_rest()?;
        Ok(CheckSpec { kind, start, deregister_after })
    }

    fn take_http(&mut self, tls: bool) -> Result<HttpCheck, Invalid> {
        let (target, thresholds) = self.take_common()?;
        let path = self.path.take().unwrap_or_else(|| "/".into());
        if !path.starts_with('/') || path.parse::<axum::http::uri::PathAndQuery>().is_err() {
            let problem = "is no path of a request: it begins with `/` and has no blanks";
            return Err(Invalid::new("path", path, problem));
        }
        let body = self.body.take().map(HttpExtra::checked_body).transpose()?;
        let (tls_skip_verify, tls_name) = self.take_trust(tls)?;
        let warn = self.warn.take().map(Expected::into_model).transpose();
        Ok(HttpCheck {
            target,
            tls,
            tls_skip_verify,
            follow_redirects: self.follow_redirects.take().unwrap_or(false),
            method: check_text::method(self.method.take().as_deref().unwrap_or("GET"))?,
            path: check_text::path(&path)?,
            headers: headers(self.headers.take().unwrap_or_default().0)?,
            expect: self
                .expect
                .take()
                .map_or_else(|| Ok(Expect::default()), Expected::into_model)?,
            warn: warn.map_err(|refusal| Invalid { field: "warn".into(), ..refusal })?,
            extra: HttpExtra::new(body, tls_name),
            thresholds,
        })
    }

    fn take_grpc(&mut self) -> Result<GrpcCheck, Invalid> {
        let (target, thresholds) = self.take_common()?;
        let service = self.service.take().unwrap_or_default();
        let (tls, tls_skip_verify, name) = self.take_tls(false)?;
        let tls_name = if tls { name } else { self.take_tls_name()? };
        let service = check_text::word("service", &service)?;
        Ok(GrpcCheck { target, tls, tls_skip_verify, tls_name, service, thresholds })
    }

    fn take_tls(&mut self, default: bool) -> Result<Tls, Invalid> {
        let tls = self.tls.take().unwrap_or(default);
        let (skip_verify, name) = self.take_trust(tls)?;
        Ok((tls, skip_verify, name))
    }

    /// What is left here without TLS is refused with the rest.
    fn take_trust(&mut self, tls: bool) -> Result<(bool, Option<Arc<str>>), Invalid> {
        if !tls {
            return Ok((false, None));
        }
        let name = self.take_tls_name()?;
        Ok((self.tls_skip_verify.take().unwrap_or(false), name))
    }

    fn take_tls_name(&mut self) -> Result<Option<Arc<str>>, Invalid> {
        self.tls_name.take().map(|name| host("tls_name", name)).transpose()
    }

    fn take_common(&mut self) -> Result<(Target, Thresholds), Invalid> {
        let default = Thresholds::DEFAULT;
        let interval = self.interval.take().map_or(default.interval, |period| period.0);
        let timeout = self.timeout.take().map_or(default.timeout.min(interval), |period| period.0);
        let thresholds = Thresholds {
            interval,
            timeout,
            rise: self.rise.take().unwrap_or(default.rise),
            warn_after: self.warn_after.take().unwrap_or(0),
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
        let host = self.host.take().map(|name| host("host", name)).transpose()?;
        Ok((Target { host, port: self.port.take() }, thresholds))
    }

    /// What the type of check has taken is gone by now; what is left, it does not have.
    fn refuse_rest(&self) -> Result<(), Invalid> {
        let left = [
            ("ttl", self.ttl.is_some()),
            ("interval", self.interval.is_some()),
            ("timeout", self.timeout.is_some()),
            ("rise", self.rise.is_some()),
            ("warn_after", self.warn_after.is_some()),
            ("fall", self.fall.is_some()),
            ("host", self.host.is_some()),
            ("port", self.port.is_some()),
            ("path", self.path.is_some()),
            ("method", self.method.is_some()),
            ("headers", self.headers.is_some()),
            ("body", self.body.is_some()),
            ("follow_redirects", self.follow_redirects.is_some()),
            ("expect", self.expect.is_some()),
            ("warn", self.warn.is_some()),
            ("service", self.service.is_some()),
            ("tls", self.tls.is_some()),
            ("tls_skip_verify", self.tls_skip_verify == Some(true)),
            ("tls_name", self.tls_name.is_some()),
        ];
        match left.into_iter().find(|(_, is_left)| *is_left) {
            None => Ok(()),
            Some((field, _)) => {
                let hint = match (field, self.kind) {
                    ("tls", CheckType::Http) => "; its type is `https` then",
                    (
                        "tls_skip_verify" | "tls_name",
                        CheckType::Grpc | CheckType::H2ping | CheckType::Tcp,
                    ) => " without `tls`",
                    _ => "",
                };
                let kind = self.kind.as_str();
                let problem = format!("is no field of a check of type `{kind}`{hint}");
                Err(Invalid::new(field, field, problem))
            }
        }
    }
}
