//! Binding the sockets of one address, or saying why not.

use std::{
    io,
    net::{SocketAddr, TcpListener, UdpSocket},
    sync::Arc,
};

use socket2::{Domain, Protocol, Type};

use crate::dns::udp::Socket;

/// Ports that are tried when the system may choose: it chooses one that is free for TCP, and
/// another program may have the same one for UDP. Each try fails only by such a coincidence.
const PORT_TRIES: usize = 16;

/// Connections that the system keeps until they are accepted: one burst; the system cuts it to its
/// own limit.
const BACKLOG: i32 = 1_024;

/// Octets that the system holds for a connection each way, doubled by it for its own accounts: two
/// of the longest messages. Left to itself it would keep megabytes for a client that never reads.
const TCP_BUFFER_OCTETS: usize = 128 << 10;

/// Octets that the system holds of all connections over QUIC each way, if its own limit allows as
/// many: some hundred packets of the first handshakes, when all clients come back at once.
const QUIC_BUFFER_OCTETS: usize = 1 << 20;

/// The sockets of one address.
#[derive(Debug)]
pub(super) struct Endpoint {
    /// The address with its port.
    pub address: SocketAddr,
    /// One for each worker.
    pub udp: Vec<Arc<Socket>>,
    /// For TCP, of the same port.
    pub tcp: TcpListener,
}

/// An address cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen for DNS on {address} ({transport}): {reason}; {}", advice(reason, *address))]
pub struct BindError {
    address: SocketAddr,
    transport: &'static str,
    /// Part of the text, and therefore not told again as its source.
    reason: io::Error,
}

// === impl BindError ===

impl BindError {
    pub(super) fn new(address: SocketAddr, transport: &'static str, reason: io::Error) -> Self {
        Self { address, transport, reason }
    }
}

// === impl Endpoint ===

impl Endpoint {
    /// Binds the sockets for `workers` workers and TCP.
    pub(super) fn bind(address: SocketAddr, workers: usize) -> Result<Self, BindError> {
        let refused = |transport| move |reason| BindError { address, transport, reason };
        let mut tries = if address.port() == 0 { PORT_TRIES } else { 1 };
        // TCP first: its port cannot be shared, so that a second server on the same address is
        // found out before its UDP sockets take clients from the first one, be it for a moment.
        let (streams, first) = loop {
            let streams = tcp(address).map_err(refused("TCP"))?;
            let chosen = streams.local_addr().map_err(refused("TCP"))?;
            tries -= 1;
            match Socket::bind(chosen) {
                Ok(first) => break (streams, first),
                Err(error) if tries > 0 && error.kind() == io::ErrorKind::AddrInUse => {}
                Err(error) => return Err(refused("UDP")(error)),
            }
        };
        let address = first.local_addr();
        let mut udp = vec![Arc::new(first)];
        for _ in 1..workers {
            udp.push(Arc::new(Socket::bind(address).map_err(refused("UDP"))?));
        }
        Ok(Self { address, udp, tcp: streams })
    }
}

/// A listener for connections.
pub(super) fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    // Connections of an earlier run that linger do not keep the port from this one.
    socket.set_reuse_address(true)?;
    // Connections inherit these.
    socket.set_send_buffer_size(TCP_BUFFER_OCTETS)?;
    socket.set_recv_buffer_size(TCP_BUFFER_OCTETS)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// A socket for QUIC, whose connections share it.
pub(super) fn udp(address: SocketAddr) -> io::Result<UdpSocket> {
    let domain = Domain::for_address(address);
    let socket = socket2::Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    socket.set_send_buffer_size(QUIC_BUFFER_OCTETS)?;
    socket.set_recv_buffer_size(QUIC_BUFFER_OCTETS)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// What to do about it.
fn advice(error: &io::Error, address: SocketAddr) -> String {
    let port = address.port();
    match error.kind() {
        io::ErrorKind::PermissionDenied => format!(
            "port {port} needs the capability `cap_net_bind_service` (for example `setcap \
             cap_net_bind_service=+ep` on the program); or listen on a port from 1024 up"
        ),
        io::ErrorKind::AddrInUse => format!(
            "another program has it: `ss -lnptu 'sport = :{port}'` says which; stop it, or listen \
             elsewhere"
        ),
        io::ErrorKind::AddrNotAvailable => {
            "no interface of this machine has the address: `ip address` shows those there are"
                .into()
        }
        _ => "listen on another address".into(),
    }
}

#[cfg(test)]
mod tests {
    use std::{io, net::UdpSocket, os::fd::AsFd};

    use tokio_util::sync::CancellationToken;

    use super::Endpoint;

    #[test]
    fn udp_and_tcp_share_the_port_that_the_system_chose() {
        for address in ["127.0.0.1:0", "[::1]:0", "0.0.0.0:0", "[::]:0"] {
            let endpoint = Endpoint::bind(address.parse().unwrap(), 3).unwrap();
            assert_ne!(endpoint.address.port(), 0);
            assert_eq!(endpoint.udp.len(), 3);
            assert!(endpoint.udp.iter().all(|socket| socket.local_addr() == endpoint.address));
            assert_eq!(endpoint.tcp.local_addr().unwrap(), endpoint.address);
        }
    }

    /// For a moment the sockets of the second had part of the queries, which nobody answered.
    #[test]
    fn a_second_server_takes_no_query_from_the_first() {
        let first = Endpoint::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let socket = UdpSocket::from(first.udp[0].as_fd().try_clone_to_owned().unwrap());
        let stop = CancellationToken::new();
        std::thread::scope(|scope| {
            let _stopping = stop.clone().drop_guard();
            scope.spawn(|| {
                while !stop.is_cancelled() {
                    Endpoint::bind(first.address, 2).unwrap_err();
                }
            });
            for asked in 0..2_000 {
                // Each from a port of its own, by which the system spreads them.
                let client = UdpSocket::bind("127.0.0.1:0").unwrap();
                client.send_to(b"query", first.address).unwrap();
                socket.recv(&mut [0; 16]).unwrap_or_else(|error| panic!("{asked}: {error}"));
            }
        });
    }

    #[test]
    fn a_refusal_names_address_reason_and_way_out() {
        let holder = Endpoint::bind("127.0.0.1:0".parse().unwrap(), 1).unwrap();
        let taken = holder.address;
        let error = Endpoint::bind(taken, 1).unwrap_err();
        assert_eq!(error.reason.kind(), io::ErrorKind::AddrInUse);
        let text = error.to_string();
        assert!(text.starts_with(&format!("cannot listen for DNS on {taken} (TCP): ")), "{text}");
        assert!(text.contains(&format!("sport = :{}", taken.port())), "{text}");
        assert!(std::error::Error::source(&error).is_none(), "the reason is told once");

        let error = Endpoint::bind("192.0.2.1:0".parse().unwrap(), 1).unwrap_err().to_string();
        assert!(error.contains("no interface of this machine"), "{error}");
    }
}
