//! Browsing, as RFC 6763 has it (DNS-SD): where to browse, which services there are, which
//! instances a service has, and how to reach each.
//!
//! The registry does not know what a service speaks, so `_S._tcp` and `_S._udp` can both be
//! browsed; the list of services has the former only, or a browser would show each of them twice.
//! It has every service that is there, because a service whose last healthy instance failed is
//! not gone, and a list that changes with every check is of no use to people. Which *instances*
//! there are is live: those that SRV would answer. Domains to register in (`r`, `dr`) are none:
//! nothing is registered over DNS.

use std::{net::IpAddr, ops::ControlFlow};

use arrayvec::ArrayVec;

use super::{srv::instances_tail, txt, zone::Answering};
use crate::{
    dns::{
        answer::Sources,
        asked::Asked,
        caller::Caller,
        code::rtype,
        encode::{Full, Owner, Reply, Section},
        select,
        verdict::Verdict,
    },
    model::{
        ServiceName,
        limit::{INSTANCE_ADDRESSES_MAX, LABEL_OCTETS_MAX},
    },
    registry::{FailOpen, Member, Selection, ServiceEntry},
};

/// TTL of the domains to browse, seconds: they change when the configuration does.
const DOMAIN_TTL_SECONDS: u32 = 300;

/// Octets of `_tcp` or `_udp` with the length octet.
const PROTOCOL_OCTETS: usize = 5;

/// What every listed type of service ends in, before the zone.
const TCP: &[u8] = b"\x04_tcp";

/// Instances that are described behind the list of them. The shortest ones take 71 octets (PTR, SRV
/// and TXT), so that fewer fill the longest reply.
const DESCRIBED_MAX: usize = 1_024;

/// Where the name of a listed instance stands in the reply, and its index among the members.
type Listed = ArrayVec<(u16, u16), DESCRIBED_MAX>;

/// Answers `b._dns-sd._udp` and the like with the zone itself (RFC 6763 §11).
pub(super) fn domain(sources: &Sources<'_>, asked: &Asked<'_>, reply: &mut Reply<'_>) -> Verdict {
    if asked.qtype != rtype::PTR {
        return Verdict::Nodata;
    }
    let (zone, kind) = (zone_of(sources, asked), (rtype::PTR, DOMAIN_TTL_SECONDS));
    // What does not fit marks the reply as cut by itself.
    let _ = reply.record(Section::Answer, asked.owner(), kind, &[&zone]);
    Verdict::Answered(None)
}

/// Answers `_services._dns-sd._udp` with `_S._tcp` of each service, as many as fit (RFC 6763 §9).
/// Takes long, so the fast path leaves it.
pub(super) fn types(
    sources: &Sources<'_>,
    asked: &Asked<'_>,
    caller: Caller,
    reply: &mut Reply<'_>,
) -> Verdict {
    if asked.qtype != rtype::PTR {
        return Verdict::Nodata;
    }
    if !caller.may_allocate {
        return Verdict::NeedsFull;
    }
    // A new service is seen as soon as one that was asked for too early.
    let kind = (rtype::PTR, sources.settings.soa.ttl_seconds);
    let (zone, first) = (zone_of(sources, asked), reply.position());
    let settings = sources.settings;
    let is_shown = |name: &ServiceName, service: &ServiceEntry| {
        !service.members.is_empty() && settings.shows_service(caller.client, name.as_str())
    };
    let services = sources.snapshot.services.iter();
    let services = services.filter(|(name, service)| is_shown(name, service));
    let services = services.map(|(name, _)| name.as_bytes());
    // A name of the greatest length leaves no room for the underscore.
    let mut services = services.filter(|name| name.len() < LABEL_OCTETS_MAX);
    // Breaks off where the reply is full.
    let _ = services.try_for_each(|name| {
        let written = reply.record_with(Section::Answer, asked.owner(), kind, |data| {
            data.put(&[u8::try_from(name.len() + 1).map_err(|_| Full)?, b'_'])?;
            data.put(name)?;
            data.put(TCP)?;
            data.put(&zone)
        });
        written.map(drop)
    });
    let has_any = reply.position() > first || reply.is_truncated();
    if has_any { Verdict::Answered(None) } else { Verdict::Nodata }
}

/// Answers `_S._tcp` and `_T._sub._S._tcp` with `I._S._tcp` of each answered instance, and puts
/// SRV, TXT and addresses behind as far as they fit (RFC 6763 §4.1, §7.1, §12.1). What does not fit
/// of the list marks the reply as cut.
pub(super) fn of_selection(
    asking: &mut Answering<'_, '_>,
    selection: &Selection,
    fail_open: Option<FailOpen>,
) -> Verdict {
    let Answering { service, origin, asked, rng, reply, .. } = &mut *asking;
    let parent_octets = 2 + service.name.as_bytes().len() + PROTOCOL_OCTETS + origin.len();
    let parent = pointer(asked.suffix_at(parent_octets));
    let (owner, kind) = (asked.owner(), (rtype::PTR, service.policy.ttl_seconds));
    let mut listed = Listed::new();
    let written = selection.tiers().try_for_each(|tier| {
        select::permutation(&tier.groups, rng, |_, group| {
            let id = service.members[usize::from(group.member)].instance.id.as_bytes();
            let written = reply.record_with(Section::Answer, owner, kind, |data| {
                data.put_label(id)?;
                data.put(&parent)
            });
            let Ok(place) = written else { return ControlFlow::Break(()) };
            // Behind so many nothing of them has room.
            if let Ok(place) = u16::try_from(place) {
                let _ = listed.try_push((place, group.member));
            }
            ControlFlow::Continue(())
        })
    });
    if written.is_continue() {
        // Breaks off at the first that does not fit: what comes first is likelier to be used.
        let _ = listed.iter().try_for_each(|&(place, member)| {
            describe(asking, Owner::At(place.into()), &asking.service.members[usize::from(member)])
        });
    }
    Verdict::Answered(fail_open)
}

/// Answers `I._S._tcp` by any type, whatever the health of the instance: who knows its name has
/// made a choice already, as with `I.instance.S`.
pub(super) fn of_member(asking: &mut Answering<'_, '_>, member: &Member) -> Verdict {
    let owner = asking.asked.owner();
    // What does not fit marks the reply as cut by itself, and additional records may be missing.
    match asking.asked.qtype {
        rtype::SRV => {
            let _ = srv(asking, Section::Answer, owner, member)
                .and_then(|target| addresses(asking, target, member));
        }
        rtype::TXT => drop(txt::always(asking, Section::Answer, owner, &member.instance.meta)),
        _ => return Verdict::Nodata,
    }
    Verdict::Answered(None)
}

/// Writes what a browser asks for next of the instance whose name is `owner`.
fn describe(asking: &mut Answering<'_, '_>, owner: Owner<'_>, member: &Member) -> Result<(), Full> {
    let target = srv(asking, Section::Additional, owner, member)?;
    txt::always(asking, Section::Additional, owner, &member.instance.meta)?;
    addresses(asking, target, member)
}

/// Writes the SRV record of one instance, and says where its target stands.
fn srv(
    asking: &mut Answering<'_, '_>,
    section: Section,
    owner: Owner<'_>,
    member: &Member,
) -> Result<usize, Full> {
    let (instance, tail) = (&member.instance, instances_tail(asking));
    let numbers = [instance.priority, member.weight_now(), instance.port].map(u16::to_be_bytes);
    let kind = (rtype::SRV, asking.service.policy.ttl_seconds);
    let start = asking.reply.record_with(section, owner, kind, |data| {
        data.put(numbers.as_flattened())?;
        match instance.addresses.host() {
            Some(host) => data.put(host.as_wire()),
            None => {
                data.put_label(instance.id.as_bytes())?;
                data.put(&tail)
            }
        }
    })?;
    Ok(start + numbers.as_flattened().len())
}

/// Writes the addresses of one instance, whose SRV target stands at `target`; there are none when
/// it is a host elsewhere.
fn addresses(asking: &mut Answering<'_, '_>, target: usize, member: &Member) -> Result<(), Full> {
    let mut v4: ArrayVec<[u8; 4], INSTANCE_ADDRESSES_MAX> = ArrayVec::new();
    let mut v6: ArrayVec<[u8; 16], INSTANCE_ADDRESSES_MAX> = ArrayVec::new();
    for ip in member.instance.addresses.as_ips() {
        match ip {
            IpAddr::V4(ip) => v4.push(ip.octets()),
            IpAddr::V6(ip) => v6.push(ip.octets()),
        }
    }
    let ttl = asking.service.policy.ttl_seconds;
    let is_whole = asking.reply.additional_set(target, (rtype::A, ttl), &v4)
        && asking.reply.additional_set(target, (rtype::AAAA, ttl), &v6);
    if is_whole { Ok(()) } else { Err(Full) }
}

/// The zone's name, as a pointer to the end of the asked one.
fn zone_of(sources: &Sources<'_>, asked: &Asked<'_>) -> [u8; 2] {
    pointer(asked.suffix_at(sources.settings.origin().as_wire().len()))
}

/// A compression pointer (RFC 1035 §4.1.4). Those in the data of PTR may be followed by anyone.
fn pointer(to: u16) -> [u8; 2] {
    (0xC000 | to).to_be_bytes()
}

#[cfg(test)]
mod tests;
