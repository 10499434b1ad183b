//! Replies held against those of NSD, Knot and BIND: where the three agree, Rollcall must agree.
//!
//! Random zones (`draft`, of names from `name` and records from `data`) are served by all four from
//! the same master files; random questions (`question`) go to each (`server`, `exchange`), and
//! their replies (`reply`) are compared part by part (`compare`, which says what is not). A failure
//! is printed as zones, a line for dig and all four replies.
//!
//! The ordinary run has always the same cases, so that a change never fails for what it did not
//! touch. By hand, with any number of cases from any seed:
//!
//!     DIFFERENTIAL_CASES=500000 DIFFERENTIAL_SEED=42 \
//!         cargo test --test it differential -- --nocapture
//!
//! Cases are made in rounds, and a round by its own seed, which is printed: with that seed and no
//! number of cases, it comes again.

mod compare;
mod data;
mod draft;
mod exchange;
mod name;
mod question;
mod reply;
mod round;
mod server;
#[path = "../../examples/bench/peers/settings.rs"]
mod settings;
mod tally;
mod zone;

use self::{round::Round, tally::Tally};
use crate::support::variable;

/// Cases of one round: as many as have an id of their own in one exchange, and some seconds' work.
const ROUND: usize = 20_000;

/// Where the ordinary run begins.
const SEED: u64 = 4_035;

#[test]
fn where_nsd_knot_and_bind_agree_rollcall_agrees() {
    let cases = variable("DIFFERENTIAL_CASES").map_or(ROUND, |n| usize::try_from(n).unwrap());
    let seed = variable("DIFFERENTIAL_SEED").unwrap_or(SEED);
    let mut tally = Tally::default();
    let rounds = cases.div_ceil(ROUND);
    for (number, seed) in (0..rounds).zip(seed..) {
        let count = ROUND.min(cases - number * ROUND);
        println!("round {} of {rounds}: {count} cases, DIFFERENTIAL_SEED={seed}", number + 1);
        Round::random(seed, count).run(&mut tally);
        println!("{tally}");
    }
    tally.check();
}
