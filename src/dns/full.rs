//! The full path: every message gets what the standards say, however odd it is.
//!
//! The simple reader understands nearly all queries and says of the rest only that they are
//! something else. Here hickory reads those, and they are either refused for what they are or
//! written down again in the simple form (same number, same flags, the question octet for octet,
//! a plain OPT record) and answered by the same [`answer()`] as all others. So there is one place
//! that answers, and nothing that hickory makes of a name or a record reaches it.
//!
//! [`respond`] is pure: octets in, octets out. It never replies to a reply, and to what it cannot
//! read with never more than a header.

mod decode;
mod refuse;
mod task;

pub(super) use task::serve;

use super::{Answered, Caller, Parsed, Sources, Summary, Transport, answer, parse};
use decode::decode;

/// A reply that stands in the buffer, as statistics want to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replied {
    /// The type that was asked for; zero when that could not be read.
    pub qtype: u16,
    /// What it is; its length above all.
    pub summary: Summary,
}

/// SERVFAIL (RFC 1035 §4.1.1).
const SERVFAIL: u16 = 2;

/// Replies to `message` in `out`, which has room for the longest reply of the transport; `None`
/// when it must not be replied to.
pub(super) fn respond(
    sources: &Sources<'_>,
    transport: Transport,
    message: &[u8],
    rng: &mut fastrand::Rng,
    out: &mut [u8],
) -> Option<Replied> {
    match parse(message) {
        Parsed::Drop => None,
        Parsed::Query(_) => Some(plain(sources, transport, message, rng, out)),
        Parsed::Other => Some(match decode(message) {
            Ok(simple) => plain(sources, transport, &simple, rng, out),
            Err(refusal) => refusal.write(sources.settings.udp_size(), message, out),
        }),
    }
}

/// Answers a query in the simple form.
fn plain(
    sources: &Sources<'_>,
    transport: Transport,
    simple: &[u8],
    rng: &mut fastrand::Rng,
    out: &mut [u8],
) -> Replied {
    let caller = Caller { transport, may_allocate: true };
    let replied = match parse(simple) {
        Parsed::Query(query) => match answer(sources, &query, caller, rng, out) {
            Answered::Reply(summary) => Some(Replied { qtype: query.qtype, summary }),
            Answered::NeedsFull => None,
        },
        Parsed::Drop | Parsed::Other => None,
    };
    debug_assert!(replied.is_some(), "the caller made it simple, and allows all that it takes");
    replied.unwrap_or_else(|| refuse::bare(simple, SERVFAIL, out))
}

#[cfg(test)]
mod tests;
