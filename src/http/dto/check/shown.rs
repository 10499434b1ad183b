//! A check of the model as it is shown: with all that was left to defaults.

use super::{Check, CheckType, Expected};
use crate::{
    http::dto::{Period, StatusName, registration::Strings},
    model::{CheckKind, CheckSpec, HttpCheck},
};

impl From<&CheckSpec> for Check {
    fn from(spec: &CheckSpec) -> Self {
        let (thresholds, target) = (spec.thresholds(), spec.target());
        let mut check = Self {
            kind: CheckType::Manual,
            ttl: spec.ttl().map(Period),
            interval: thresholds.map(|t| Period(t.interval)),
            timeout: thresholds.map(|t| Period(t.timeout)),
            rise: thresholds.map(|t| t.rise),
            fall: thresholds.map(|t| t.fall),
            warn_after: thresholds.map(|t| t.warn_after).filter(|count| *count > 0),
            host: target.and_then(|t| t.host.as_deref()).map(str::to_owned),
            port: target.and_then(|t| t.port),
            path: None,
            method: None,
            headers: None,
            body: None,
            follow_redirects: None,
            expect: None,
            warn: None,
            service: None,
            tls: None,
            tls_skip_verify: None,
            tls_name: None,
            initial_status: spec.start.map(StatusName::from),
            deregister_after: spec.deregister_after.map(Period),
        };
        match &spec.kind {
            CheckKind::Alias(_) => check.kind = CheckType::Alias,
            CheckKind::Manual => {}
            CheckKind::Ttl { .. } => check.kind = CheckType::Ttl,
            CheckKind::Udp(_) => check.kind = CheckType::Udp,
            CheckKind::Tcp(tcp) => {
                check.kind = CheckType::Tcp;
                check.tls = tcp.tls.then_some(true);
                check.show_trust(tcp.tls_skip_verify, tcp.tls_name.as_deref());
            }
            CheckKind::H2ping(ping) => {
                check.kind = CheckType::H2ping;
                check.tls = Some(ping.tls);
                check.show_trust(ping.tls_skip_verify, ping.tls_name.as_deref());
            }
            CheckKind::Grpc(grpc) => {
                check.kind = CheckType::Grpc;
                check.service = (!grpc.service.is_empty()).then(|| grpc.service.to_string());
                check.tls = grpc.tls.then_some(true);
                check.show_trust(grpc.tls_skip_verify, grpc.tls_name.as_deref());
            }
            CheckKind::Http(http) => check.show_http(http),
        }
        check
    }
}

impl Check {
    fn show_http(&mut self, http: &HttpCheck) {
        self.kind = if http.tls { CheckType::Https } else { CheckType::Http };
        self.path = Some(http.path.to_string());
        self.method = Some(http.method.to_string());
        let pairs = http.headers.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let headers = Strings(pairs.collect());
        self.headers = (!headers.0.is_empty()).then_some(headers);
        self.body = http.body().map(ToString::to_string);
        self.follow_redirects = http.follow_redirects.then_some(true);
        self.expect = Some(Expected::from(&http.expect));
        self.warn = http.warn.as_ref().map(Expected::from);
        self.show_trust(http.tls_skip_verify, http.tls_name().map(|name| &**name));
    }

    fn show_trust(&mut self, skip_verify: bool, name: Option<&str>) {
        self.tls_skip_verify = skip_verify.then_some(true);
        self.tls_name = name.map(str::to_owned);
    }
}
