//! One query's way through the sources: whose name it is, and where an alias leads.

use super::{
    answer::{Guarded, Source, Sources, Summary},
    apex::Apex,
    asked::Asked,
    caller::Caller,
    code::{extended, rcode, rtype},
    encode::{POINTER_REACH, QUESTION, Reply, Section},
    guard::Visitor,
    query::{HEADER_OCTETS, Query},
    reverse, service,
    verdict::Verdict,
    zone,
};
use crate::model::limit::NAME_OCTETS_MAX;

/// Aliases that are followed for one query; a longer chain is a mistake.
const ALIASES_MAX: usize = 8;

/// What a client is told of a chain that has too many, or too long ones.
const TOO_LONG: &str = "the chain of aliases is too long";

/// A query on its way.
pub(super) struct Turn<'a, 's, 'b> {
    /// Where answers come from.
    pub sources: &'a Sources<'s>,
    /// The query.
    pub query: &'a Query<'a>,
    /// Who asks.
    pub caller: Caller,
    /// Where chance comes from.
    pub rng: &'a mut fastrand::Rng,
    /// What is written.
    pub reply: &'a mut Reply<'b>,
    /// What is to be told of it.
    pub summary: &'a mut Summary,
}

/// Why there is no answer here.
pub(super) enum Later {
    /// Upstreams have to be asked.
    Forward,
    /// The answer has to allocate or takes long, and the caller may not.
    Full,
}

/// Where one name led.
pub(super) enum Next {
    /// To another name, which stands at this offset of the reply.
    Alias(usize),
    /// To the end: the reply is whole.
    Done,
    /// Into a zone that the client may not ask for; nothing was written.
    Denied,
    /// Out of our zones; nothing was written.
    Elsewhere,
}

// === impl Turn ===

impl Turn<'_, '_, '_> {
    /// Answers the query. AA and the owner of the first record are those of the question, the
    /// response code is that of the last name (RFC 6604 §2.1).
    /// Returns who answered the name that was asked for, whoever answered those it led to.
    #[inline]
    pub(super) fn answer(&mut self) -> Result<Source, Later> {
        let next = self.ask(Asked::by(self.query))?;
        let first = self.summary.source;
        match next {
            Next::Alias(at) => {
                self.follow(at)?;
                if first == Source::Forward {
                    self.reply.set_authoritative(false);
                }
            }
            Next::Denied => {
                self.summary.guarded = Some(Guarded::Denied);
                self.reply.set_rcode(rcode::REFUSED);
                self.reply.set_extended_error(extended::PROHIBITED, "dns.access");
            }
            Next::Done => {}
            Next::Elsewhere => self.refuse(),
        }
        if self.may_lead_to_services(self.query.qtype) {
            self.add_addresses()?;
        }
        Ok(first)
    }

    /// Refuses a name that is not ours, and says why.
    fn refuse(&mut self) {
        self.reply.set_rcode(rcode::REFUSED);
        let (code, why) = self.why_not_forwarded();
        if code == extended::PROHIBITED {
            self.summary.guarded = Some(Guarded::NotForwarded);
        }
        self.reply.set_extended_error(code, why);
    }

    /// Goes on from alias to alias as long as the names are ours, so that a client that asks us
    /// without a resolver in between (which does not go on by itself) gets the addresses.
    #[inline(never)]
    fn follow(&mut self, first: usize) -> Result<(), Later> {
        let mut at = first;
        for _ in 0..ALIASES_MAX {
            let mut octets = [0; NAME_OCTETS_MAX];
            let (name, place) = match self.target(at, &mut octets) {
                Ok(target) => target,
                Err(why) => {
                    self.break_off(why);
                    return Ok(());
                }
            };
            match self.ask(Asked { name, at: place, qtype: self.query.qtype })? {
                Next::Alias(next) => at = next,
                Next::Denied | Next::Done | Next::Elsewhere => return Ok(()),
            }
        }
        self.break_off(TOO_LONG);
        Ok(())
    }

    /// The name at `at`, and its place as a pointer has it.
    ///
    /// # Errors
    /// When the aliases came back to where they have been, or so far down a long reply that no
    /// pointer reaches all of the name.
    fn target<'n>(
        &self,
        at: usize,
        octets: &'n mut [u8; NAME_OCTETS_MAX],
    ) -> Result<(&'n [u8], u16), &'static str> {
        let place = u16::try_from(at).ok().filter(|_| at + NAME_OCTETS_MAX <= POINTER_REACH);
        let place = place.ok_or(TOO_LONG)?;
        let answers = HEADER_OCTETS + self.query.question().len();
        let mut aliases = self.reply.data_of(rtype::CNAME, answers);
        let (_, data) = aliases.find(|(start, _)| *start == at).ok_or(TOO_LONG)?;
        let name = octets.get_mut(..data.len()).ok_or(TOO_LONG)?;
        name.copy_from_slice(data);
        name.make_ascii_lowercase();
        let is_same =
            |(start, other): (usize, &[u8])| start != at && other.eq_ignore_ascii_case(data);
        // What the DNAME of a tree leads to is no name that they have been to by that.
        let has_been = self.reply.is_at(usize::from(QUESTION), name)
            || self.reply.data_of(rtype::CNAME, answers).any(is_same);
        if has_been { Err("the aliases lead back to themselves") } else { Ok((name, place)) }
    }

    /// Answers one name.
    #[inline]
    fn ask(&mut self, asked: Asked<'_>) -> Result<Next, Later> {
        let (sources, caller) = (self.sources, self.caller);
        if !self.visitor().may_see(asked.name) {
            return Ok(Next::Denied);
        }
        // The parent's side of a cut has the DS records (RFC 4035 §3.1.4.1).
        if asked.qtype == rtype::DS && sources.zones.delegates(asked.name) {
            return self.ask_zones(asked);
        }
        if let Some((verdict, apex)) = service::answer(sources, asked, caller, self.rng, self.reply)
        {
            self.summary.source = Source::Service;
            return self.conclude(verdict, &apex, &asked);
        }
        if let Some((verdict, apex)) = reverse::answer(sources, asked, caller, self.reply) {
            if verdict == Verdict::Nxdomain && self.is_to_be_forwarded(&asked) {
                return self.forward(asked, 0);
            }
            self.summary.source = Source::Reverse;
            return self.conclude(verdict, &apex, &asked);
        }
        self.ask_zones(asked)
    }

    /// Answers one name that is neither a service's nor a reverse one.
    #[inline]
    fn ask_zones(&mut self, asked: Asked<'_>) -> Result<Next, Later> {
        let sources = self.sources;
        let zones = sources.zones;
        if zones.awaits(asked.name) {
            return Ok(self.not_ready(&asked));
        }
        // Who asks us to recurse has no use for a referral, if somebody can be asked instead.
        let leaves_delegated = sources.forward.is_some() && self.query.recursion_desired;
        let next = match self.read(zones, asked, leaves_delegated) {
            zone::Answered::Delegated(octets) => match self.forward(asked, octets)? {
                Next::Elsewhere => {
                    self.read(zones, asked, false);
                    Next::Done
                }
                next => return Ok(next),
            },
            zone::Answered::Elsewhere if sources.forward.is_none() => return Ok(Next::Elsewhere),
            zone::Answered::Elsewhere => return self.forward(asked, 0),
            zone::Answered::Exits(departure)
                if sources.forward.is_none() && !zones.awaits(departure.target()) =>
            {
                Next::Done
            }
            zone::Answered::Exits(departure) | zone::Answered::Leaves(departure) => {
                Next::Alias(departure.position)
            }
            zone::Answered::Endless => {
                self.break_off("the aliases are too many, or lead back to themselves");
                Next::Done
            }
            zone::Answered::Whole => Next::Done,
        };
        self.summary.source = Source::Static;
        Ok(next)
    }

    /// Writes what `zones` say to one name; a referral only if delegated names are not left.
    #[inline]
    pub(super) fn read(
        &mut self,
        zones: &zone::Zones,
        asked: Asked<'_>,
        leaves_delegated: bool,
    ) -> zone::Answered {
        let mut writing = zone::Writing {
            reply: &mut *self.reply,
            rng: &mut *self.rng,
            visitor: Visitor::new(&self.sources.settings.access, self.caller.client),
            leaves_delegated,
        };
        match asked.at {
            QUESTION => zones.answer(asked.name, asked.qtype, &mut writing),
            alias => zones.go_on(asked.name, usize::from(alias), asked.qtype, &mut writing),
        }
    }

    /// Says that the zone of a name should be there and is not: its file has a mistake.
    #[cold]
    fn not_ready(&mut self, asked: &Asked<'_>) -> Next {
        self.summary.source = Source::Static;
        if asked.at == QUESTION {
            self.reply.set_authoritative(false);
        }
        self.reply.set_rcode(rcode::SERVFAIL);
        self.reply.set_extended_error(extended::NOT_READY, "the zone is not loaded");
        Next::Done
    }

    /// Who asks, from whom some zones may be kept.
    #[inline]
    pub(super) fn visitor(&self) -> Visitor<'_> {
        Visitor::new(&self.sources.settings.access, self.caller.client)
    }

    /// Puts what a zone says into code, flags and SOA.
    #[inline]
    fn conclude(
        &mut self,
        verdict: Verdict,
        apex: &Apex<'_>,
        asked: &Asked<'_>,
    ) -> Result<Next, Later> {
        self.reply.set_authoritative(verdict != Verdict::Denied);
        // An SOA that does not fit marks the reply as cut by itself.
        match verdict {
            Verdict::Alias(target) => return Ok(target.map_or(Next::Done, Next::Alias)),
            Verdict::Answered(fail_open) => self.summary.fail_open = fail_open,
            Verdict::Denied => return Ok(Next::Denied),
            Verdict::NeedsFull => return Err(Later::Full),
            Verdict::Nodata if asked.qtype == rtype::ANY => {
                let _ = apex.minimal_any(asked, self.reply);
            }
            Verdict::Nodata => {
                let _ = apex.soa(Section::Authority, self.reply);
            }
            Verdict::Nxdomain => {
                self.reply.set_rcode(rcode::NXDOMAIN);
                let _ = apex.soa(Section::Authority, self.reply);
            }
            Verdict::Servfail => {
                self.reply.set_authoritative(false);
                self.reply.set_rcode(rcode::SERVFAIL);
            }
        }
        Ok(Next::Done)
    }
}
