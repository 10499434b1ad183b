//! SRV (RFC 2782): all answered instances, tier by tier, with their addresses behind.

use std::ops::ControlFlow;

use arrayvec::ArrayVec;

use super::{doubles::Doubles, name::INSTANCE_LABEL, zone::Answering};
use crate::{
    dns::{code::rtype, select, verdict::Verdict},
    model::limit::NAME_OCTETS_MAX,
    registry::{FailOpen, Group, Records, Selection, Target, Tier},
};

/// Octets of SRV data in front of the target: priority, weight, port.
const TARGET_OFFSET: usize = 6;

/// Targets whose addresses are written. The shortest target has some 30 octets, and so many fill
/// the longest reply without any address.
const TARGETS_MAX: usize = 1_024;

/// Where a target stands in the reply, and where its addresses are found.
type Targets<'s> = ArrayVec<(u16, u32, &'s Records), TARGETS_MAX>;

/// What follows the instance in every target: `instance.S` and the zone.
pub(super) type Tail = ArrayVec<u8, NAME_OCTETS_MAX>;

/// SRV records in the making.
struct Writing<'w, 's, 'a, 'b> {
    asking: &'w mut Answering<'a, 'b>,
    tail: Tail,
    targets: Targets<'s>,
    has_hosts: bool,
    doubles: Doubles,
}

/// Writes the SRV records of all tiers, each in its own weighted permutation, and the targets'
/// addresses. What does not fit marks the reply as cut.
pub(super) fn of_selection(
    asking: &mut Answering<'_, '_>,
    selection: &Selection,
    fail_open: Option<FailOpen>,
) -> Verdict {
    let doubles = Doubles::from_here(asking.reply, asking.caller);
    let (tail, targets) = (instances_tail(asking), Targets::new());
    let mut writing = Writing { asking, tail, targets, has_hosts: false, doubles };
    let written = selection.tiers().try_for_each(|tier| writing.tier(tier));
    if writing.doubles.take_long() {
        return Verdict::NeedsFull;
    }
    if written.is_continue() {
        writing.additionals();
    }
    Verdict::Answered(fail_open)
}

/// The end of every instance's name. SRV targets are not to be compressed (RFC 2782), and owners
/// behind them may point to them.
pub(super) fn instances_tail(asking: &Answering<'_, '_>) -> Tail {
    let (mut tail, label) = (Tail::new(), asking.service.name.as_bytes());
    let length = [u8::try_from(label.len()).expect("a label has at most 63 octets")];
    for part in [INSTANCE_LABEL, &length, label, asking.origin] {
        tail.try_extend_from_slice(part).expect("the zone's name leaves room for its instances");
    }
    tail
}

// === impl Writing ===

impl<'s> Writing<'_, 's, '_, '_> {
    /// Writes the records of one tier; breaks off where the reply is full.
    fn tier(&mut self, tier: &'s Tier) -> ControlFlow<()> {
        let mut rng = self.asking.rng.fork();
        select::permutation(&tier.groups, &mut rng, |_, group| self.record(tier, group))
    }

    fn record(&mut self, tier: &'s Tier, group: &Group) -> ControlFlow<()> {
        let Answering { service, asked, reply, .. } = &mut *self.asking;
        let (port, target) = tier.records.target(group.start);
        let (priority, weight) = (tier.priority.to_be_bytes(), group.weight.to_be_bytes());
        let numbers = [priority[0], priority[1], weight[0], weight[1], port[0], port[1]];
        let target = match target {
            Target::Host(host) => [host, &[]],
            Target::Instance(label) => [label, &self.tail[..]],
        };
        self.has_hosts |= target[1].is_empty();
        let mark = reply.mark();
        let Ok(start) = reply.service(asked.at, service.policy.ttl_seconds, &numbers, target)
        else {
            return ControlFlow::Break(());
        };
        // Two instances behind one host name may be one record to the client, and so may a
        // host that is called as another instance is.
        let is_double = self.has_hosts && self.doubles.take_back(reply, mark, start);
        if !is_double
            && !target[1].is_empty()
            && let Ok(place) = u16::try_from(start + TARGET_OFFSET)
        {
            // When there is no room left for one, there is none for its addresses either.
            let _ = self.targets.try_push((place, group.start, &tier.records));
        }
        if self.doubles.take_long() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Writes the addresses of the targets. What comes first has the better chance to be used, so
    /// nothing goes on behind a gap. By reference: the targets' room is 16 KiB, which a move would
    /// copy.
    fn additionals(&mut self) {
        let Answering { service, reply, .. } = &mut *self.asking;
        let ttl = service.policy.ttl_seconds;
        for &(owner, start, records) in &self.targets {
            if !reply.additional_set(owner.into(), (rtype::A, ttl), records.v4(start))
                || !reply.additional_set(owner.into(), (rtype::AAAA, ttl), records.v6(start))
            {
                return;
            }
        }
    }
}
