//! The metrics of the whole process, in both of Prometheus' text forms.
//!
//! Each module registers its own families under its own prefix; names are `rollcall_…` with base
//! units and `_total` as Prometheus has it (a test in `tests/` holds all of them to that). Hot
//! counters are not shared: the UDP workers count for themselves and are summed on scrape by a
//! `Collector`.

use std::sync::Arc;

use parking_lot::Mutex;
use prometheus_client::{encoding::text::encode, registry::Registry};

use super::classic::from_open_metrics;

/// The registry of metric families. Its prefix is `rollcall`, so a family registered as
/// `dns_queries` by a counter appears as `rollcall_dns_queries_total`.
pub type SharedRegistry = Arc<Mutex<Registry>>;

/// A handle to all metrics; clones share them.
#[derive(Debug, Clone)]
pub struct Metrics(SharedRegistry);

// === impl Metrics ===

impl Metrics {
    /// No families yet.
    pub fn new() -> Self {
        Self(Arc::new(Mutex::new(Registry::with_prefix("rollcall"))))
    }

    /// Registers families, for example
    /// `metrics.register(|registry| registry.register("name", "Help", family))`.
    /// Help texts have no final dot, the encoder adds it.
    pub fn register(&self, families: impl FnOnce(&mut Registry)) {
        families(&mut self.0.lock());
    }

    /// The text exposition in the form of OpenMetrics.
    ///
    /// # Errors
    /// When a collector fails to encode itself.
    pub fn encode(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        encode(&mut text, &self.0.lock())?;
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
