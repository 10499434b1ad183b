//! Which data directory a verb works on: the one that `serve` would use with the same options.

use std::path::PathBuf;

use clap::Args;

use super::serve::environment;
use crate::{
    app::config::{Config, Sources},
    cli::exit::Failure,
    registry::Loaded,
};

/// Flags win over the environment, which wins over the file.
#[derive(Debug, Args)]
pub(in crate::cli) struct DataArgs {
    /// The folder of the store [default: as the server has it, ./rollcall-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// The configuration that names the folder
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CONFIG")]
    config: Option<PathBuf>,
}

// === impl DataArgs ===

impl DataArgs {
    /// The folder.
    pub(super) fn folder(&self) -> Result<PathBuf, Failure> {
        let flags = self.data.iter().map(|data| ("server.data", vec![data.clone()])).collect();
        let sources = Sources { file: self.config.clone(), environment: environment(), flags };
        Ok(Config::load(sources)?.server.data)
    }

    #[cfg(test)]
    pub(super) fn of(folder: &std::path::Path) -> Self {
        Self { data: Some(folder.display().to_string()), config: None }
    }
}

/// What is in a store or an export: `2 instances and 1 policy`.
pub(super) fn counted(loaded: &Loaded) -> String {
    let (instances, policies) = (loaded.members.len(), loaded.policies.len());
    format!(
        "{instances} {} and {policies} {}",
        if instances == 1 { "instance" } else { "instances" },
        if policies == 1 { "policy" } else { "policies" },
    )
}

#[cfg(test)]
mod tests {
    use std::{fs, path::PathBuf};

    use super::DataArgs;

    #[test]
    fn the_folder_is_the_one_that_the_server_uses() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("rollcall.toml");
        fs::write(&config, "version = 1\nserver.data = \"/var/lib/rollcall\"\n").unwrap();
        let of = |data: Option<&str>, config: Option<PathBuf>| {
            DataArgs { data: data.map(Into::into), config }.folder().map_err(|f| f.code())
        };
        assert_eq!(of(None, Some(config.clone())), Ok("/var/lib/rollcall".into()));
        assert_eq!(of(Some("/d"), Some(config)), Ok("/d".into()));
        assert_eq!(of(Some("/d"), None), Ok("/d".into()));
        assert_eq!(of(None, Some("/nowhere".into())), Err(78));
    }
}
