//! The question, read in place: the one simple form that nearly every query has.
//!
//! [`parse`] understands a plain query (one question, at most one OPT record) and nothing else,
//! without allocating. Whatever is odd but may still deserve a reply is [`Other`] and
//! goes to the full path, which reads it with hickory, writes it down again in the simple form and
//! comes back here. So there is one kind of question behind both paths, and one answer to it.
//!
//! [`Other`]: Parsed::Other

mod edns;

pub use edns::{
    CLIENT_COOKIE_OCTETS, Cookie, Edns, Keepalive, Options, SERVER_COOKIE_OCTETS, VERSION,
};

use super::encode::short;
use crate::model::limit::NAME_OCTETS_MAX;

/// Octets of a message's header (RFC 1035 §4.1.1).
pub const HEADER_OCTETS: usize = 12;

/// Octets of an OPT record without options (RFC 6891 §6.1.2).
pub const OPT_OCTETS: usize = 11;

/// The largest UDP reply to a client that says nothing of EDNS (RFC 1035 §4.2.1).
pub const UDP_OCTETS_WITHOUT_EDNS: u16 = 512;

/// A plain query. Borrows the packet's question, so that it can be echoed octet for octet: clients
/// compare the letters' case, which they draw at random against forged replies.
#[derive(Debug, Clone)]
pub struct Query<'p> {
    /// The client's number for it.
    pub id: u16,
    /// Whether the client wants recursion (RD).
    pub recursion_desired: bool,
    /// Whether the client does without validation (CD, RFC 4035 §3.2.2).
    pub checking_disabled: bool,
    /// The type asked for; any number.
    pub qtype: u16,
    /// The class asked for; any number.
    pub qclass: u16,
    /// What the client said of EDNS, if it did.
    pub edns: Option<Edns>,
    question: &'p [u8],
    name: [u8; NAME_OCTETS_MAX],
    name_len: u8,
}

/// What a packet turned out to be.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "it lives on the stack for one packet; no box there")]
pub enum Parsed<'p> {
    /// No query at all (a reply, or too short for a header): never to be answered, so that two
    /// servers cannot be set upon each other.
    Drop,
    /// Something else that somebody has to answer: for the full path.
    Other,
    /// A plain query.
    Query(Query<'p>),
}

/// Reads a packet.
#[inline]
pub fn parse(packet: &[u8]) -> Parsed<'_> {
    let Some((header, body)) = packet.split_first_chunk::<HEADER_OCTETS>() else {
        return Parsed::Drop;
    };
    if header[2] & 0x80 != 0 {
        return Parsed::Drop;
    }
    match plain(header, body) {
        Some(query) => Parsed::Query(query),
        None => Parsed::Other,
    }
}

// === impl Query ===

impl<'p> Query<'p> {
    /// A message that is not answered for its question, which may be empty, but with it and with
    /// what its OPT record asks for; `message` has a whole header.
    pub(super) fn unread(message: &[u8], question: &'p [u8], edns: Option<Edns>) -> Self {
        Self {
            id: u16::from_be_bytes([message[0], message[1]]),
            recursion_desired: message[2] & 0x01 != 0,
            checking_disabled: message[3] & 0x10 != 0,
            qtype: 0,
            qclass: 0,
            edns,
            question,
            name: [0; NAME_OCTETS_MAX],
            name_len: 1,
        }
    }

    /// The name asked for: lower-case wire labels with the root's zero.
    #[inline]
    pub fn name(&self) -> &[u8] {
        &self.name[..usize::from(self.name_len)]
    }

    /// The question as it came: name, type and class.
    #[inline]
    pub fn question(&self) -> &'p [u8] {
        self.question
    }
}

fn plain<'p>(header: &[u8; HEADER_OCTETS], body: &'p [u8]) -> Option<Query<'p>> {
    // QR and opcode are zero; so is TC, which no query sets. AA, RA, Z, AD and RCODE mean nothing
    // in a query. Then the counts: one question, no answer, no authority, at most the OPT.
    if header[2] & 0xFA != 0 || header[4..11] != [0, 1, 0, 0, 0, 0, 0] || header[11] > 1 {
        return None;
    }
    let name_len = name_octets(body)?;
    let (question, rest) = body.split_at_checked(name_len + 4)?;
    let edns = if header[11] == 0 { None } else { Some(Edns::read(rest)?) };
    if header[11] == 0 && !rest.is_empty() {
        return None;
    }
    let mut name = [0; NAME_OCTETS_MAX];
    // Length octets are below `A`, so folding every octet leaves them as they are.
    short::copy(&mut name[..name_len], &question[..name_len]);
    name[..name_len].make_ascii_lowercase();
    let tail = &question[name_len..];
    Some(Query {
        id: u16::from_be_bytes([header[0], header[1]]),
        recursion_desired: header[2] & 0x01 != 0,
        checking_disabled: header[3] & 0x10 != 0,
        qtype: u16::from_be_bytes([tail[0], tail[1]]),
        qclass: u16::from_be_bytes([tail[2], tail[3]]),
        edns,
        question,
        name,
        name_len: u8::try_from(name_len).ok()?,
    })
}

/// The length of the uncompressed name at the start; `None` when there is no such name.
fn name_octets(body: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        match *body.get(at)? {
            0 => return (at < NAME_OCTETS_MAX).then_some(at + 1),
            length @ 1..=63 => at += 1 + usize::from(length),
            // A compression pointer, or a label type that was never defined.
            _ => return None,
        }
    }
}

#[cfg(test)]
mod tests;
