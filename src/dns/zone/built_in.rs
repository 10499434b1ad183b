//! Zones whose text comes with the program.

use std::sync::Arc;

use super::{build, master, set::Zones, source::Source};

/// One file, in memory.
struct Text<'t>(&'t str);

impl Source for Text<'_> {
    fn read(&self, _path: &str, _octets_max: usize) -> Result<Vec<u8>, String> {
        Ok(self.0.as_bytes().to_vec())
    }
}

// === impl Zones ===

impl Zones {
    /// Zones of an origin, in letters and without its final dot, and a text each.
    ///
    /// # Panics
    /// When one of the texts is wrong: they are ours, and a test reads them.
    pub(in crate::dns) fn built_in(texts: &[(String, String)]) -> Self {
        let zones = texts.iter().map(|(origin, text)| {
            let text = format!("$ORIGIN {origin}.\n{text}");
            let master = master::read(&Text(&text), origin, b"\x00");
            let zone = master.and_then(|master| build::build(&master, &[]));
            let (zone, _) = zone.expect("a text of ours is without a mistake");
            Arc::new(zone)
        });
        Self::new(zones.collect::<Vec<_>>(), Arc::from([]))
    }
}
