//! What is measured of the certificate.

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use crate::telemetry::Metrics;

/// The metrics of the certificate that is shown.
#[derive(Debug, Clone, Default)]
pub(super) struct CertificateMetrics {
    not_after: Gauge,
    successful: Gauge,
    failures: Counter,
}

// === impl CertificateMetrics ===

impl CertificateMetrics {
    /// Registers the families.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let new = Self::default();
        let Self { not_after, successful, failures } = new.clone();
        metrics.register(|families| {
            let help = "When the certificate that is shown ends, since the Unix epoch";
            let unit = prometheus_client::registry::Unit::Seconds;
            families.register_with_unit("tls_certificate_not_after", help, unit, not_after);
            let help = "Whether the certificate files that were read last are in use";
            families.register("tls_last_load_successful", help, successful);
            let help = "Times that the certificate files could not be used";
            families.register("tls_load_failures", help, failures);
        });
        new
    }

    /// A certificate is shown that ends then, seconds since the Unix epoch.
    pub(super) fn shown(&self, not_after: i64) {
        self.not_after.set(not_after);
        self.successful.set(1);
    }

    /// The files could not be used.
    pub(super) fn refused(&self) {
        self.successful.set(0);
        self.failures.inc();
    }

    /// The files are as they were when they were taken over.
    pub(super) fn restored(&self) {
        self.successful.set(1);
    }
}
