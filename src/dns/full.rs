//! The full path: every message gets what the standards say, however odd it is.
//!
//! The simple reader understands nearly all queries and says of the rest only that they are
//! something else. Here hickory reads those, and they are either refused for what they are or
//! written down again in the simple form (same number, same flags, the question octet for octet,
//! a plain OPT record) and answered by the same [`answer()`] as all others. So there is one place
//! that answers, and nothing that hickory makes of a name or a record reaches it.
//!
//! [`respond`] is pure: octets in, octets out. It never replies to a reply, and to what it cannot
//! read with no more than its question and an OPT record.
//!
//! There are two lanes. The short one takes every packet that a UDP worker hands on: what is odd
//! costs some microseconds. What turns out to take long (a combination of tags is looked for among
//! all instances of a service, hundreds of records are compared with one another) goes on to the
//! long one, so that a few of those hold up nobody who merely sent a cookie. Both are threads and
//! not tasks: the system shares a core among threads fairly, and neither waits behind a large body
//! that the API is reading.

mod decode;
mod lanes;
mod long;
mod refuse;
mod salvage;
mod short;

pub(super) use lanes::{Asked, Lanes, Later, Outcome};
pub(super) use long::{LongLane, LongReply, Pens};
pub(super) use salvage::salvage;
pub(super) use short::{ShortLane, send};

use super::{
    Answered, Caller, Parsed, Query, Settings, Source, Sources, Summary, answer, answer::Kind,
    code::rcode, guard::Verdict, parse,
};
use decode::decode;

/// A reply that stands in the buffer, as statistics want to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Replied {
    /// The type that was asked for; zero when that could not be read.
    pub qtype: u16,
    /// What it is; its length above all.
    pub summary: Summary,
}

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Responded {
    /// The client has had its share; it is not replied to.
    Limited,
    /// It must not be replied to.
    Silence,
    /// Upstreams have to be asked: for the lane of those who wait for them.
    NeedsForward,
    /// The reply would have to allocate or take long, and the caller may not: for the long lane.
    TakesLong,
    /// The reply stands in the buffer.
    With(Replied),
}

/// Replies to `message` in `out`, which has room for the longest reply of the transport.
pub(super) fn respond(
    sources: &Sources<'_>,
    caller: Caller,
    message: &[u8],
    rng: &mut fastrand::Rng,
    out: &mut [u8],
) -> Responded {
    match parse(message) {
        Parsed::Drop => Responded::Silence,
        Parsed::Query(query) => plain(sources, caller, &query, rng, out),
        Parsed::Other => match decode(message) {
            Err(refusal) => {
                let replied = refusal.write(sources.settings, &caller, message, out);
                judged(sources.settings, &caller, replied, rng)
            }
            Ok(simple) => match parse(&simple) {
                Parsed::Query(query) => plain(sources, caller, &query, rng, out),
                Parsed::Drop | Parsed::Other => {
                    debug_assert!(false, "the decoder made it simple");
                    Responded::With(refuse::bare(message, rcode::SERVFAIL, out))
                }
            },
        },
    }
}

/// A refusal, unless it is one too many for a stranger. It is short already, so none is cut.
fn judged(
    settings: &Settings,
    caller: &Caller,
    replied: Replied,
    rng: &mut fastrand::Rng,
) -> Responded {
    let strangers = settings.strangers.as_ref().filter(|strangers| strangers.include(caller));
    let kind = Kind::Rest(replied.summary.rcode, Source::Refused);
    match strangers.map(|strangers| strangers.judge(caller, kind, rng)) {
        Some(Verdict::Drop) => Responded::Limited,
        None | Some(Verdict::Answer | Verdict::Slip) => Responded::With(replied),
    }
}

/// Answers a query in the simple form.
fn plain(
    sources: &Sources<'_>,
    caller: Caller,
    query: &Query<'_>,
    rng: &mut fastrand::Rng,
    out: &mut [u8],
) -> Responded {
    match answer(sources, query, caller, rng, out) {
        Answered::Reply(summary) => Responded::With(Replied { qtype: query.qtype, summary }),
        Answered::NeedsForward => Responded::NeedsForward,
        Answered::NeedsFull => Responded::TakesLong,
        Answered::Limited => Responded::Limited,
    }
}

#[cfg(test)]
mod tests;
