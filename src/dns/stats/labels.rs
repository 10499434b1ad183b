//! The values that labels may have, each with its place in a tally.

use crate::dns::code::rcode;

/// Why a packet got no reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) enum DropReason {
    /// It waited for the full path, whose queue was full.
    FullPathBusy,
    /// Answering it failed by a mistake of this program, which the log tells.
    InternalError,
    /// It was no query: too short for a header, or itself a reply.
    NotQuery,
    /// It was longer than what is read of a packet.
    Overlong,
    /// The client's network has had its share of replies.
    RateLimited,
    /// The system had no room for the reply.
    SendBlocked,
    /// The system refused to send the reply: no route, a firewall.
    SendRefused,
}

/// Why a connection was closed at once, or a message turned away that would have to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) enum Refusal {
    /// The client has as many as one client may.
    ClientLimit,
    /// There are as many as there may be.
    TotalLimit,
}

/// Why a handshake failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::dns) enum HandshakeFault {
    /// It was not done in time.
    TimedOut,
    /// The two sides do not agree, or one of them broke it off: another protocol, an alert.
    Tls,
}

/// The record types that are counted by name, with their numbers; the last is for all the others.
pub(super) const TYPES: [(u16, &str); 10] = [
    (1, "A"),
    (28, "AAAA"),
    (33, "SRV"),
    (16, "TXT"),
    (12, "PTR"),
    (6, "SOA"),
    (2, "NS"),
    (255, "ANY"),
    (65, "HTTPS"),
    (0, "other"),
];

/// The response codes, each at its number (RFC 6895 §2.3); the last is for all the others.
pub(in crate::dns) const RCODES: [&str; 9] = [
    "NOERROR",
    "FORMERR",
    "SERVFAIL",
    "NXDOMAIN",
    "NOTIMP",
    "REFUSED",
    "BADVERS",
    "BADCOOKIE",
    "other",
];

// === impl DropReason ===

impl DropReason {
    /// All of them, each at its place.
    pub(super) const ALL: [(Self, &'static str); 7] = [
        (Self::FullPathBusy, "full_path_busy"),
        (Self::InternalError, "internal_error"),
        (Self::NotQuery, "not_a_query"),
        (Self::Overlong, "overlong"),
        (Self::RateLimited, "rate_limited"),
        (Self::SendBlocked, "send_buffer_full"),
        (Self::SendRefused, "send_refused"),
    ];
}

// === impl Refusal ===

impl Refusal {
    /// All of them, each at its place.
    pub(in crate::dns) const ALL: [&'static str; 2] = ["client_limit", "total_limit"];

    /// Its name as a label of metrics.
    pub(in crate::dns) fn as_str(self) -> &'static str {
        Self::ALL[self as usize]
    }
}

// === impl HandshakeFault ===

impl HandshakeFault {
    /// All of them, each at its place.
    pub(super) const ALL: [&'static str; 2] = ["timed_out", "tls"];
}

/// The place of a record type in [`TYPES`].
#[inline]
pub(super) fn type_index(qtype: u16) -> usize {
    let known = &TYPES[..TYPES.len() - 1];
    known.iter().position(|&(number, _)| number == qtype).unwrap_or(known.len())
}

/// The place of a response code in [`RCODES`].
#[inline]
pub(super) fn rcode_index(rcode: u16) -> usize {
    match rcode {
        0..=5 => usize::from(rcode),
        rcode::BADVERS => 6,
        rcode::BADCOOKIE => 7,
        _ => 8,
    }
}

/// The name of a response code as a label of metrics.
pub(in crate::dns) fn rcode_name(rcode: u16) -> &'static str {
    RCODES[rcode_index(rcode)]
}

#[cfg(test)]
mod tests {
    use super::{DropReason, RCODES, TYPES, rcode_index, type_index};

    #[test]
    fn every_value_is_at_its_place() {
        for (place, (reason, _)) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason as usize, place);
        }
        for (qtype, name) in [(1, "A"), (28, "AAAA"), (65, "HTTPS"), (0, "other"), (48, "other")] {
            assert_eq!(TYPES[type_index(qtype)].1, name);
        }
        for (rcode, name) in
            [(0, "NOERROR"), (3, "NXDOMAIN"), (16, "BADVERS"), (23, "BADCOOKIE"), (9, "other")]
        {
            assert_eq!(RCODES[rcode_index(rcode)], name);
        }
    }
}
