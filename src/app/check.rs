//! What can be said of a configuration beyond its text, without starting anything.

use super::{
    config::{Config, ConfigError, ConsulNode, Mistake},
    unasked,
};
use crate::{
    cluster::etcd::Client,
    dns::{
        CookieSecrets, Settings,
        forward::check_resolv_conf,
        tls::Identity,
        zone::{ZoneFolder, ZoneWatcher},
    },
    model::Invalid,
    telemetry::{Board, Metrics},
    util::Clock,
};

/// What was found in the files that a configuration names.
#[derive(Debug)]
pub struct Checked {
    /// What is right but most likely not meant.
    pub warnings: Vec<String>,
    /// What a server would not serve, or not start for.
    pub outcome: Result<(), ConfigError>,
}

/// Checks what the configuration names, with the eyes of a server that starts with it.
///
/// # Errors
/// When the start would be refused: settings that do not go together; a certificate, a key, a
/// secret, certificate authorities or a folder that cannot be used.
pub fn check(config: &Config, clock: &Clock) -> anyhow::Result<Checked> {
    let Startable { settings, identity, etcd } = can_start(config)?;
    let mut warnings = config.warnings();
    let now = i64::try_from(clock.wall_millis() / 1_000)?;
    warnings.extend(identity.and_then(|identity| identity.problem(now)));
    warnings.extend(etcd.and_then(|etcd| etcd.certificate_problem(now)));
    let folder = zone_folder(config, &settings);
    let watcher = ZoneWatcher::open(folder, Board::default(), &Metrics::new())?;
    let findings = watcher.findings();
    let suffixes = config.forward.zones.iter().map(|zone| &zone.suffix);
    warnings.extend(findings.oddities);
    warnings.extend(unasked::problems(&watcher.handle().load(), suffixes));
    let mut mistakes: Vec<_> = findings.mistakes.into_iter().map(Mistake::from).collect();
    if let Some(Err(problem)) = config.forward.resolv_conf.as_deref().map(check_resolv_conf) {
        let invalid = Invalid::new("", "", problem);
        mistakes.extend(config.mistake("forward.resolv_conf", invalid).into_mistakes());
    }
    let outcome = if mistakes.is_empty() { Ok(()) } else { Err(ConfigError::new(mistakes)) };
    Ok(Checked { warnings, outcome })
}

/// What a start was not refused for.
pub(super) struct Startable {
    pub(super) settings: Settings,
    /// The certificate, if files of one are named.
    pub(super) identity: Option<Identity>,
    /// The client of etcd, if servers share the state; not connected.
    pub(super) etcd: Option<Client>,
}

/// Checks what a start would be refused for, as far as that lies in files. Returns what was read.
///
/// # Errors
/// As [`check`].
pub(super) fn can_start(config: &Config) -> anyhow::Result<Startable> {
    let node = ConsulNode::of(&config.consul, &config.http.listen);
    let settings = Settings::new(&config.dns_settings(&CookieSecrets::random()?, &node)?)?;
    let identity = config.tls.files().map(|files| files.read()).transpose();
    let identity = identity.map_err(|error| config.certificate_mistake(&error))?;
    config.health_options().check()?;
    let etcd = config.etcd_options(0)?.map(Client::new).transpose();
    let etcd = etcd.map_err(|error| config.etcd_mistake(&error))?;
    zone_folder(config, &settings).check()?;
    Ok(Startable { settings, identity, etcd })
}

/// Where the static zones are, beside those of the services.
pub(super) fn zone_folder(config: &Config, settings: &Settings) -> ZoneFolder {
    ZoneFolder {
        path: config.server.zones.clone(),
        is_required: config.server.zones_required(),
        reserved: settings.origins().cloned().collect(),
    }
}
