//! What is counted of the store that servers share.

use std::{fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
        histogram::Histogram,
    },
    registry::Unit,
};
use tokio::time::Instant;

use super::common::LastWord;
use crate::telemetry::Metrics;

/// The families; clones share them.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    revision: Gauge,
    lists: Counter,
    restarts: Family<Reason, Counter>,
    unreadable: Gauge,
    transactions: Family<Outcome, Counter>,
    seconds: Histogram,
    size: Gauge,
    certificates: Gauge,
    servers: Gauge,
    owned: Gauge,
    lost: Lost,
}

/// Since when nothing can be read or written; nothing while all is well.
type Lost = Arc<Mutex<Since>>;

/// Since when changes are refused, by what is the matter.
#[derive(Debug, Clone, Copy, Default)]
struct Since {
    /// The store is out of reach, or another one.
    away: Option<Instant>,
    /// It answers, and takes no changes.
    refusing: Option<Instant>,
}

/// Why a watch was begun again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// What became of a transaction.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Outcome {
    outcome: &'static str,
}

/// How long nothing was heard, and how long the store is out of reach, as of the moment of the
/// scrape.
#[derive(Debug)]
struct Lapses {
    heard: LastWord,
    lost: Lost,
}

// === impl ClusterMetrics ===

impl ClusterMetrics {
    /// From a fast commit of three members to the longest that anybody waits.
    const BUCKETS_SECONDS: [f64; 11] =
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 2.5, 10.0];

    /// Why a watch is begun again.
    const REASONS: [&str; 9] = [
        "canceled",
        "compacted",
        "failed",
        "mended",
        "meta",
        "restored",
        "silent",
        "too_large",
        "unanswered",
    ];

    /// What becomes of a transaction.
    const OUTCOMES: [&str; 8] =
        ["busy", "conflict", "full", "not_owner", "too_large", "unavailable", "unsure", "written"];

    pub(super) fn new(metrics: &Metrics, heard: &LastWord) -> Self {
        let new = Self {
            revision: Gauge::default(),
            lists: Counter::default(),
            restarts: Family::default(),
            unreadable: Gauge::default(),
            transactions: Family::default(),
            seconds: Histogram::new(Self::BUCKETS_SECONDS),
            size: Gauge::default(),
            certificates: Gauge::default(),
            servers: Gauge::default(),
            owned: Gauge::default(),
            lost: Lost::default(),
        };
        // What is absent until it happens has no rate when it does.
        for reason in Self::REASONS {
            new.restarts.get_or_create(&Reason { reason }).inc_by(0);
        }
        for outcome in Self::OUTCOMES {
            new.transactions.get_or_create(&Outcome { outcome }).inc_by(0);
        }
        new.certificates_loaded(true);
        new.clone().register(metrics, heard);
        new
    }

    fn register(self, metrics: &Metrics, heard: &LastWord) {
        let lapses = Box::new(Lapses { heard: heard.clone(), lost: Arc::clone(&self.lost) });
        metrics.register(|registry| {
            let help = "Revision of the shared store up to which this server knows all changes";
            registry.register("cluster_revision", help, self.revision);
            let help = "Times that the whole shared state was read";
            registry.register("cluster_lists", help, self.lists);
            let help = "Times that the watch of the shared state was begun again, by reason";
            registry.register("cluster_watch_restarts", help, self.restarts);
            let help = "Rows of the shared state that cannot be read; the last known ones stay";
            registry.register("cluster_rows_unreadable", help, self.unreadable);
            let help = "Servers that are alive, as this one sees it";
            registry.register("cluster_servers", help, self.servers);
            let help = "Instances whose heartbeats this server counts";
            registry.register("cluster_instances_owned", help, self.owned);
            let help = "Transactions sent to the shared store, by outcome";
            registry.register("store_transactions", help, self.transactions);
            let help = "Time from a transaction to the shared store's answer";
            registry.register("store_transaction_duration_seconds", help, self.seconds);
            let help =
                "Size of the shared store's database, of the member asked last, each 15 seconds";
            registry.register("store_size_bytes", help, self.size);
            let help = "Whether the certificate files for the shared store that were read last \
                        are in use; 1 without any";
            registry.register("store_tls_last_load_successful", help, self.certificates);
            registry.register_collector(lapses);
        });
    }

    /// All changes up to a revision are known.
    pub(super) fn followed(&self, revision: u64) {
        self.revision.set(i64::try_from(revision).unwrap_or(i64::MAX));
    }

    pub(super) fn listed(&self) {
        self.lists.inc();
    }

    pub(super) fn restarted(&self, reason: &'static str) {
        debug_assert!(Self::REASONS.contains(&reason), "{reason} is 0 from the start");
        self.restarts.get_or_create(&Reason { reason }).inc();
    }

    /// Since when the store is out of reach, or has another state than the one that is shown, as
    /// far as that is news; nothing if it is not.
    pub(super) fn out_of_reach(&self, since: Option<Instant>) {
        let away = &mut self.lost.lock().away;
        *away = since.map(|since| away.unwrap_or(since));
    }

    /// Whether the store takes no changes, though it answers.
    pub(super) fn refusing(&self, is_refusing: bool) {
        let refusing = &mut self.lost.lock().refusing;
        *refusing = is_refusing.then(|| refusing.unwrap_or_else(Instant::now));
    }

    pub(super) fn unreadable(&self, rows: usize) {
        self.unreadable.set(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    pub(super) fn transacted(&self, outcome: &'static str) {
        debug_assert!(Self::OUTCOMES.contains(&outcome), "{outcome} is 0 from the start");
        self.transactions.get_or_create(&Outcome { outcome }).inc();
    }

    /// The store took so long for a transaction, without what was waited for before.
    pub(super) fn answered(&self, took: Duration) {
        self.seconds.observe(took.as_secs_f64());
    }

    pub(super) fn sized(&self, octets: u64) {
        self.size.set(i64::try_from(octets).unwrap_or(i64::MAX));
    }

    /// Whether the files of certificates, as they were read last, are in use.
    pub(super) fn certificates_loaded(&self, all: bool) {
        self.certificates.set(i64::from(all));
    }

    pub(super) fn servers(&self, count: usize) {
        self.servers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many instances are this server's task. Whoever knows the instances says so.
    pub fn owned(&self, count: usize) {
        self.owned.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// How many were this server's task when they were counted last.
    pub fn owned_last(&self) -> u64 {
        u64::try_from(self.owned.get()).unwrap_or_default()
    }
}

// === impl Lapses ===

impl Collector for Lapses {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let silence = self.heard.silence();
        let Since { away, refusing } = *self.lost.lock();
        let lost = [away, refusing].into_iter().flatten().min();
        let lost = lost.map_or(Duration::ZERO, |since| since.elapsed());
        for (name, help, lapse) in [
            ("cluster_silence", "Time since the shared store was last heard of.", silence),
            (
                "cluster_out_of_reach",
                "Time since which the shared store is out of reach, is another one, or takes no \
                 changes; 0 if not.",
                lost,
            ),
        ] {
            let gauge = ConstGauge::new(lapse.as_secs_f64());
            let (unit, kind) = (Some(&Unit::Seconds), gauge.metric_type());
            gauge.encode(encoder.encode_descriptor(name, help, unit, kind)?)?;
        }
        Ok(())
    }
}
