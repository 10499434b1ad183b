//! Names that are not ours, as far as they may be asked for here: special names, which nobody else
//! is told of, and what upstreams say.

use super::{
    answer::Source,
    asked::Asked,
    code::{extended, rcode, rtype},
    encode::QUESTION,
    forward::{Age, Failure, Forwarding, KeyRef, Looked, Told},
    guard::Visitor,
    turn::{Later, Next, Turn},
    zone,
};

/// The types that are questions about more than one set of records, or about the transfer (RFC 6895
/// §3.1): no upstream is asked such a thing on behalf of others.
const META_TYPES: std::ops::RangeInclusive<u16> = 128..=255;

/// OPT is no type to ask for either.
const OPT: u16 = 41;

// === impl Turn ===

impl Turn<'_, '_, '_> {
    /// Answers a name that is not ours; `delegated` has the octets of the name that a zone of ours
    /// delegates it by, zero for none.
    #[cold]
    pub(super) fn forward(&mut self, asked: Asked<'_>, delegated: usize) -> Result<Next, Later> {
        let Some(forwarding) = self.sources.forward else { return Ok(Next::Elsewhere) };
        if asked.qtype == rtype::HINFO && forwarding.may_look() {
            if forwarding.forward.has_come_back(asked.name) {
                return Ok(Next::Elsewhere);
            }
        } else if asked.qtype == rtype::HINFO {
            return Err(Later::Full);
        }
        if !self.may_forward(&forwarding, asked.qtype) {
            return Ok(Next::Elsewhere);
        }
        if let Some(zones) = forwarding.forward.special(asked.name, delegated) {
            return Ok(self.special(zones, asked));
        }
        let Some(route) = forwarding.forward.route(asked.name) else {
            if forwarding.forward.lacks_upstreams() {
                return Ok(self.tell(asked, &Told::Failed(Failure::Unlisted)));
            }
            return Ok(Next::Elsewhere);
        };
        if delegated > 0 && route.leads_back_to(self.caller.client) {
            return Ok(Next::Elsewhere);
        }
        let dnssec_ok = self.query.edns.is_some_and(|edns| edns.dnssec_ok);
        let flags = (dnssec_ok, self.query.checking_disabled);
        match forwarding.look(route, &KeyRef::new(asked.name, asked.qtype, flags)) {
            Looked::NeedsForward => Err(Later::Forward),
            Looked::NeedsFull => Err(Later::Full),
            Looked::Told(told) => Ok(self.tell(asked, &told)),
        }
    }

    /// Whether a name in a reverse zone of ours, whose address no instance has, is known by
    /// somebody who is configured for just such names, and is not the one who asks.
    #[cold]
    pub(super) fn is_to_be_forwarded(&self, asked: &Asked<'_>) -> bool {
        self.sources.forward.is_some_and(|forwarding| {
            let route = forwarding.forward.route(asked.name);
            route.is_some_and(|it| it.is_for_a_zone() && !it.leads_back_to(self.caller.client))
                && self.may_forward(&forwarding, asked.qtype)
        })
    }

    /// Why a name is refused: INFO-CODE and EXTRA-TEXT (RFC 8914).
    pub(super) fn why_not_forwarded(&self) -> (u16, &'static str) {
        match self.sources.forward {
            Some(_) if !self.query.recursion_desired => (extended::NOT_AUTHORITATIVE, ""),
            Some(_) if is_meta(self.query.qtype) => {
                (extended::NOT_SUPPORTED, "this type is not forwarded")
            }
            Some(forwarding) if !forwarding.forward.allows(self.caller.client) => {
                (extended::PROHIBITED, "forward.allow")
            }
            Some(_) | None => (extended::NOT_AUTHORITATIVE, ""),
        }
    }

    /// Whether this client may have this forwarded: it has to ask for it (RD), and to be one of
    /// those for whom we do it (RFC 5358).
    fn may_forward(&self, forwarding: &Forwarding<'_>, qtype: u16) -> bool {
        self.query.recursion_desired
            && !is_meta(qtype)
            && forwarding.forward.allows(self.caller.client)
    }

    /// Leaves a chain of aliases that comes back to itself or is too long. For who relies on us to
    /// go on, that is a failure (RFC 6604 §3); others go on by themselves, from what they get.
    #[cold]
    pub(super) fn break_off(&mut self, why: &'static str) {
        let (sources, qtype) = (self.sources, self.query.qtype);
        if sources.forward.is_some_and(|forwarding| self.may_forward(&forwarding, qtype)) {
            self.reply.set_rcode(rcode::SERVFAIL);
            self.reply.set_extended_error(extended::OTHER, why);
        }
    }

    /// Answers a special name.
    fn special(&mut self, zones: &zone::Zones, asked: Asked<'_>) -> Next {
        self.summary.source = Source::Static;
        // There are no aliases in them.
        let _whole = self.read(zones, asked, false);
        Next::Done
    }

    /// Writes what is known. The code is that of the last name (RFC 6604 §3): where it cannot be
    /// found out, who asked for recursion must not take the alias alone for "no such record".
    fn tell(&mut self, asked: Asked<'_>, told: &Told) -> Next {
        let is_first = asked.at == QUESTION;
        if is_first {
            self.summary.source = Source::Forward;
            self.reply.set_authoritative(false);
        }
        match told {
            Told::Failed(failure) => {
                self.reply.set_rcode(rcode::SERVFAIL);
                let (code, why) = failure.extended();
                self.reply.set_extended_error(code, why);
                Next::Done
            }
            Told::Message(message, age) => {
                if *age == Age::Stale {
                    let code = match message.is_nxdomain() {
                        true => extended::STALE_NXDOMAIN,
                        false => extended::STALE,
                    };
                    self.reply.set_extended_error(code, "");
                }
                let (sources, caller) = (self.sources, self.caller);
                let visitor = Visitor::new(&sources.settings.access, caller.client);
                let is_special = |name: &[u8]| {
                    sources.forward.is_some_and(|it| it.forward.special(name, 0).is_some())
                };
                let route = |name: &[u8]| {
                    sources.forward.and_then(|it| Some(it.forward.route(name)?.octets))
                };
                // Of what is delegated, those know as much who would be asked for it anyway.
                let is_in_zones = |name: &[u8]| {
                    sources.zones.find(name).is_some()
                        && !(route(name) == route(asked.name) && sources.zones.leaves(name))
                };
                let is_ours = |name: &[u8]| {
                    sources.settings.has(name)
                        || is_in_zones(name)
                        || sources.zones.awaits(name)
                        || is_special(name)
                        || !visitor.may_see(name)
                };
                message.write(&asked, *age, is_ours, self.reply).map_or(Next::Done, Next::Alias)
            }
        }
    }
}

fn is_meta(qtype: u16) -> bool {
    META_TYPES.contains(&qtype) || matches!(qtype, 0 | OPT)
}
