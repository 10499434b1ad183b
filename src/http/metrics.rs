//! What the API counts of itself, and its access log.

use std::sync::atomic::AtomicI64;

use axum::{
    extract::{MatchedPath, Request},
    http::{Method, StatusCode},
};
use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{
        counter::Counter,
        family::Family,
        gauge::Gauge,
        histogram::{Histogram, exponential_buckets},
    },
};
use tokio::time::Instant;

use crate::telemetry::Metrics;

/// The metric families of the API.
#[derive(Debug)]
pub(super) struct HttpMetrics {
    requests: Family<RequestLabels, Counter>,
    durations: Family<RouteLabels, Histogram, fn() -> Histogram>,
    /// Open connections.
    pub(super) connections: Gauge,
    /// Open watches.
    pub(super) watchers: Gauge,
    /// Requests of Consul's interface that wait for a change.
    pub(super) consul_waiters: Gauge,
    /// Octets of bodies in memory.
    pub(super) body_octets: Gauge,
    /// Bodies refused for want of room.
    pub(super) bodies_refused: Counter,
    /// Requests refused because too many waited for answers that take long to make.
    pub(super) aside_refused: Counter,
    /// Heartbeats that other servers handed on.
    beats: Family<BeatLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    route: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct BeatLabels {
    outcome: &'static str,
}

/// A request that is under way.
#[derive(Debug)]
pub(super) struct Observed {
    start: Instant,
    method: Method,
    /// Whether it may wait for a change: how long that takes is up to others.
    waits: bool,
    route: Option<MatchedPath>,
    /// Only when it is logged.
    path: Option<String>,
}

/// Counts one more in a gauge while it lives.
#[derive(Debug)]
pub(super) struct Counted(Gauge<i64, AtomicI64>);

// === impl HttpMetrics ===

impl HttpMetrics {
    pub(super) fn new(metrics: &Metrics) -> Self {
        // From half a millisecond, a read of the snapshot, to 16 s, a store in trouble.
        let histogram: fn() -> Histogram = || Histogram::new(exponential_buckets(0.0005, 2.0, 16));
        let families = Self {
            requests: Family::default(),
            durations: Family::new_with_constructor(histogram),
            connections: Gauge::default(),
            watchers: Gauge::default(),
            consul_waiters: Gauge::default(),
            body_octets: Gauge::default(),
            bodies_refused: Counter::default(),
            aside_refused: Counter::default(),
            beats: Family::default(),
        };
        metrics.register(|registry| {
            let help = "Requests by method, route and status";
            registry.register("http_requests", help, families.requests.clone());
            let help = "Time from a request's head to its reply's, by route; \
                        not of those that may wait for a change";
            let name = "http_request_duration_seconds";
            registry.register(name, help, families.durations.clone());
            let help = "Open connections of the API";
            registry.register("http_connections", help, families.connections.clone());
            registry.register("watchers", "Open watches", families.watchers.clone());
            let help = "Requests of Consul's interface that wait for a change";
            registry.register("consul_waiters", help, families.consul_waiters.clone());
            let help = "Octets of requests' bodies in memory";
            registry.register("http_body_bytes", help, families.body_octets.clone());
            let help = "Requests refused because all bodies together were above their limit";
            registry.register("http_bodies_refused", help, families.bodies_refused.clone());
            let help = "Requests refused because too many waited for long answers to be made";
            registry.register("http_aside_refused", help, families.aside_refused.clone());
            let help =
                "Heartbeats that other servers handed on to this one, by what became of them";
            registry.register("cluster_beats_received", help, families.beats.clone());
        });
        // What is absent until it happens has no rate when it does.
        families.count_beats(0, 0, 0);
        families
    }

    /// Counts heartbeats that another server handed on.
    pub(super) fn count_beats(&self, taken: usize, unknown: usize, elsewhere: usize) {
        let outcomes = [("taken", taken), ("unknown", unknown), ("elsewhere", elsewhere)];
        for (outcome, count) in outcomes {
            let count = u64::try_from(count).unwrap_or(u64::MAX);
            self.beats.get_or_create(&BeatLabels { outcome }).inc_by(count);
        }
    }
}

// === impl Counted ===

impl Counted {
    pub(super) fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.dec();
    }
}

// === impl Observed ===

impl Observed {
    /// A request whose head is there.
    pub(super) fn new(request: &Request, waits: bool) -> Self {
        let path =
            tracing::enabled!(tracing::Level::DEBUG).then(|| request.uri().path().to_owned());
        Self {
            start: Instant::now(),
            method: request.method().clone(),
            waits,
            route: request.extensions().get().cloned(),
            path,
        }
    }

    /// Counts and logs it. The route is the matched template, so that names of instances do not
    /// become labels.
    pub(super) fn count(self, metrics: &HttpMetrics, status: StatusCode) {
        let Self { start, method, waits, route, path } = self;
        let (elapsed, status) = (start.elapsed(), status.as_u16());
        if let Some(path) = path {
            tracing::debug!(%method, path, status, ?elapsed, "request");
        }
        let route = route.as_ref().map_or("unmatched", MatchedPath::as_str);
        let labels = RouteLabels { route: route.to_owned() };
        if !waits {
            metrics.durations.get_or_create(&labels).observe(elapsed.as_secs_f64());
        }
        let labels = RequestLabels { method: method_label(&method), route: labels.route, status };
        metrics.requests.get_or_create(&labels).inc();
    }
}

/// Clients may invent methods; they must not invent time series.
fn method_label(method: &Method) -> &'static str {
    match method.as_str() {
        "DELETE" => "DELETE",
        "GET" => "GET",
        "HEAD" => "HEAD",
        "OPTIONS" => "OPTIONS",
        "PATCH" => "PATCH",
        "POST" => "POST",
        "PUT" => "PUT",
        _ => "other",
    }
}
