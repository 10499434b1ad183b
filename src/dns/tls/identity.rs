//! The certificate that is shown, with its key; and the TLS of each transport that shows it.

use std::sync::Arc;

use arc_swap::ArcSwap;
use aws_lc_rs::digest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustls::{
    ServerConfig,
    crypto::{
        CryptoProvider,
        aws_lc_rs::{Ticketer, default_provider},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
    version::{TLS12, TLS13},
};

use super::x509::Facts;

/// A certificate with its chain and its key.
#[derive(Debug)]
pub struct Identity {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) facts: Facts,
    /// The line of its file that it stands in; zero if it is in none.
    pub(super) line: usize,
}

/// The identity that is shown now; clones show the same. What is shown is exchanged while
/// connections come and go, and a connection keeps what it began with.
#[derive(Debug, Clone)]
pub struct ShownIdentity(Arc<ArcSwap<Identity>>);

// === impl Identity ===

impl Identity {
    /// The pin of its key: the SHA-256 of the SubjectPublicKeyInfo in base64 (RFC 7858 §4.2), as
    /// kdig's `+tls-pin` and curl's `--pinnedpubkey sha256//…` take it.
    pub fn pin(&self) -> String {
        STANDARD.encode(digest::digest(&digest::SHA256, &self.facts.public_key))
    }

    /// The time from which on it is valid no more, seconds since the Unix epoch.
    pub fn not_after(&self) -> i64 {
        self.facts.not_after
    }

    /// The time from which on it is valid, seconds since the Unix epoch.
    pub fn not_before(&self) -> i64 {
        self.facts.not_before
    }
}

// === impl ShownIdentity ===

impl ShownIdentity {
    /// Shows an identity.
    pub fn new(identity: Identity) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(identity)))
    }

    /// What is shown now.
    pub fn load(&self) -> Arc<Identity> {
        self.0.load_full()
    }

    pub(super) fn show(&self, identity: Identity) {
        self.0.store(Arc::new(identity));
    }

    /// The TLS of a transport that has some names of protocols (ALPN), with sessions and tickets of
    /// its own. A client that names none of them is refused, one that names nothing is not.
    ///
    /// # Errors
    /// When the system has no randomness for the keys of tickets.
    pub(in crate::dns) fn config(
        &self,
        protocols: &[&str],
        is_quic: bool,
    ) -> Result<ServerConfig, rustls::Error> {
        // QUIC has no older one (RFC 9001 §4.2).
        let versions: &[_] = if is_quic { &[&TLS13] } else { &[&TLS13, &TLS12] };
        let mut config = ServerConfig::builder_with_provider(provider())
            .with_protocol_versions(versions)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(self.clone()));
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        // Tickets instead of a table of sessions: whoever comes again brings the state along.
        config.ticketer = Ticketer::new()?;
        Ok(config)
    }
}

impl ResolvesServerCert for ShownIdentity {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.load().key))
    }
}

/// The one provider of cryptography.
pub(super) fn provider() -> Arc<CryptoProvider> {
    Arc::new(default_provider())
}
