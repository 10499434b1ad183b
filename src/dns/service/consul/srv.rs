//! SRV under Consul's names. The target says where the address is from: `HEX.addr` for that of the
//! instance, `N.node` for that of its node, or the host that it has in place of one.
//!
//! An instance that has several addresses, which none of Consul's clients can register, is named by
//! its first one, of IPv4 if it has any.

use std::{net::IpAddr, ops::ControlFlow};

use arrayvec::ArrayVec;

use super::{
    node::{label_of, lending_node},
    spec::Domain,
};
use crate::{
    dns::{
        code::rtype,
        encode::Reply,
        select,
        service::{doubles::Doubles, zone::Answering},
        verdict::Verdict,
    },
    registry::{FailOpen, Group, Member, Selection, Tier},
};

/// Octets of SRV data in front of the target: priority, weight, port.
pub(super) const TARGET_OFFSET: usize = 6;

/// Targets whose addresses are written, each compared with all before it: instances on one node
/// have one target.
const TARGETS_MAX: usize = 256;

/// Where a target stands in the reply, and whose it is.
type Targets<'s> = ArrayVec<(u16, &'s Member), TARGETS_MAX>;

/// SRV records in the making.
struct Writing<'w, 'a, 'b> {
    asking: &'w mut Answering<'a, 'b>,
    domain: &'a Domain,
    targets: Targets<'a>,
    doubles: Doubles,
    /// How many more there may be.
    left: u32,
}

/// Writes the SRV records of all tiers, as many as there may be, and the targets' addresses. What
/// does not fit marks the reply as cut.
pub(super) fn of_selection<'a>(
    asking: &mut Answering<'a, '_>,
    domain: &'a Domain,
    selection: &Selection,
    fail_open: Option<FailOpen>,
) -> Verdict {
    let (doubles, left) = (Doubles::from_here(asking.reply, asking.caller), asking.limit);
    let mut writing = Writing { asking, domain, targets: Targets::new(), doubles, left };
    let written = selection.tiers().try_for_each(|tier| writing.tier(tier));
    if writing.doubles.take_long() {
        return Verdict::NeedsFull;
    }
    if written.is_continue() || writing.left == 0 {
        writing.additionals();
    }
    Verdict::Answered(fail_open)
}

/// Writes the address of the target that stands at `owner`.
pub(super) fn put_address(reply: &mut Reply<'_>, owner: usize, ttl: u32, ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => reply.additional_set(owner, (rtype::A, ttl), &[ip.octets()]),
        IpAddr::V6(ip) => reply.additional_set(owner, (rtype::AAAA, ttl), &[ip.octets()]),
    }
}

/// The address that an instance is named by.
fn address_of(member: &Member) -> Option<IpAddr> {
    let ips = member.instance.addresses.as_ips();
    ips.iter().find(|ip| ip.is_ipv4()).or_else(|| ips.first()).copied()
}

// === impl Writing ===

impl Writing<'_, '_, '_> {
    /// Writes the records of one tier; breaks off where the reply is full, or has enough.
    fn tier(&mut self, tier: &Tier) -> ControlFlow<()> {
        let mut rng = self.asking.rng.fork();
        select::permutation(&tier.groups, &mut rng, |_, group| self.record(tier, group))
    }

    fn record(&mut self, tier: &Tier, group: &Group) -> ControlFlow<()> {
        let (service, domain) = (self.asking.service, self.domain);
        let member = &*service.members[usize::from(group.member)];
        let (node, label);
        let target: [&[u8]; 2] = match lending_node(member, domain) {
            Some(own) => {
                node = own;
                [&node, domain.of_nodes().as_wire()]
            }
            None => match (member.instance.addresses.host(), address_of(member)) {
                (Some(host), _) => [host.as_wire(), &[]],
                (None, Some(ip)) => {
                    label = label_of(ip);
                    [&label, domain.of_addresses.as_wire()]
                }
                (None, None) => return ControlFlow::Continue(()),
            },
        };
        let (port, priority) = (member.instance.port.to_be_bytes(), tier.priority.to_be_bytes());
        let weight = group.weight.to_be_bytes();
        let numbers = [priority[0], priority[1], weight[0], weight[1], port[0], port[1]];
        let Answering { asked, reply, ttl, .. } = &mut *self.asking;
        let mark = reply.mark();
        let Ok(start) = reply.service(asked.at, *ttl, &numbers, target) else {
            return ControlFlow::Break(());
        };
        // Two instances of one address and port are one record.
        if !self.doubles.take_back(reply, mark, start) {
            self.left -= 1;
            if let Ok(place) = u16::try_from(start + TARGET_OFFSET) {
                // More than there is room for need more octets than nearly all replies have.
                let _ = self.targets.try_push((place, member));
            }
        }
        let is_done = self.left == 0 || self.doubles.take_long();
        if is_done { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Writes the addresses of the targets, each once. What comes first has the better chance to be
    /// used, so nothing goes on behind a gap.
    fn additionals(&mut self) {
        let (ttl, reply) = (self.asking.ttl, &mut *self.asking.reply);
        for (index, &(place, member)) in self.targets.iter().enumerate() {
            let name = reply.name_at(place.into());
            let mut earlier = self.targets[..index].iter();
            if earlier.any(|(earlier, _)| reply.name_at(usize::from(*earlier)) == name) {
                continue;
            }
            let is_whole = match lending_node(member, self.domain) {
                None => {
                    address_of(member).is_none_or(|ip| put_address(reply, place.into(), ttl, ip))
                }
                Some(_) => {
                    let mut ips = member.instance.addresses.as_ips().iter();
                    ips.all(|ip| put_address(reply, place.into(), ttl, *ip))
                }
            };
            if !is_whole {
                return;
            }
        }
    }
}
