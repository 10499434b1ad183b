//! The configuration: what an operator can decide, from where, and what is said of a mistake.
//!
//! Four sources, the stronger first: flags, environment, file, defaults. Each is applied over the
//! weaker ones key by key, and each value is parsed into its final type the moment it is applied,
//! so that a mistake is reported with the place it was made in: line and column of the file, the
//! variable, or the flag.
//!
//! Every key is defined once, in `spec_v1`: its path, its reading, its showing, and whether
//! it can change while the server runs. The names of environment variables, the reload and the test
//! that `examples/rollcall.toml` is complete all come from that list.
//!
//! Rejected: serde structs with `Option` fields. They know the types of TOML but not our ranges,
//! stop at the first mistake, and would name each key five times: in the structs, the defaults, the
//! merge, the environment and the reload.

mod across;
mod clients;
mod cluster;
mod consul;
mod consul_dns;
mod consul_node;
mod encryption;
mod etcd;
mod fault;
mod forward;
mod given;
mod nearest;
mod parse;
mod reload;
mod route;
mod secret;
mod settings;
mod sources;
mod spec_v1;
mod store;

#[cfg(test)]
mod tests;

pub use cluster::ClusterSettings;
pub use consul::ConsulSettings;
pub use consul_dns::ConsulDnsSettings;
pub use consul_node::ConsulNode;
pub use encryption::{EncryptedSettings, TlsSettings};
pub use fault::{ConfigError, Mistake};
pub use reload::Reload;
pub use settings::{
    Config, DnsSettings, HealthSettings, HttpSettings, LogSettings, NameServer, ServerSettings,
};
pub use sources::Sources;
pub use store::{EtcdEndpoint, EtcdSettings, StoreKind, StoreSettings};
