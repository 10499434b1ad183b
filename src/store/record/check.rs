//! The record of a check with its last known state.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Interner, RecordError};
use crate::model::{
    CheckKind, CheckSpec, CheckState, Expect, GrpcCheck, HttpCheck, Status, Target, TcpCheck,
    Thresholds, Timestamp,
};

#[derive(Serialize, Deserialize)]
pub(super) struct CheckRecord<'a> {
    #[serde(borrow)]
    kind: KindRecord<'a>,
    status: StatusRecord,
    output: &'a str,
    since_millis: u64,
}

#[derive(Serialize, Deserialize)]
enum KindRecord<'a> {
    Grpc {
        #[serde(borrow)]
        target: TargetRecord<'a>,
        tls: TlsRecord,
        service: &'a str,
        thresholds: ThresholdsRecord,
    },
    Http {
        #[serde(borrow)]
        target: TargetRecord<'a>,
        tls: TlsRecord,
        method: &'a str,
        path: &'a str,
        headers: Vec<(&'a str, &'a str)>,
        expect: Vec<(u16, u16)>,
        thresholds: ThresholdsRecord,
    },
    Tcp {
        #[serde(borrow)]
        target: TargetRecord<'a>,
        thresholds: ThresholdsRecord,
    },
    Ttl {
        ttl: Duration,
    },
}

#[derive(Serialize, Deserialize)]
enum TlsRecord {
    Off,
    SkipVerify,
    Verify,
    /// Certificates are not verified once TLS is switched on: kept so that what was registered is
    /// what is read back.
    OffSkipVerify,
}

#[derive(Serialize, Deserialize)]
struct TargetRecord<'a> {
    host: Option<&'a str>,
    port: Option<u16>,
}

#[derive(Serialize, Deserialize)]
struct ThresholdsRecord {
    interval: Duration,
    timeout: Duration,
    rise: u16,
    fall: u16,
}

#[derive(Serialize, Deserialize)]
pub(super) enum StatusRecord {
    Passing,
    Warning,
    Critical,
}

// === impl CheckRecord ===

impl<'a> CheckRecord<'a> {
    pub(super) fn new(spec: &'a CheckSpec, state: &'a CheckState) -> Self {
        Self {
            kind: KindRecord::from(&spec.kind),
            status: state.status.into(),
            output: &state.output,
            since_millis: state.since.0,
        }
    }

    pub(super) fn decode(
        self,
        interner: &mut Interner,
    ) -> Result<(CheckSpec, CheckState), RecordError> {
        let state = CheckState {
            status: self.status.into(),
            output: interner.text(self.output),
            since: Timestamp(self.since_millis),
        };
        Ok((CheckSpec { kind: self.kind.decode(interner)? }, state))
    }
}

// === impl KindRecord ===

impl<'a> From<&'a CheckKind> for KindRecord<'a> {
    fn from(kind: &'a CheckKind) -> Self {
        match kind {
            CheckKind::Grpc(check) => Self::Grpc {
                target: (&check.target).into(),
                tls: TlsRecord::new(check.tls, check.tls_skip_verify),
                service: &check.service,
                thresholds: check.thresholds.into(),
            },
            CheckKind::Http(check) => Self::Http {
                target: (&check.target).into(),
                tls: TlsRecord::new(check.tls, check.tls_skip_verify),
                method: &check.method,
                path: &check.path,
                headers: check.headers.iter().map(|(name, value)| (&**name, &**value)).collect(),
                expect: check.expect.ranges().to_vec(),
                thresholds: check.thresholds.into(),
            },
            CheckKind::Tcp(check) => {
                Self::Tcp { target: (&check.target).into(), thresholds: check.thresholds.into() }
            }
            CheckKind::Ttl { ttl } => Self::Ttl { ttl: *ttl },
        }
    }
}

impl KindRecord<'_> {
    fn decode(self, interner: &mut Interner) -> Result<CheckKind, RecordError> {
        Ok(match self {
            Self::Grpc { target, tls, service, thresholds } => {
                CheckKind::Grpc(Box::new(GrpcCheck {
                    target: target.decode(interner),
                    tls: tls.is_on(),
                    tls_skip_verify: tls.skips_verify(),
                    service: interner.text(service),
                    thresholds: thresholds.into(),
                }))
            }
            Self::Http { target, tls, method, path, headers, expect, thresholds } => {
                let headers = headers.into_iter();
                CheckKind::Http(Box::new(HttpCheck {
                    target: target.decode(interner),
                    tls: tls.is_on(),
                    tls_skip_verify: tls.skips_verify(),
                    method: interner.text(method),
                    path: interner.text(path),
                    headers: headers.map(|(n, v)| (interner.text(n), interner.text(v))).collect(),
                    expect: Expect::new(expect)?,
                    thresholds: thresholds.into(),
                }))
            }
            Self::Tcp { target, thresholds } => CheckKind::Tcp(Box::new(TcpCheck {
                target: target.decode(interner),
                thresholds: thresholds.into(),
            })),
            Self::Ttl { ttl } => CheckKind::Ttl { ttl },
        })
    }
}

// === impl TlsRecord ===

impl TlsRecord {
    fn new(tls: bool, skip_verify: bool) -> Self {
        match (tls, skip_verify) {
            (false, false) => Self::Off,
            (false, true) => Self::OffSkipVerify,
            (true, false) => Self::Verify,
            (true, true) => Self::SkipVerify,
        }
    }

    fn is_on(&self) -> bool {
        matches!(self, Self::SkipVerify | Self::Verify)
    }

    fn skips_verify(&self) -> bool {
        matches!(self, Self::OffSkipVerify | Self::SkipVerify)
    }
}

// === impl TargetRecord ===

impl<'a> From<&'a Target> for TargetRecord<'a> {
    fn from(target: &'a Target) -> Self {
        Self { host: target.host.as_deref(), port: target.port }
    }
}

impl TargetRecord<'_> {
    fn decode(self, interner: &mut Interner) -> Target {
        let host: Option<Arc<str>> = self.host.map(|host| interner.text(host));
        Target { host, port: self.port }
    }
}

// === impl ThresholdsRecord ===

impl From<Thresholds> for ThresholdsRecord {
    fn from(Thresholds { interval, timeout, rise, fall }: Thresholds) -> Self {
        Self { interval, timeout, rise, fall }
    }
}

impl From<ThresholdsRecord> for Thresholds {
    fn from(ThresholdsRecord { interval, timeout, rise, fall }: ThresholdsRecord) -> Self {
        Self { interval, timeout, rise, fall }
    }
}

// === impl StatusRecord ===

impl From<Status> for StatusRecord {
    fn from(status: Status) -> Self {
        match status {
            Status::Passing => Self::Passing,
            Status::Warning => Self::Warning,
            Status::Critical => Self::Critical,
        }
    }
}

impl From<StatusRecord> for Status {
    fn from(status: StatusRecord) -> Self {
        match status {
            StatusRecord::Passing => Self::Passing,
            StatusRecord::Warning => Self::Warning,
            StatusRecord::Critical => Self::Critical,
        }
    }
}
