//! The weighted draw: which instance comes first, which second, and so on.
//!
//! Instance i comes first with probability wᵢ/Σw, the next likewise among the rest, and stand-bys
//! (weight 0) uniformly behind all others. Nothing is allocated and nothing is kept between
//! queries: a shared position, as round robin needs it, would be a line that all cores fight for.
//!
//! Few groups are drawn by walking over those that are left, which for the usual handful beats
//! anything cleverer. Many are drawn by bisecting the running sums, where a group that was drawn
//! before is drawn again; when that happens too often, a tree of sums over the rest takes over.
//! Both ways draw from exactly the same distribution, so switching between them changes nothing.

use std::ops::ControlFlow;

use crate::{model::limit::SERVICE_INSTANCES_MAX, registry::Group};

/// Groups that are drawn by walking: as many as one word has bits.
const FEW: usize = 64;

/// Draws in a row that may hit a group that is out already, before the tree is built. The tree for
/// 10,000 groups costs about as much as 200 draws; at 16 misses in a row most of the weight is out.
const MISSES_MAX: u32 = 16;

/// Words of one bit per group.
const WORDS: usize = SERVICE_INSTANCES_MAX.div_ceil(64);

/// Visits the groups (those with weight first, as pools and tiers have them) in the order of a
/// weighted random permutation, until `visit` breaks off.
#[inline]
pub(super) fn permutation(
    groups: &[Group],
    rng: &mut fastrand::Rng,
    mut visit: impl FnMut(&mut fastrand::Rng, &Group) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if let [only] = groups {
        return visit(rng, only);
    }
    let (weighted, standby) = split(groups);
    draw_all(&Weighted(weighted), rng, |rng, index| visit(rng, &weighted[index]))?;
    draw_all(&Uniform(standby.len()), rng, |rng, index| visit(rng, &standby[index]))
}

/// Visits `0..count` in random order, until `visit` breaks off.
#[inline]
pub(super) fn shuffled(
    count: usize,
    rng: &mut fastrand::Rng,
    mut visit: impl FnMut(usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if count == 1 {
        return visit(0);
    }
    draw_all(&Uniform(count), rng, |_, index| visit(index))
}

/// The groups with weight and the stand-bys behind them.
fn split(groups: &[Group]) -> (&[Group], &[Group]) {
    match groups.last() {
        Some(last) if last.weight == 0 => {
            groups.split_at(groups.partition_point(|group| group.weight > 0))
        }
        _ => (groups, &[]),
    }
}

/// Things with weights above zero to draw from.
trait Urn {
    /// How many things there are.
    fn count(&self) -> usize;
    /// The weight of one.
    fn weight(&self, index: usize) -> u32;
    /// The sum of all weights.
    fn whole(&self) -> u32;
    /// The thing that a number below the whole falls on.
    fn find(&self, number: u32) -> usize;
}

/// Groups by their weights.
struct Weighted<'g>(&'g [Group]);

/// So many things of one weight.
struct Uniform(usize);

impl Urn for Weighted<'_> {
    #[inline]
    fn count(&self) -> usize {
        self.0.len()
    }
    #[inline]
    fn weight(&self, index: usize) -> u32 {
        u32::from(self.0[index].weight)
    }
    #[inline]
    fn whole(&self) -> u32 {
        Group::whole(self.0)
    }
    fn find(&self, number: u32) -> usize {
        self.0.partition_point(|group| group.before <= number) - 1
    }
}

impl Urn for Uniform {
    #[inline]
    fn count(&self) -> usize {
        self.0
    }
    #[inline]
    fn weight(&self, _: usize) -> u32 {
        1
    }
    #[inline]
    fn whole(&self) -> u32 {
        u32::try_from(self.0).expect("a service has at most 10,000 instances")
    }
    fn find(&self, number: u32) -> usize {
        number as usize
    }
}

#[inline]
fn draw_all(
    urn: &impl Urn,
    rng: &mut fastrand::Rng,
    visit: impl FnMut(&mut fastrand::Rng, usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    if urn.count() <= FEW { draw_few(urn, rng, visit) } else { draw_many(urn, rng, visit) }
}

#[inline]
fn draw_few(
    urn: &impl Urn,
    rng: &mut fastrand::Rng,
    mut visit: impl FnMut(&mut fastrand::Rng, usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut left = urn.whole();
    let mut free: u64 = if urn.count() == FEW { u64::MAX } else { (1 << urn.count()) - 1 };
    while free != 0 {
        let mut rest = free;
        if free & (free - 1) != 0 {
            let mut number = rng.u32(0..left);
            loop {
                let weight = urn.weight(rest.trailing_zeros() as usize);
                if number < weight {
                    break;
                }
                number -= weight;
                rest &= rest - 1;
            }
        }
        let index = rest.trailing_zeros() as usize;
        free &= !(1 << index);
        left -= urn.weight(index);
        visit(rng, index)?;
    }
    ControlFlow::Continue(())
}

/// Out of line, so that the room for its marks is taken only when there are many.
#[inline(never)]
fn draw_many(
    urn: &impl Urn,
    rng: &mut fastrand::Rng,
    mut visit: impl FnMut(&mut fastrand::Rng, usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut out = [0_u64; WORDS];
    let (mut drawn, mut left, mut misses) = (0, urn.whole(), 0);
    while misses < MISSES_MAX && drawn < urn.count() {
        let index = urn.find(rng.u32(0..urn.whole()));
        let (word, bit) = (&mut out[index / 64], 1 << (index % 64));
        if *word & bit != 0 {
            misses += 1;
            continue;
        }
        *word |= bit;
        (misses, drawn, left) = (0, drawn + 1, left - urn.weight(index));
        visit(rng, index)?;
    }
    if drawn < urn.count() { draw_rest(urn, &out, left, rng, visit) } else { drained() }
}

/// Draws the groups that are not `out`, whose weights sum to `left`, from a binary indexed tree
/// (Fenwick 1994): one pass to build, one walk from the root per draw.
#[inline(never)]
fn draw_rest(
    urn: &impl Urn,
    out: &[u64; WORDS],
    mut left: u32,
    rng: &mut fastrand::Rng,
    mut visit: impl FnMut(&mut fastrand::Rng, usize) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let count = urn.count();
    // Node i (counted from 1) holds the sum of the lowest-set-bit(i) weights that end at i - 1.
    let mut tree = [0_u32; SERVICE_INSTANCES_MAX + 1];
    for node in 1..=count {
        if out[(node - 1) / 64] & (1 << ((node - 1) % 64)) == 0 {
            tree[node] += urn.weight(node - 1);
        }
        let parent = node + (node & node.wrapping_neg());
        if parent <= count {
            tree[parent] += tree[node];
        }
    }
    while left > 0 {
        let mut number = rng.u32(0..left);
        let (mut index, mut step) = (0, 1 << count.ilog2());
        while step > 0 {
            let node = index + step;
            if node <= count && tree[node] <= number {
                number -= tree[node];
                index = node;
            }
            step /= 2;
        }
        let weight = urn.weight(index);
        left -= weight;
        let mut node = index + 1;
        while node <= count {
            tree[node] -= weight;
            node += node & node.wrapping_neg();
        }
        visit(rng, index)?;
    }
    drained()
}

/// Every thing was drawn.
fn drained() -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[cfg(test)]
mod tests;
