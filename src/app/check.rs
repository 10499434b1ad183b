//! What can be said of a configuration beyond its text, without starting anything.

use super::{config::Config, unasked};
use crate::{
    dns::{
        CookieSecrets, Settings,
        zone::{ZoneFolder, ZoneWatcher},
    },
    model::DnsName,
    telemetry::{Board, Metrics},
    util::Clock,
};

/// Checks what the configuration names, and returns what is right but most likely not meant.
///
/// # Errors
/// When the start would be refused for it: settings that do not go together, a certificate or a key
/// that cannot be used.
pub fn check(config: &Config, clock: &Clock) -> anyhow::Result<Vec<String>> {
    let settings = Settings::new(&config.dns_settings(&CookieSecrets::random()?)?)?;
    let mut warnings = config.warnings();
    if let Some(files) = config.tls.files() {
        let now = i64::try_from(clock.wall_millis() / 1_000)?;
        warnings.extend(files.read()?.problem(now));
    }
    warnings.extend(forward_zones(config, settings.origin())?);
    Ok(warnings)
}

/// What is to be said of zones that are to be forwarded, and zone files.
fn forward_zones(config: &Config, service: &DnsName) -> anyhow::Result<Vec<String>> {
    let suffixes: Vec<_> = config.forward.zones.iter().map(|zone| &zone.suffix).collect();
    // Zone files may be large, and may be elsewhere than where this is checked.
    if suffixes.is_empty() || !config.server.zones.is_dir() {
        return Ok(Vec::new());
    }
    let folder = ZoneFolder {
        path: config.server.zones.clone(),
        is_required: false,
        reserved: vec![service.clone()],
    };
    let watcher = ZoneWatcher::open(folder, Board::default(), &Metrics::new())?;
    Ok(unasked::problems(&watcher.handle().load(), suffixes))
}
