//! The answer to a query: whose name it is, and what that source says.
//!
//! Pure: everything comes in as an argument, and the reply goes into a buffer that is there
//! already. The fast UDP path and the full path both end here, so that they cannot disagree.

use super::{
    caller::{Caller, Transport},
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
    let reply = if transport.is_datagram() {
        let theirs = query.edns.map_or(UDP_OCTETS_WITHOUT_EDNS, |edns| edns.udp_size);
        usize::from(theirs.min(own))
    } else {
        TCP_REPLY_OCTETS_MAX
    };
    Limits { reply, own_udp_size: own }
}

#[cfg(test)]
mod aliases;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
