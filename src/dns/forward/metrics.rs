//! What forwarding counts.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
    registry::Unit,
};

use super::failure::RESULTS;
use crate::{
    dns::stats::{RCODES, Refusal},
    telemetry::Metrics,
};

/// The metrics of forwarding; clones share them. Upstreams are labels by the address that they are
/// configured with; there are only as many as are configured.
#[derive(Debug, Clone)]
pub(super) struct ForwardMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<UpstreamLabel, Histogram, fn() -> Histogram>,
    up: Family<UpstreamLabel, Gauge>,
    loops: Family<UpstreamLabel, Counter>,
    hits: Family<HitLabel, Counter>,
    pub(super) misses: Counter,
    pub(super) stale: Counter,
    pub(super) prefetches: Counter,
    pub(super) evictions: Counter,
    pub(super) entries: Gauge,
    pub(super) octets: Gauge,
    pub(super) in_flight: Gauge,
    rejected: Family<ReasonLabel, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct UpstreamLabel {
    upstream: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    upstream: String,
    rcode: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct HitLabel {
    kind: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReasonLabel {
    reason: &'static str,
}

// === impl ForwardMetrics ===

impl ForwardMetrics {
    /// Registers the families.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let new = Self {
            requests: Family::default(),
            // 250 µs to 8 s: from a cache next door to a name far away.
            durations: Family::new_with_constructor(|| {
                Histogram::new(exponential_buckets(0.000_25, 2.0, 16))
            }),
            up: Family::default(),
            loops: Family::default(),
            hits: Family::default(),
            misses: Counter::default(),
            stale: Counter::default(),
            prefetches: Counter::default(),
            evictions: Counter::default(),
            entries: Gauge::default(),
            octets: Gauge::default(),
            in_flight: Gauge::default(),
            rejected: Family::default(),
        };
        // Those whose labels are known are there from the start, so that growth is seen.
        for reason in Refusal::ALL {
            new.rejected.get_or_create(&ReasonLabel { reason }).inc_by(0);
        }
        for kind in ["negative", "positive"] {
            new.hits.get_or_create(&HitLabel { kind }).inc_by(0);
        }
        new.register_upstreams(metrics);
        new.register_cache(metrics);
        new
    }

    fn register_upstreams(&self, metrics: &Metrics) {
        metrics.register(|registry| {
            let help = "Questions to upstreams by what came of them: a response code, or a failure";
            registry.register("forward_requests", help, self.requests.clone());
            let help = "Time from a question to an upstream to its reply";
            let durations = self.durations.clone();
            registry.register_with_unit("forward_request_duration", help, Unit::Seconds, durations);
            let help = "Whether the upstream is asked; it is not while it is down or loops";
            registry.register("forward_upstream_up", help, self.up.clone());
            let help = "Forwarding loops that were found";
            registry.register("forward_loops", help, self.loops.clone());
            let help = "DNS messages that wait for upstreams";
            registry.register("forward_in_flight", help, self.in_flight.clone());
            let help = "DNS messages that were answered with SERVFAIL because too many waited";
            registry.register("forward_rejected", help, self.rejected.clone());
        });
    }

    fn register_cache(&self, metrics: &Metrics) {
        metrics.register(|registry| {
            let help = "Answers from the cache of forwarded names, by whether they say there is \
                        something";
            registry.register("forward_cache_hits", help, self.hits.clone());
            let help = "Questions for names that the cache did not have";
            registry.register("forward_cache_misses", help, self.misses.clone());
            let help = "Answers from the cache after their time, as no upstream answered";
            registry.register("forward_cache_stale", help, self.stale.clone());
            let help = "Names that were asked for again before their time was over";
            registry.register("forward_cache_prefetches", help, self.prefetches.clone());
            let help = "Messages that left the cache for want of room";
            registry.register("forward_cache_evictions", help, self.evictions.clone());
            let help = "Messages in the cache of forwarded names";
            registry.register("forward_cache_entries", help, self.entries.clone());
            let help = "What the cache of forwarded names takes";
            registry.register_with_unit(
                "forward_cache_size",
                help,
                Unit::Bytes,
                self.octets.clone(),
            );
        });
    }

    /// An upstream was asked, with this result after this time.
    pub(super) fn asked(&self, upstream: &str, result: &'static str, took: Duration) {
        let labels = RequestLabels { upstream: upstream.to_owned(), rcode: result };
        self.requests.get_or_create(&labels).inc();
        self.durations.get_or_create(&label(upstream)).observe(took.as_secs_f64());
    }

    /// The cache has answered.
    pub(super) fn hit(&self, is_negative: bool) {
        let kind = if is_negative { "negative" } else { "positive" };
        self.hits.get_or_create(&HitLabel { kind }).inc();
    }

    /// A message was turned away by that limit.
    pub(super) fn reject(&self, refusal: Refusal) {
        self.rejected.get_or_create(&ReasonLabel { reason: refusal.as_str() }).inc();
    }

    /// Whether an upstream is asked.
    pub(super) fn set_up(&self, upstream: &str, is_up: bool) {
        self.up.get_or_create(&label(upstream)).set(is_up.into());
    }

    /// An upstream leads back to us.
    pub(super) fn looped(&self, upstream: &str) {
        self.loops.get_or_create(&label(upstream)).inc();
    }

    /// An upstream is configured no more.
    pub(super) fn retire(&self, upstream: &str) {
        let of = label(upstream);
        self.up.remove(&of);
        self.loops.remove(&of);
        self.durations.remove(&of);
        for rcode in RCODES.into_iter().chain(RESULTS) {
            self.requests.remove(&RequestLabels { upstream: upstream.to_owned(), rcode });
        }
    }
}

fn label(upstream: &str) -> UpstreamLabel {
    UpstreamLabel { upstream: upstream.to_owned() }
}
