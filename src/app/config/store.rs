//! `[store]`: where the state is kept, by this server alone or by an etcd that several share.

use std::{fmt, net::IpAddr, path::PathBuf, time::Duration};

use hyper::Uri;

use super::{
    Config,
    across::unread,
    given::{Given, Refusal},
    parse::distinct,
};
use crate::{
    cluster::{
        etcd::{DEADLINE, ENDPOINTS_MAX},
        layout::Layout,
    },
    model::limit,
};

/// `[store]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StoreSettings {
    /// Which store it is.
    pub kind: StoreKind,
    /// Where etcd is, if it is that.
    pub etcd: EtcdSettings,
}

/// Which store it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum StoreKind {
    /// The one in `server.data`, of this server alone.
    #[default]
    Embedded,
    /// An etcd cluster, which any number of servers share.
    Etcd,
}

/// The keys of `[store]` that are about etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// Its members, all of one cluster.
    pub endpoints: Vec<EtcdEndpoint>,
    /// What all keys begin with; it begins with `/` and does not end with one.
    pub prefix: String,
    /// Who this server is to etcd.
    pub user: Option<String>,
    /// The file of that user's password.
    pub password_file: Option<PathBuf>,
    /// The certificate authorities (PEM) that are trusted in place of the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate (PEM) that this server shows to etcd.
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub key: Option<PathBuf>,
    /// The name that etcd's certificate must have; `None` for the host of each endpoint.
    pub server_name: Option<String>,
    /// How long one attempt of a request may take.
    pub request_timeout: Duration,
}

/// A member of etcd, where it takes clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdEndpoint {
    /// Whether it is spoken to in TLS.
    pub is_encrypted: bool,
    /// Its name or address, the latter without brackets.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// The port on which etcd takes clients unless it is told otherwise.
const ETCD_PORT: u16 = 2379;

/// How an endpoint is written.
const EXAMPLE: &str = "as in `http://10.0.0.1:2379` or `https://etcd-1.example:2379`";

// === impl StoreSettings ===

impl StoreSettings {
    /// What `--store` sets: `embedded`, `etcd`, or `etcd=URL,…`. Only etcd is at a URL; of the
    /// embedded one that would be read by nobody.
    pub fn flags(text: &str) -> Vec<(&'static str, Vec<String>)> {
        let split = text.split_once('=').filter(|(kind, _)| *kind != "embedded");
        let Some((kind, endpoints)) = split else {
            return vec![("store.kind", vec![text.to_owned()])];
        };
        let endpoints = endpoints.split(',').map(|url| url.trim().to_owned()).collect();
        vec![("store.kind", vec![kind.to_owned()]), ("store.endpoints", endpoints)]
    }
}

// === impl StoreKind ===

impl StoreKind {
    /// As the configuration has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Etcd => "etcd",
        }
    }
}

// === impl EtcdSettings ===

impl Default for EtcdSettings {
    fn default() -> Self {
        Self {
            endpoints: Vec::new(),
            prefix: Layout::DEFAULT_PREFIX.into(),
            user: None,
            password_file: None,
            ca_file: None,
            certificate: None,
            key: None,
            server_name: None,
            request_timeout: DEADLINE,
        }
    }
}

// === impl EtcdEndpoint ===

impl EtcdEndpoint {
    /// Whether it is on this very host.
    pub fn is_local(&self) -> bool {
        match self.ip() {
            Some(ip) => ip.to_canonical().is_loopback(),
            None => self.host.eq_ignore_ascii_case("localhost"),
        }
    }

    /// Its address, if it is named by that.
    pub(super) fn ip(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }
}

impl fmt::Display for EtcdEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { is_encrypted, host, port } = self;
        let scheme = if *is_encrypted { "https" } else { "http" };
        match host.contains(':') {
            true => write!(f, "{scheme}://[{host}]:{port}"),
            false => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

// === Readings ===

/// The kind of store.
pub(super) fn kind(given: &Given) -> Result<StoreKind, Refusal> {
    match given.text()? {
        "embedded" => Ok(StoreKind::Embedded),
        "etcd" => Ok(StoreKind::Etcd),
        text if text.starts_with("embedded=") => {
            let instead = "write `embedded`, and where its folder is into `server.data` (--data)";
            Err(given.refuse(format!("has something behind `embedded`; {instead}")))
        }
        _ => Err(given.refuse("is none of `embedded`, `etcd`")),
    }
}

/// The members of etcd, each once.
pub(super) fn endpoints(given: &Given) -> Result<Vec<EtcdEndpoint>, Refusal> {
    let list = given.list()?;
    let (count, limit) = (list.len(), ENDPOINTS_MAX);
    if count > limit {
        return Err(given.refuse(format!("has {count} endpoints, above the limit of {limit}")));
    }
    distinct(&list, endpoint)
}

fn endpoint(given: &Given) -> Result<EtcdEndpoint, Refusal> {
    let text = given.text()?;
    let is_encrypted = match text.split_once("://") {
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("http") => false,
        Some((scheme, _)) if scheme.eq_ignore_ascii_case("https") => true,
        _ => {
            let problem = "begins with neither `http://` nor `https://`";
            return Err(given.refuse(format!("{problem}, {EXAMPLE}")));
        }
    };
    let no_url = |problem| given.refuse(format!("is no URL ({problem}), {EXAMPLE}"));
    let uri: Uri = text.parse().map_err(no_url)?;
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    if authority.contains('@') {
        let instead = "those go into `store.user` and `store.password_file`";
        return Err(given.refuse(format!("has a user or a password in it; {instead}")));
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(given.refuse(format!("has something behind host and port, {EXAMPLE}")));
    }
    let host = uri.host().unwrap_or_default();
    let port = match uri.port_u16() {
        Some(port) if port > 0 => port,
        None if authority == host => ETCD_PORT,
        _ => return Err(given.refuse("has a port outside the limits of 1 to 65535")),
    };
    let host = host.trim_start_matches('[').trim_end_matches(']').to_ascii_lowercase();
    Ok(EtcdEndpoint { is_encrypted, host, port })
}

/// What all keys begin with.
pub(super) fn prefix(given: &Given) -> Result<String, Refusal> {
    let text = given.text()?;
    Layout::new(text).map(|_| text.to_owned()).map_err(|invalid| given.refused_as(invalid))
}

/// A user of etcd; empty for none.
pub(super) fn user(given: &Given) -> Result<Option<String>, Refusal> {
    let Some(name) = given.optional_text()? else { return Ok(None) };
    if let Some((name, _)) = name.split_once(':') {
        // As `etcdctl --user` takes it. What stands behind it is nobody's business.
        let mut refusal = given.refuse("has a colon; a password goes into `store.password_file`");
        refusal.invalid.value = format!("{name}:…");
        return Err(refusal);
    }
    if name.len() > limit::CHARACTER_STRING_OCTETS_MAX || name.chars().any(char::is_control) {
        let limit = limit::CHARACTER_STRING_OCTETS_MAX;
        return Err(given.refuse(format!("is no name of at most {limit} octets in one line")));
    }
    Ok(Some(name.to_owned()))
}

/// The name in etcd's certificate; empty for the host's.
pub(super) fn server_name(given: &Given) -> Result<Option<String>, Refusal> {
    let Some(name) = given.optional_text()? else { return Ok(None) };
    match rustls::pki_types::ServerName::try_from(name) {
        Ok(_) => Ok(Some(name.to_owned())),
        Err(_) => Err(given.refuse("is no name of a host, and no address")),
    }
}

// === Showings ===

/// A name as it is shown.
pub(super) fn shown(name: Option<&String>) -> &str {
    name.map_or("", String::as_str)
}

// === impl Config ===

impl Config {
    /// Whether the state is shared with other servers.
    pub fn is_shared(&self) -> bool {
        self.store.kind == StoreKind::Etcd
    }

    /// Where the registry is kept, for a person: a folder, or members of etcd with what all keys
    /// there begin with.
    pub fn place(&self) -> String {
        let EtcdSettings { endpoints, prefix, .. } = &self.store.etcd;
        if !self.is_shared() {
            return self.server.data.display().to_string();
        }
        let endpoints: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
        format!("{} below `{prefix}`", endpoints.join(","))
    }
}

/// What is most likely not meant.
impl Config {
    /// Of `[store]` and `[cluster]`, in a configuration that is right.
    pub(super) fn store_warnings(&self) -> impl Iterator<Item = String> {
        let unread = unread(self).filter(|_| !self.is_shared());
        let unread = unread.map(|path| format!("`{path}` is not read, as the store is embedded"));
        let is_plain = |it: &&EtcdEndpoint| !it.is_encrypted && !it.is_local();
        let mut endpoints = self.store.etcd.endpoints.iter();
        let plain = endpoints.find(is_plain).filter(|_| self.is_shared());
        let plain = plain.filter(|_| self.store.etcd.user.is_some()).map(|endpoint| {
            format!(
                "`store.password_file`: the password goes to `{endpoint}` as it is; use `https`"
            )
        });
        unread.chain(plain)
    }
}
