//! Which address of this host others see.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

/// Somewhere in other networks: addresses of documentation (RFC 5737, RFC 3849), one of each
/// family. To ask for the way there sends nothing.
pub(super) const ELSEWHERE: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)),
    IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1)),
];

/// Whether hosts of a network may reach that address: it is neither a wildcard nor a loopback.
pub(super) fn is_of_network(ip: &IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_loopback()
}

/// The address from which packets to another one would be sent: to connect a UDP socket chooses a
/// route and sends nothing. `None` where there is no route, or it does not leave this host.
pub(super) fn address_towards(to: IpAddr) -> Option<IpAddr> {
    let from = match to {
        IpAddr::V4(_) => IpAddr::from(Ipv4Addr::UNSPECIFIED),
        IpAddr::V6(_) => IpAddr::from(Ipv6Addr::UNSPECIFIED),
    };
    let socket = UdpSocket::bind((from, 0)).ok()?;
    socket.connect((to, 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(is_of_network)
}
