//! What a new configuration changes, and what of it has to wait for a restart.

use super::{Config, spec_v1::KEYS};

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
    /// What is different in `new`.
    pub fn diff_reload(&self, new: &Self) -> Reload {
        let mut reload = Reload::default();
        for key in KEYS.iter().filter(|key| (key.show)(self) != (key.show)(new)) {
            let list = if key.reloads { &mut reload.changed } else { &mut reload.needs_restart };
            list.push(key.path);
        }
        reload
    }

    /// The configured value of each key as TOML, for a log or a person.
    pub fn shown(&self) -> impl Iterator<Item = (&'static str, String)> {
        KEYS.iter().map(|key| (key.path, (key.show)(self)))
    }
}
