//! The floor: what a reply costs through sockets when nothing is done for it.
//!
//! One thread, one socket, `recvmmsg` and `sendmmsg` with headers that are filled once. Of each
//! query the identifier and the question are copied into a recorded reply, no more: no server that
//! uses these calls can be cheaper, so it is the one honest divisor for CPU per query.
//!
//! It is unsafe because those calls are, and it is no part of the product; tests/tidy.rs knows it
//! as one of the two places of the benchmark that may be.
#![allow(unsafe_code)]

use std::{
    fs, io, mem,
    net::{SocketAddrV4, UdpSocket},
    os::fd::AsRawFd,
    path::PathBuf,
    ptr,
};

use anyhow::{Context, Result, ensure};
use clap::Parser;
use libc::{iovec, mmsghdr, sockaddr_in, socklen_t};

/// Octets of a query that are read; the harness sends none that is longer.
const QUERY_OCTETS: usize = 512;

/// Octets of a header of DNS, before the question.
const HEADER_OCTETS: usize = 12;

/// The bare responder.
#[derive(Debug, Parser)]
pub(crate) struct Floor {
    /// Where to answer.
    #[arg(long)]
    listen: SocketAddrV4,
    /// The file with the reply to everything; its question is replaced by the query's.
    #[arg(long)]
    reply: PathBuf,
    /// Packets per system call.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    width: u16,
}

// === impl Floor ===

impl Floor {
    /// Answers until it is killed.
    ///
    /// # Errors
    /// When the reply cannot be read or the socket fails.
    pub(crate) fn run(self) -> Result<()> {
        let reply = fs::read(&self.reply).with_context(|| self.reply.display().to_string())?;
        let copied = question_end(&reply).context("the reply has no question")?;
        let socket = UdpSocket::bind(self.listen).context("binding")?;
        omit_identifiers(&socket).context("the DF bit")?;
        let width = usize::from(self.width);
        let mut queries = vec![[0_u8; QUERY_OCTETS]; width];
        let mut replies = vec![reply; width];
        // SAFETY: all zeroes are a valid address of no family.
        let mut names = vec![unsafe { mem::zeroed::<sockaddr_in>() }; width];
        let mut into: Vec<iovec> = queries.iter_mut().map(|query| vector_of(query)).collect();
        let mut from: Vec<iovec> = replies.iter_mut().map(|reply| vector_of(reply)).collect();
        let mut receive = headers(&mut names, &mut into)?;
        let mut send = headers(&mut names, &mut from)?;
        loop {
            // SAFETY: each of the `width` headers points to a name, a vector and, through it, a
            // buffer that live as long as this function, do not move, and are read and written by
            // nobody else while the call lasts.
            let count = unsafe {
                let flags = libc::MSG_WAITFORONE as _;
                let width = self.width.into();
                libc::recvmmsg(
                    socket.as_raw_fd(),
                    receive.as_mut_ptr(),
                    width,
                    flags,
                    ptr::null_mut(),
                )
            };
            let Ok(count) = usize::try_from(count) else {
                return Err(io::Error::last_os_error()).context("recvmmsg");
            };
            for slot in 0..count {
                let octets = receive[slot].msg_len as usize;
                ensure!(octets >= copied, "a query of {octets} octets, shorter than recorded");
                // SAFETY: both buffers have at least `copied` octets and belong to this function;
                // no call is using them now.
                unsafe {
                    let query = into[slot].iov_base.cast::<u8>();
                    let reply = from[slot].iov_base.cast::<u8>();
                    ptr::copy_nonoverlapping(query, reply, 2);
                    let (query, reply) = (query.add(HEADER_OCTETS), reply.add(HEADER_OCTETS));
                    ptr::copy_nonoverlapping(query, reply, copied - HEADER_OCTETS);
                }
            }
            let sent = libc::c_uint::try_from(count).context("a width fits")?;
            // SAFETY: as above, for the first `count` headers. A reply that finds no room is lost,
            // which the load notices.
            unsafe {
                libc::sendmmsg(socket.as_raw_fd(), send.as_mut_ptr(), sent, 0);
            }
        }
    }
}

/// Sets the DF bit on every reply, which spares the kernel their identifiers, 2 % of a reply.
fn omit_identifiers(socket: &UdpSocket) -> Result<()> {
    let (probe, octets) = (libc::IP_PMTUDISC_PROBE, mem::size_of::<libc::c_int>());
    let octets = socklen_t::try_from(octets)?;
    // SAFETY: the kernel reads an int, and the pointer points to one.
    let result = unsafe {
        let (level, option) = (libc::IPPROTO_IP, libc::IP_MTU_DISCOVER);
        libc::setsockopt(socket.as_raw_fd(), level, option, (&raw const probe).cast(), octets)
    };
    ensure!(result == 0, io::Error::last_os_error());
    Ok(())
}

/// Headers that share `names`: where a query came from is where its reply goes.
fn headers(names: &mut [sockaddr_in], vectors: &mut [iovec]) -> Result<Vec<mmsghdr>> {
    let octets = socklen_t::try_from(mem::size_of::<sockaddr_in>())?;
    let pairs = names.iter_mut().zip(vectors);
    Ok(pairs
        .map(|(name, vector)| {
            // SAFETY: all zeroes are a valid header of an empty message.
            let mut header: mmsghdr = unsafe { mem::zeroed() };
            header.msg_hdr.msg_name = ptr::from_mut(name).cast();
            header.msg_hdr.msg_namelen = octets;
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header
        })
        .collect())
}

fn vector_of(buffer: &mut [u8]) -> iovec {
    iovec { iov_base: buffer.as_mut_ptr().cast(), iov_len: buffer.len() }
}

/// Where the question ends: after its name, type and class.
fn question_end(message: &[u8]) -> Option<usize> {
    let mut at = HEADER_OCTETS;
    loop {
        match usize::from(*message.get(at)?) {
            0 => return Some(at + 5).filter(|end| *end <= message.len()),
            label => at += 1 + label,
        }
    }
}
