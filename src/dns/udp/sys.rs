//! The system calls that std does not offer: `recvmmsg`, `sendmmsg`, packet info, socket options.
//!
//! This is the only file with `unsafe`. It knows nothing of DNS: packets come in with the address
//! they came from and the address they were sent to, replies go out the way their packets came.
//! All headers that the kernel reads or writes through pointers are built anew on the stack for
//! each call, from buffers that the call borrows; no pointer outlives the call that made it, so
//! there is no pointer to keep valid and nothing to say about moving or sharing an [`Arena`].
//! Building sixteen headers costs about 100 ns beside a system call of several microseconds.
#![allow(unsafe_code)]

use std::{
    io, mem,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    ptr,
};

use libc::{
    c_int, c_void, in_pktinfo, in6_pktinfo, iovec, mmsghdr, msghdr, sockaddr_storage, socklen_t,
};
use socket2::{SockAddr, SockAddrStorage};

/// Packets per system call. gdnsd measured no gain above 16: by then the cost of the call is spread
/// thin, and a longer batch only makes its first packet wait for its last one's answer.
pub(super) const WIDTH: usize = WIDTH_UINT as usize;
const WIDTH_UINT: libc::c_uint = 16;

/// Octets of a packet that are read. A query has at most 255 octets of name and a few hundred of
/// EDNS options; 4,096 is also what hickory's UDP transport reads. Longer ones are dropped.
pub(super) const PACKET_OCTETS_MAX: usize = 4_096;

/// Octets of a reply over UDP, whatever the settings say: the largest payload size that is of use,
/// since resolvers of old offer 4,096.
pub(in crate::dns) const REPLY_OCTETS_MAX: usize = 4_096;

/// Octets of control messages: one packet info of either family, with its header.
const CONTROL_OCTETS: usize = 64;

/// The way back: where a packet came from, and which of our addresses it was sent to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ReturnPath {
    /// The client.
    pub peer: SocketAddr,
    /// Our address; `None` when the socket is bound to one, from which all its replies leave.
    pub local: Option<Local>,
}

/// One of our own addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Local {
    /// An IPv4 address.
    V4(Ipv4Addr),
    /// An IPv6 address with its interface: a link-local address means nothing without.
    V6(Ipv6Addr, u32),
}

/// What became of the replies of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sent {
    /// Replies that were handed to the network.
    pub sent: u64,
    /// Replies for which the socket's buffer had no room.
    pub blocked: u64,
    /// Replies that the system refused: no route, a firewall, a client on port 0.
    pub refused: u64,
}

/// Buffers for one batch, allocated once: packets with their addresses, and their replies.
///
/// Invariants:
/// - I1: `packets`, `replies`, `names` and `controls` have [`WIDTH`] elements each.
/// - I2: of packet `i < count`, the first `received[i].octets` octets of `packets[i]` and the first
///   `received[i].name_octets` of `names[i]` were written by the last [`Arena::receive`].
/// - I3: each queued reply names a slot below `count` and at most [`REPLY_OCTETS_MAX`] octets.
pub(super) struct Arena {
    packets: Box<[[u8; PACKET_OCTETS_MAX]]>,
    replies: Box<[[u8; REPLY_OCTETS_MAX]]>,
    names: Box<[sockaddr_storage]>,
    controls: Box<[Control]>,
    received: [Received; WIDTH],
    count: usize,
    queue: [Queued; WIDTH],
    queued: usize,
}

/// What the kernel said of one packet.
#[derive(Debug, Clone, Copy, Default)]
struct Received {
    octets: usize,
    name_octets: socklen_t,
    local: Option<Local>,
    cut: bool,
}

/// One reply that waits to be sent.
#[derive(Debug, Clone, Copy, Default)]
struct Queued {
    slot: usize,
    octets: usize,
}

/// Room for control messages, aligned as their header wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_OCTETS]);

const _: () = {
    assert!(mem::align_of::<Control>() >= mem::align_of::<libc::cmsghdr>());
    // SAFETY: CMSG_SPACE only adds up sizes.
    assert!(unsafe { libc::CMSG_SPACE(size_as_uint::<in6_pktinfo>()) } as usize <= CONTROL_OCTETS);
    // SAFETY: as above.
    assert!(unsafe { libc::CMSG_SPACE(size_as_uint::<in_pktinfo>()) } as usize <= CONTROL_OCTETS);
};

// === impl Arena ===

impl Arena {
    /// Allocates the buffers, 132 KiB, of which the kernel maps only what is used.
    pub(super) fn new() -> Self {
        Self {
            packets: vec![[0; PACKET_OCTETS_MAX]; WIDTH].into(),
            replies: vec![[0; REPLY_OCTETS_MAX]; WIDTH].into(),
            names: vec![empty_name(); WIDTH].into(),
            controls: vec![Control([0; CONTROL_OCTETS]); WIDTH].into(),
            received: [Received::default(); WIDTH],
            count: 0,
            queue: [Queued::default(); WIDTH],
            queued: 0,
        }
    }

    /// Waits for a packet, at most for the socket's read timeout, and takes it with what else has
    /// come, up to [`WIDTH`]. Returns how many; none after the timeout.
    ///
    /// # Errors
    /// When the socket is broken; waiting in vain is none.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        (self.count, self.queued) = (0, 0);
        let mut vectors = [EMPTY_VECTOR; WIDTH];
        let mut headers: [mmsghdr; WIDTH] = [empty_header(); WIDTH];
        let slots = self.packets.iter_mut().zip(&mut self.names).zip(&mut self.controls);
        for ((header, vector), ((packet, name), control)) in
            headers.iter_mut().zip(&mut vectors).zip(slots)
        {
            *vector = iovec { iov_base: packet.as_mut_ptr().cast(), iov_len: packet.len() };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = size_as_uint::<sockaddr_storage>();
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.0.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL_OCTETS as _;
        }
        // SAFETY: by I1 all WIDTH headers were filled above; each points to a name, a vector and
        // a control buffer of the sizes it gives, all of them borrowed mutably until this returns.
        let count = unsafe {
            let flags = libc::MSG_WAITFORONE as _;
            libc::recvmmsg(raw(socket), headers.as_mut_ptr(), WIDTH_UINT, flags, ptr::null_mut())
        };
        let Ok(count) = usize::try_from(count) else {
            return match io::Error::last_os_error() {
                error if is_in_vain(&error) => Ok(0),
                error => Err(error),
            };
        };
        for (header, received) in headers[..count].iter().zip(&mut self.received) {
            *received = Received {
                octets: (header.msg_len as usize).min(PACKET_OCTETS_MAX),
                name_octets: header.msg_hdr.msg_namelen,
                local: read_local(&header.msg_hdr),
                cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
            };
        }
        self.count = count;
        Ok(count)
    }

    /// The packet in `slot`, and the room for its reply.
    pub(super) fn exchange(&mut self, slot: usize) -> (&[u8], &mut [u8; REPLY_OCTETS_MAX]) {
        assert!(slot < self.count, "only a packet that was received is looked at");
        (&self.packets[slot][..self.received[slot].octets], &mut self.replies[slot])
    }

    /// Whether the packet in `slot` was longer than what was read of it.
    pub(super) fn is_cut(&self, slot: usize) -> bool {
        self.received[..self.count][slot].cut
    }

    /// The way back of the packet in `slot`; `None` when it has no IP address.
    pub(super) fn return_path(&self, slot: usize) -> Option<ReturnPath> {
        let received = &self.received[..self.count][slot];
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: a `SockAddrStorage` is a `sockaddr_storage` by another name; and by I2 the kernel
        // wrote this address and its length.
        let name = unsafe {
            *storage.view_as::<sockaddr_storage>() = self.names[slot];
            SockAddr::new(storage, received.name_octets)
        };
        Some(ReturnPath { peer: name.as_socket()?, local: received.local })
    }

    /// Queues the first `octets` of the room of `slot` as its reply.
    pub(super) fn queue(&mut self, slot: usize, octets: usize) {
        assert!(slot < self.count && octets <= REPLY_OCTETS_MAX, "a reply in the room of a packet");
        assert!(self.queued < WIDTH, "at most one reply to a packet");
        self.queue[self.queued] = Queued { slot, octets };
        self.queued += 1;
    }

    /// Sends all that is queued. What cannot be sent is counted and skipped, so that one client
    /// without a route does not hold up the others; nothing waits for room in the socket's buffer.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let mut vectors = [EMPTY_VECTOR; WIDTH];
        let mut headers: [mmsghdr; WIDTH] = [empty_header(); WIDTH];
        let queue = &self.queue[..self.queued];
        for ((header, vector), queued) in headers.iter_mut().zip(&mut vectors).zip(queue) {
            let received = &self.received[queued.slot];
            let reply = &mut self.replies[queued.slot];
            *vector = iovec { iov_base: reply.as_mut_ptr().cast(), iov_len: queued.octets };
            header.msg_hdr.msg_name = ptr::from_mut(&mut self.names[queued.slot]).cast();
            header.msg_hdr.msg_namelen = received.name_octets;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            if let Some(local) = received.local {
                write_local(local, &mut self.controls[queued.slot], &mut header.msg_hdr);
            }
        }
        let count = mem::take(&mut self.queued);
        send_all(socket, &mut headers[..count])
    }
}

// === impl ReturnPath ===

impl ReturnPath {
    /// Sends one datagram this way, without waiting for room in the socket's buffer.
    ///
    /// # Errors
    /// When the system refuses it.
    pub(super) fn send(&self, socket: BorrowedFd<'_>, octets: &[u8]) -> io::Result<()> {
        let name = SockAddr::from(self.peer);
        let mut control = Control([0; CONTROL_OCTETS]);
        let mut vector =
            iovec { iov_base: octets.as_ptr().cast_mut().cast(), iov_len: octets.len() };
        let mut header = empty_header().msg_hdr;
        header.msg_name = name.as_ptr().cast_mut().cast();
        header.msg_namelen = name.len();
        header.msg_iov = &raw mut vector;
        header.msg_iovlen = 1;
        if let Some(local) = self.local {
            write_local(local, &mut control, &mut header);
        }
        // SAFETY: the header points to a name, a vector and a control buffer of the sizes it gives,
        // all of them alive until this returns; sendmsg only reads through these pointers.
        let sent = unsafe { libc::sendmsg(raw(socket), &raw const header, libc::MSG_DONTWAIT) };
        if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
    }
}

/// Sends `headers`, each of which was filled by [`Arena::send`] from buffers that are still
/// borrowed.
fn send_all(socket: BorrowedFd<'_>, headers: &mut [mmsghdr]) -> Sent {
    let (mut at, mut result) = (0, Sent::default());
    while at < headers.len() {
        let rest = &mut headers[at..];
        let length = libc::c_uint::try_from(rest.len()).unwrap_or(WIDTH_UINT);
        // SAFETY: `rest` has `length` headers; each points to a name, a vector and possibly a
        // control buffer of the sizes it gives, in the arena and the caller's stack frame.
        let sent = unsafe {
            libc::sendmmsg(raw(socket), rest.as_mut_ptr(), length, libc::MSG_DONTWAIT as _)
        };
        match usize::try_from(sent) {
            Ok(sent @ 1..) => {
                at += sent;
                result.sent += sent as u64;
            }
            // The error is that of the first message; those behind it are tried again.
            Ok(0) | Err(_) => match io::Error::last_os_error().kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => (at, result.blocked) = (at + 1, result.blocked + 1),
                _ => (at, result.refused) = (at + 1, result.refused + 1),
            },
        }
    }
    result
}

/// Reads which of our addresses the packet was sent to.
fn read_local(header: &msghdr) -> Option<Local> {
    // SAFETY: after recvmmsg the header's control pointer and length describe the control messages
    // that the kernel wrote, which is what CMSG_FIRSTHDR and CMSG_NXTHDR walk over. The data of
    // each is as long as its type says and is read unaligned.
    unsafe {
        let mut message = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = message.as_ref() {
            let data = libc::CMSG_DATA(message);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::IPPROTO_IP, libc::IP_PKTINFO) => {
                    let info: in_pktinfo = ptr::read_unaligned(data.cast());
                    return Some(Local::V4(Ipv4Addr::from(info.ipi_spec_dst.s_addr.to_ne_bytes())));
                }
                (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) => {
                    let info: in6_pktinfo = ptr::read_unaligned(data.cast());
                    let address = Ipv6Addr::from(info.ipi6_addr.s6_addr);
                    return Some(Local::V6(address, info.ipi6_ifindex));
                }
                _ => message = libc::CMSG_NXTHDR(header, message),
            }
        }
    }
    None
}

/// Has `header` leave from `local`. The interface is left to the routing table, which knows the
/// way back better than the packet's way in, except for link-local addresses.
fn write_local(local: Local, control: &mut Control, header: &mut msghdr) {
    match local {
        Local::V4(address) => {
            let source = libc::in_addr { s_addr: u32::from_ne_bytes(address.octets()) };
            let any = libc::in_addr { s_addr: 0 };
            let info = in_pktinfo { ipi_ifindex: 0, ipi_spec_dst: source, ipi_addr: any };
            write_control((libc::IPPROTO_IP, libc::IP_PKTINFO), info, control, header);
        }
        Local::V6(address, interface) => {
            let info = in6_pktinfo {
                ipi6_addr: libc::in6_addr { s6_addr: address.octets() },
                ipi6_ifindex: if address.is_unicast_link_local() { interface } else { 0 },
            };
            write_control((libc::IPPROTO_IPV6, libc::IPV6_PKTINFO), info, control, header);
        }
    }
}

/// Writes one control message of the given level and type.
fn write_control<T>(
    (level, kind): (c_int, c_int),
    data: T,
    control: &mut Control,
    header: &mut msghdr,
) {
    header.msg_control = control.0.as_mut_ptr().cast();
    // SAFETY: the control buffer is aligned for a header and has room for one with either packet
    // info, as the assertions at `Control` say; nothing else borrows it.
    unsafe {
        header.msg_controllen = libc::CMSG_SPACE(size_as_uint::<T>()) as _;
        let message = libc::CMSG_FIRSTHDR(header);
        (*message).cmsg_level = level;
        (*message).cmsg_type = kind;
        (*message).cmsg_len = libc::CMSG_LEN(size_as_uint::<T>()) as _;
        ptr::write_unaligned(libc::CMSG_DATA(message).cast(), data);
    }
}

/// Asks for the address that each packet was sent to.
pub(super) fn enable_packet_info(socket: BorrowedFd<'_>, is_v6: bool) -> io::Result<()> {
    if is_v6 {
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO, 1)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)
    }
}

/// Lets the kernel ignore what it is told about the path's MTU, so that forged ICMP messages cannot
/// make it fragment replies, and without the "don't fragment" bit.
pub(super) fn omit_path_mtu(socket: BorrowedFd<'_>, is_v6: bool) -> io::Result<()> {
    if is_v6 {
        let omit = libc::IPV6_PMTUDISC_OMIT;
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, omit)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_OMIT)
    }
}

/// Sets the socket's buffers above the system's limit, which only a privileged process may.
pub(super) fn force_buffers(socket: BorrowedFd<'_>, octets: c_int) -> io::Result<()> {
    set_option(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, octets)?;
    set_option(socket, libc::SOL_SOCKET, libc::SO_SNDBUFFORCE, octets)
}

/// How many packets the kernel has dropped because nobody took them from the socket in time. Asked
/// for when metrics are read, so that it costs a packet nothing (as `SO_RXQ_OVFL` would).
pub(super) fn kernel_drops(socket: BorrowedFd<'_>) -> io::Result<u64> {
    /// Index of the drops in what `SO_MEMINFO` tells, and the number of its fields up to there.
    const DROPS: usize = libc::SK_MEMINFO_DROPS as usize;
    let mut fields = [0_u32; DROPS + 1];
    let mut length = size_as_uint::<[u32; DROPS + 1]>();
    // SAFETY: the kernel writes at most `length` octets, the size of `fields`.
    let result = unsafe {
        let (level, option) = (libc::SOL_SOCKET, libc::SO_MEMINFO);
        let to = fields.as_mut_ptr().cast::<c_void>();
        libc::getsockopt(raw(socket), level, option, to, &raw mut length)
    };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(fields[DROPS].into()) }
}

fn set_option(socket: BorrowedFd<'_>, level: c_int, option: c_int, value: c_int) -> io::Result<()> {
    let from = (&raw const value).cast::<c_void>();
    // SAFETY: the kernel reads an int, and `from` points to one.
    let result =
        unsafe { libc::setsockopt(raw(socket), level, option, from, size_as_uint::<c_int>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Whether the error only says that no packet came: a timeout, a signal, or the news (of no use to
/// a server) that an earlier reply found nobody.
fn is_in_vain(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionRefused, HostUnreachable, Interrupted, NetworkUnreachable};
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock
            | Interrupted
            | ConnectionRefused
            | HostUnreachable
            | NetworkUnreachable
    )
}

const EMPTY_VECTOR: iovec = iovec { iov_base: ptr::null_mut(), iov_len: 0 };

fn empty_name() -> sockaddr_storage {
    // SAFETY: the address is a C structure of integers, for which zero is a value.
    unsafe { mem::zeroed() }
}

fn empty_header() -> mmsghdr {
    // SAFETY: the header is a C structure of integers and pointers, for which zero is a value.
    unsafe { mem::zeroed() }
}

/// The size of `T`, of which those used here are tens of octets.
#[allow(clippy::cast_possible_truncation)]
const fn size_as_uint<T>() -> libc::c_uint {
    mem::size_of::<T>() as libc::c_uint
}

fn raw(socket: BorrowedFd<'_>) -> RawFd {
    socket.as_raw_fd()
}

#[cfg(test)]
mod tests {
    use std::{net::UdpSocket, os::fd::AsFd, time::Duration};

    use super::{Arena, Sent, WIDTH, enable_packet_info, kernel_drops};

    fn bound(address: &str) -> UdpSocket {
        let socket = UdpSocket::bind(address).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
        socket
    }

    /// Receives one batch and sends each packet back in capitals.
    fn echo(arena: &mut Arena, server: &UdpSocket) -> Sent {
        let count = arena.receive(server.as_fd()).unwrap();
        for slot in 0..count {
            let (packet, room) = arena.exchange(slot);
            let octets = packet.len();
            room[..octets].copy_from_slice(&packet.to_ascii_uppercase());
            arena.queue(slot, octets);
        }
        arena.send(server.as_fd())
    }

    #[test]
    fn a_batch_is_received_and_sent_back_by_slot() {
        let (server, mut arena) = (bound("127.0.0.1:0"), Arena::new());
        let client = bound("127.0.0.1:0");
        client.connect(server.local_addr().unwrap()).unwrap();
        let texts: Vec<String> = (0..WIDTH + 3).map(|n| "x".repeat(n + 1)).collect();
        for text in &texts {
            client.send(text.as_bytes()).unwrap();
        }
        let mut sent = 0;
        while sent < texts.len() as u64 {
            let batch = echo(&mut arena, &server);
            assert!(batch.sent <= WIDTH as u64 && batch.refused + batch.blocked == 0);
            sent += batch.sent;
        }
        let mut buffer = [0; 64];
        for text in &texts {
            let length = client.recv(&mut buffer).unwrap();
            assert_eq!(buffer[..length], *text.to_ascii_uppercase().as_bytes());
        }
    }

    #[test]
    fn on_a_wildcard_the_reply_leaves_from_the_address_that_was_asked() {
        for (wildcard, asked, is_v6) in [("0.0.0.0:0", "127.0.0.2", false), ("[::]:0", "::1", true)]
        {
            let server = bound(wildcard);
            enable_packet_info(server.as_fd(), is_v6).unwrap();
            // A connected socket takes packets from its peer's address only.
            let client = bound(if is_v6 { "[::1]:0" } else { "127.0.0.1:0" });
            let port = server.local_addr().unwrap().port();
            client.connect((asked.parse::<std::net::IpAddr>().unwrap(), port)).unwrap();
            client.send(b"hello").unwrap();
            let mut arena = Arena::new();
            assert_eq!(echo(&mut arena, &server), Sent { sent: 1, ..Sent::default() });
            let mut buffer = [0; 64];
            assert_eq!(client.recv(&mut buffer).unwrap(), 5);

            let path = arena.return_path(0).unwrap();
            assert_eq!(path.peer, client.local_addr().unwrap());
            path.send(server.as_fd(), b"again").unwrap();
            assert_eq!(client.recv(&mut buffer).unwrap(), 5);
            assert_eq!(&buffer[..5], b"again");
        }
    }

    #[test]
    fn a_reply_that_cannot_be_sent_does_not_hold_up_the_next() {
        let server = bound("127.0.0.1:0");
        let (first, second) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
        for client in [&first, &second] {
            client.connect(server.local_addr().unwrap()).unwrap();
            client.send(b"hello").unwrap();
        }
        let mut arena = Arena::new();
        let count = arena.receive(server.as_fd()).unwrap();
        assert_eq!(count, 2, "both were waiting in the socket");
        // An address of one octet is none.
        arena.received[0].name_octets = 1;
        arena.queue(0, 10);
        arena.queue(1, 10);
        assert_eq!(arena.send(server.as_fd()), Sent { sent: 1, refused: 1, blocked: 0 });
        assert_eq!(second.recv(&mut [0; 64]).unwrap(), 10);
    }

    #[test]
    fn an_overlong_packet_is_marked_and_waiting_in_vain_is_no_error() {
        let (server, client) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
        client.send_to(&[7; 5_000], server.local_addr().unwrap()).unwrap();
        let mut arena = Arena::new();
        assert_eq!(arena.receive(server.as_fd()).unwrap(), 1);
        assert!(arena.is_cut(0));
        server.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
        assert_eq!(arena.receive(server.as_fd()).unwrap(), 0);
    }

    #[test]
    fn the_kernel_counts_what_nobody_took() {
        let (server, client) = (bound("127.0.0.1:0"), bound("127.0.0.1:0"));
        assert_eq!(kernel_drops(server.as_fd()).unwrap(), 0);
        socket2::SockRef::from(&server).set_recv_buffer_size(4_096).unwrap();
        for _ in 0..100 {
            client.send_to(&[7; 1_000], server.local_addr().unwrap()).unwrap();
        }
        assert!(kernel_drops(server.as_fd()).unwrap() > 0);
    }
}
