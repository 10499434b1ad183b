//! What is counted of heartbeats for other servers.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use crate::telemetry::Metrics;

/// The families; clones share them.
#[derive(Debug, Clone, Default)]
pub struct BeatsMetrics {
    beats: Family<Beats, Counter>,
    dropped: Family<Reason, Counter>,
    octets: Family<Way, Counter>,
    relayed: Counter,
    unreachable: Gauge,
}

/// By which way a batch goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum By {
    Direct,
    Etcd,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Beats {
    way: &'static str,
    outcome: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Way {
    way: &'static str,
}

// === impl BeatsMetrics ===

impl BeatsMetrics {
    /// What becomes of heartbeats, by the way that they go.
    const OUTCOMES: [(By, &str); 6] = [
        (By::Direct, "elsewhere"),
        (By::Direct, "failed"),
        (By::Direct, "taken"),
        (By::Direct, "unknown"),
        (By::Etcd, "failed"),
        (By::Etcd, "written"),
    ];

    /// Why heartbeats are dropped.
    const REASONS: [&str; 6] = ["elsewhere", "full", "late", "nobody", "queue", "unknown"];

    /// Registers them.
    pub fn new(metrics: &Metrics) -> Self {
        let new = Self::default();
        // What is absent until it happens has no rate when it does.
        for (by, outcome) in Self::OUTCOMES {
            new.beats.get_or_create(&Beats { way: by.name(), outcome }).inc_by(0);
            new.octets(by, 0);
        }
        for reason in Self::REASONS {
            new.dropped.get_or_create(&Reason { reason }).inc_by(0);
        }
        let Self { beats, dropped, octets, relayed, unreachable } = new.clone();
        metrics.register(|registry| {
            let help = "Heartbeats sent to other servers, by way and by what became of them";
            registry.register("cluster_beats", help, beats);
            let help = "Heartbeats for other servers that were dropped, by reason";
            registry.register("cluster_beats_dropped", help, dropped);
            let help = "Octets of heartbeats sent to other servers, by way";
            registry.register("cluster_beats_sent_bytes", help, octets);
            let help = "Heartbeats that other servers left in etcd for this one";
            registry.register("cluster_beats_relayed", help, relayed);
            let help = "Servers that are alive and cannot be reached from this one";
            registry.register("cluster_peers_unreachable", help, unreachable);
        });
        new
    }

    /// Counts those for which there was no room in the registry's queue.
    pub fn left_out(&self) -> Counter {
        self.dropped.get_or_create(&Reason { reason: "queue" }).clone()
    }

    pub(super) fn sent(&self, by: By, outcome: &'static str, count: usize) {
        debug_assert!(Self::OUTCOMES.contains(&(by, outcome)), "{outcome} is 0 from the start");
        if count > 0 {
            self.beats.get_or_create(&Beats { way: by.name(), outcome }).inc_by(many(count));
        }
    }

    pub(super) fn dropped(&self, reason: &'static str, count: usize) {
        debug_assert!(Self::REASONS.contains(&reason), "{reason} is 0 from the start");
        if count > 0 {
            self.dropped.get_or_create(&Reason { reason }).inc_by(many(count));
        }
    }

    pub(super) fn octets(&self, by: By, count: usize) {
        self.octets.get_or_create(&Way { way: by.name() }).inc_by(many(count));
    }

    pub(super) fn relayed(&self, count: usize) {
        self.relayed.inc_by(many(count));
    }

    pub(super) fn unreachable(&self, count: usize) {
        self.unreachable.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

// === impl By ===

impl By {
    fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Etcd => "etcd",
        }
    }
}

fn many(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}
