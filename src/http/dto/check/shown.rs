//! A check of the model as it is shown: with all that was left to defaults.

use super::{Check, CheckType, Expected};
use crate::{
    http::dto::{Period, registration::Strings},
    model::{CheckKind, CheckSpec, HttpCheck},
};

impl From<&CheckSpec> for Check {
    fn from(spec: &CheckSpec) -> Self {
        let (thresholds, target) = (spec.thresholds(), spec.target());
        let mut check = Self {
            kind: CheckType::Ttl,
            ttl: spec.ttl().map(Period),
            interval: thresholds.map(|t| Period(t.interval)),
            timeout: thresholds.map(|t| Period(t.timeout)),
            rise: thresholds.map(|t| t.rise),
            fall: thresholds.map(|t| t.fall),
            host: target.and_then(|t| t.host.as_deref()).map(str::to_owned),
            port: target.and_then(|t| t.port),
            path: None,
            method: None,
            headers: None,
            expect: None,
            service: None,
            tls: None,
            tls_skip_verify: None,
        };
        match &spec.kind {
            CheckKind::Ttl { .. } => {}
            CheckKind::Tcp(_) => check.kind = CheckType::Tcp,
            CheckKind::Grpc(grpc) => {
                check.kind = CheckType::Grpc;
                check.service = (!grpc.service.is_empty()).then(|| grpc.service.to_string());
                check.tls = grpc.tls.then_some(true);
                check.tls_skip_verify = grpc.tls_skip_verify.then_some(true);
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
        self.expect = Some(Expected::from(&http.expect));
        self.tls_skip_verify = http.tls_skip_verify.then_some(true);
    }
}
