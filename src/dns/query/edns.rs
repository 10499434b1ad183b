//! The OPT record of a query (RFC 6891), read in place.
//!
//! Options that mean something to us are taken out, all others are passed over (§6.1.2). What is
//! wrong with them is noted rather than refused here: the reply is made where all replies are.

use super::{OPT_OCTETS, UDP_OCTETS_WITHOUT_EDNS};
use crate::dns::code::option;

/// The version of EDNS that is spoken here.
pub const VERSION: u8 = 0;

/// Octets of the client's part of a cookie (RFC 7873 §4).
pub const CLIENT_COOKIE_OCTETS: usize = 8;

/// Octets of the server's part of a cookie that was made here (RFC 9018 §4).
pub const SERVER_COOKIE_OCTETS: usize = 16;

/// Octets that a server's part may have at the least and at the most (RFC 7873 §4).
const SERVER_COOKIE_OCTETS_LEGAL: std::ops::RangeInclusive<usize> = 8..=32;

/// What a client says in its OPT record (RFC 6891 §6.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edns {
    /// The largest UDP reply it can take, octets; what is said below 512 counts as 512 (§6.2.3).
    pub udp_size: u16,
    /// Whether it wants DNSSEC records (DO, RFC 3225).
    pub dnssec_ok: bool,
    /// The version it speaks.
    pub version: u8,
    /// The options; none, if it speaks another version than we.
    pub options: Options,
}

/// The options that mean something to us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Options {
    /// A cookie (RFC 7873).
    pub cookie: Option<Cookie>,
    /// Whether it wants to know how long an idle connection is kept (RFC 7828).
    pub keepalive: Keepalive,
    /// Whether it wants to know which server this is (RFC 5001).
    pub nsid: bool,
    /// Whether it pads, and wants the reply padded (RFC 7830).
    pub padding: bool,
    /// Whether one of them has a length that it must not have.
    pub are_broken: bool,
}

/// A cookie as a client sends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cookie {
    /// What the client knows us by.
    pub client: [u8; CLIENT_COOKIE_OCTETS],
    /// What we should know the client by. One that is not of our length cannot be ours: it is all
    /// zeros here, which is no cookie either.
    pub server: Option<[u8; SERVER_COOKIE_OCTETS]>,
}

/// What a client says of keeping the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keepalive {
    /// Nothing.
    #[default]
    Absent,
    /// It asks.
    Asked,
    /// It states a time, which only servers do (RFC 7828 §3.2.1).
    Stated,
}

// === impl Edns ===

impl Edns {
    /// Reads an OPT record that is all there is; `None` when it is something else.
    #[inline]
    pub(in crate::dns) fn read(record: &[u8]) -> Option<Self> {
        let (fixed, options) = record.split_first_chunk::<OPT_OCTETS>()?;
        let [0, 0, 41, size_high, size_low, _, version, flags, _, high, low] = *fixed else {
            return None;
        };
        if usize::from(u16::from_be_bytes([high, low])) != options.len() {
            return None;
        }
        Some(Self {
            udp_size: u16::from_be_bytes([size_high, size_low]).max(UDP_OCTETS_WITHOUT_EDNS),
            dnssec_ok: flags & 0x80 != 0,
            version,
            options: match options {
                [] => Options::default(),
                // What another version means by them is not known.
                _ if version != VERSION => Options::default(),
                _ => Options::read(options),
            },
        })
    }
}

// === impl Options ===

impl Options {
    #[inline(never)]
    fn read(mut rest: &[u8]) -> Self {
        let mut options = Self::default();
        while !rest.is_empty() {
            let Some((code, data)) = next(&mut rest) else {
                options.are_broken = true;
                break;
            };
            match code {
                // The first one counts (RFC 7873 §5.2).
                option::COOKIE if options.cookie.is_none() => match Cookie::read(data) {
                    Some(cookie) => options.cookie = Some(cookie),
                    None => options.are_broken = true,
                },
                option::KEEPALIVE if data.is_empty() => options.keepalive = Keepalive::Asked,
                option::KEEPALIVE => options.keepalive = Keepalive::Stated,
                option::NSID => options.nsid = true,
                option::PADDING => options.padding = true,
                _ => {}
            }
        }
        options
    }
}

/// The next option and its data; `None` when it is cut.
fn next<'o>(rest: &mut &'o [u8]) -> Option<(u16, &'o [u8])> {
    let (&[code_high, code_low, high, low], tail) = rest.split_first_chunk()?;
    let (data, tail) = tail.split_at_checked(usize::from(u16::from_be_bytes([high, low])))?;
    *rest = tail;
    Some((u16::from_be_bytes([code_high, code_low]), data))
}

// === impl Cookie ===

impl Cookie {
    /// Reads the option's data; `None` when its length is none that a cookie has (RFC 7873 §5.2.2).
    fn read(data: &[u8]) -> Option<Self> {
        let (&client, server) = data.split_first_chunk()?;
        if server.is_empty() {
            return Some(Self { client, server: None });
        }
        let foreign = [0; SERVER_COOKIE_OCTETS];
        let is_legal = SERVER_COOKIE_OCTETS_LEGAL.contains(&server.len());
        is_legal.then(|| Self { client, server: Some(server.try_into().unwrap_or(foreign)) })
    }
}
