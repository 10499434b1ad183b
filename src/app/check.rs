//! What can be said of a configuration beyond its text, without starting anything.

use super::config::Config;
use crate::{
    dns::{CookieSecrets, Settings},
    util::Clock,
};

/// Checks what the configuration names, and returns what is right but most likely not meant.
///
/// # Errors
/// When the start would be refused for it: settings that do not go together, a certificate or a key
/// that cannot be used.
pub fn check(config: &Config, clock: &Clock) -> anyhow::Result<Vec<String>> {
    Settings::new(&config.dns_settings(&CookieSecrets::random()?)?)?;
    let mut warnings = config.warnings();
    if let Some(files) = config.tls.files() {
        let now = i64::try_from(clock.wall_millis() / 1_000)?;
        warnings.extend(files.read()?.problem(now));
    }
    Ok(warnings)
}
