//! What a new configuration changes, and what of it has to wait for a restart.

use super::{
    Config, ConsulDnsSettings, DnsSettings, EncryptedSettings, HealthSettings, LogSettings,
    ServerSettings, spec_v1::keys,
};

/// The difference of two configurations, by the paths of keys such as `log.filter`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reload {
    /// What can be applied while the server runs.
    pub changed: Vec<&'static str>,
    /// What only a restart changes.
    pub needs_restart: Vec<&'static str>,
}

// === impl Config ===

impl Config {
    /// What is different in `new`, and whether [`Config::with_reloadable`] takes it over.
    pub fn diff_reload(&self, new: &Self) -> Reload {
        let mut reload = Reload::default();
        let taken = self.with_reloadable(new);
        for key in keys().filter(|key| (key.show)(self) != (key.show)(new)) {
            let is_taken = key.reloads && (key.show)(&taken) == (key.show)(new);
            let list = if is_taken { &mut reload.changed } else { &mut reload.needs_restart };
            list.push(key.path);
        }
        reload
    }

    /// This configuration with the values of `new` where a key can change while the server runs.
    #[must_use]
    pub fn with_reloadable(&self, new: &Self) -> Self {
        let (old, mut new) = (self.clone(), new.clone());
        // Rules for names wait with those keys for a restart that say which names there are: rules
        // for the new ones alone would leave the old ones, answered until then, to everybody.
        let has_other_names = old.server.domain != new.server.domain
            || old.server.zones != new.server.zones
            || old.dns.reverse != new.dns.reverse
            || old.consul_dns.domains != new.consul_dns.domains;
        if has_other_names {
            new.dns.access = old.dns.access.clone();
        }
        // So do keys whose defaults follow from such keys, given or not: which of the two they are
        // is not known here.
        if old.server.domain != new.server.domain {
            new.dns.hostmaster = old.dns.hostmaster.clone();
        }
        if old.dns.listen != new.dns.listen {
            new.dns.nameservers = old.dns.nameservers.clone();
        }
        Self {
            server: ServerSettings { lame_duck: new.server.lame_duck, ..old.server },
            consul_dns: ConsulDnsSettings { domains: old.consul_dns.domains, ..new.consul_dns },
            dns: DnsSettings {
                listen: old.dns.listen,
                udp_workers: old.dns.udp_workers,
                reverse: old.dns.reverse,
                encrypted: EncryptedSettings {
                    listen: old.dns.encrypted.listen,
                    https_path: old.dns.encrypted.https_path,
                    ..new.dns.encrypted
                },
                ..new.dns
            },
            forward: new.forward,
            policy: new.policy,
            health: HealthSettings {
                self_preservation: new.health.self_preservation,
                ..old.health
            },
            log: LogSettings { filter: new.log.filter, ..old.log },
            ..old
        }
    }

    /// The configured value of each key as TOML, for a log or a person.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, String)> {
        keys().map(|key| (key.path, (key.show)(self)))
    }
}

#[cfg(test)]
mod tests;
