//! What static records lead to in the service zone: the addresses that will be asked for next.
//!
//! A static zone's SRV, MX, NS, SVCB or HTTPS record may name a service or one of its instances
//! (RFC 2782, RFC 1035 §3.3.9, RFC 9460 §4.1). Its addresses are those that a question for that
//! name would get at this moment, and are found by the very same code.

use arrayvec::ArrayVec;

use super::{
    answer::Source,
    asked::Asked,
    code::rtype,
    encode::POINTER_REACH,
    query::HEADER_OCTETS,
    service,
    turn::{Later, Turn},
    verdict::Verdict,
    zone,
};
use crate::model::limit::NAME_OCTETS_MAX;

/// Targets whose addresses are looked for: more than any set has that is meant to be used, and
/// as many as cost no more than a long answer does.
const TARGETS_MAX: usize = 32;

/// Where the targets stand in the reply.
type Targets = ArrayVec<u16, TARGETS_MAX>;

// === impl Turn ===

impl Turn<'_, '_, '_> {
    /// Whether the answer may lead to names of services.
    #[inline]
    pub(super) fn may_lead_to_services(&self, qtype: u16) -> bool {
        let leads =
            matches!(qtype, rtype::HTTPS | rtype::MX | rtype::NS | rtype::SRV | rtype::SVCB);
        leads && self.summary.source == Source::Static && !self.reply.is_truncated()
    }

    /// Writes the addresses of the targets that are names of services.
    #[inline(never)]
    pub(super) fn add_addresses(&mut self) -> Result<(), Later> {
        for at in self.targets() {
            let (mut octets, mut length) = ([0; NAME_OCTETS_MAX], 0);
            if let Some(name) = self.reply.name_at(at.into()) {
                length = name.len().min(NAME_OCTETS_MAX);
                octets[..length].copy_from_slice(&name[..length]);
                octets[..length].make_ascii_lowercase();
            }
            for qtype in [rtype::A, rtype::AAAA] {
                self.add(Asked { name: &octets[..length], at, qtype })?;
            }
        }
        Ok(())
    }

    /// The targets in the answer, each name once, as far as a pointer reaches all of them.
    fn targets(&self) -> Targets {
        let query = self.query;
        let mut targets = Targets::new();
        let answers = HEADER_OCTETS + query.question().len();
        for (start, data) in self.reply.data_of(query.qtype, answers) {
            let Some((offset, name)) = zone::target(query.qtype, data) else { continue };
            let is_known = |at: &u16| {
                let known = self.reply.name_at(usize::from(*at));
                known.is_some_and(|known| known.eq_ignore_ascii_case(name))
            };
            let at = start + offset;
            if at + NAME_OCTETS_MAX > POINTER_REACH || targets.iter().any(is_known) {
                continue;
            }
            let Ok(at) = u16::try_from(at) else { continue };
            if targets.try_push(at).is_err() {
                break;
            }
        }
        targets
    }

    /// Writes the addresses of one family of a name, if it is one of the service zone.
    fn add(&mut self, asked: Asked<'_>) -> Result<(), Later> {
        if !self.visitor().may_see(asked.name) {
            return Ok(());
        }
        let (sources, caller, rng) = (self.sources, self.caller, &mut *self.rng);
        let verdict = self.reply.additionally(|reply| {
            let verdict = service::answer(sources, asked, caller, rng, reply).map(|told| told.0);
            (matches!(verdict, Some(Verdict::Answered(_))), verdict)
        });
        match verdict {
            Some(Verdict::NeedsFull) => Err(Later::Full),
            _ => Ok(()),
        }
    }
}
