//! The metrics of the whole process, in both of Prometheus' text forms.
//!
//! Each module registers its own families under its own prefix; names are `rollcall_…` with base
//! units and `_total` as Prometheus has it (a test in `tests/` holds all of them to that). Hot
//! counters are not shared: the UDP workers count for themselves and are summed on scrape by a
//! `Collector`.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::{
    encoding::text::{encode_eof, encode_registry},
    metrics::{family::Family, gauge::Gauge},
    registry::Registry,
};

use super::{classic::from_open_metrics, process::Process};

/// The registry of metric families. Its prefix is `rollcall`, so a family registered as
/// `dns_queries` by a counter appears as `rollcall_dns_queries_total`.
pub type SharedRegistry = Arc<Mutex<Registry>>;

/// A handle to all metrics; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics {
    families: SharedRegistry,
    /// Families whose names belong to no program: `process_…`.
    process: SharedRegistry,
}

// === impl Metrics ===

impl Metrics {
    /// What is true of every build and process, and no other families yet.
    pub fn new() -> Self {
        let mut families = Registry::with_prefix("rollcall");
        // A gauge, because the older text form knows no other kind for it.
        let build = Family::<[(&'static str, &'static str); 1], Gauge>::default();
        build.get_or_create(&[("version", env!("CARGO_PKG_VERSION"))]).set(1);
        families.register("build_info", "The version that runs", build);
        let mut process = Registry::default();
        process.register_collector(Box::new(Process));
        let share = |registry| Arc::new(Mutex::new(registry));
        Self { families: share(families), process: share(process) }
    }

    /// Registers families, for example
    /// `metrics.register(|registry| registry.register("name", "Help", family))`.
    /// Help texts have no final dot, the encoder adds it.
    pub fn register(&self, families: impl FnOnce(&mut Registry)) {
        families(&mut self.families.lock());
    }

    /// The text exposition in the form of OpenMetrics.
    ///
    /// # Errors
    /// When a collector fails to encode itself.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode_registry(&mut text, &self.families.lock())?;
        encode_registry(&mut text, &self.process.lock())?;
        encode_eof(&mut text)?;
        Ok(text)
    }

    /// The text exposition in Prometheus' older form, version 0.0.4.
    ///
    /// # Errors
    /// As [`Metrics::encode`].
    pub fn encode_classic(&self) -> Result<String, std::fmt::Error> {
        self.encode().map(|text| from_open_metrics(&text))
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
