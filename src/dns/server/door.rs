//! One address of an encrypted transport.

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
};

use tokio::{net::TcpListener, task::JoinSet};

use super::{BindError, Encryption, bind};
use crate::dns::{
    Transport, quic,
    tcp::{self, Shared, Speech},
};

/// A socket that is bound, and what is to be spoken on it.
#[derive(Debug)]
pub(super) struct Door {
    pub transport: Transport,
    /// The address with its port.
    pub address: SocketAddr,
    socket: Socket,
}

#[derive(Debug)]
enum Socket {
    Https(std::net::TcpListener),
    Quic(UdpSocket),
    Tls(std::net::TcpListener),
}

// === impl Door ===

impl Door {
    /// Binds the socket.
    pub(super) fn bind(transport: Transport, address: SocketAddr) -> Result<Self, BindError> {
        let refused = |reason| BindError::new(address, transport.title(), reason);
        let socket = match transport {
            Transport::Https => bind::tcp(address).map(Socket::Https),
            Transport::Quic => bind::udp(address).map(Socket::Quic),
            Transport::Tls => bind::tcp(address).map(Socket::Tls),
            Transport::Tcp | Transport::Udp => Err(io::ErrorKind::Unsupported.into()),
        };
        let socket = socket.map_err(refused)?;
        let address = match &socket {
            Socket::Https(socket) | Socket::Tls(socket) => socket.local_addr(),
            Socket::Quic(socket) => socket.local_addr(),
        };
        let address = address.map_err(refused)?;
        Ok(Self { transport, address, socket })
    }

    /// Starts answering.
    ///
    /// # Errors
    /// When the system refuses to watch the socket, or has no randomness.
    pub(super) fn open(
        self,
        encryption: &Encryption,
        shared: &Arc<Shared>,
        tasks: &mut JoinSet<()>,
    ) -> io::Result<()> {
        let config = |protocols: &[&str]| {
            let is_quic = self.transport == Transport::Quic;
            encryption.identity.config(protocols, is_quic).map_err(io::Error::other)
        };
        let shared = Arc::clone(shared);
        match self.socket {
            Socket::Tls(socket) => {
                let speech = Speech::Tls(Arc::new(config(&["dot"])?));
                tasks.spawn(tcp::serve(TcpListener::from_std(socket)?, speech, shared));
            }
            Socket::Https(socket) => {
                let config = Arc::new(config(&["h2", "http/1.1"])?);
                let speech = Speech::Https(config, encryption.https_path.as_str().into());
                tasks.spawn(tcp::serve(TcpListener::from_std(socket)?, speech, shared));
            }
            Socket::Quic(socket) => {
                let config = config(&["doq"])?;
                let runtime = shared.runner(self.transport).runtime.clone();
                let _within = runtime.enter();
                let endpoint = quic::Endpoint::new(socket, config, Arc::clone(&shared))?;
                tasks.spawn_on(quic::serve(endpoint), &runtime);
            }
        }
        Ok(())
    }
}
