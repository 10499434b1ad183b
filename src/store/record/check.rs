//! The record of a check with its last known state.
//!
//! Version 1 has the four kinds that there were first, and none of the facts.

use std::{sync::Arc, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Interner, RecordError, member::InterfaceRecord};
use crate::model::{
    AliasCheck, CheckKind, CheckSpec, CheckState, Expect, GrpcCheck, H2pingCheck, HttpCheck,
    HttpExtra, Scope, Status, Target, TcpCheck, Thresholds, Timestamp, UdpCheck,
};

#[derive(Serialize, Deserialize)]
pub(super) struct CheckRecord<'a> {
    #[serde(borrow)]
    kind: KindRecord<'a>,
    status: StatusRecord,
    output: &'a str,
    since_millis: u64,
}

/// A check of version 2.
#[derive(Serialize, Deserialize)]
pub(super) struct CheckRecordV2<'a> {
    #[serde(borrow)]
    check: CheckRecord<'a>,
    facts: Vec<CheckFact<'a>>,
}

/// What few checks have. New ones go behind the others.
#[derive(Serialize, Deserialize)]
enum CheckFact<'a> {
    Start(StatusRecord),
    DeregisterAfter(Duration),
    Body(&'a str),
    FollowRedirects,
    Warn(Vec<(u16, u16)>),
    /// Of a `tcp` check.
    Tls(TlsRecord),
    TlsName(&'a str),
    WarnAfter(u16),
}

/// A check of either version.
pub(super) trait DecodeCheck {
    fn decode(self, interner: &mut Interner) -> Result<(CheckSpec, CheckState), RecordError>;
}

/// The first four are those of version 1.
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
    H2ping {
        #[serde(borrow)]
        target: TargetRecord<'a>,
        tls: TlsRecord,
        thresholds: ThresholdsRecord,
    },
    Manual,
    Udp {
        #[serde(borrow)]
        target: TargetRecord<'a>,
        thresholds: ThresholdsRecord,
    },
    Alias {
        interface: InterfaceRecord,
        scope: &'a str,
        id: &'a str,
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

/// Whether version 1 has words for all of a check.
pub(super) fn is_version_1(spec: &CheckSpec) -> bool {
    let kind = match &spec.kind {
        CheckKind::Alias(_) | CheckKind::H2ping(_) | CheckKind::Manual | CheckKind::Udp(_) => false,
        CheckKind::Grpc(_) | CheckKind::Http(_) | CheckKind::Tcp(_) | CheckKind::Ttl { .. } => true,
    };
    kind && facts(spec).is_empty()
}

/// What there is of `spec` besides its kind's record, in the order of the facts.
fn facts(spec: &CheckSpec) -> Vec<CheckFact<'_>> {
    let mut facts = Vec::new();
    facts.extend(spec.start.map(|status| CheckFact::Start(status.into())));
    facts.extend(spec.deregister_after.map(CheckFact::DeregisterAfter));
    let tls_name = match &spec.kind {
        CheckKind::Grpc(check) => check.tls_name.as_ref(),
        CheckKind::H2ping(check) => check.tls_name.as_ref(),
        CheckKind::Http(check) => {
            facts.extend(check.body().map(|body| CheckFact::Body(body)));
            facts.extend(check.follow_redirects.then_some(CheckFact::FollowRedirects));
            facts.extend(check.warn.as_ref().map(|warn| CheckFact::Warn(warn.ranges().to_vec())));
            check.tls_name()
        }
        CheckKind::Tcp(check) => {
            let is_plain = !check.tls && !check.tls_skip_verify;
            let tls = TlsRecord::new(check.tls, check.tls_skip_verify);
            facts.extend((!is_plain).then_some(CheckFact::Tls(tls)));
            check.tls_name.as_ref()
        }
        CheckKind::Alias(_) | CheckKind::Manual | CheckKind::Ttl { .. } | CheckKind::Udp(_) => None,
    };
    facts.extend(tls_name.map(|name| CheckFact::TlsName(name)));
    let warn_after = spec.thresholds().map_or(0, |thresholds| thresholds.warn_after);
    facts.extend((warn_after > 0).then_some(CheckFact::WarnAfter(warn_after)));
    facts
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
}

impl DecodeCheck for CheckRecord<'_> {
    fn decode(self, interner: &mut Interner) -> Result<(CheckSpec, CheckState), RecordError> {
        let state = CheckState {
            status: self.status.into(),
            output: interner.text(self.output),
            since: Timestamp(self.since_millis),
        };
        Ok((CheckSpec::new(self.kind.decode(interner)?), state))
    }
}

// === impl CheckRecordV2 ===

impl<'a> CheckRecordV2<'a> {
    pub(super) fn new(spec: &'a CheckSpec, state: &'a CheckState) -> Self {
        Self { check: CheckRecord::new(spec, state), facts: facts(spec) }
    }
}

impl DecodeCheck for CheckRecordV2<'_> {
    fn decode(self, interner: &mut Interner) -> Result<(CheckSpec, CheckState), RecordError> {
        let (mut spec, state) = self.check.decode(interner)?;
        for fact in self.facts {
            fact.add_to(&mut spec, interner)?;
        }
        Ok((spec, state))
    }
}

// === impl CheckFact ===

impl CheckFact<'_> {
    fn add_to(self, spec: &mut CheckSpec, interner: &mut Interner) -> Result<(), RecordError> {
        match (self, &mut spec.kind) {
            (Self::Start(status), _) => spec.start = Some(status.into()),
            (Self::DeregisterAfter(after), _) => spec.deregister_after = Some(after),
            (Self::WarnAfter(count), _) => match spec.thresholds_mut() {
                Some(thresholds) => thresholds.warn_after = count,
                None => return Err(RecordError::Fact(spec.kind_name())),
            },
            (Self::Body(body), CheckKind::Http(check)) => {
                let tls_name = check.tls_name().cloned();
                check.extra = HttpExtra::new(Some(interner.text(body)), tls_name);
            }
            (Self::FollowRedirects, CheckKind::Http(check)) => check.follow_redirects = true,
            (Self::Warn(codes), CheckKind::Http(check)) => check.warn = Some(Expect::new(codes)?),
            (Self::Tls(tls), CheckKind::Tcp(check)) => {
                (check.tls, check.tls_skip_verify) = (tls.is_on(), tls.skips_verify());
            }
            (Self::TlsName(name), CheckKind::Http(check)) => {
                let body = check.body().cloned();
                check.extra = HttpExtra::new(body, Some(interner.text(name)));
            }
            (Self::TlsName(name), CheckKind::Grpc(check)) => {
                check.tls_name = Some(interner.text(name));
            }
            (Self::TlsName(name), CheckKind::H2ping(check)) => {
                check.tls_name = Some(interner.text(name));
            }
            (Self::TlsName(name), CheckKind::Tcp(check)) => {
                check.tls_name = Some(interner.text(name));
            }
            _ => return Err(RecordError::Fact(spec.kind_name())),
        }
        Ok(())
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
            CheckKind::H2ping(check) => Self::H2ping {
                target: (&check.target).into(),
                tls: TlsRecord::new(check.tls, check.tls_skip_verify),
                thresholds: check.thresholds.into(),
            },
            CheckKind::Manual => Self::Manual,
            CheckKind::Alias(check) => Self::Alias {
                interface: check.scope.interface.into(),
                scope: &check.scope.name,
                id: &check.id,
            },
            CheckKind::Udp(check) => {
                Self::Udp { target: (&check.target).into(), thresholds: check.thresholds.into() }
            }
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
                    tls_name: None,
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
                    follow_redirects: false,
                    method: interner.text(method),
                    path: interner.text(path),
                    headers: headers.map(|(n, v)| (interner.text(n), interner.text(v))).collect(),
                    expect: Expect::new(expect)?,
                    warn: None,
                    extra: None,
                    thresholds: thresholds.into(),
                }))
            }
            Self::Tcp { target, thresholds } => CheckKind::Tcp(Box::new(TcpCheck {
                target: target.decode(interner),
                tls: false,
                tls_skip_verify: false,
                tls_name: None,
                thresholds: thresholds.into(),
            })),
            Self::Ttl { ttl } => CheckKind::Ttl { ttl },
            Self::H2ping { target, tls, thresholds } => CheckKind::H2ping(Box::new(H2pingCheck {
                target: target.decode(interner),
                tls: tls.is_on(),
                tls_skip_verify: tls.skips_verify(),
                tls_name: None,
                thresholds: thresholds.into(),
            })),
            Self::Manual => CheckKind::Manual,
            Self::Alias { interface, scope, id } => CheckKind::Alias(Box::new(AliasCheck {
                scope: Scope { interface: interface.into(), name: interner.text(scope) },
                id: interner.text(id),
            })),
            Self::Udp { target, thresholds } => CheckKind::Udp(Box::new(UdpCheck {
                target: target.decode(interner),
                thresholds: thresholds.into(),
            })),
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
    fn from(Thresholds { interval, timeout, rise, fall, .. }: Thresholds) -> Self {
        Self { interval, timeout, rise, fall }
    }
}

impl From<ThresholdsRecord> for Thresholds {
    fn from(ThresholdsRecord { interval, timeout, rise, fall }: ThresholdsRecord) -> Self {
        Self { interval, timeout, rise, fall, warn_after: 0 }
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
