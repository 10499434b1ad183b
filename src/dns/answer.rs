//! The answer to a query: whose name it is, and what that source says.
//!
//! Pure: everything comes in as an argument, and the reply goes into a buffer that is there
//! already. The fast UDP path and the full path both end here, so that they cannot disagree.

use super::{
    caller::Caller,
    chaos::{self, CLASS_CHAOS},
    code::{extended, rcode, rtype},
    encode::{CLASS_IN, Reply, Section},
    forward::{Forwarding, Reach},
    guard::{Strangers, Verdict},
    query::Query,
    service,
    settings::Settings,
    terms::{self, Terms},
    turn::{Later, Turn},
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
    /// Who is asked for other names, if anybody is.
    pub forward: Option<Forwarding<'s>>,
}

// === impl Sources ===

impl<'s> Sources<'s> {
    /// The same, where what is not ours is looked for so far.
    pub(super) fn reaching(self, reach: Reach<'s>) -> Self {
        let forward = self.forward.map(|forwarding| Forwarding { reach, ..forwarding });
        Self { forward, ..self }
    }
}

/// What became of a query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answered {
    /// The client's network has had its share of replies; there is none.
    Limited,
    /// The answer would have to allocate or take long, and the caller may not: for the full path.
    NeedsFull,
    /// Upstreams have to be asked: for the lane of those who wait for them.
    NeedsForward,
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
    /// What the client did not get of its answer.
    pub guarded: Option<Guarded>,
}

/// Why a client did not get the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guarded {
    /// It may not ask for the zone.
    Denied,
    /// It may not have names forwarded.
    NotForwarded,
    /// It has to prove its address first: its network has had its share of replies.
    Slipped,
    /// It has to prove its address first: the reply is longer than what strangers get.
    Unproven,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Source {
    /// An upstream.
    Forward,
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
    let mut terms = Terms::of(sources.settings, query, &caller);
    let strangers = sources.settings.strangers.as_ref();
    let strangers = strangers.filter(|them| !terms.is_proven && them.include(&caller));
    let is_held = strangers.is_some_and(|strangers| terms.hold_to(strangers.octets_max()));
    let mut reply = Reply::new(query, terms.octets_max, terms.opt, out);
    if let Some(forwarding) = &sources.forward {
        reply.set_recursion_available(forwarding.forward.allows(caller.client));
    }
    let mut summary = Summary {
        octets: 0,
        rcode: rcode::REFUSED,
        truncated: false,
        source: Source::Refused,
        fail_open: None,
        guarded: None,
    };
    let mut first = Source::Refused;
    if let Some(rcode) = terms::fault(query, &caller) {
        reply.set_rcode(rcode);
    } else if query.qclass != CLASS_IN || matches!(query.qtype, rtype::AXFR | rtype::IXFR) {
        odd(sources.settings, query, &mut reply);
    } else {
        let (reply, summary) = (&mut reply, &mut summary);
        let mut turn = Turn { sources, query, caller, rng, reply, summary };
        match turn.answer() {
            Ok(source) => first = source,
            Err(Later::Forward) => return Answered::NeedsForward,
            Err(Later::Full) => return Answered::NeedsFull,
        }
    }
    if let Some(strangers) = strangers {
        let kind = Kind::of(sources, query, &reply, first);
        let verdict = strangers.judge(&caller, kind, rng);
        if verdict == Verdict::Drop {
            return Answered::Limited;
        }
        let is_cut = is_held && reply.is_truncated();
        let held_back = hold_back(strangers, verdict, &mut reply);
        let held_back = held_back.or(is_cut.then_some(Guarded::Unproven));
        // Of what is held back the client does not even learn that it was refused.
        summary.guarded = held_back.or(summary.guarded);
    }
    (summary.rcode, summary.truncated) = (reply.rcode(), reply.is_truncated());
    summary.octets = reply.finish();
    Answered::Reply(summary)
}

// === impl Guarded ===

impl Guarded {
    /// All of them, in order.
    pub const ALL: [Self; 4] = [Self::Denied, Self::NotForwarded, Self::Slipped, Self::Unproven];
}

/// What replies have in common that are counted together. Of names that do not exist there is no
/// end, nor of those that exist without anything, as the nibbles of an IPv6 address, nor of those
/// that wildcards and combinations of tags make: they count by who says so.
#[derive(Debug, Hash)]
pub(super) enum Kind<'q> {
    /// An answer to this name, or to all names below it that are of no finite number.
    Name(&'q [u8]),
    /// A response code of this source.
    Rest(u16, Source),
}

// === impl Kind ===

impl<'q> Kind<'q> {
    /// That of a reply; `first` is who answered the name that was asked for.
    fn of(sources: &Sources<'_>, query: &'q Query<'_>, reply: &Reply<'_>, first: Source) -> Self {
        let (name, rcode) = (query.name(), reply.rcode());
        if rcode != rcode::NOERROR || reply.count(Section::Answer) == 0 {
            return Self::Rest(rcode, first);
        }
        match first {
            Source::Reverse => Self::Name(name),
            Source::Service => Self::Name(service::finite(name, sources.settings)),
            Source::Static if sources.zones.has(name) => Self::Name(name),
            Source::Forward | Source::Refused | Source::Static => Self::Rest(rcode, first),
        }
    }
}

/// Takes the answer back from a stranger that has to prove its address first.
fn hold_back(strangers: &Strangers, verdict: Verdict, reply: &mut Reply<'_>) -> Option<Guarded> {
    let is_long = reply.octets() > strangers.octets_max();
    if verdict == Verdict::Answer && !is_long {
        return None;
    }
    reply.take_back();
    // A client that knows cookies has one now, and need not come by TCP (RFC 7873 §5.2.3).
    if reply.has_cookie() {
        reply.set_rcode(rcode::BADCOOKIE);
    } else {
        reply.set_truncated();
    }
    Some(if verdict == Verdict::Slip { Guarded::Slipped } else { Guarded::Unproven })
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
mod guard;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
