//! What a name of the service zone answers.

use super::{
    addresses, browse, consul,
    name::{Meaning, Tags, is_protocol, meaning},
    srv, txt,
};
use crate::{
    dns::{
        answer::Sources,
        apex::Apex,
        asked::Asked,
        caller::Caller,
        code::{extended, rtype},
        encode::Reply,
        verdict::Verdict,
    },
    model::WhenNoneHealthy,
    registry::{FailOpen, Member, Outcome, Selection, ServiceEntry},
};

/// What a question about a service is answered from and with.
pub(super) struct Answering<'a, 'b> {
    /// The service.
    pub service: &'a ServiceEntry,
    /// The zone as wire labels.
    pub origin: &'a [u8],
    /// The name and type.
    pub asked: Asked<'a>,
    /// Who asks.
    pub caller: Caller,
    /// Where chance comes from.
    pub rng: &'a mut fastrand::Rng,
    /// What is written.
    pub reply: &'a mut Reply<'b>,
    /// The TTL of all of it, seconds.
    pub ttl: u32,
    /// How many addresses it has at the most.
    pub limit: u32,
}

/// Answers if the asked name is in the service zone, or one of Consul's; the top of the zone comes
/// back with the verdict, for the SOA of a negative one.
#[inline]
pub(in crate::dns) fn answer<'s>(
    sources: &Sources<'s>,
    asked: Asked<'_>,
    caller: Caller,
    rng: &mut fastrand::Rng,
    reply: &mut Reply<'_>,
) -> Option<(Verdict, Apex<'s>)> {
    match (own(sources, asked, caller, rng, reply), &sources.settings.consul) {
        (None, Some(consul)) => consul::answer(sources, consul, asked, caller, (rng, reply)),
        (found, _) => found,
    }
}

#[inline]
fn own<'s>(
    sources: &Sources<'s>,
    asked: Asked<'_>,
    caller: Caller,
    rng: &mut fastrand::Rng,
    reply: &mut Reply<'_>,
) -> Option<(Verdict, Apex<'s>)> {
    let settings = sources.settings;
    let origin = settings.origin().as_wire();
    let meaning = meaning(asked.name, origin)?;
    let apex = Apex::of_services(sources, &asked);
    let label = match meaning {
        Meaning::Apex => return Some((apex.answer(asked.qtype, reply), apex)),
        Meaning::Nothing => return Some((Verdict::Nxdomain, apex)),
        Meaning::ProtocolParent(label) => return Some((protocol_parent(sources, label), apex)),
        Meaning::BrowseDomain => return Some((browse::domain(sources, &asked, reply), apex)),
        Meaning::BrowseParent => return Some((Verdict::Nodata, apex)),
        Meaning::ServiceTypes => {
            return Some((browse::types(sources, &asked, caller, reply), apex));
        }
        Meaning::Browsed { service, .. }
        | Meaning::Instance { service, .. }
        | Meaning::InstanceParent(service)
        | Meaning::Rfc2782 { service, .. }
        | Meaning::Service(service)
        | Meaning::Subtype { service, .. }
        | Meaning::SubtypeParent(service)
        | Meaning::Tagged { service, .. }
        | Meaning::TaggedAll { service, .. } => service,
    };
    if !settings.shows_service(caller.client, label) {
        return Some((Verdict::Denied, apex));
    }
    let verdict = match sources.snapshot.service(label) {
        Some(service) => {
            let (ttl, limit) = (service.policy.ttl_seconds, service.policy.answer_limit.into());
            Answering { service, origin, asked, caller, rng, reply, ttl, limit }.answer(meaning)
        }
        // No service is called as a name server is: these names are reserved.
        None if meaning == Meaning::Service(label) => {
            apex.server(label, &asked, reply).unwrap_or(Verdict::Nxdomain)
        }
        None => Verdict::Nxdomain,
    };
    Some((verdict, apex))
}

/// `_tcp` and `_udp` are above every service's RFC 2782 name, `_T` above those of the services
/// with an instance that carries the tag.
fn protocol_parent(sources: &Sources<'_>, label: &str) -> Verdict {
    let is_parent = is_protocol(label) || sources.snapshot.tags.get(label).is_some();
    if is_parent { Verdict::Nodata } else { Verdict::Nxdomain }
}

// === impl Answering ===

impl Answering<'_, '_> {
    #[inline]
    fn answer(&mut self, meaning: Meaning<'_>) -> Verdict {
        let service = self.service;
        match meaning {
            Meaning::Service(_) => self.selection(&service.all),
            Meaning::Tagged { tag, .. } => match service.tagged(tag) {
                Some(selection) => self.selection(selection),
                None => Verdict::Nxdomain,
            },
            Meaning::TaggedAll { tags, .. } => self.tagged_all(tags),
            Meaning::Rfc2782 { protocol, .. } if is_protocol(protocol) => {
                self.listed(&service.all, &[rtype::SRV, rtype::PTR])
            }
            Meaning::Rfc2782 { protocol, .. } => match service.tagged(protocol) {
                Some(selection) => self.listed(selection, &[rtype::SRV]),
                None => Verdict::Nxdomain,
            },
            Meaning::Subtype { tag, .. } => match service.tagged(tag) {
                Some(selection) => self.listed(selection, &[rtype::PTR]),
                None => Verdict::Nxdomain,
            },
            Meaning::Instance { id, .. } => match service.member(id) {
                Some(member) => self.instance(member),
                None => Verdict::Nxdomain,
            },
            Meaning::Browsed { id, .. } => match service.member(id) {
                Some(member) => browse::of_member(self, member),
                None => Verdict::Nxdomain,
            },
            Meaning::InstanceParent(_) if !service.members.is_empty() => Verdict::Nodata,
            Meaning::SubtypeParent(_) if service.tags().len() > 0 => Verdict::Nodata,
            _ => Verdict::Nxdomain,
        }
    }

    /// Several tags: which instances carry them all has to be worked out, and that allocates. A tag
    /// that nobody carries is known without.
    fn tagged_all(&mut self, tags: Tags<'_>) -> Verdict {
        let service = self.service;
        if !tags.iter().all(|tag| tag.is_some_and(|tag| service.tagged(tag).is_some())) {
            return Verdict::Nxdomain;
        }
        if !self.caller.may_allocate {
            return Verdict::NeedsFull;
        }
        let tags: Vec<&str> = tags.iter().flatten().collect();
        match service.tagged_all(&tags) {
            Some(selection) => self.selection(&selection),
            None => Verdict::Nxdomain,
        }
    }

    /// A name that stands for instances, by any type.
    #[inline]
    fn selection(&mut self, selection: &Selection) -> Verdict {
        let fail_open = match outcome(selection, self.reply) {
            Ok(fail_open) => fail_open,
            Err(verdict) => return verdict,
        };
        match self.asked.qtype {
            rtype::A => {
                let addresses = |start| selection.first.records.v4(start);
                addresses::of_pool(self, selection.v4(), addresses, selection)
            }
            rtype::AAAA => {
                let addresses = |start| selection.first.records.v6(start);
                addresses::of_pool(self, selection.v6(), addresses, selection)
            }
            rtype::CNAME | rtype::ANY => addresses::alias_of(self, selection),
            rtype::SRV => srv::of_selection(self, selection, fail_open),
            rtype::TXT => txt::of_selection(self, selection, fail_open),
            _ => Verdict::Nodata,
        }
    }

    /// A name with underscores, which has records of these types and no others.
    fn listed(&mut self, selection: &Selection, types: &[u16]) -> Verdict {
        match (outcome(selection, self.reply), self.asked.qtype) {
            (Err(verdict), _) => verdict,
            (Ok(_), qtype) if !types.contains(&qtype) => Verdict::Nodata,
            (Ok(fail_open), rtype::PTR) => browse::of_selection(self, selection, fail_open),
            (Ok(fail_open), _) => srv::of_selection(self, selection, fail_open),
        }
    }

    /// `I.instance.S`: one instance, whatever its health, because clients that know its name from
    /// an SRV record have made their choice already.
    fn instance(&mut self, member: &Member) -> Verdict {
        match self.asked.qtype {
            rtype::A | rtype::AAAA | rtype::CNAME | rtype::ANY => {
                addresses::of_member(self, member)
            }
            rtype::TXT => txt::of_member(self, member),
            _ => Verdict::Nodata,
        }
    }
}

/// Whether the selection has instances to answer with; what is said otherwise, whatever the type.
pub(super) fn outcome(
    selection: &Selection,
    reply: &mut Reply<'_>,
) -> Result<Option<FailOpen>, Verdict> {
    let (verdict, why) = match selection.outcome {
        Outcome::Answer(None) => return Ok(None),
        Outcome::Answer(fail_open) => {
            let why = "too few healthy instances, all are answered";
            reply.set_extended_error(extended::OTHER, why);
            return Ok(fail_open);
        }
        Outcome::NoneHealthy(none_healthy) => {
            let verdict = match none_healthy {
                WhenNoneHealthy::All | WhenNoneHealthy::Nodata => Verdict::Nodata,
                WhenNoneHealthy::Nxdomain => Verdict::Nxdomain,
                WhenNoneHealthy::Servfail => Verdict::Servfail,
            };
            (verdict, "no healthy instance")
        }
        Outcome::Nobody => (Verdict::Nodata, "no instance"),
    };
    reply.set_extended_error(extended::OTHER, why);
    Err(verdict)
}
