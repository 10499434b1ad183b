//! Permutations without repeats, and chi-square tests of who is drawn how often.

use std::ops::ControlFlow;

use super::{FEW, SERVICE_INSTANCES_MAX, permutation, shuffled};
use crate::registry::Group;

fn groups(weights: &[u16]) -> Vec<Group> {
    let mut before = 0;
    let group = |(&weight, member)| {
        let group = Group { member, weight, before, start: u32::from(member) };
        before += u32::from(weight);
        group
    };
    weights.iter().zip(0..).map(group).collect()
}

/// The first `most` members of one permutation.
fn draw(groups: &[Group], most: usize, rng: &mut fastrand::Rng) -> Vec<usize> {
    let mut drawn = Vec::new();
    let _ = permutation(groups, rng, |_, group| {
        drawn.push(usize::from(group.member));
        if drawn.len() < most { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    });
    drawn
}

/// Pearson's statistic, standardised (Wilson–Hilferty): about normal, so that 3.1 is p = 0.001.
fn deviation(observed: &[u32], expected: &[f64]) -> f64 {
    let cells = observed.iter().zip(expected).filter(|(_, e)| **e > 0.0);
    let sum: f64 = cells.clone().map(|(&o, &e)| (f64::from(o) - e).powi(2) / e).sum();
    let freedom = cells.count() as f64 - 1.0;
    let spread = 2.0 / (9.0 * freedom);
    ((sum / freedom).cbrt() - (1.0 - spread)) / spread.sqrt()
}

#[test]
fn a_permutation_has_everyone_once_and_standbys_last() {
    let mut rng = fastrand::Rng::with_seed(1);
    for count in [0, 1, 2, 3, 63, 64, 65, 66, 1_000, SERVICE_INSTANCES_MAX] {
        for standby in [0, 1, count / 2, count] {
            let standby = standby.min(count);
            // One weight above all others, so that many draws hit what is out already.
            let weight = |index: usize| match index {
                _ if index >= count - standby => 0,
                0 => u16::MAX,
                _ => u16::try_from(1 + index % 7).unwrap(),
            };
            let groups = groups(&(0..count).map(weight).collect::<Vec<_>>());
            let mut drawn = draw(&groups, usize::MAX, &mut rng);
            let behind = drawn.iter().rev().take(standby);
            assert!(behind.clone().all(|&member| member >= count - standby), "{count} {standby}");
            drawn.sort_unstable();
            assert_eq!(drawn, (0..count).collect::<Vec<_>>(), "{count} {standby}");
        }
    }
}

#[test]
fn a_draw_that_breaks_off_has_drawn_so_many() {
    let groups = groups(&[3; 500]);
    let mut rng = fastrand::Rng::with_seed(2);
    for most in [1, 8, 64, 499] {
        assert_eq!(draw(&groups, most, &mut rng).len(), most);
    }
}

/// First place by weight, and second place by weight among the rest: P(second = j) is the sum
/// over i ≠ j of wᵢ/W · wⱼ/(W − wᵢ).
#[test]
fn places_are_taken_by_weight() {
    let many: Vec<u16> = (0..200_u16).map(|n| 1 + n % 10).collect();
    let heavy: Vec<u16> = (0..100).map(|n| if n == 0 { u16::MAX } else { 600 }).collect();
    let few_and_many = [vec![1, 2, 7], vec![5; 10], many, heavy];
    for (seed, weights) in few_and_many.iter().enumerate() {
        let mut rng = fastrand::Rng::with_seed(40 + seed as u64);
        let groups = groups(weights);
        let rounds: u32 = 60_000;
        let mut observed = [vec![0; weights.len()], vec![0; weights.len()]];
        for _ in 0..rounds {
            let drawn = draw(&groups, 2, &mut rng);
            observed[0][drawn[0]] += 1;
            observed[1][drawn[1]] += 1;
        }
        let weights: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
        let whole: f64 = weights.iter().sum();
        let first: Vec<f64> = weights.iter().map(|w| f64::from(rounds) * w / whole).collect();
        let over = |j: usize| -> f64 {
            let others = weights.iter().enumerate().filter(|(i, _)| *i != j);
            others.map(|(_, w)| w / whole * weights[j] / (whole - w)).sum()
        };
        let second: Vec<f64> = (0..weights.len()).map(|j| f64::from(rounds) * over(j)).collect();
        for (place, (observed, expected)) in observed.iter().zip([first, second]).enumerate() {
            let deviation = deviation(observed, &expected);
            assert!(deviation.abs() < 3.5, "{} groups, place {place}: {deviation}", weights.len());
        }
    }
}

/// The tree draws as the walk does: with nearly all weight on one group, what follows it comes
/// from the tree, and has to be uniform again.
#[test]
fn the_tree_draws_by_weight_too() {
    let count = 2 * FEW;
    let mut weights = vec![1; count];
    weights[0] = u16::MAX;
    let groups = groups(&weights);
    let mut rng = fastrand::Rng::with_seed(7);
    let mut observed = vec![0; count];
    let rounds = 40_000;
    for _ in 0..rounds {
        for member in draw(&groups, 3, &mut rng) {
            observed[member] += 1;
        }
    }
    assert!(observed[0] > rounds * 99 / 100);
    let rest = observed.split_off(1);
    let expected = f64::from(rest.iter().sum::<u32>()) / rest.len() as f64;
    let deviation = deviation(&rest, &vec![expected; rest.len()]);
    assert!(deviation.abs() < 3.5, "{deviation}");
}

#[test]
fn standbys_and_shuffles_are_uniform() {
    for count in [5, 200] {
        let standbys = groups(&vec![0; count]);
        let mut rng = fastrand::Rng::with_seed(9);
        let mut observed = [vec![0; count], vec![0; count]];
        for _ in 0..40_000 {
            observed[0][draw(&standbys, 1, &mut rng)[0]] += 1;
            let _ = shuffled(count, &mut rng, |index| {
                observed[1][index] += 1;
                ControlFlow::Break(())
            });
        }
        for observed in observed {
            let deviation = deviation(&observed, &vec![40_000.0 / count as f64; count]);
            assert!(deviation.abs() < 3.5, "{count}: {deviation}");
        }
    }
}

/// All six orders of three, each as often as the weights say.
#[test]
fn whole_permutations_follow_the_weights() {
    let weights = [1_u16, 2, 7];
    let groups = groups(&weights);
    let mut rng = fastrand::Rng::with_seed(11);
    let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]];
    let mut observed = [0; 6];
    let rounds = 60_000;
    for _ in 0..rounds {
        let drawn = draw(&groups, 3, &mut rng);
        observed[orders.iter().position(|order| drawn == order).unwrap()] += 1;
    }
    let expected = orders.map(|[a, b, _]| {
        let [a, b] = [a, b].map(|i: usize| f64::from(weights[i]));
        f64::from(rounds) * a / 10.0 * b / (10.0 - a)
    });
    let deviation = deviation(&observed, &expected);
    assert!(deviation.abs() < 3.5, "{deviation}");
}
