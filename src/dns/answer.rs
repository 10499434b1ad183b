//! The answer to a query: whose name it is, and what that source says.
//!
//! Pure: everything comes in as an argument, and the reply goes into a buffer that is there
//! already. The fast UDP path and the full path both end here, so that they cannot disagree.

use super::{
    caller::Caller,
    chaos::{self, CLASS_CHAOS},
    code::{extended, rcode, rtype},
    encode::{CLASS_IN, Reply},
    query::Query,
    settings::Settings,
    terms::{self, Terms},
    turn::Turn,
    zone::Zones,
};
use crate::registry::{FailOpen, Snapshot};

/// Octets of the largest reply over TCP: what its length prefix can say (RFC 1035 §4.2.2).
pub const TCP_REPLY_OCTETS_MAX: usize = 65_535;

/// Everything that an answer is made from: one consistent view, held for a batch of packets.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'s> {
    /// The services.
    pub snapshot: &'s Snapshot,
    /// The static zones.
    pub zones: &'s Zones,
    /// The operator's choices.
    pub settings: &'s Settings,
}

/// What became of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The answer would have to allocate or take long, and the caller may not: for the full path.
    NeedsFull,
    /// The reply stands in the buffer.
    Reply(Summary),
}

/// What statistics want to know of a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Summary {
    /// Its length, octets.
    pub octets: usize,
    /// Its response code.
    pub rcode: u16,
    /// Whether it was cut (TC).
    pub truncated: bool,
    /// Who answered.
    pub source: Source,
    /// Why instances that are not healthy were answered, if they were.
    pub fail_open: Option<FailOpen>,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// Nobody: the name is in none of our zones, or the kind of question is refused.
    Refused,
    /// A reverse zone.
    Reverse,
    /// The service zone.
    Service,
    /// A static zone.
    Static,
}

/// Answers `query` into `out`, which holds at least [`TCP_REPLY_OCTETS_MAX`] octets for TCP and the
/// settings' UDP size for UDP. Neither allocates (unless the caller may), nor locks, nor logs.
pub fn answer(
    sources: &Sources<'_>,
    query: &Query<'_>,
    caller: Caller,
    rng: &mut fastrand::Rng,
    out: &mut [u8],
) -> Answered {
    let terms = Terms::of(sources.settings, query, &caller);
    let mut reply = Reply::new(query, terms.octets_max, terms.opt, out);
    let mut summary = Summary {
        octets: 0,
        rcode: rcode::REFUSED,
        truncated: false,
        source: Source::Refused,
        fail_open: None,
    };
    if let Some(rcode) = terms::fault(query, &caller) {
        reply.set_rcode(rcode);
    } else if query.qclass != CLASS_IN || matches!(query.qtype, rtype::AXFR | rtype::IXFR) {
        odd(sources.settings, query, &mut reply);
    } else {
        let (reply, summary) = (&mut reply, &mut summary);
        let mut turn = Turn { sources, caller, rng, reply, summary };
        if turn.answer(query).is_err() {
            return Answered::NeedsFull;
        }
    }
    (summary.rcode, summary.truncated) = (reply.rcode(), reply.is_truncated());
    summary.octets = reply.finish();
    Answered::Reply(summary)
}

/// Answers what is about the server; other classes are not served, and zones are not handed out.
#[cold]
fn odd(settings: &Settings, query: &Query<'_>, reply: &mut Reply<'_>) {
    if query.qclass == CLASS_CHAOS {
        return chaos::answer(settings, query, reply);
    }
    reply.set_rcode(rcode::REFUSED);
    reply.set_extended_error(extended::NOT_SUPPORTED, "");
}

#[cfg(test)]
mod aliases;
#[cfg(test)]
mod edns;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
