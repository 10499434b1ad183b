//! What can be said of a configuration beyond its text, without starting anything.

use super::config::Config;
use crate::dns::{CookieSecrets, Settings};

/// Checks what the configuration names.
///
/// # Errors
/// When the start would be refused for it: settings that do not go together, a certificate or a key
/// that cannot be used.
pub fn check(config: &Config) -> anyhow::Result<()> {
    Settings::new(&config.dns_settings(&CookieSecrets::random()?)?)?;
    if let Some(files) = config.tls.files() {
        files.read()?;
    }
    Ok(())
}
