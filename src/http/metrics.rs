//! What the API counts of itself, and its access log.

use std::sync::atomic::AtomicI64;

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::Response,
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

use super::Api;
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
        };
        metrics.register(|registry| {
            let help = "Requests by method, route and status";
            registry.register("http_requests", help, families.requests.clone());
            let help = "Time from a request's head to its reply's, by route";
            let name = "http_request_duration_seconds";
            registry.register(name, help, families.durations.clone());
            let help = "Open connections of the API";
            registry.register("http_connections", help, families.connections.clone());
            registry.register("watchers", "Open watches", families.watchers.clone());
        });
        families
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

/// Counts and logs a request. The route is the matched template, so that names of instances do
/// not become labels.
pub(super) async fn observe(State(api): State<Api>, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let matched = request.extensions().get::<MatchedPath>();
    let route = matched.map_or("unmatched", MatchedPath::as_str).to_owned();
    let response = next.run(request).await;
    let (elapsed, status) = (start.elapsed(), response.status().as_u16());
    tracing::debug!(%method, path, status, ?elapsed, "request");
    let labels = RouteLabels { route: route.clone() };
    api.metrics().durations.get_or_create(&labels).observe(elapsed.as_secs_f64());
    let labels = RequestLabels { method: method_label(&method), route, status };
    api.metrics().requests.get_or_create(&labels).inc();
    response
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
