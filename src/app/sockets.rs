//! The sockets that the server listens on.

use std::{net::SocketAddr, num::NonZeroUsize};

use super::config::Config;
use crate::{
    dns::{DnsConfig, DnsServer, EncryptedListen, Transport},
    http::HttpServer,
};

/// All of them, bound before anything is served, so that a mistake is known at once.
pub(super) struct Sockets {
    pub(super) dns: DnsServer,
    pub(super) http: HttpServer,
}

/// Where they were bound, while they are closed.
pub(super) struct Closed {
    dns: DnsConfig,
    http: Vec<SocketAddr>,
}

// === impl Sockets ===

impl Sockets {
    /// Binds what is configured.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let workers = NonZeroUsize::new(config.dns.udp_workers);
        let (listen, encrypted) = (config.dns.listen.clone(), config.dns.encrypted.listen.clone());
        let dns = DnsConfig { listen, workers, encrypted };
        Closed { dns, http: config.http.listen.clone() }.open()
    }

    /// Closes them for a time in which there is nothing to say: a port that is closed is an answer,
    /// and clients go on to the next server; one that is silent they wait for.
    pub(super) fn close(self, config: &Config) -> Closed {
        let mut encrypted = EncryptedListen::default();
        for (transport, address) in self.dns.encrypted_addrs() {
            match transport {
                Transport::Tls => encrypted.tls.push(address),
                Transport::Https => encrypted.https.push(address),
                Transport::Quic => encrypted.quic.push(address),
                Transport::Tcp | Transport::Udp => {}
            }
        }
        let workers = NonZeroUsize::new(config.dns.udp_workers);
        let dns = DnsConfig { listen: self.dns.local_addrs(), workers, encrypted };
        Closed { dns, http: self.http.local_addrs() }
    }
}

// === impl Closed ===

impl Closed {
    /// Binds them (again), on the same ports.
    pub(super) fn open(&self) -> anyhow::Result<Sockets> {
        let dns = DnsServer::bind(&self.dns)?;
        let http = HttpServer::bind(&self.http)?;
        Ok(Sockets { dns, http })
    }
}
