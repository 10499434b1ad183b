//! The sockets that the server listens on.

use std::{io, net::SocketAddr, num::NonZeroUsize};

use socket2::{Domain, Protocol, Socket, Type};

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
    /// Keep the ports of TCP from others meanwhile.
    _held: Vec<Socket>,
}

// === impl Sockets ===

impl Sockets {
    /// Binds what is configured.
    pub(super) fn bind(config: &Config) -> anyhow::Result<Self> {
        let workers = NonZeroUsize::new(config.dns.udp_workers);
        let (listen, encrypted) = (config.dns.listen.clone(), config.dns.encrypted.listen.clone());
        let dns = DnsConfig { listen, workers, encrypted };
        Closed { dns, http: config.http.listen.clone(), _held: Vec::new() }.open()
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
        let http = self.http.local_addrs();
        drop(self);
        let all = [&dns.listen, &dns.encrypted.tls, &dns.encrypted.https, &http];
        // Without it another program may be faster, which is told of when they are bound again.
        let held = all.into_iter().flatten().filter_map(|address| hold(*address).ok()).collect();
        Closed { dns, http, _held: held }
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

/// Has a port of TCP, so that the system gives it to no connection of another program; whoever
/// connects to it is refused.
fn hold(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // Who listens there later shares it.
    socket.set_reuse_address(true)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.bind(&address.into())?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::{io, net::TcpStream};

    use super::{Domain, HttpServer, Socket, Type, hold};

    /// The port of a server that waited for etcd had become that of a connection.
    #[tokio::test]
    async fn a_port_that_is_held_is_closed_and_nobody_elses() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let held = hold(any.parse().unwrap()).unwrap();
            let address = held.local_addr().unwrap().as_socket().unwrap();
            let refused = TcpStream::connect(address).unwrap_err();
            assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
            let other = Socket::new(Domain::for_address(address), Type::STREAM, None).unwrap();
            let taken = other.bind(&address.into()).unwrap_err();
            assert_eq!(taken.kind(), io::ErrorKind::AddrInUse);
            let server = HttpServer::bind(&[address]).unwrap();
            assert_eq!(server.local_addrs(), [address]);
            TcpStream::connect(address).unwrap();
        }
    }
}
