//! The numbers of checking: how many, how long, how late, with what result.

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

use super::outcome::Outcome;
use crate::{model::CheckSpec, telemetry::Metrics};

/// The families of this module.
#[derive(Debug, Clone)]
pub(super) struct Stats {
    checks: Family<OfKind, Gauge>,
    in_flight: Gauge,
    waiting: Gauge,
    results: Family<OfResult, Counter>,
    duration: Family<OfKind, Histogram, fn() -> Histogram>,
    lateness_first: Histogram,
    lateness_again: Histogram,
    skipped: Counter,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfKind {
    r#type: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfRun {
    run: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfResult {
    r#type: &'static str,
    result: &'static str,
}

// === impl Stats ===

impl Stats {
    /// Makes the families known to `metrics`.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let lateness = Family::new_with_constructor(latenesses as fn() -> Histogram);
        let of_run = |run| lateness.get_or_create(&OfRun { run }).clone();
        let stats = Self {
            checks: Family::default(),
            in_flight: Gauge::default(),
            waiting: Gauge::default(),
            results: Family::default(),
            duration: Family::new_with_constructor(durations),
            lateness_first: of_run("first"),
            lateness_again: of_run("again"),
            skipped: Counter::default(),
        };
        metrics.register(|registry| {
            let all = "Active checks that are scheduled";
            registry.register("checks", all, stats.checks.clone());
            let in_flight = "Probes that are under way";
            registry.register("checks_in_flight", in_flight, stats.in_flight.clone());
            let waiting = "Checks that are due and wait for a probe in flight to end";
            registry.register("checks_waiting", waiting, stats.waiting.clone());
            let results =
                "Results of probes; not_run are those that failed for a cause on this server";
            registry.register("check_results", results, stats.results.clone());
            let skipped = "Turns that a check missed because its last probe was still under way";
            registry.register("checks_skipped", skipped, stats.skipped.clone());
            let took = "How long probes took";
            registry.register_with_unit(
                "check_duration",
                took,
                Unit::Seconds,
                stats.duration.clone(),
            );
            let late = "How long after their time checks started, first ones and the others";
            registry.register_with_unit("check_lateness", late, Unit::Seconds, lateness);
        });
        stats
    }

    /// A check is scheduled from now on.
    pub(super) fn added(&self, spec: &CheckSpec) {
        self.checks.get_or_create(&OfKind { r#type: spec.kind_name() }).inc();
    }

    /// A check is no longer scheduled.
    pub(super) fn removed(&self, spec: &CheckSpec) {
        self.checks.get_or_create(&OfKind { r#type: spec.kind_name() }).dec();
    }

    /// A check started so long after its time, for the first time or again.
    pub(super) fn started(&self, is_first: bool, lateness: Duration) {
        let family = if is_first { &self.lateness_first } else { &self.lateness_again };
        family.observe(lateness.as_secs_f64());
    }

    /// A check missed a turn.
    pub(super) fn skipped(&self) {
        self.skipped.inc();
    }

    /// A probe came back.
    pub(super) fn finished(&self, spec: &CheckSpec, outcome: &Outcome, took: Duration) {
        let r#type = spec.kind_name();
        let result = outcome.result_name();
        self.results.get_or_create(&OfResult { r#type, result }).inc();
        self.duration.get_or_create(&OfKind { r#type }).observe(took.as_secs_f64());
    }

    /// How many probes are under way, and how many checks wait for one to end.
    pub(super) fn busy(&self, in_flight: usize, waiting: usize) {
        self.in_flight.set(i64::try_from(in_flight).unwrap_or(i64::MAX));
        self.waiting.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}

/// From a quarter of a millisecond, a connection on one machine, to 16 s.
fn durations() -> Histogram {
    Histogram::new(exponential_buckets(0.000_25, 4.0, 9))
}

/// From a tick of the wheel to a minute, with a second, what is promised of 100,000 checks, among
/// them.
fn latenesses() -> Histogram {
    Histogram::new([0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0])
}
