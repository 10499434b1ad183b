//! The server from its configuration to its end.

use super::config::Config;

/// Runs the server until it is told to stop.
///
/// # Errors
/// When a part cannot start; nothing is left running then.
pub fn serve(config: Config) -> anyhow::Result<()> {
    anyhow::bail!("not wired yet: {}", config.server.domain)
}
