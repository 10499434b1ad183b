//! Which of a set of instances are answered, prepared so that a query only has to draw.
//!
//! Health, drains, failover tiers and failing open are decided here, once per change, for the
//! service as a whole and for each of its tags. A query then draws a weighted permutation from
//! the pools without looking at an instance that is not answered.

use super::{Member, Records};
use crate::model::{Policy, WhenNoneHealthy};

/// The instances of one name that are answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// What kind of answer the name has.
    pub outcome: Outcome,
    /// Those of the first tier with an IPv4 address: what A draws from.
    v4: Pool,
    /// Those of the first tier with an IPv6 address: what AAAA draws from.
    v6: Pool,
    /// Those of the first tier that have a host name in place of addresses.
    pub hosts: Box<[Group]>,
    /// The answered instances of the lowest priority number; all that A and AAAA answer from.
    pub first: Tier,
    /// The other tiers by priority number, which only SRV carries.
    further: Box<[Tier]>,
}

/// What kind of answer a name has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Outcome {
    /// The instances in the pools.
    Answer(Option<FailOpen>),
    /// None is healthy: what the policy says.
    NoneHealthy(WhenNoneHealthy),
    /// There is no instance that could be answered, healthy or not (none at all, or all drained),
    /// although the policy says to answer all.
    #[default]
    Nobody,
}

/// Why instances that are not healthy are answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOpen {
    /// Less than `min_healthy` of the weight is healthy.
    MinHealthy,
    /// None is healthy, and `when_none_healthy` is `all`.
    NoneHealthy,
}

/// The instances of a tier that have an address of one family.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Pool {
    /// Which they are; `None` when it is all of them, as it usually is.
    groups: Option<Box<[Group]>>,
    /// How many addresses they have together; `None` when no two share one.
    distinct: Option<u32>,
}

/// One instance in a tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// The sum of the weights of the groups before it, so that one number drawn below the whole
    /// weight finds its group by bisection.
    pub before: u32,
    /// Its place in the tier's records.
    pub start: u32,
    /// Its index among the service's members.
    pub member: u16,
    /// Its weight.
    pub weight: u16,
}

/// The answered instances of one priority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Tier {
    /// The priority.
    pub priority: u16,
    /// The instances; those with weight first, the stand-bys (weight 0) behind.
    pub groups: Box<[Group]>,
    /// What they put into answers, in the order of the groups.
    pub records: Records,
}

// === impl FailOpen ===

impl FailOpen {
    /// The reason as the API and the log have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::MinHealthy => "min_healthy",
            Self::NoneHealthy => "none_healthy",
        }
    }
}

// === impl Selection ===

impl Selection {
    /// Decides which of `chosen` (indices into `members`) are answered under `policy`.
    pub fn new(members: &[impl AsRef<Member>], chosen: &[u32], policy: &Policy) -> Self {
        let member = |index: &u32| members[*index as usize].as_ref();
        let present: Vec<u32> =
            chosen.iter().copied().filter(|index| !member(index).drained).collect();
        let healthy: Vec<u32> =
            present.iter().copied().filter(|index| member(index).is_answered()).collect();
        let (outcome, answered) = decide(policy, &present, &healthy, |i| member(&i));
        let mut tiers = tiers(&answered, |i| member(&i)).into_iter();
        let Some(first) = tiers.next() else {
            return Self { outcome, ..Self::default() };
        };
        let hosts = first.groups.iter().copied();
        let hosts =
            hosts.filter(|g| member(&u32::from(g.member)).instance.addresses.host().is_some());
        Self {
            outcome,
            v4: Pool::new(&first, |start| first.records.v4(start)),
            v6: Pool::new(&first, |start| first.records.v6(start)),
            hosts: with_sums(hosts).collect(),
            further: tiers.collect(),
            first,
        }
    }

    /// What A draws from, and, when two share an address, how many addresses there are.
    #[inline]
    pub fn v4(&self) -> (&[Group], Option<u32>) {
        (self.v4.groups.as_deref().unwrap_or(&self.first.groups), self.v4.distinct)
    }

    /// What AAAA draws from, and, when two share an address, how many addresses there are.
    #[inline]
    pub fn v6(&self) -> (&[Group], Option<u32>) {
        (self.v6.groups.as_deref().unwrap_or(&self.first.groups), self.v6.distinct)
    }

    /// All answered instances by tier, the lowest priority number first: what SRV carries. When
    /// there is none, one tier that is empty.
    #[inline]
    pub fn tiers(&self) -> impl Iterator<Item = &Tier> {
        std::iter::once(&self.first).chain(&self.further)
    }

    /// All answered instances, tier by tier.
    pub fn groups(&self) -> impl Iterator<Item = &Group> {
        self.tiers().flat_map(|tier| &tier.groups)
    }

    /// Why instances that are not healthy are answered, if they are.
    pub fn fail_open(&self) -> Option<FailOpen> {
        match self.outcome {
            Outcome::Answer(fail_open) => fail_open,
            Outcome::Nobody | Outcome::NoneHealthy(_) => None,
        }
    }
}

// === impl Group ===

impl Group {
    /// The sum of the weights of groups that stand in this order.
    #[inline]
    pub fn whole(groups: &[Self]) -> u32 {
        groups.last().map_or(0, |last| last.before + u32::from(last.weight))
    }
}

// === impl Pool ===

impl Pool {
    fn new<'t, const N: usize>(tier: &'t Tier, addresses: impl Fn(u32) -> &'t [[u8; N]]) -> Self {
        let has_any = |group: &&Group| !addresses(group.start).is_empty();
        let is_all = tier.groups.iter().all(|group| has_any(&group));
        let some = || with_sums(tier.groups.iter().filter(has_any).copied()).collect();
        let mut sorted: Vec<_> =
            tier.groups.iter().flat_map(|group| addresses(group.start)).collect();
        let all = sorted.len();
        sorted.sort_unstable();
        sorted.dedup();
        let has_doubles = sorted.len() < all;
        let distinct = u32::try_from(sorted.len()).expect("10,000 instances with 16 addresses");
        Self { groups: (!is_all).then(some), distinct: has_doubles.then_some(distinct) }
    }
}

/// Groups that are some of others, with the sums of their own weights.
fn with_sums(groups: impl Iterator<Item = Group>) -> impl Iterator<Item = Group> {
    groups.scan(0, |sum, group| {
        let before = *sum;
        *sum += u32::from(group.weight);
        Some(Group { before, ..group })
    })
}

fn decide<'m>(
    policy: &Policy,
    present: &[u32],
    healthy: &[u32],
    member: impl Fn(u32) -> &'m Member,
) -> (Outcome, Vec<u32>) {
    if present.is_empty() {
        let outcome = match policy.when_none_healthy {
            WhenNoneHealthy::All => Outcome::Nobody,
            other => Outcome::NoneHealthy(other),
        };
        return (outcome, Vec::new());
    }
    if healthy.is_empty() {
        return match policy.when_none_healthy {
            WhenNoneHealthy::All => {
                (Outcome::Answer(Some(FailOpen::NoneHealthy)), present.to_vec())
            }
            other => (Outcome::NoneHealthy(other), Vec::new()),
        };
    }
    let weight_of = |indices: &[u32]| -> u64 {
        indices.iter().map(|&index| u64::from(member(index).weight_now())).sum()
    };
    let (mut part, mut whole) = (weight_of(healthy), weight_of(present));
    if whole == 0 {
        // Stand-bys only: without weights, the share is by heads.
        (part, whole) = (healthy.len() as u64, present.len() as u64);
    }
    if policy.min_healthy.is_above(part, whole) {
        return (Outcome::Answer(Some(FailOpen::MinHealthy)), present.to_vec());
    }
    (Outcome::Answer(None), healthy.to_vec())
}

fn tiers<'m>(answered: &[u32], member: impl Fn(u32) -> &'m Member) -> Vec<Tier> {
    let mut order: Vec<u32> = answered.to_vec();
    order.sort_by_key(|&index| {
        let member = member(index);
        (member.instance.priority, member.weight_now() == 0, index)
    });
    let same_tier = |a: &u32, b: &u32| member(*a).instance.priority == member(*b).instance.priority;
    order.chunk_by(same_tier).map(|indices| tier(indices, &member)).collect()
}

/// The tier of the members at `indices`, in the order in which they are given.
fn tier<'m>(indices: &[u32], member: impl Fn(u32) -> &'m Member) -> Tier {
    let mut starts = Vec::with_capacity(indices.len());
    let members = indices.iter().map(|&index| member(index));
    let records = Records::new(members, |start| starts.push(start));
    // Sums of 10,000 weights of at most 65,535 are below 2^30.
    let groups = indices.iter().zip(starts).map(|(&index, start)| Group {
        before: 0,
        start,
        member: u16::try_from(index).expect("a service has at most 10,000 instances"),
        weight: member(index).weight_now(),
    });
    let groups = with_sums(groups).collect();
    Tier { priority: member(indices[0]).instance.priority, groups, records }
}

#[cfg(test)]
mod tests;
