//! A UDP socket as the workers want it.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, BorrowedFd},
    time::Duration,
};

use socket2::{Domain, Protocol, Type};

use super::sys::{self, ReturnPath};

/// How long a worker waits for a packet before it looks whether to stop: four wakings a second are
/// nothing, and nobody minds a stop that takes as long as a blink.
const RECEIVE_TIMEOUT: Duration = Duration::from_millis(250);

/// Octets of the socket's buffers. The kernel charges about 800 octets for a small packet, so this
/// holds 5,000 of them: 10 ms of a full load, longer than a worker is ever kept from its CPU.
const BUFFER_OCTETS: i32 = 4 << 20;

/// A bound UDP socket that shares its port with others of its kind.
#[derive(Debug)]
pub(in crate::dns) struct Socket {
    inner: socket2::Socket,
    local: SocketAddr,
}

// === impl Socket ===

impl Socket {
    /// Binds to `address`; on port 0 the system chooses one.
    ///
    /// # Errors
    /// What the system says. Options that only make things faster or safer are left out when it
    /// refuses them; sharing the port and telling the asked address are not.
    pub(in crate::dns) fn bind(address: SocketAddr) -> io::Result<Self> {
        let is_v6 = address.is_ipv6();
        let inner =
            socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if is_v6 {
            // Else `[::]` would take the port of `0.0.0.0` as well.
            inner.set_only_v6(true)?;
        }
        inner.set_reuse_port(true)?;
        inner.set_read_timeout(Some(RECEIVE_TIMEOUT))?;
        if address.ip().is_unspecified() {
            sys::enable_packet_info(inner.as_fd(), is_v6)?;
        }
        // Some containers' kernels know no such option.
        let _ = sys::forbid_fragments(inner.as_fd(), is_v6);
        if sys::force_buffers(inner.as_fd(), BUFFER_OCTETS).is_err() {
            // Unprivileged: as much as the system allows everybody.
            let octets = usize::try_from(BUFFER_OCTETS).unwrap_or_default();
            let _ = inner.set_recv_buffer_size(octets);
            let _ = inner.set_send_buffer_size(octets);
        }
        inner.bind(&address.into())?;
        let local = inner.local_addr()?.as_socket();
        let local = local.ok_or_else(|| io::Error::other("the socket has no IP address"))?;
        Ok(Self { inner, local })
    }

    /// The address it is bound to, with the port that the system chose.
    pub(in crate::dns) fn local_addr(&self) -> SocketAddr {
        self.local
    }

    /// How many packets the kernel has dropped because its buffer was full.
    ///
    /// # Errors
    /// When the kernel does not tell.
    pub(in crate::dns) fn kernel_drops(&self) -> io::Result<u64> {
        sys::kernel_drops(self.as_fd())
    }

    /// Sends one reply, from the address that was asked.
    ///
    /// # Errors
    /// When there is no room in the socket's buffer, or the system refuses it.
    pub(super) fn reply(&self, path: &ReturnPath, octets: &[u8]) -> io::Result<()> {
        path.send(self.as_fd(), octets)
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::Socket;

    #[test]
    fn both_wildcards_and_many_workers_share_a_port() {
        let first = Socket::bind("0.0.0.0:0".parse().unwrap()).unwrap();
        let address = first.local_addr();
        let second = Socket::bind(address).unwrap();
        assert_eq!(second.local_addr(), address);
        let v6 = Socket::bind(format!("[::]:{}", address.port()).parse().unwrap()).unwrap();
        assert_eq!(v6.local_addr().port(), address.port());
    }
}
