//! Leases that heartbeats keep up, carried over or not.

use std::{sync::Arc, time::Duration};

use super::{TTL, held, key, lapsed, leases, member, run, secs};
use crate::{
    model::{CheckSpec, Instance, Revision, Status, Timestamp},
    registry::{Member, lease::Due, testing},
};

#[test]
fn a_silent_instance_lapses_within_a_second_of_its_ttl() {
    let mut leases = leases(30);
    for index in 1..30 {
        leases.beat(&key(index), None, secs(5.0));
    }
    let due = run(&mut leases, 0.0, 12.0);
    let [(at, Due::Lapse(who, 0))] = due.as_slice() else { panic!("{due:?}") };
    assert_eq!(*who, key(0));
    assert!((10.0..11.0).contains(at), "at {at}");
}

#[test]
fn a_heartbeat_puts_the_end_off_again_and_again() {
    let mut leases = leases(1);
    for at in 0..20 {
        assert_eq!(run(&mut leases, f64::from(at) * 9.0, f64::from(at + 1) * 9.0), []);
        leases.beat(&key(0), None, secs(f64::from(at + 1) * 9.0));
    }
    assert_eq!(lapsed(&run(&mut leases, 180.0, 192.0)).len(), 1);
    // And one that had lapsed can come back and lapse again.
    leases.beat(&key(0), None, secs(192.0));
    assert_eq!(lapsed(&run(&mut leases, 192.0, 210.0)).len(), 1);
}

#[test]
fn a_name_that_comes_back_has_one_timer_only() {
    let mut leases = leases(1);
    for round in 1..50 {
        let again = Member { registered: Revision(round + 1), ..member(0) };
        leases.follow(&key(0), None, secs(0.0));
        leases.follow(&key(0), Some(&again), secs(0.0));
    }
    assert_eq!(lapsed(&run(&mut leases, 0.0, 30.0)).len(), 1);
    assert!(leases.next_at().is_none(), "no timer is left over");
}

#[test]
fn each_check_of_an_instance_has_a_lease_of_its_own() {
    let mut leases = leases(0);
    let mut instance = testing::beating("web/i0", "10.0.0.1", TTL);
    let slow = testing::beating("web/i0", "10.0.0.1", 3 * TTL).checks[0].clone();
    instance.checks = [instance.checks[0].clone(), slow].into();
    let member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
    leases.follow(&key(0), Some(&member), Duration::ZERO);
    for at in 1..=4 {
        leases.beat(&key(0), Some(0), secs(f64::from(at) * 9.0));
    }
    let due = run(&mut leases, 0.0, 40.0);
    let [(at, Due::Lapse(_, 1))] = due.as_slice() else { panic!("{due:?}") };
    assert!((30.0..31.0).contains(at), "at {at}");
    leases.beat(&key(0), None, secs(41.0));
    let due = run(&mut leases, 41.0, 80.0);
    let checks: Vec<_> = due.iter().map(|(_, due)| due.clone()).collect();
    assert_eq!(checks, [Due::Lapse(key(0), 0), Due::Lapse(key(0), 1)], "a beat of all renews all");
    leases.follow(&key(0), None, secs(80.0));
    assert_eq!(run(&mut leases, 80.0, 120.0), []);
}

/// `web/i0` as it is registered at a revision, with `ttl` checks of so many seconds.
fn with_ttls(revision: u64, ttls: &[f64]) -> Member {
    let spec = |ttl: &f64| testing::beating("web/i0", "10.0.0.1", secs(*ttl)).checks[0].clone();
    let checks = ttls.iter().map(spec).collect();
    let instance = Instance { checks, ..testing::instance("web/i0", "10.0.0.1") };
    Member::new(Arc::new(instance), Revision(revision), Timestamp(0))
}

#[test]
fn a_lease_goes_on_with_a_registration_that_carries_it_over() {
    let mut leases = leases(0);
    leases.follow(&key(0), Some(&with_ttls(1, &[10.0, 20.0])), secs(0.0));
    // The first check is gone, the second is in its place, and another one is new.
    let next = with_ttls(2, &[20.0, 10.0]);
    leases.carry(&next, &[Some(1), None]);
    leases.follow(&key(0), Some(&next), secs(8.0));
    let due = run(&mut leases, 0.0, 40.0);
    let due: Vec<_> = due.iter().map(|(at, due)| (due.clone(), at.floor())).collect();
    assert_eq!(due, [(Due::Lapse(key(0), 1), 18.0), (Due::Lapse(key(0), 0), 20.0)]);
    leases.beat(&key(0), Some(0), secs(41.0));
    leases.follow(&key(0), None, secs(42.0));
    assert_eq!((run(&mut leases, 42.0, 80.0), leases.kept), (vec![], 0), "nothing is left over");
}

#[test]
fn carried_over_again_and_again_a_lease_ends_when_it_had_to() {
    let mut leases = leases(20);
    let mut all = Vec::new();
    for second in 0..12_u32 {
        let next = with_ttls(u64::from(second) + 2, &[10.0]);
        leases.carry(&next, &[Some(0)]);
        leases.follow(&key(0), Some(&next), secs(f64::from(second)));
        all.extend(run(&mut leases, f64::from(second), f64::from(second) + 1.0));
    }
    assert_eq!((held(&all).len(), leases.held()), (20, 20), "one that is held stays so, too");
}

/// `web/i0` and the like, which is removed when it is silent, in a state.
fn leased(index: usize, status: Status) -> Member {
    let mut instance = Instance::clone(&member(index).instance);
    let lease = CheckSpec { deregister_after: Some(Duration::ZERO), ..instance.checks[0].clone() };
    instance.checks = [lease].into();
    let mut member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
    (member.checks[0].status, member.status) = (status, status);
    member
}

#[test]
fn a_lease_ends_with_silence_and_not_with_a_word() {
    let mut leases = leases(0);
    for status in [Status::Passing, Status::Critical] {
        leases.follow(&key(0), Some(&leased(0, status)), secs(0.0));
    }
    // One that was down before a restart is heard of for as long as any other.
    leases.follow(&key(1), Some(&leased(1, Status::Critical)), secs(0.0));
    leases.beat(&key(0), None, secs(5.0));
    let due = run(&mut leases, 0.0, 20.0);
    let due: Vec<_> = due.iter().map(|(at, due)| (due.clone(), at.floor())).collect();
    assert_eq!(due, [(Due::Lapse(key(1), 0), 10.0), (Due::Lapse(key(0), 0), 15.0)]);
    assert_eq!(leases.gone.values().sum::<usize>(), 2, "their silence counts on");
}
