//! SIGHUP: reads the configuration again, applies what can change, says what cannot.

use std::sync::Arc;

use arc_swap::ArcSwap;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::watch;
use tracing::{error, info, warn};

use super::{
    check,
    config::{Config, ConsulNode},
    forwarding,
    unasked::Unasked,
};
use crate::{
    dns::{
        CookieSecrets, Limits, Settings, forward::ForwardHandle, tls::CertificateReload,
        zone::ZonesHandle,
    },
    registry,
    telemetry::{Board, FilterHandle, Metrics, parse_filter},
};

/// The places where a changed setting is put.
#[derive(Debug)]
pub(super) struct Reloader {
    /// What is in force.
    pub config: Config,
    pub filter: FilterHandle,
    pub registry: watch::Sender<registry::Options>,
    pub settings: Arc<ArcSwap<Settings>>,
    pub dns_limits: Arc<ArcSwap<Limits>>,
    pub forward: ForwardHandle,
    pub zones: ZonesHandle,
    /// The secrets of cookies while none are given; they stay the same for as long as the server.
    pub own_cookies: CookieSecrets,
    /// What this server is to Consul's clients; it stays the same for as long.
    pub node: ConsulNode,
    pub certificate: Option<CertificateReload>,
    pub unasked: Unasked,
    pub outcome: ReloadOutcome,
}

/// How the last reload went, for those who do not read the log.
#[derive(Debug)]
pub(super) struct ReloadOutcome {
    board: Board,
    successful: Gauge,
}

/// Name of the condition on the board after a reload that failed.
const CONDITION: &str = "configuration";

// === impl Reloader ===

impl Reloader {
    /// Reads everything again. What is wrong is refused as a whole, and what was stays.
    pub(super) fn reload(&mut self) {
        self.zones.reload();
        if let Some(certificate) = &self.certificate {
            certificate.ask();
        }
        let new = match self.config.reload() {
            Ok(new) => new,
            Err(error) => return self.outcome.failed(&error.to_string()),
        };
        let mut reload = self.config.diff_reload(&new);
        let next = self.config.with_reloadable(&new);
        // What waits for a restart is not to make that one fail, which nobody may be there to see.
        let can_restart = match reload.needs_restart.is_empty() {
            true => Ok(()),
            false => check::can_start(&new).map(drop),
        };
        match can_restart.and_then(|()| self.apply(&next)) {
            Err(error) => return self.outcome.failed(&format!("{error:#}")),
            // The file is another, under the same name.
            Ok(true) if !reload.changed.iter().any(|path| path.starts_with("dns.cookie")) => {
                reload.changed.push("dns.cookie_secret_file");
            }
            Ok(_) => {}
        }
        if next.forward != self.config.forward {
            forwarding::tell(&next.forward);
        }
        let known = self.config.warnings();
        next.warnings().iter().filter(|it| !known.contains(it)).for_each(|it| warn!("{it}"));
        self.config = next;
        self.outcome.succeeded();
        info!(changed = ?reload.changed, "configuration reloaded");
        if !reload.needs_restart.is_empty() {
            warn!(keys = ?reload.needs_restart, "these changes need a restart");
        }
    }

    /// Puts it into force. Returns whether cookies have other secrets than before.
    fn apply(&self, next: &Config) -> anyhow::Result<bool> {
        // Everything that can fail comes first.
        let (settings, filter) = (
            Settings::new(&next.dns_settings(&self.own_cookies, &self.node)?)?,
            parse_filter(&next.log.filter)?,
        );
        let is_renewed = settings.cookies() != self.settings.load().cookies();
        self.filter.reload(filter)?;
        let settings = settings.in_place_of(&self.settings.load());
        self.settings.store(Arc::new(settings));
        self.dns_limits.store(Arc::new(next.dns_limits()));
        self.forward.configure(&next.forward);
        self.unasked.configure(&next.forward);
        self.registry.send_if_modified(|options| {
            let changed = *options != next.registry_options();
            *options = next.registry_options();
            changed
        });
        Ok(is_renewed)
    }
}

// === impl ReloadOutcome ===

impl ReloadOutcome {
    /// The start counts as a reload that went well.
    pub(super) fn new(board: Board, metrics: &Metrics) -> Self {
        let successful = Gauge::default();
        successful.set(1);
        let help = "Whether the configuration that was read last is in force";
        metrics.register(|families| {
            families.register("config_last_reload_successful", help, successful.clone());
        });
        Self { board, successful }
    }

    fn succeeded(&self) {
        self.successful.set(1);
        self.board.clear(CONDITION);
    }

    fn failed(&self, error: &str) {
        // A log is read by the line; the drawing of the place takes several.
        let words: Vec<&str> = error.split_whitespace().collect();
        let error = words.join(" ");
        error!("the configuration stays as it was: {error}");
        self.successful.set(0);
        self.board.note(CONDITION, format!("the last reload was refused: {error}"));
    }
}
