//! What is counted of the store that servers share.

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric},
    metrics::{
        counter::Counter,
        family::Family,
        gauge::{ConstGauge, Gauge},
    },
    registry::Unit,
};

use super::common::LastWord;
use crate::telemetry::Metrics;

/// The families; clones share them.
#[derive(Debug, Clone)]
pub struct ClusterMetrics {
    revision: Gauge,
    lists: Counter,
    restarts: Family<Reason, Counter>,
    unreadable: Gauge,
    size: Gauge,
    servers: Gauge,
    owned: Gauge,
}

/// Why a watch was begun again.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

/// How long nothing was heard, as of the moment of the scrape.
#[derive(Debug)]
struct Silence(LastWord);

// === impl ClusterMetrics ===

impl ClusterMetrics {
    pub(super) fn new(metrics: &Metrics, heard: &LastWord) -> Self {
        let new = Self {
            revision: Gauge::default(),
            lists: Counter::default(),
            restarts: Family::default(),
            unreadable: Gauge::default(),
            size: Gauge::default(),
            servers: Gauge::default(),
            owned: Gauge::default(),
        };
        new.clone().register(metrics, heard);
        new
    }

    fn register(self, metrics: &Metrics, heard: &LastWord) {
        let silence = Box::new(Silence(heard.clone()));
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
            let help = "Size of the shared store's database, of the member asked last";
            registry.register("store_size_bytes", help, self.size);
            registry.register_collector(silence);
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
        self.restarts.get_or_create(&Reason { reason }).inc();
    }

    pub(super) fn unreadable(&self, rows: usize) {
        self.unreadable.set(i64::try_from(rows).unwrap_or(i64::MAX));
    }

    pub(super) fn sized(&self, octets: u64) {
        self.size.set(i64::try_from(octets).unwrap_or(i64::MAX));
    }

    pub(super) fn servers(&self, count: usize) {
        self.servers.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// So many instances are this server's task. Whoever knows the instances says so.
    pub fn owned(&self, count: usize) {
        self.owned.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

// === impl Silence ===

impl Collector for Silence {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let silence = ConstGauge::new(self.0.silence().as_secs_f64());
        let (name, help) = ("cluster_silence", "Time since the shared store was last heard of.");
        let kind = silence.metric_type();
        silence.encode(encoder.encode_descriptor(name, help, Some(&Unit::Seconds), kind)?)
    }
}
