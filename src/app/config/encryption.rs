//! The part of the encrypted transports: `[tls]`, and the tables below `[dns]`.

use std::{net::SocketAddr, path::PathBuf, time::Duration};

use super::{Config, ConfigError};
use crate::{
    dns::{
        self,
        tls::{CertificateError, CertificateFiles},
    },
    model::Invalid,
};

/// `[tls]`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TlsSettings {
    /// The certificate and its chain (PEM).
    pub certificate: Option<PathBuf>,
    /// Its private key (PEM).
    pub key: Option<PathBuf>,
    /// Whether a certificate is made at the start instead.
    pub self_signed: bool,
}

/// `[dns.tls]`, `[dns.https]`, `[dns.quic]` and `[dns.encrypted]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EncryptedSettings {
    /// Where to listen for DNS over TLS, over HTTPS and over QUIC.
    pub listen: dns::EncryptedListen,
    /// The path of DNS over HTTPS.
    pub https_path: String,
    /// How many connections at the most.
    pub connections_max: usize,
    /// How many connections from one address at the most.
    pub connections_per_client_max: usize,
    /// After which an idle connection is closed.
    pub idle_timeout: Duration,
    /// How long a handshake may take.
    pub handshake_timeout: Duration,
    /// How many questions at once on one connection over HTTPS or QUIC.
    pub streams_max: u32,
}

// === impl TlsSettings ===

impl TlsSettings {
    /// The two files, if they are given.
    pub fn files(&self) -> Option<CertificateFiles> {
        let (certificate, key) = (self.certificate.clone()?, self.key.clone()?);
        Some(CertificateFiles { certificate, key })
    }
}

// === impl EncryptedSettings ===

impl EncryptedSettings {
    /// The keys of the addresses, and where they are.
    pub(super) fn lists(&self) -> [(&'static str, &[SocketAddr]); 3] {
        let dns::EncryptedListen { tls, https, quic } = &self.listen;
        [("dns.tls.listen", tls), ("dns.https.listen", https), ("dns.quic.listen", quic)]
    }
}

impl Default for EncryptedSettings {
    fn default() -> Self {
        let limits = dns::Limits::default();
        Self {
            listen: dns::EncryptedListen::default(),
            https_path: "/dns-query".into(),
            connections_max: limits.encrypted.connections,
            connections_per_client_max: limits.encrypted.connections_per_client,
            idle_timeout: limits.encrypted.idle_timeout,
            handshake_timeout: limits.handshake_timeout,
            streams_max: limits.streams,
        }
    }
}

// === impl Config ===

impl Config {
    /// The refusal of the certificate or its key, with the place of the file's name.
    pub(in crate::app) fn certificate_mistake(&self, error: &CertificateError) -> ConfigError {
        let is_key =
            |key: &PathBuf| *key == error.file && self.tls.certificate.as_ref() != Some(key);
        let path =
            if self.tls.key.as_ref().is_some_and(is_key) { "tls.key" } else { "tls.certificate" };
        self.mistake(path, Invalid::new("", "", error.to_string()))
    }

    /// What connections over DNS may take.
    pub fn dns_limits(&self) -> dns::Limits {
        let encrypted = &self.dns.encrypted;
        dns::Limits {
            tcp: dns::ConnectionLimits {
                connections: self.dns.tcp_connections_max,
                connections_per_client: self.dns.tcp_connections_per_client_max,
                idle_timeout: self.dns.tcp_idle_timeout,
            },
            encrypted: dns::ConnectionLimits {
                connections: encrypted.connections_max,
                connections_per_client: encrypted.connections_per_client_max,
                idle_timeout: encrypted.idle_timeout,
            },
            handshake_timeout: encrypted.handshake_timeout,
            streams: encrypted.streams_max,
        }
    }

    /// What is most likely not meant, of a configuration that is right.
    pub fn warnings(&self) -> Vec<String> {
        let unused = self.dns.cookie_secret_file.as_ref().filter(|_| !self.dns.cookies);
        let unused = unused.map(|_| {
            "`dns.cookie_secret_file` is not read, as `dns.cookies` is `false`".to_owned()
        });
        unused.into_iter().chain(self.shown_to_nobody()).chain(self.store_warnings()).collect()
    }

    /// A certificate without an address to show it at.
    fn shown_to_nobody(&self) -> Option<String> {
        let key = match &self.tls {
            tls if tls.files().is_some() => "tls.certificate",
            TlsSettings { self_signed: true, .. } => "tls.self_signed",
            _ => return None,
        };
        let lists = self.dns.encrypted.lists();
        if lists.iter().any(|(_, addresses)| !addresses.is_empty()) {
            return None;
        }
        let [tls, https, quic] = lists.map(|(path, _)| path);
        Some(format!(
            "`{key}` is shown to nobody: there is no address in `{tls}`, `{https}` or `{quic}`"
        ))
    }

    /// Where whoever tries things out with `tls.self_signed` finds the encrypted transports: ports
    /// that need no privilege, and remind of 853 and 443.
    pub(super) fn self_signed_listen() -> dns::EncryptedListen {
        let at = |port| vec![SocketAddr::from(([127, 0, 0, 1], port))];
        dns::EncryptedListen { tls: at(8853), https: at(8443), quic: at(8853) }
    }
}
