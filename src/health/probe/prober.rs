//! The prober: chooses the probe by the kind of check, and holds it to its timeout, which covers
//! everything from looking up the name to the end of the body.

use std::{path::Path, sync::Arc};

use parking_lot::Mutex;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::either::Either;

use super::{
    connect::{Destination, Resolver, plainly},
    grpc, h2ping, http, tcp,
    tls::{How, Inside, Tls},
    udp,
};
use crate::{
    health::{HealthError, outcome::Outcome},
    model::{CheckKind, Instance, Status},
    util::format_duration,
};

/// A connection, in plain or over TLS.
pub(super) type Stream = Either<TcpStream, TlsStream<TcpStream>>;

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
pub(super) struct Progress(Mutex<Waiting>);

#[derive(Debug)]
struct Waiting {
    step: &'static str,
    /// Where a redirect has led, if that is not the check's own destination.
    elsewhere: Option<String>,
}

// === impl Prober ===

impl Prober {
    /// A prober that trusts the certificates in `ca_file` besides the system's.
    ///
    /// # Errors
    /// When the file cannot be used.
    pub(in crate::health) fn new(ca_file: Option<&Path>) -> Result<Self, HealthError> {
        Ok(Self { resolver: Resolver::new(), tls: Tls::new(ca_file)? })
    }

    /// A connection over which the check's own protocol is spoken, within TLS or not.
    ///
    /// # Errors
    /// When there is none to be had, or the handshake fails.
    pub(super) async fn open(
        &self,
        to: &Destination,
        how: How<'_>,
        progress: &Progress,
    ) -> Result<Stream, ProbeError> {
        let stream = self.resolver.connect(to, progress).await?;
        if how.tls {
            return self.tls.connect(stream, to, how, progress).await.map(Either::Right);
        }
        if how.inside == Inside::Http2 {
            // Several small writes: waiting for the acknowledgement of one only delays the next.
            let _ = stream.set_nodelay(true);
        }
        Ok(Either::Left(stream))
    }

    async fn run(&self, job: &Job) -> Result<(Status, String), ProbeError> {
        let spec = &job.instance.checks[job.check];
        let (Some(target), Some(thresholds)) = (spec.target(), spec.thresholds()) else {
            return Err(ProbeError::NotRun(format!(
                "`{}` checks are not probed",
                spec.kind_name()
            )));
        };
        let to = Destination::of(&job.instance, target)?;
        let progress = Progress::new();
        let asked = self.ask(&to, &spec.kind, &progress);
        let found = tokio::time::timeout(thresholds.timeout, asked).await;
        found.unwrap_or_else(|_| {
            let Waiting { step, elsewhere } = progress.0.into_inner();
            if step == udp::LISTENING {
                return Ok((Status::Passing, udp::passed(&to)));
            }
            let limit = format_duration(thresholds.timeout);
            let whom = elsewhere.unwrap_or_else(|| to.to_string());
            Err(ProbeError::Failed(format!("timeout after {limit} while {step} {whom}")))
        })
    }

    /// What was found, and what that is worth.
    async fn ask(
        &self,
        to: &Destination,
        kind: &CheckKind,
        progress: &Progress,
    ) -> Result<(Status, String), ProbeError> {
        let output = match kind {
            CheckKind::Grpc(check) => grpc::probe(self, to, check, progress).await?,
            CheckKind::H2ping(check) => h2ping::probe(self, to, check, progress).await?,
            CheckKind::Http(check) => return http::probe(self, to, check, progress).await,
            CheckKind::Tcp(check) => tcp::probe(self, to, check, progress).await?,
            CheckKind::Udp(_) => udp::probe(self, to, progress).await?,
            CheckKind::Alias(_) | CheckKind::Manual | CheckKind::Ttl { .. } => {
                return Err(ProbeError::NotRun("not probed".into()));
            }
        };
        Ok((Status::Passing, output))
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
        Self(Mutex::new(Waiting { step: "preparing to ask", elsewhere: None }))
    }

    /// `step` reads on to the destination: `connecting to`.
    pub(super) fn enter(&self, step: &'static str) {
        self.0.lock().step = step;
    }

    /// From now on somebody else is asked.
    pub(super) fn go_to(&self, place: &Destination) {
        self.0.lock().elsewhere = Some(place.to_string());
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
