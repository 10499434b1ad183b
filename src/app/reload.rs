//! SIGHUP: reads the configuration again, applies what can change, says what cannot.

use std::sync::Arc;

use arc_swap::ArcSwap;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::config::Config;
use crate::{
    dns::{Settings, TcpLimits, zone::ZonesHandle},
    registry,
    telemetry::{FilterHandle, parse_filter},
};

/// The places where a changed setting is put.
#[derive(Debug)]
pub(super) struct Reloader {
    /// What is in force.
    pub config: Config,
    pub filter: FilterHandle,
    pub registry: watch::Sender<registry::Options>,
    pub settings: Arc<ArcSwap<Settings>>,
    pub tcp_limits: Arc<ArcSwap<TcpLimits>>,
    pub zones: ZonesHandle,
}

// === impl Reloader ===

impl Reloader {
    /// Reads everything again. What is wrong is refused as a whole, and what was stays.
    pub(super) fn reload(&mut self) {
        self.zones.reload();
        let new = match self.config.reload() {
            Ok(new) => new,
            Err(error) => {
                error!("the configuration stays as it was: {error}");
                return;
            }
        };
        let reload = self.config.diff_reload(&new);
        let next = self.config.with_reloadable(&new);
        if let Err(error) = self.apply(&next) {
            error!("the configuration stays as it was: {error:#}");
            return;
        }
        self.config = next;
        info!(changed = ?reload.changed, "configuration reloaded");
        if !reload.needs_restart.is_empty() {
            warn!(keys = ?reload.needs_restart, "these changes need a restart");
        }
    }

    fn apply(&self, next: &Config) -> anyhow::Result<()> {
        // Everything that can fail comes first.
        let (settings, filter) =
            (Settings::new(&next.dns_settings())?, parse_filter(&next.log.filter)?);
        self.filter.reload(filter)?;
        self.settings.store(Arc::new(settings));
        self.tcp_limits.store(Arc::new(next.tcp_limits()));
        self.registry.send_if_modified(|options| {
            let changed = *options != next.registry_options();
            *options = next.registry_options();
            changed
        });
        Ok(())
    }
}
