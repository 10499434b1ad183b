//! Which of a set of instances are answered, prepared so that a query only has to draw.
//!
//! Health, drains, failover tiers and failing open are decided here, once per change, for the
//! service as a whole and for each of its tags. A query then draws a weighted permutation from
//! the pools without looking at an instance that is not answered.

use std::net::IpAddr;

use super::Member;
use crate::model::{Policy, WhenNoneHealthy};

/// The instances of one name that are answered.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Selection {
    /// What kind of answer the name has.
    pub outcome: Outcome,
    /// The IPv4 addresses of the answered tier.
    pub v4: AddressPool<4>,
    /// The IPv6 addresses of the answered tier.
    pub v6: AddressPool<16>,
    /// Instances of the answered tier that have a host name in place of addresses, as they stand
    /// in the tier.
    pub hosts: Box<[Group]>,
    /// All answered instances by tier, the lowest priority number first: what SRV carries.
    pub tiers: Box<[Tier]>,
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

/// Addresses of one family with the weights by which they are drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AddressPool<const N: usize> {
    /// One group per instance; those with weight first, the stand-bys (weight 0) behind.
    pub groups: Box<[Group]>,
    /// The addresses, those of one group together, in network order.
    pub addresses: Box<[[u8; N]]>,
    /// The sum of all weights.
    pub weight: u64,
    /// Whether two instances share an address, so that an answer has to be freed of doubles.
    pub has_doubles: bool,
}

/// One instance in a pool or tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Group {
    /// Its index among the service's members.
    pub member: u32,
    /// Its weight.
    pub weight: u16,
    /// The sum of the weights of the groups before it in its pool or tier, so that one number
    /// drawn below the whole weight finds its group by bisection.
    pub before: u32,
    /// How many addresses it has in the pool; 1 in a tier.
    pub len: u16,
    /// The index of its first address in the pool; 0 in a tier.
    pub start: u32,
}

/// The answered instances of one priority.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tier {
    /// The priority.
    pub priority: u16,
    /// The instances; those with weight first, the stand-bys (weight 0) behind.
    pub groups: Box<[Group]>,
    /// The sum of all weights.
    pub weight: u64,
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
        let tiers = tiers(&answered, |i| member(&i));
        let Some(first) = tiers.first() else {
            return Self { outcome, ..Self::default() };
        };
        let hosts = first.groups.iter().copied();
        let hosts = hosts.filter(|g| member(&g.member).instance.addresses.host().is_some());
        Self {
            outcome,
            v4: AddressPool::new(&first.groups, |i| ips(member(&i), v4_octets)),
            v6: AddressPool::new(&first.groups, |i| ips(member(&i), v6_octets)),
            hosts: hosts.collect(),
            tiers,
        }
    }

    /// Why instances that are not healthy are answered, if they are.
    pub fn fail_open(&self) -> Option<FailOpen> {
        match self.outcome {
            Outcome::Answer(fail_open) => fail_open,
            Outcome::Nobody | Outcome::NoneHealthy(_) => None,
        }
    }
}

// === impl AddressPool ===

impl<const N: usize> AddressPool<N> {
    fn new(tier: &[Group], addresses_of: impl Fn(u32) -> Vec<[u8; N]>) -> Self {
        let mut pool = Self::default();
        let (mut groups, mut addresses) = (Vec::with_capacity(tier.len()), Vec::new());
        for &Group { member, weight, .. } in tier {
            let own = addresses_of(member);
            if own.is_empty() {
                continue;
            }
            groups.push(Group {
                member,
                weight,
                before: before(pool.weight),
                len: u16::try_from(own.len()).expect("an instance has at most 16 addresses"),
                start: u32::try_from(addresses.len()).expect("16 addresses of 10,000 instances"),
            });
            pool.weight += u64::from(weight);
            addresses.extend(own);
        }
        let mut sorted = addresses.clone();
        sorted.sort_unstable();
        pool.has_doubles = sorted.windows(2).any(|pair| pair[0] == pair[1]);
        pool.groups = groups.into();
        pool.addresses = addresses.into();
        pool
    }

    /// Whether there is no address.
    pub fn is_empty(&self) -> bool {
        self.addresses.is_empty()
    }
}

impl<const N: usize> Default for AddressPool<N> {
    fn default() -> Self {
        Self { groups: Box::default(), addresses: Box::default(), weight: 0, has_doubles: false }
    }
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
        indices.iter().map(|&index| u64::from(member(index).instance.weight)).sum()
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

fn tiers<'m>(answered: &[u32], member: impl Fn(u32) -> &'m Member) -> Box<[Tier]> {
    let mut order: Vec<u32> = answered.to_vec();
    order.sort_by_key(|&index| {
        let instance = &member(index).instance;
        (instance.priority, instance.weight == 0, index)
    });
    let same_tier = |a: &u32, b: &u32| member(*a).instance.priority == member(*b).instance.priority;
    let tier = |indices: &[u32]| {
        let mut whole = 0;
        let group = |&index: &u32| {
            let weight = member(index).instance.weight;
            let group = Group { member: index, weight, before: before(whole), len: 1, start: 0 };
            whole += u64::from(weight);
            group
        };
        let groups: Box<[Group]> = indices.iter().map(group).collect();
        Tier { priority: member(indices[0]).instance.priority, weight: whole, groups }
    };
    order.chunk_by(same_tier).map(tier).collect()
}

fn before(weight: u64) -> u32 {
    u32::try_from(weight).expect("10,000 weights of at most 65,535 are below 2^30")
}

fn ips<const N: usize>(member: &Member, octets: fn(&IpAddr) -> Option<[u8; N]>) -> Vec<[u8; N]> {
    member.instance.addresses.as_ips().iter().filter_map(octets).collect()
}

fn v4_octets(ip: &IpAddr) -> Option<[u8; 4]> {
    match ip {
        IpAddr::V4(ip) => Some(ip.octets()),
        IpAddr::V6(_) => None,
    }
}

fn v6_octets(ip: &IpAddr) -> Option<[u8; 16]> {
    match ip {
        IpAddr::V4(_) => None,
        IpAddr::V6(ip) => Some(ip.octets()),
    }
}

#[cfg(test)]
mod tests;
