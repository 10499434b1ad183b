//! The answer to a query: whose name it is, and what that source says.
//!
//! Pure: everything comes in as an argument, and the reply goes into a buffer that is there
//! already. The fast UDP path and the full path both end here, so that they cannot disagree.

use super::{
    code::{rcode, rtype},
    encode::{CLASS_IN, Limits, Reply},
    query::{Query, UDP_OCTETS_WITHOUT_EDNS},
    settings::Settings,
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

/// Who asks for an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// How the query came.
    pub transport: Transport,
    /// Whether the answer may allocate, or take long: not on the fast path, which hands the few
    /// names that need it to the full path.
    pub may_allocate: bool,
}

/// How a query came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// As a stream of messages: long replies are welcome.
    Tcp,
    /// As a datagram: the reply is held to a size, and cut where it must be.
    Udp,
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
    let mut reply = Reply::new(query, limits(sources.settings, query, caller.transport), out);
    let mut summary = Summary {
        octets: 0,
        rcode: rcode::REFUSED,
        truncated: false,
        source: Source::Refused,
        fail_open: None,
    };
    // Another class than IN is not served, and zones are not handed out.
    if query.qclass != CLASS_IN || matches!(query.qtype, rtype::AXFR | rtype::IXFR) {
        reply.set_rcode(rcode::REFUSED);
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

/// How long the reply may be: on UDP what both sides can take (RFC 6891 §6.2.5).
fn limits(settings: &Settings, query: &Query<'_>, transport: Transport) -> Limits {
    let own = settings.udp_size();
    let reply = match transport {
        Transport::Tcp => TCP_REPLY_OCTETS_MAX,
        Transport::Udp => {
            let theirs = query.edns.map_or(UDP_OCTETS_WITHOUT_EDNS, |edns| edns.udp_size);
            usize::from(theirs.min(own))
        }
    };
    Limits { reply, own_udp_size: own }
}

#[cfg(test)]
mod aliases;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
