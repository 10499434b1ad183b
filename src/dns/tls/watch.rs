//! Keeps the certificate that is shown as its files have it, and says when it is about to end.

use std::{sync::Arc, time::Duration};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    files::{CertificateError, CertificateFiles},
    identity::{Identity, ShownIdentity},
    metrics::CertificateMetrics,
};
use crate::{
    telemetry::{Board, Metrics},
    util::{Clock, FileStamp, Validity, show_time},
};

/// How long a change may go unnoticed, as for zone files.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// The name of the condition on the board when the files cannot be used.
const FILES_CONDITION: &str = "tls certificate";

/// The name of the condition on the board when the certificate is not valid, or soon no more.
const VALIDITY_CONDITION: &str = "tls certificate validity";

/// What it is called when something is wrong with its time.
const WHAT: &str = "the TLS certificate";

/// Asks for the files to be read again at once; clones ask the same watcher.
#[derive(Debug, Clone, Default)]
pub struct CertificateReload(Arc<Notify>);

/// Watches the certificate that is shown. Belongs to one task, [`Self::run`].
#[derive(Debug)]
pub struct CertificateWatcher {
    /// None for a certificate that was made at the start.
    files: Option<CertificateFiles>,
    shown: ShownIdentity,
    /// What was read last, if it was refused for its time alone: that may come.
    early: Option<Identity>,
    /// The files as they were when they were read last.
    read: [FileStamp; 2],
    /// The files as they were at the last look.
    seen: [FileStamp; 2],
    /// What was last said of the certificate's time, and of which: from when and until when.
    told: (Validity, (i64, i64)),
    reload: CertificateReload,
    clock: Clock,
    board: Board,
    metrics: CertificateMetrics,
}

// === impl CertificateReload ===

impl CertificateReload {
    /// Asks for it.
    pub fn ask(&self) {
        self.0.notify_one();
    }
}

// === impl CertificateWatcher ===

impl CertificateWatcher {
    /// Reads the files for the first time; blocks while it does.
    ///
    /// # Errors
    /// When they cannot be used: there is nothing yet that could be shown instead.
    pub fn open(
        files: CertificateFiles,
        clock: Clock,
        board: Board,
        metrics: &Metrics,
    ) -> Result<Self, CertificateError> {
        let stamps = files.stamps();
        let identity = files.read()?;
        Ok(Self::new((Some(files), stamps), identity, clock, board, metrics))
    }

    /// Watches over a certificate that is in no files.
    pub fn without_files(
        identity: Identity,
        clock: Clock,
        board: Board,
        metrics: &Metrics,
    ) -> Self {
        let nowhere = CertificateFiles { certificate: "".into(), key: "".into() };
        Self::new((None, nowhere.stamps()), identity, clock, board, metrics)
    }

    fn new(
        (files, stamps): (Option<CertificateFiles>, [FileStamp; 2]),
        identity: Identity,
        clock: Clock,
        board: Board,
        metrics: &Metrics,
    ) -> Self {
        let metrics = CertificateMetrics::new(metrics);
        metrics.shown(identity.not_after());
        let (pin, ends) = (identity.pin(), show_time(identity.not_after()));
        info!(pin_sha256 = pin, %ends, "TLS certificate");
        let mut watcher = Self {
            files,
            shown: ShownIdentity::new(identity),
            early: None,
            read: stamps,
            seen: stamps,
            told: (Validity::Valid, (0, 0)),
            reload: CertificateReload::default(),
            clock,
            board,
            metrics,
        };
        watcher.check_validity();
        watcher
    }

    /// What is shown, for those who show it.
    pub fn shown(&self) -> ShownIdentity {
        self.shown.clone()
    }

    /// The way to ask for a reload.
    pub fn reload(&self) -> CertificateReload {
        self.reload.clone()
    }

    /// Watches until `stop`.
    pub async fn run(mut self, stop: CancellationToken) {
        let reload = self.reload();
        loop {
            let is_forced = tokio::select! {
                () = stop.cancelled() => return,
                () = reload.0.notified() => true,
                () = tokio::time::sleep(POLL_INTERVAL) => false,
            };
            let looked = tokio::task::spawn_blocking(move || {
                self.poll(is_forced);
                self
            });
            match looked.await {
                Ok(watcher) => self = watcher,
                // Only when the runtime goes down, or by a mistake of ours; what is shown stays.
                Err(error) => {
                    error!(%error, "the certificate files are no longer watched");
                    return;
                }
            }
        }
    }

    /// Looks at the files and the time once; blocks while it reads.
    fn poll(&mut self, is_forced: bool) {
        if let Some(files) = self.files.clone() {
            let stamps = files.stamps();
            // The two files change one after the other, and between them they do not belong
            // together: they are read when they have been the same for two looks.
            let is_settled = stamps == self.seen;
            self.seen = stamps;
            if is_forced || (is_settled && stamps != self.read) {
                self.read = stamps;
                self.early = None;
                self.take_over(files.read());
            }
        }
        if let Some(identity) = self.early.take() {
            match self.would_shut_out(&identity) {
                true => self.early = Some(identity),
                false => self.take_over(Ok(identity)),
            }
        }
        self.check_validity();
    }

    fn take_over(&mut self, read: Result<Identity, CertificateError>) {
        match read {
            Ok(identity) if self.would_shut_out(&identity) => {
                let problem = format!(
                    "the certificate is valid from {} to {}, which is not now",
                    show_time(identity.not_before()),
                    show_time(identity.not_after())
                );
                let line = identity.line;
                let placed = self.files.as_ref().map(|files| files.fault(line, problem.clone()));
                self.refuse(&placed.map_or(problem, |placed| placed.to_string()));
                self.early = Some(identity);
            }
            Ok(identity) => {
                self.board.clear(FILES_CONDITION);
                if identity.key.cert == self.shown.load().key.cert {
                    self.metrics.restored();
                    return;
                }
                let (pin, ends) = (identity.pin(), show_time(identity.not_after()));
                info!(pin_sha256 = pin, %ends, "TLS certificate exchanged");
                self.metrics.shown(identity.not_after());
                self.shown.show(identity);
            }
            Err(problem) => self.refuse(&problem.to_string()),
        }
    }

    /// Whether clients that come now would refuse it, while they take what is shown.
    fn would_shut_out(&self, identity: &Identity) -> bool {
        let is_taken = |identity: &Identity| {
            let validity = Validity::at(self.now(), identity.not_before(), identity.not_after());
            matches!(validity, Validity::Ending | Validity::Valid)
        };
        !is_taken(identity) && is_taken(&self.shown.load())
    }

    fn refuse(&self, problem: &str) {
        error!(problem, "TLS certificate refused; the one before stays");
        self.metrics.refused();
        let note = format!("{problem}; the certificate before it is still shown");
        self.board.note(FILES_CONDITION, note);
    }

    /// Seconds since the Unix epoch.
    fn now(&self) -> i64 {
        i64::try_from(self.clock.wall_millis() / 1_000).unwrap_or(i64::MAX)
    }

    /// Says once when the certificate changes from one state to another.
    fn check_validity(&mut self) {
        let identity = self.shown.load();
        let times = (identity.not_before(), identity.not_after());
        let validity = Validity::at(self.now(), times.0, times.1);
        if std::mem::replace(&mut self.told, (validity, times)) == (validity, times) {
            return;
        }
        match validity.problem(WHAT, times) {
            None => self.board.clear(VALIDITY_CONDITION),
            Some(problem) => {
                warn!(problem, "clients may refuse to come");
                self.board.note(VALIDITY_CONDITION, problem);
            }
        }
    }
}

// === impl Identity ===

impl Identity {
    /// Why clients may refuse it at a time, seconds since the Unix epoch, or will soon; nothing
    /// when all is well.
    pub fn problem(&self, now: i64) -> Option<String> {
        let times = (self.not_before(), self.not_after());
        Validity::at(now, times.0, times.1).problem(WHAT, times)
    }
}

#[cfg(test)]
mod tests;
