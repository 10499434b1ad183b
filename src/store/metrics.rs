//! What the store counts.

use std::time::Duration;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

use crate::telemetry::Metrics;

/// The families of the store; clones share them.
#[derive(Debug, Clone)]
pub(super) struct StoreMetrics {
    commits: Counter,
    failures: Counter,
    fold_failures: Counter,
    changes: Counter,
    seconds: Histogram,
    size: Gauge,
}

// === impl StoreMetrics ===

impl StoreMetrics {
    /// From a fast fsync to a disk that is in trouble.
    const BUCKETS_SECONDS: [f64; 12] =
        [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5, 10.0];

    pub(super) fn new() -> Self {
        Self {
            commits: Counter::default(),
            failures: Counter::default(),
            fold_failures: Counter::default(),
            changes: Counter::default(),
            seconds: Histogram::new(Self::BUCKETS_SECONDS),
            size: Gauge::default(),
        }
    }

    pub(super) fn register(&self, metrics: &Metrics) {
        let Self { commits, failures, fold_failures, changes, seconds, size } = self.clone();
        metrics.register(|registry| {
            registry.register("store_commits", "Transactions made durable", commits);
            registry.register("store_commit_failures", "Transactions refused", failures);
            let help = "Attempts to bring the log into the tables that failed";
            registry.register("store_fold_failures", help, fold_failures);
            registry.register("store_changes", "Rows made durable", changes);
            let help = "Time from a batch of changes to its durability";
            registry.register("store_commit_duration_seconds", help, seconds);
            registry.register("store_size_bytes", "Size of the store's files", size);
        });
    }

    pub(super) fn committed(&self, changes: usize, took: Duration) {
        self.commits.inc();
        self.changes.inc_by(changes as u64);
        self.seconds.observe(took.as_secs_f64());
    }

    pub(super) fn failed(&self) {
        self.failures.inc();
    }

    pub(super) fn fold_failed(&self) {
        self.fold_failures.inc();
    }

    pub(super) fn sized(&self, octets: u64) {
        self.size.set(i64::try_from(octets).unwrap_or(i64::MAX));
    }
}
