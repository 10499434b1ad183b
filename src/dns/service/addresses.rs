//! A and AAAA: a weighted random permutation of the answered instances, cut at `answer_limit`.

use std::{net::IpAddr, ops::ControlFlow};

use super::{doubles::Doubles, zone::Answering};
use crate::{
    dns::{code::rtype, encode::Section, select, verdict::Verdict},
    model::DnsName,
    registry::{Group, Member, Selection},
};

/// Doubles that are passed over for one answer, off the fast path. Up to a thousand instances
/// behind one address the answer is exact; beyond, it may lack an address that few of them have,
/// but no query costs more than so many draws.
const DOUBLES_MAX: usize = 1_000;

/// Writes the addresses of one family, or the host name that stands in their place. What does not
/// fit marks the reply as cut.
#[inline]
pub(super) fn of_pool<'s, const N: usize>(
    asking: &mut Answering<'_, '_>,
    (groups, distinct): (&[Group], Option<u32>),
    addresses: impl Fn(u32) -> &'s [[u8; N]],
    selection: &'s Selection,
) -> Verdict {
    if !selection.hosts.is_empty()
        && let Some(host) = draw_host(asking, groups, &selection.hosts)
    {
        return alias(asking, host);
    }
    of_groups(asking, (groups, distinct), addresses, selection)
}

/// Writes the addresses of one family, whatever else stands in their place.
#[inline]
pub(super) fn of_groups<'s, const N: usize>(
    asking: &mut Answering<'_, '_>,
    (groups, distinct): (&[Group], Option<u32>),
    addresses: impl Fn(u32) -> &'s [[u8; N]],
    selection: &'s Selection,
) -> Verdict {
    if groups.is_empty() {
        return Verdict::Nodata;
    }
    let Answering { asked, rng, reply, caller, ttl, limit, .. } = asking;
    let kind = (asked.qtype, *ttl);
    let mut doubles = Doubles::from_here(reply, *caller);
    // Of instances on few hosts, nothing is left to look for once each host is there.
    let mut left = distinct.map_or(*limit, |distinct| distinct.min(*limit));
    // Breaks off at the limit, or where the reply is full.
    let _ = select::permutation(groups, rng, |rng, group| {
        let own = addresses(group.start);
        select::shuffled(own.len(), rng, |index| {
            let mark = reply.mark();
            if reply.address(Section::Answer, asked.at, kind, &own[index]).is_err() {
                return ControlFlow::Break(());
            }
            let start = reply.position() - N;
            if !(distinct.is_some() && doubles.take_back(reply, mark, start)) {
                left -= 1;
            }
            let is_done = left == 0 || doubles.found() == DOUBLES_MAX || doubles.take_long();
            if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    if doubles.take_long() {
        return Verdict::NeedsFull;
    }
    Verdict::Answered(selection.fail_open())
}

/// Writes the host name that stands in the place of addresses, for a client that asks for just
/// that: what a resolver was told when it asked for A has to be there when it asks again.
pub(super) fn alias_of(asking: &mut Answering<'_, '_>, selection: &Selection) -> Verdict {
    if selection.hosts.is_empty() {
        return Verdict::Nodata;
    }
    match draw_host(asking, &[], &selection.hosts) {
        Some(host) => {
            alias(asking, host);
            Verdict::Answered(selection.fail_open())
        }
        None => Verdict::Nodata,
    }
}

/// Writes the addresses of one instance of the asked family, or the host name in their place.
pub(super) fn of_member(asking: &mut Answering<'_, '_>, member: &Member) -> Verdict {
    if let Some(host) = member.instance.addresses.host() {
        return alias(asking, host);
    }
    let Answering { asked, rng, reply, ttl, .. } = asking;
    let (ips, kind) = (member.instance.addresses.as_ips(), (asked.qtype, *ttl));
    let mut has_any = false;
    let _ = select::shuffled(ips.len(), rng, |index| {
        let written = match (ips[index], asked.qtype) {
            (IpAddr::V4(ip), rtype::A) => {
                reply.address(Section::Answer, asked.at, kind, &ip.octets())
            }
            (IpAddr::V6(ip), rtype::AAAA) => {
                reply.address(Section::Answer, asked.at, kind, &ip.octets())
            }
            _ => return ControlFlow::Continue(()),
        };
        has_any = true;
        written.map_or(ControlFlow::Break(()), ControlFlow::Continue)
    });
    if has_any { Verdict::Answered(None) } else { Verdict::Nodata }
}

/// Draws once among the instances with a host name and those with addresses of the family. A name
/// has one alias or addresses, never both (RFC 1034 §3.6.2), so the draw decides for the whole
/// answer. `None` is for the addresses.
fn draw_host<'a>(
    asking: &mut Answering<'a, '_>,
    pool: &[Group],
    hosts: &[Group],
) -> Option<&'a DnsName> {
    let (of_hosts, of_pool) = (Group::whole(hosts), Group::whole(pool));
    // Only among stand-bys does everyone count alike.
    let counts_heads = of_hosts + of_pool == 0;
    let heads = |groups: &[Group]| u32::try_from(groups.len()).expect("at most 10,000 instances");
    let (of_hosts, of_pool) =
        if counts_heads { (heads(hosts), heads(pool)) } else { (of_hosts, of_pool) };
    let mut number = asking.rng.u32(0..of_hosts + of_pool);
    let drawn = hosts.iter().find(|group| {
        let own = if counts_heads { 1 } else { u32::from(group.weight) };
        let is_drawn = number < own;
        number = number.saturating_sub(own);
        is_drawn
    })?;
    asking.service.members[usize::from(drawn.member)].instance.addresses.host()
}

/// Writes the CNAME record.
fn alias(asking: &mut Answering<'_, '_>, host: &DnsName) -> Verdict {
    let kind = (rtype::CNAME, asking.ttl);
    let owner = asking.asked.owner();
    let written = asking.reply.record(Section::Answer, owner, kind, &[host.as_wire()]);
    // Who asks for the alias itself wants to know no more (RFC 1034 §4.3.2 step 3a).
    if matches!(asking.asked.qtype, rtype::CNAME | rtype::ANY) {
        return Verdict::Answered(None);
    }
    Verdict::Alias(written.ok())
}
