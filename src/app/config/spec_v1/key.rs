//! One key: path, flag, what a reload does, reading, showing.

use crate::app::config::{
    Config,
    given::{Given, Refusal},
};

/// One key.
#[derive(Debug)]
pub(in crate::app::config) struct Key {
    /// Where it stands: `table.key`.
    pub path: &'static str,
    /// The flag of `rollcall serve` that sets it too.
    pub flag: Option<&'static str>,
    /// Whether it can change while the server runs.
    pub reloads: bool,
    /// Whether its value is a list of tables, which a variable cannot have.
    pub is_in_file_only: bool,
    /// Reads a value into the configuration.
    pub set: fn(&mut Config, &Given) -> Result<(), Refusal>,
    /// The configured value as TOML.
    pub show: fn(&Config) -> String,
}

/// The key at `path`, with its reading and its showing.
pub(super) const fn key(
    path: &'static str,
    set: fn(&mut Config, &Given) -> Result<(), Refusal>,
    show: fn(&Config) -> String,
) -> Key {
    Key { path, flag: None, reloads: false, is_in_file_only: false, set, show }
}

// === impl Key ===

impl Key {
    /// The same key, which that flag sets too.
    pub(super) const fn flag(self, flag: &'static str) -> Self {
        Self { flag: Some(flag), ..self }
    }

    /// The same key, which can change while the server runs.
    pub(super) const fn reloads(self) -> Self {
        Self { reloads: true, ..self }
    }

    /// The same key, whose value is a list of tables.
    pub(super) const fn in_file_only(self) -> Self {
        Self { is_in_file_only: true, ..self }
    }

    /// The environment variable: `ROLLCALL_DNS_UDP_SIZE` for `dns.udp_size`.
    pub(in crate::app::config) fn variable(&self) -> String {
        format!("ROLLCALL_{}", self.path.replace('.', "_").to_ascii_uppercase())
    }

    /// The key of that path.
    pub(in crate::app::config) fn find(path: &str) -> Option<&'static Self> {
        super::keys().find(|key| key.path == path)
    }
}
