//! The prober: chooses the probe by the kind of check, and holds it to its timeout, which covers
//! everything from looking up the name to the end of the body.

use std::{path::Path, sync::Arc};

use parking_lot::Mutex;

use super::{
    connect::{Destination, Resolver, plainly},
    grpc, http, tcp,
    tls::Tls,
};
use crate::{
    health::{HealthError, outcome::Outcome},
    model::{CheckKind, Instance},
    util::format_duration,
};

/// Makes one probe. The real one is [`Prober`]; the scheduler's tests have their own.
pub(in crate::health) trait Probe: Send + Sync + 'static {
    /// Asks, and ends within the check's timeout.
    fn probe(&self, job: &Job) -> impl Future<Output = Outcome> + Send;
}

/// What is to be probed.
#[derive(Debug)]
pub(in crate::health) struct Job {
    /// The instance.
    pub instance: Arc<Instance>,
    /// Which of its checks.
    pub check: usize,
}

/// Why a probe did not succeed, as the check's output has it.
#[derive(Debug, thiserror::Error)]
pub(in crate::health) enum ProbeError {
    /// The instance did not do what was expected of it.
    #[error("{0}")]
    Failed(String),
    /// It was not asked, for a cause on this server.
    #[error("{0}")]
    NotRun(String),
}

/// Probes over the network.
#[derive(Debug)]
pub(in crate::health) struct Prober {
    pub(super) resolver: Resolver,
    pub(super) tls: Tls,
}

/// What a probe is waiting for, so that a timeout can say it.
#[derive(Debug)]
pub(super) struct Progress(Mutex<&'static str>);

// === impl Prober ===

impl Prober {
    /// A prober that trusts the certificates in `ca_file` besides the system's.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(in crate::health) fn new(ca_file: Option<&Path>) -> Result<Self, HealthError> {
        Ok(Self { resolver: Resolver::new(), tls: Tls::new(ca_file)? })
    }

    async fn run(&self, job: &Job) -> Result<String, ProbeError> {
        let spec = &job.instance.checks[job.check];
        let (Some(target), Some(thresholds)) = (spec.target(), spec.thresholds()) else {
            return Err(ProbeError::NotRun("a `ttl` check is not probed".into()));
        };
        let to = Destination::of(&job.instance, target)?;
        let progress = Progress::new();
        let asked = async {
            match &spec.kind {
                CheckKind::Grpc(check) => grpc::probe(self, &to, check, &progress).await,
                CheckKind::Http(check) => http::probe(self, &to, check, &progress).await,
                CheckKind::Tcp(_) => tcp::probe(self, &to, &progress).await,
                CheckKind::Ttl { .. } => Err(ProbeError::NotRun("not probed".into())),
            }
        };
        tokio::time::timeout(thresholds.timeout, asked).await.unwrap_or_else(|_| {
            let (limit, step) = (format_duration(thresholds.timeout), *progress.0.lock());
            Err(ProbeError::Failed(format!("timeout after {limit} while {step} {to}")))
        })
    }
}

impl Probe for Prober {
    async fn probe(&self, job: &Job) -> Outcome {
        self.run(job).await.into()
    }
}

// === impl Progress ===

impl Progress {
    pub(super) fn new() -> Self {
        Self(Mutex::new("preparing to ask"))
    }

    /// `step` reads on to the destination: `connecting to`.
    pub(super) fn enter(&self, step: &'static str) {
        *self.0.lock() = step;
    }
}

// === impl ProbeError ===

impl ProbeError {
    /// A failure in the middle of a conversation: `HTTP with 10.0.0.1:80: connection reset`.
    pub(super) fn talking(
        protocol: &str,
        to: &Destination,
        error: &(dyn std::error::Error + 'static),
    ) -> Self {
        Self::Failed(format!("{protocol} with {to}: {}", innermost(error)))
    }
}

/// The cause of causes: the outer errors of the protocol crates only say that there was one.
pub(super) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    match cause.downcast_ref::<std::io::Error>() {
        Some(error) => plainly(error),
        None => cause.to_string(),
    }
}
