//! A target of the fuzzer on its kept inputs and on mutants of these: what a fuzzer once found is
//! looked for by every run of the tests.

use std::{fs, path::Path};

/// Inputs that cargo-fuzz found to reach something new, kept small.
const SEEDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/seeds");

/// Octets of the longest mutant.
const OCTETS_MAX: usize = 4_096;

/// Runs a target on its kept inputs, and on so many mutants of them, the same ones each time.
pub(crate) fn smoke(name: &str, target: fn(&[u8]), mutants: usize) {
    let folder = Path::new(SEEDS).join(name);
    let entries = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    // In one order everywhere, so that the mutants are the same.
    paths.sort();
    let seeds: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).unwrap()).collect();
    assert!(!seeds.is_empty(), "{folder:?} has seeds");
    let try_one = |what: &dyn std::fmt::Display, octets: &[u8]| {
        let ran = std::panic::catch_unwind(|| target(octets));
        assert!(ran.is_ok(), "{name}, {what}: {octets:02x?}");
    };
    for (path, seed) in paths.iter().zip(&seeds) {
        try_one(&path.display(), seed);
    }
    let mut rng = fastrand::Rng::with_seed(6_763);
    for number in 0..mutants {
        try_one(&format!("mutant {number}"), &mutant(&mut rng, &seeds));
    }
}

/// A seed with some octets changed, put in or taken out, or the end of another behind its
/// beginning.
fn mutant(rng: &mut fastrand::Rng, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut octets = rng.choice(seeds).expect("there are seeds").clone();
    for _ in 0..rng.usize(1..=4) {
        let at = rng.usize(0..=octets.len());
        match rng.u8(0..5) {
            0 if at < octets.len() => octets[at] = rng.u8(..),
            1 if at < octets.len() => octets[at] ^= 1 << rng.u8(0..8),
            2 => octets.insert(at, *rng.choice(&[0, 1, 2, 12, 41, 63, 64, 0xC0, 0xFF]).unwrap()),
            3 => {
                let end = octets.len().min(at + rng.usize(1..=16));
                octets.drain(at..end);
            }
            _ => {
                let other = rng.choice(seeds).expect("there are seeds");
                octets.truncate(at);
                octets.extend(&other[rng.usize(0..=other.len())..]);
            }
        }
    }
    octets.truncate(OCTETS_MAX);
    octets
}
