//! Which store a verb works on: the one that `serve` would use with the same options.

use std::{future::Future, io::Write, path::PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::serve::environment;
use crate::{
    app::config::{Config, Sources, StoreSettings},
    cli::exit::Failure,
    cluster::{
        etcd::{Client, EtcdError},
        layout::Layout,
        transfer::TransferError,
    },
    registry::Loaded,
};

/// Flags win over the environment, which wins over the file.
#[derive(Debug, Args)]
pub(in crate::cli) struct DataArgs {
    /// The folder of the embedded store [default: as the server has it, ./rollcall-data]
    #[arg(long, value_name = "DIR")]
    data: Option<String>,
    /// `etcd=URL,…` for a registry that servers share, or `embedded` [default: as the server has
    /// it, embedded]
    #[arg(long, value_name = "KIND[=URL]")]
    store: Option<String>,
    /// What all keys in etcd begin with [default: as the server has it, /rollcall]
    #[arg(long)]
    prefix: Option<String>,
    /// The configuration that says where it is
    #[arg(long, value_name = "FILE", env = "ROLLCALL_CONFIG")]
    config: Option<PathBuf>,
}

/// Where a registry is kept.
pub(super) enum Place {
    /// In a folder.
    Folder(PathBuf),
    /// In etcd.
    Etcd(Box<InEtcd>),
}

/// A registry in etcd, with what asks it.
pub(super) struct InEtcd {
    pub client: Client,
    pub layout: Layout,
    /// Where it is, for a message.
    pub shown: String,
}

// === impl DataArgs ===

impl DataArgs {
    /// The place. Nothing is opened or connected yet.
    pub(super) fn place(&self) -> Result<Place, Failure> {
        let mut flags: Vec<(&str, Vec<String>)> = Vec::new();
        if let Some(store) = &self.store {
            flags.extend(StoreSettings::flags(store));
        } else if self.data.is_some() {
            // Whoever names the folder means it.
            flags.push(("store.kind", vec!["embedded".to_owned()]));
        }
        flags.extend(self.data.iter().map(|data| ("server.data", vec![data.clone()])));
        flags.extend(self.prefix.iter().map(|prefix| ("store.prefix", vec![prefix.clone()])));
        let sources = Sources {
            file: self.config.clone(),
            environment: environment(),
            flags,
            is_for_client: true,
        };
        let config = Config::load(sources)?;
        let Some(options) = config.etcd_options(fastrand::usize(..))? else {
            if self.prefix.is_some() {
                let problem = "`--prefix` is of a registry in etcd, and the store is the embedded \
                               one; add `--store etcd=URL`";
                return Err(Failure::Usage(problem.to_owned()));
            }
            return Ok(Place::Folder(config.server.data));
        };
        if self.data.is_some() {
            let problem = "`--data` is the folder of an embedded store, and `--store` says etcd";
            return Err(Failure::Usage(problem.to_owned()));
        }
        let shown = config.place();
        let layout = Layout::new(&config.store.etcd.prefix)
            .map_err(|refusal| Failure::Negative(refusal.to_string()))?;
        let client = Client::new(options).map_err(|error| config.etcd_mistake(&error))?;
        Ok(Place::Etcd(Box::new(InEtcd { client, layout, shown })))
    }

    #[cfg(test)]
    pub(super) fn of(folder: &std::path::Path) -> Self {
        Self { data: Some(folder.display().to_string()), store: None, prefix: None, config: None }
    }
}

/// Waits for what is asked of etcd.
pub(super) fn wait_for<T>(
    asked: impl Future<Output = Result<T, TransferError>>,
) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from)?.block_on(asked);
    outcome.map_err(|error| match error {
        TransferError::Etcd(EtcdError::Unreachable { .. }) => {
            Failure::Unreachable(error.to_string())
        }
        other => Failure::Negative(other.to_string()),
    })
}

/// Says something that the result does not depend on.
pub(super) fn mention(stderr: &mut impl Write, text: &str) {
    // What was asked for is done, also where nobody reads of it.
    let _unread = writeln!(stderr, "{text}");
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

/// The same for programs.
pub(super) fn summary(loaded: &Loaded) -> Value {
    json!({"instances": loaded.members.len(), "policies": loaded.policies.len()})
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::{DataArgs, Place};

    /// Of a server that listens on its own host, and would be refused.
    const ETCD: &str = "version = 1\nstore.kind = \"etcd\"\n\
        store.endpoints = [\"http://10.0.0.1:4001\"]\n";

    fn shown(data: Option<&str>, store: Option<&str>, config: Option<&Path>) -> String {
        let [data, store] = [data, store].map(|text| text.map(str::to_owned));
        placed(&DataArgs { data, store, prefix: None, config: config.map(Path::to_owned) })
    }

    fn placed(args: &DataArgs) -> String {
        match args.place() {
            Ok(Place::Folder(folder)) => folder.display().to_string(),
            Ok(Place::Etcd(etcd)) => etcd.shown,
            Err(failure) => format!("{} {failure}", failure.code()),
        }
    }

    #[test]
    fn the_store_is_the_one_that_the_server_uses() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("rollcall.toml");
        fs::write(&config, "version = 1\nserver.data = \"/var/lib/rollcall\"\n").unwrap();
        let config = Some(&*config);
        assert_eq!(shown(None, None, config), "/var/lib/rollcall");
        assert_eq!(shown(Some("/d"), None, config), "/d");
        assert_eq!(shown(Some("/d"), None, None), "/d");
        assert!(shown(None, None, Some("/nowhere".as_ref())).starts_with("78 "));
        let etcd = "http://10.0.0.1:4001 below `/rollcall`";
        assert_eq!(shown(None, Some("etcd=http://10.0.0.1:4001"), config), etcd);
        fs::write(folder.path().join("etcd.toml"), ETCD).unwrap();
        let told = shown(None, None, Some(&folder.path().join("etcd.toml")));
        assert_eq!(told, etcd, "no server is started, so none need be in reach of others");
        let both = shown(Some("/d"), Some("etcd=http://10.0.0.1:4001"), config);
        assert!(both.starts_with("2 `--data` is the folder"), "{both}");
        assert!(shown(None, Some("etcd=http://"), None).starts_with("78 "));
    }

    #[test]
    fn a_prefix_is_of_a_registry_in_etcd() {
        let with = |store: &str, prefix: &str| {
            let [store, prefix] = [store, prefix].map(|text| Some(text.to_owned()));
            placed(&DataArgs { data: None, store, prefix, config: None })
        };
        assert_eq!(with("etcd=http://[::1]:4001", "/a/b"), "http://[::1]:4001 below `/a/b`");
        let refused = with("etcd=http://[::1]:4001", "a");
        assert!(refused.starts_with("78 ") && refused.contains("--prefix"), "{refused}");
        let refused = with("embedded", "/a");
        assert!(refused.starts_with("2 `--prefix` is of a registry in etcd"), "{refused}");
    }

    #[test]
    fn a_folder_that_is_named_is_meant_where_the_server_uses_etcd() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("rollcall.toml");
        let text = "version = 1\n[store]\nkind = \"etcd\"\nendpoints = [\"http://[::1]:4001\"]\n\
                    prefix = \"/a/b\"\n";
        fs::write(&config, text).unwrap();
        let config = Some(&*config);
        assert_eq!(shown(None, None, config), "http://[::1]:4001 below `/a/b`");
        assert_eq!(shown(Some("/d"), None, config), "/d");
        assert_eq!(shown(Some("/d"), Some("embedded"), config), "/d");
    }
}
