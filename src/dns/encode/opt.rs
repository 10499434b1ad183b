//! The OPT record of a reply (RFC 6891), with the options that its client asked for.

use super::Reply;
use crate::dns::{
    code::option,
    query::{CLIENT_COOKIE_OCTETS, OPT_OCTETS, SERVER_COOKIE_OCTETS},
};

/// Octets in front of the data of an option (RFC 6891 §6.1.2).
const OPTION_HEAD: usize = 4;

/// Octets of both parts of a cookie.
const COOKIE_OCTETS: usize = CLIENT_COOKIE_OCTETS + SERVER_COOKIE_OCTETS;

/// Padded replies are as long as a multiple of this (RFC 8467 §4.1).
const PADDING_BLOCK: usize = 468;

/// What our OPT record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Opt<'o> {
    /// The largest query over UDP that we take, octets.
    pub udp_size: u16,
    /// DO, as the client sent it (RFC 3225).
    pub dnssec_ok: bool,
    /// Which server this is; empty for none.
    pub nsid: &'o [u8],
    /// The client's part of a cookie, and ours.
    pub cookie: Option<([u8; CLIENT_COOKIE_OCTETS], [u8; SERVER_COOKIE_OCTETS])>,
    /// After which an idle connection is closed, in units of 100 ms.
    pub keepalive: Option<u16>,
    /// Whether the reply is filled up, so that its length tells nothing.
    pub is_padded: bool,
}

/// An extended error (RFC 8914): what the response code does not tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExtendedError {
    /// INFO-CODE, one of [`crate::dns::code::extended`].
    pub code: u16,
    /// EXTRA-TEXT, for people; may be empty.
    pub text: &'static str,
}

// === impl ExtendedError ===

impl ExtendedError {
    /// Octets of the option.
    pub(super) fn octets(&self) -> usize {
        OPTION_HEAD + 2 + self.text.len()
    }
}

// === impl Opt ===

impl Opt<'_> {
    /// Octets that are kept for the record. An extended error and padding take what is left.
    #[inline]
    pub(super) fn octets(&self) -> usize {
        OPT_OCTETS + self.option_octets()
    }

    #[inline]
    fn option_octets(&self) -> usize {
        let nsid = if self.nsid.is_empty() { 0 } else { OPTION_HEAD + self.nsid.len() };
        let cookie = if self.cookie.is_none() { 0 } else { OPTION_HEAD + COOKIE_OCTETS };
        let keepalive = if self.keepalive.is_none() { 0 } else { OPTION_HEAD + 2 };
        nsid + cookie + keepalive
    }
}

// === impl Reply ===

impl Reply<'_> {
    /// Writes the OPT record behind everything else, into the room that was kept for it.
    #[inline]
    pub(super) fn put_opt(&mut self, opt: &Opt<'_>) {
        // The room that was kept may be used now.
        self.end += opt.octets();
        let [size_high, size_low] = opt.udp_size.to_be_bytes();
        let [rcode_high, _] = (self.rcode << 4).to_be_bytes();
        let flags = if opt.dnssec_ok { 0x80 } else { 0 };
        let record = [0, 0, 41, size_high, size_low, rcode_high, 0, flags, 0, 0, 0];
        let start = self.at;
        self.put(&record).expect("there is room that was kept for it");
        if opt.option_octets() > 0 || opt.is_padded || self.extended_error.is_some() {
            self.put_options(opt);
            let octets = u16::try_from(self.at - start - OPT_OCTETS);
            let octets = octets.expect("a reply has at most 65535 octets");
            self.buffer[start + OPT_OCTETS - 2..][..2].copy_from_slice(&octets.to_be_bytes());
        }
    }

    #[inline(never)]
    fn put_options(&mut self, opt: &Opt<'_>) {
        if !opt.nsid.is_empty() {
            self.put_option(option::NSID, &[opt.nsid]);
        }
        if let Some((client, server)) = &opt.cookie {
            self.put_option(option::COOKIE, &[client, server]);
        }
        if let Some(keepalive) = opt.keepalive {
            self.put_option(option::KEEPALIVE, &[&keepalive.to_be_bytes()]);
        }
        if let Some(ExtendedError { code, text }) = self.extended_error {
            self.put_option(option::EXTENDED_ERROR, &[&code.to_be_bytes(), text.as_bytes()]);
        }
        // The last one, as its length is what is left (RFC 7830 §3).
        if opt.is_padded {
            let octets = self.at + OPTION_HEAD;
            let whole = octets.next_multiple_of(PADDING_BLOCK).min(self.end);
            if let Some(octets) = whole.checked_sub(octets) {
                const ZEROS: [u8; PADDING_BLOCK] = [0; PADDING_BLOCK];
                self.put_option(option::PADDING, &[&ZEROS[..octets]]);
            }
        }
    }

    /// Writes one option; one that does not fit is left out, as the reply is right without.
    fn put_option(&mut self, code: u16, data: &[&[u8]]) {
        let octets: usize = data.iter().map(|part| part.len()).sum();
        let (start, length) = (self.at, u16::try_from(octets).unwrap_or(u16::MAX));
        let written = [&code.to_be_bytes()[..], &length.to_be_bytes()]
            .iter()
            .chain(data)
            .try_for_each(|part| self.put(part));
        if written.is_err() {
            self.at = start;
        }
    }
}
