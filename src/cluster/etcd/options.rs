//! Where etcd is, and who we are to it.

use std::{fmt, path::PathBuf, time::Duration};

/// Endpoints of one client: the largest etcd clusters have nine members, and a mistaken list
/// should not make a failing call last for minutes.
pub const ENDPOINTS_MAX: usize = 16;

/// How long one attempt of a call may take, unless said otherwise: etcd's elections take one to
/// two seconds, and what has taken longer than three is tried better elsewhere.
pub const DEADLINE: Duration = Duration::from_secs(3);

/// How to reach an etcd cluster. Nothing here has been looked at yet; that is done by
/// [`Client::new`](super::Client::new).
#[derive(Debug, Clone)]
pub struct EtcdOptions {
    /// URLs of members, `http://10.0.0.1:2379` or `https://etcd-1.example:2379`; all of one cluster.
    pub endpoints: Vec<String>,
    /// What `https` endpoints are spoken to with.
    pub tls: EtcdTls,
    /// Who to log in as, where etcd's authentication is on and a client certificate does not say
    /// it already.
    pub user: Option<EtcdUser>,
    /// How long one attempt of a call may take.
    pub deadline: Duration,
    /// Which endpoint to begin with, modulo their number; divided by it, whether the next one is
    /// that after it (even) or that before it. Where many servers have the same list, each takes
    /// another, so that one member does not serve all of their watches, also once one has failed.
    pub begin_with: usize,
}

/// Files for TLS. They are read again when they have changed and a connection is made.
#[derive(Debug, Clone, Default)]
pub struct EtcdTls {
    /// Certificates (PEM) of the authorities that are trusted; the system's, if there is none.
    pub ca_file: Option<PathBuf>,
    /// Our certificate (PEM), with its chain, for etcd's `--client-cert-auth`.
    pub certificate_file: Option<PathBuf>,
    /// Its private key (PEM).
    pub key_file: Option<PathBuf>,
    /// The name that servers' certificates must have, where it is not the host of the URL.
    pub server_name: Option<String>,
}

/// A user of etcd's own authentication.
#[derive(Clone)]
pub struct EtcdUser {
    /// The name.
    pub name: String,
    /// The password; not shown by `Debug`.
    pub password: String,
    /// The file that it comes from, which is read again at each login; none if it stays.
    pub password_file: Option<PathBuf>,
}

// === impl EtcdOptions ===

impl EtcdOptions {
    /// For these endpoints, with everything else as it is by default.
    pub fn new<S: Into<String>>(endpoints: impl IntoIterator<Item = S>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            tls: EtcdTls::default(),
            user: None,
            deadline: DEADLINE,
            begin_with: 0,
        }
    }
}

// === impl EtcdUser ===

impl fmt::Debug for EtcdUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EtcdUser").field("name", &self.name).finish_non_exhaustive()
    }
}
