//! Ports for tests of what is told where to listen before it does, or more than once. `tests/it`
//! has this file as a module, too.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
};

use parking_lot::Mutex;

/// What was given to a test already: whoever got it may not have bound it yet.
static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// An address of loopback at which nobody listens, and which nobody else gets meanwhile: whoever
/// asks for port 0, or connects, gets one above 32767.
pub(crate) fn free_address() -> SocketAddr {
    let ports = std::iter::repeat_with(|| fastrand::u16(10_000..32_768));
    let mut addresses = ports.take(1000).map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    let is_free = |address: &SocketAddr| {
        GIVEN.lock().insert(address.port())
            && UdpSocket::bind(address).is_ok()
            && TcpListener::bind(address).is_ok()
    };
    addresses.find(is_free).expect("a port is free")
}
