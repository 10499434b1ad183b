//! SRV (RFC 2782): all answered instances, tier by tier, with their addresses behind.

use std::{net::IpAddr, ops::ControlFlow};

use super::{
    name::{INSTANCE_LABEL, put_instance},
    zone::{Answering, takes_long},
};
use crate::{
    dns::{code::rtype, encode::Section, select, verdict::Verdict},
    registry::{FailOpen, Member, Selection, ServiceEntry},
};

/// Octets of SRV data in front of the target: priority, weight, port.
const TARGET_OFFSET: usize = 6;

/// Writes the SRV records of all tiers, each in its own weighted permutation, and the targets'
/// addresses. What does not fit marks the reply as cut.
pub(super) fn of_selection(
    asking: &mut Answering<'_, '_>,
    selection: &Selection,
    fail_open: Option<FailOpen>,
) -> Verdict {
    let Answering { service, origin, asked, rng, reply, caller } = asking;
    let label = service.name.as_bytes();
    let kind = (rtype::SRV, service.policy.ttl_seconds);
    let (first, mut has_hosts, mut doubles) = (reply.position(), false, 0);
    let written = selection.tiers.iter().try_for_each(|tier| {
        select::permutation(&tier.groups, rng, |_, group| {
            let member: &Member = &service.members[group.member as usize];
            let mark = reply.mark();
            let start = reply.record_with(Section::Answer, asked.owner(), kind, |data| {
                data.put(&tier.priority.to_be_bytes())?;
                data.put(&group.weight.to_be_bytes())?;
                data.put(&member.instance.port.to_be_bytes())?;
                match member.instance.addresses.host() {
                    Some(host) => data.put(host.as_wire()),
                    None => {
                        put_instance(data, member.instance.id.as_bytes(), label)?;
                        data.put(origin)
                    }
                }
            });
            let Ok(start) = start else { return ControlFlow::Break(()) };
            // Two instances behind one host name may be one record to the client, and so may a
            // host that is called as another instance is.
            has_hosts |= member.instance.addresses.host().is_some();
            if has_hosts && reply.repeats(first, start) {
                reply.rollback(mark);
                doubles += 1;
            }
            let is_long = takes_long(*caller, doubles);
            if is_long { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })
    });
    if takes_long(*caller, doubles) {
        return Verdict::NeedsFull;
    }
    if written.is_continue() {
        additionals(asking, first);
    }
    Verdict::Answered(fail_open)
}

/// Writes the addresses of the targets of the records from `first` on. Who they are is read from
/// the reply again: a list of up to two thousand of them would be the largest thing on the stack.
fn additionals(asking: &mut Answering<'_, '_>, first: usize) {
    let Answering { service, origin, reply, .. } = asking;
    let ttl = service.policy.ttl_seconds;
    let mut at = first;
    let end = reply.position();
    while at < end
        && let Some((start, data)) = reply.data_at(at)
    {
        at = start + data.len();
        let Some(member) = named(service, origin, &data[TARGET_OFFSET..]) else { continue };
        let (owner, ips) = (start + TARGET_OFFSET, member.instance.addresses.as_ips());
        let v4 = ips.iter().filter_map(|ip| match ip {
            IpAddr::V4(ip) => Some(ip.octets()),
            IpAddr::V6(_) => None,
        });
        let v6 = ips.iter().filter_map(|ip| match ip {
            IpAddr::V4(_) => None,
            IpAddr::V6(ip) => Some(ip.octets()),
        });
        // What comes first has the better chance to be used, so nothing goes on behind a gap.
        if !reply.additional_set(owner, (rtype::A, ttl), v4)
            || !reply.additional_set(owner, (rtype::AAAA, ttl), v6)
        {
            return;
        }
    }
}

/// The instance whose name `I.instance.S` and the zone is; `None` for another host's name.
fn named<'s>(service: &'s ServiceEntry, origin: &[u8], name: &[u8]) -> Option<&'s Member> {
    let (id, rest) = split_label(name)?;
    let (label, rest) = split_label(rest.strip_prefix(INSTANCE_LABEL)?)?;
    if label != service.name.as_bytes() || rest != origin {
        return None;
    }
    service.member(std::str::from_utf8(id).ok()?).map(|member| &**member)
}

fn split_label(name: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = name.split_first()?;
    rest.split_at_checked(usize::from(length))
}
