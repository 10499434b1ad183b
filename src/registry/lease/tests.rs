//! Silence, self-preservation and removal, with the time given by hand.

mod holding;
mod removal;
mod renewal;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Due, Leases, Sound};
use crate::{
    model::{InstanceKey, Revision, Timestamp},
    registry::{Member, SelfPreservation, testing},
};

const TTL: Duration = Duration::from_secs(10);

fn secs(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

fn key(index: usize) -> InstanceKey {
    testing::key(&format!("web/i{index}"))
}

fn member(index: usize) -> Member {
    let instance = testing::beating(&format!("web/i{index}"), "10.0.0.1", TTL);
    Member::new(Arc::new(instance), Revision(1), Timestamp(0))
}

/// `count` instances whose leases begin at time zero.
fn leases(count: usize) -> Leases {
    let mut leases = Leases::new(SelfPreservation::default());
    for index in 0..count {
        leases.follow(&key(index), Some(&member(index)), Duration::ZERO);
    }
    leases
}

/// Steps through time like the writer does, and collects what is due with the time of it.
fn run(leases: &mut Leases, from: f64, to: f64) -> Vec<(f64, Due)> {
    let mut all = Vec::new();
    let (mut now, end) = (secs(from), secs(to));
    while now < end {
        now += Duration::from_millis(10);
        let due = leases.advance(now, |_, _| Sound::Silent, |_| false);
        all.extend(due.into_iter().map(|due| (now.as_secs_f64(), due)));
    }
    all
}

fn lapsed(due: &[(f64, Due)]) -> BTreeSet<InstanceKey> {
    let of = |due: &Due| if let Due::Lapse(key, _) = due { Some(key.clone()) } else { None };
    due.iter().filter_map(|(_, due)| of(due)).collect()
}

fn held(due: &[(f64, Due)]) -> BTreeSet<InstanceKey> {
    let of = |due: &Due| if let Due::Hold(key, _) = due { Some(key.clone()) } else { None };
    due.iter().filter_map(|(_, due)| of(due)).collect()
}
