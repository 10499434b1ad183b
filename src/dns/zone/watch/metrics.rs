//! What is measured of zone files.

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, gauge::Gauge},
};

use crate::{dns::zone::error::ZoneError, telemetry::Metrics};

/// The metrics of all zone files.
#[derive(Debug, Clone, Default)]
pub(super) struct ZoneMetrics {
    loaded: Gauge,
    failures: Counter,
    successful: Family<FileLabel, Gauge>,
    mistakes: Family<MistakeLabel, Gauge>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct FileLabel {
    file: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MistakeLabel {
    /// The zone file.
    zone: String,
    /// The file that the mistake is in: the zone file, or one that it includes.
    file: String,
}

// === impl ZoneMetrics ===

impl ZoneMetrics {
    /// Registers the families.
    pub(super) fn new(metrics: &Metrics) -> Self {
        let new = Self::default();
        let (loaded, failures) = (new.loaded.clone(), new.failures.clone());
        let (successful, mistakes) = (new.successful.clone(), new.mistakes.clone());
        metrics.register(|registry| {
            registry.register("zones_loaded", "Static zones that are served", loaded);
            let help = "Zone files that could not be taken over";
            registry.register("zone_load_failures", help, failures);
            let help = "Whether the zone file was without a mistake when it was last read";
            registry.register("zone_last_load_successful", help, successful);
            let help = "The line of the mistake in a zone file, while there is one; 0 is none \
                        in particular";
            registry.register("zone_mistake_line", help, mistakes);
        });
        new
    }

    /// So many zones are served now.
    pub(super) fn served(&self, count: usize) {
        self.loaded.set(i64::try_from(count).unwrap_or(i64::MAX));
    }

    /// A zone file was read; `before` is the mistake that it had, `now` the one that it has.
    pub(super) fn read(&self, zone: &str, before: Option<&ZoneError>, now: Option<&ZoneError>) {
        self.mended(zone, before);
        if let Some(mistake) = now {
            self.failures.inc();
            let label = MistakeLabel::new(zone, mistake);
            self.mistakes.get_or_create(&label).set(mistake.place.line.into());
        }
        let label = FileLabel { file: zone.to_owned() };
        self.successful.get_or_create(&label).set(i64::from(now.is_none()));
    }

    /// A zone file is not served although there is no mistake in it.
    pub(super) fn refused(&self) {
        self.failures.inc();
    }

    /// A zone file is gone; `before` is the mistake that it had.
    pub(super) fn gone(&self, zone: &str, before: Option<&ZoneError>) {
        self.mended(zone, before);
        self.successful.remove(&FileLabel { file: zone.to_owned() });
    }

    fn mended(&self, zone: &str, mistake: Option<&ZoneError>) {
        if let Some(mistake) = mistake {
            self.mistakes.remove(&MistakeLabel::new(zone, mistake));
        }
    }
}

// === impl MistakeLabel ===

impl MistakeLabel {
    fn new(zone: &str, mistake: &ZoneError) -> Self {
        Self { zone: zone.to_owned(), file: mistake.place.file.clone() }
    }
}
