//! The system calls that std does not offer: `recvmmsg`, `sendmmsg`, packet info, socket options.
//!
//! This is the only file with `unsafe`. It knows nothing of DNS: packets come in with the address
//! they came from and the address they were sent to, replies go out the way their packets came.
//! The headers that the kernel reads and writes through pointers are filled once, since filling
//! sixteen of them twice per batch cost as much as answering a query. What they point to is reached
//! through these same pointers by everybody, so that no reference to it is alive during a call.
#![allow(unsafe_code)]

use std::{
    io, iter, mem,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    os::fd::{AsRawFd, BorrowedFd, RawFd},
    ptr::{self, NonNull},
};

use libc::{c_int, c_void, in_pktinfo, in6_pktinfo, iovec, mmsghdr, msghdr, sockaddr_storage};
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
/// - I1: `slots` points to [`WIDTH`] slots that were allocated by [`Arena::new`] and belong to this
///   arena alone. They are reached through this pointer only, and references to their parts live
///   no longer than the borrow of the arena that they come from.
/// - I2: header `i` of `inbox` points to the name, the control messages and, by the vector `into`,
///   to the packet of slot `i`; each with its whole size while `receive` calls the kernel.
/// - I3: of slot `i < count`, the kernel has filled in the packet, name and control messages as
///   header `i` of `inbox` says, by the last call of `receive`.
/// - I4: headers `0..queued` of `outbox` point to the name, by the vector `from` to the reply, and
///   to nothing or the control messages of a slot each; the vector says at most
///   [`REPLY_OCTETS_MAX`] octets.
pub(super) struct Arena {
    slots: NonNull<Slot>,
    inbox: Box<[mmsghdr; WIDTH]>,
    outbox: Box<[mmsghdr; WIDTH]>,
    count: usize,
    queued: usize,
}

/// A packet with where it came from, and its reply. An odd number of cache lines long: were it a
/// power of two, the same place of all slots would fall on the same few lines of the cache.
#[repr(C, align(64))]
struct Slot {
    name: sockaddr_storage,
    control: Control,
    into: iovec,
    from: iovec,
    packet: [u8; PACKET_OCTETS_MAX],
    reply: [u8; REPLY_OCTETS_MAX],
    _spread: [u8; 64],
}

/// Room for control messages, aligned as their header wants it.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
struct Control([u8; CONTROL_OCTETS]);

const _: () = {
    assert!(mem::size_of::<Slot>() / 64 % 2 == 1);
    assert!(mem::align_of::<Control>() >= mem::align_of::<libc::cmsghdr>());
    // SAFETY: CMSG_SPACE only adds up sizes.
    assert!(unsafe { libc::CMSG_SPACE(size_as_uint::<in6_pktinfo>()) } as usize <= CONTROL_OCTETS);
    // SAFETY: as above.
    assert!(unsafe { libc::CMSG_SPACE(size_as_uint::<in_pktinfo>()) } as usize <= CONTROL_OCTETS);
};

// === impl Arena ===

impl Arena {
    /// Allocates the buffers, 133 KiB.
    pub(super) fn new() -> Self {
        let empty = || Slot {
            name: empty_name(),
            control: Control([0; CONTROL_OCTETS]),
            into: EMPTY_VECTOR,
            from: EMPTY_VECTOR,
            packet: [0; PACKET_OCTETS_MAX],
            reply: [0; REPLY_OCTETS_MAX],
            _spread: [0; 64],
        };
        let slots: Box<[Slot]> = iter::repeat_with(empty).take(WIDTH).collect();
        let slots = NonNull::from(Box::leak(slots)).cast::<Slot>();
        let mut inbox = Box::new([empty_header(); WIDTH]);
        for (index, header) in inbox.iter_mut().enumerate() {
            // SAFETY: `index` is below WIDTH, so the slot is one of those just allocated (I1); only
            // addresses are taken, and the vectors written.
            unsafe {
                let slot = slots.as_ptr().add(index);
                let packet = (&raw mut (*slot).packet).cast();
                (*slot).into = iovec { iov_base: packet, iov_len: PACKET_OCTETS_MAX };
                (*slot).from = iovec { iov_base: (&raw mut (*slot).reply).cast(), iov_len: 0 };
                header.msg_hdr.msg_name = (&raw mut (*slot).name).cast();
                header.msg_hdr.msg_iov = &raw mut (*slot).into;
                header.msg_hdr.msg_iovlen = 1;
                header.msg_hdr.msg_control = (&raw mut (*slot).control).cast();
            }
            offer_room(header);
        }
        let outbox = Box::new([empty_header(); WIDTH]);
        Self { slots, inbox, outbox, count: 0, queued: 0 }
    }

    /// Waits for a packet, at most for the socket's read timeout, and takes it with what else has
    /// come, up to [`WIDTH`]. Returns how many; none after the timeout.
    ///
    /// # Errors
    /// When the socket is broken; waiting in vain is none.
    pub(super) fn receive(&mut self, socket: BorrowedFd<'_>) -> io::Result<usize> {
        self.inbox[..self.count].iter_mut().for_each(offer_room);
        (self.count, self.queued) = (0, 0);
        // SAFETY: `inbox` holds WIDTH headers, each of which points to buffers of the sizes it says
        // (I2), to which there is no reference now (I1). The timeout may be null.
        let count = unsafe {
            let (flags, timeout) = (libc::MSG_WAITFORONE as _, ptr::null_mut());
            libc::recvmmsg(raw(socket), self.inbox.as_mut_ptr(), WIDTH_UINT, flags, timeout)
        };
        let Ok(count) = usize::try_from(count) else {
            let error = io::Error::last_os_error();
            self.inbox.iter_mut().for_each(offer_room);
            return if is_in_vain(&error) { Ok(0) } else { Err(error) };
        };
        self.count = count;
        Ok(count)
    }

    /// The packet in `slot`, below what [`Arena::receive`] returned, and the room for its reply.
    #[inline]
    pub(super) fn exchange(&mut self, slot: usize) -> (&[u8], &mut [u8; REPLY_OCTETS_MAX]) {
        let octets = (self.received(slot).msg_len as usize).min(PACKET_OCTETS_MAX);
        let slot = self.slot(slot);
        // SAFETY: the slot is ours (I1); packet and reply are different parts of it, and all octets
        // of both are initialised. The references borrow the arena.
        unsafe { (&(&(*slot).packet)[..octets], &mut (*slot).reply) }
    }

    /// Whether the packet in `slot` was longer than what is read of one.
    #[inline]
    pub(super) fn is_cut(&self, slot: usize) -> bool {
        self.received(slot).msg_hdr.msg_flags & libc::MSG_TRUNC != 0
    }

    /// The address that the packet in `slot` came from; 0.0.0.0 if that is no IP address.
    #[inline]
    pub(super) fn client(&self, slot: usize) -> IpAddr {
        debug_assert!(slot < self.count, "a packet that has come");
        let name = self.slot(slot);
        // SAFETY: the slot is ours and nobody else is using its name (I1), which the kernel has
        // filled in (I3). It is as long and as aligned as the address of any family, and all of
        // its octets are initialised.
        unsafe {
            let name = &raw const (*name).name;
            match c_int::from((*name).ss_family) {
                libc::AF_INET => {
                    let address = ptr::read(name.cast::<libc::sockaddr_in>()).sin_addr;
                    Ipv4Addr::from(address.s_addr.to_ne_bytes()).into()
                }
                libc::AF_INET6 => {
                    let address = ptr::read(name.cast::<libc::sockaddr_in6>()).sin6_addr;
                    Ipv6Addr::from(address.s6_addr).into()
                }
                _ => Ipv4Addr::UNSPECIFIED.into(),
            }
        }
    }

    /// The way back to where the packet in `slot` came from; `None` if that is no IP address.
    pub(super) fn return_path(&self, slot: usize) -> Option<ReturnPath> {
        let header = &self.received(slot).msg_hdr;
        let mut storage = SockAddrStorage::zeroed();
        // SAFETY: the slot is ours and nobody else is using its name (I1), of which the kernel has
        // filled in as many octets as the header says (I3); `storage` has room for a
        // sockaddr_storage, which is what `view_as` promises to be sound for.
        let name = unsafe {
            *storage.view_as::<sockaddr_storage>() = (*self.slot(slot)).name;
            SockAddr::new(storage, header.msg_namelen)
        };
        Some(ReturnPath { peer: name.as_socket()?, local: read_local(header) })
    }

    /// Puts the first `octets` of the reply in `slot` on the way back.
    #[inline]
    pub(super) fn queue(&mut self, slot: usize, octets: usize) {
        assert!(octets <= REPLY_OCTETS_MAX, "a reply in the room of a packet");
        let received = self.received(slot).msg_hdr;
        let local = read_local(&received);
        let slot = self.slot(slot);
        let header = &mut self.outbox[self.queued].msg_hdr;
        header.msg_name = received.msg_name;
        header.msg_namelen = received.msg_namelen;
        header.msg_iovlen = 1;
        (header.msg_control, header.msg_controllen) = (ptr::null_mut(), 0);
        // SAFETY: the slot is ours, and no reference to its parts is alive (I1).
        unsafe {
            (*slot).from.iov_len = octets;
            header.msg_iov = &raw mut (*slot).from;
            if let Some(local) = local {
                write_local(local, &mut (*slot).control, header);
            }
        }
        self.queued += 1;
    }

    /// Sends the queued replies, in as few calls as the system allows, without waiting. A reply
    /// that the system refuses costs that reply and no other.
    pub(super) fn send(&mut self, socket: BorrowedFd<'_>) -> Sent {
        let count = mem::take(&mut self.queued);
        send_all(socket, &mut self.outbox[..count])
    }

    /// What the kernel said of the packet in `slot`.
    #[inline]
    fn received(&self, slot: usize) -> &mmsghdr {
        &self.inbox[..self.count][slot]
    }

    /// The slot of that number.
    #[inline]
    fn slot(&self, slot: usize) -> *mut Slot {
        assert!(slot < WIDTH, "one of the slots");
        // SAFETY: there are WIDTH slots behind the pointer (I1).
        unsafe { self.slots.as_ptr().add(slot) }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let slots = NonNull::slice_from_raw_parts(self.slots, WIDTH);
        // SAFETY: they were a box of so many slots (I1), and nobody looks at them any more.
        drop(unsafe { Box::from_raw(slots.as_ptr()) });
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
        let send = || {
            // SAFETY: the header points to a name, a vector and a control buffer of the sizes it
            // gives, all of them alive until this returns; sendmsg only reads through them.
            let sent = unsafe { libc::sendmsg(raw(socket), &raw const header, libc::MSG_DONTWAIT) };
            if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
        };
        match send() {
            Err(error) if is_too_long(&error) => in_fragments(socket, send),
            sent => sent,
        }
    }
}

/// Sends `headers`, which point to buffers that are alive and that nobody else is using.
fn send_all(socket: BorrowedFd<'_>, headers: &mut [mmsghdr]) -> Sent {
    let (mut at, mut result) = (0, Sent::default());
    while at < headers.len() {
        let mut sent = send_some(socket, &mut headers[at..]);
        // The error is that of the first message; those behind it are tried again.
        if sent.as_ref().is_err_and(is_too_long) {
            sent = in_fragments(socket, || send_some(socket, &mut headers[at..=at]));
        }
        match sent {
            Ok(sent) => {
                at += sent;
                result.sent += sent as u64;
            }
            Err(error) => match error.kind() {
                io::ErrorKind::Interrupted => {}
                io::ErrorKind::WouldBlock => (at, result.blocked) = (at + 1, result.blocked + 1),
                _ => (at, result.refused) = (at + 1, result.refused + 1),
            },
        }
    }
    result
}

/// Sends as many of `headers` as the system takes at once: one or more, or the first one's error.
#[inline]
fn send_some(socket: BorrowedFd<'_>, headers: &mut [mmsghdr]) -> io::Result<usize> {
    let length = libc::c_uint::try_from(headers.len()).unwrap_or(WIDTH_UINT);
    // SAFETY: there are `length` headers; each points to a name, a vector and possibly a control
    // buffer of the sizes it gives, all of them in the arena (I4).
    let sent = unsafe {
        libc::sendmmsg(raw(socket), headers.as_mut_ptr(), length, libc::MSG_DONTWAIT as _)
    };
    match usize::try_from(sent) {
        Ok(sent @ 1..) => Ok(sent),
        Ok(0) | Err(_) => Err(io::Error::last_os_error()),
    }
}

/// Says the whole size of what a header of the inbox points to; each call leaves there how much of
/// it was used.
#[inline]
fn offer_room(header: &mut mmsghdr) {
    header.msg_hdr.msg_namelen = size_as_uint::<sockaddr_storage>();
    header.msg_hdr.msg_controllen = CONTROL_OCTETS as _;
}

/// Reads which of our addresses the packet was sent to.
#[inline]
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

/// Has the kernel ignore what it is told about a path's MTU, so that forged ICMP messages cannot
/// make it fragment replies, and forbids IPv4 routers to fragment them (RFC 9715 §3.1): a reply
/// that is lost is asked for again, a fragment that is forged is believed. That also spares the
/// kernel the packet's identifier, which costs it 2 % of a reply.
pub(super) fn forbid_fragments(socket: BorrowedFd<'_>, is_v6: bool) -> io::Result<()> {
    if is_v6 {
        let omit = libc::IPV6_PMTUDISC_OMIT;
        set_option(socket, libc::IPPROTO_IPV6, libc::IPV6_MTU_DISCOVER, omit)
    } else {
        set_option(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_PROBE)
    }
}

/// Whether a reply was refused because our own interface takes none so large: an interface with a
/// tiny MTU, or a large `udp_size`.
fn is_too_long(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::EMSGSIZE)
}

/// Sends that reply again, and lets the kernel fragment it; no other one, since any client may ask
/// for the longest reply, and the others are not to lose their protection for it. Another thread
/// that has such a reply at the same moment may find fragments forbidden again: its client asks
/// again, as it does for any reply that is lost.
#[cold]
fn in_fragments<T>(socket: BorrowedFd<'_>, send: impl FnOnce() -> io::Result<T>) -> io::Result<T> {
    let (level, option) = (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER);
    set_option(socket, level, option, libc::IP_PMTUDISC_OMIT)?;
    let sent = send();
    // What was set a moment ago can be set again.
    let _ = set_option(socket, level, option, libc::IP_PMTUDISC_PROBE);
    sent
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

/// What was said of fragments over IPv4.
#[cfg(test)]
pub(super) fn mtu_discovery(socket: BorrowedFd<'_>) -> c_int {
    let (mut value, mut length) = (-1, size_as_uint::<c_int>());
    let to = (&raw mut value).cast::<c_void>();
    let (level, option) = (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER);
    // SAFETY: the kernel writes at most `length` octets, the size of `value`.
    let result = unsafe { libc::getsockopt(raw(socket), level, option, to, &raw mut length) };
    assert_eq!(result, 0, "{}", io::Error::last_os_error());
    value
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
mod tests;
