//! What is down for too long.

use std::{sync::Arc, time::Duration};

use super::{TTL, key, leases, run, secs};
use crate::{
    model::{
        CheckKind, CheckSpec, Instance, Revision, ServiceName, Status, Target, TcpCheck,
        Thresholds, Timestamp,
    },
    registry::{Member, lease::Due, testing},
};

#[test]
fn a_node_is_not_removed_for_a_check_that_is_critical() {
    let after = Some(secs(5.0));
    let mut specs = testing::beating("web/i0", "10.0.0.1", TTL).checks.to_vec();
    specs[0].deregister_after = after;
    let node = Instance {
        service: ServiceName::nodes(),
        checks: specs.into(),
        deregister_after: after,
        ..testing::instance("web/i0", "10.0.0.1")
    };
    let mut down = Member::new(Arc::new(node), Revision(1), Timestamp(0));
    (down.checks[0].status, down.status) = (Status::Critical, Status::Critical);
    let mut leases = leases(0);
    leases.follow(&down.key(), Some(&down), Duration::ZERO);
    assert_eq!(run(&mut leases, 0.0, 30.0), []);
}

#[test]
fn what_is_critical_for_too_long_is_removed() {
    let mut leases = leases(0);
    let mut instance = testing::instance("web/i0", "10.0.0.1");
    instance.deregister_after = Some(secs(5.0));
    let up = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
    let down = Member { status: Status::Critical, ..up.clone() };
    leases.follow(&key(0), Some(&down), secs(0.0));
    assert_eq!(run(&mut leases, 0.0, 4.0), []);
    leases.follow(&key(0), Some(&up), secs(4.0)); // recovers in time
    assert_eq!(run(&mut leases, 4.0, 6.0), []);
    leases.follow(&key(0), Some(&down), secs(6.0));
    leases.follow(&key(0), Some(&down), secs(8.0)); // still down: the time is not begun anew
    let due = run(&mut leases, 6.0, 12.0);
    let [(at, Due::Expire(_))] = due.as_slice() else { panic!("{due:?}") };
    assert!((11.0..11.1).contains(at), "at {at}");
}

#[test]
fn another_time_until_removal_counts_from_the_same_beginning() {
    let down = |after| {
        let mut instance = testing::instance("web/i0", "10.0.0.1");
        instance.deregister_after = Some(secs(after));
        let member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
        Member { status: Status::Critical, ..member }
    };
    let mut leases = leases(0);
    leases.follow(&key(0), Some(&down(4.0)), secs(0.0));
    leases.follow(&key(0), Some(&down(1_000.0)), secs(2.0));
    assert_eq!(run(&mut leases, 2.0, 20.0), [], "a longer one");
    leases.follow(&key(0), Some(&down(25.0)), secs(20.0));
    let due = run(&mut leases, 20.0, 40.0);
    let [(at, Due::Expire(_))] = due.as_slice() else { panic!("{due:?}") };
    assert!((25.0..25.1).contains(at), "a shorter one, at {at}");
}

#[test]
fn one_that_goes_up_and_down_has_one_timer() {
    let mut instance = testing::instance("web/i0", "10.0.0.1");
    instance.deregister_after = Some(secs(86_400.0));
    let up = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
    let down = Member { status: Status::Critical, ..up.clone() };
    let mut leases = leases(0);
    for second in 0..1_000 {
        leases.follow(&key(0), Some(&down), secs(f64::from(second)));
        leases.follow(&key(0), Some(&up), secs(f64::from(second) + 0.5));
    }
    assert_eq!(leases.wheel.len(), 1);
}

/// An instance with two `tcp` checks that may be critical for five and for ten seconds, in these
/// states, turned at these times of the wall clock.
fn with_checks(states: [(Status, u64); 2]) -> Member {
    let thresholds = Thresholds::DEFAULT;
    let specs = [5.0, 10.0].map(|after| CheckSpec {
        deregister_after: Some(secs(after)),
        ..CheckSpec::new(CheckKind::Tcp(Box::new(TcpCheck::new(Target::default(), thresholds))))
    });
    let instance = Instance { checks: specs.into(), ..testing::instance("web/i0", "10.0.0.1") };
    let mut member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
    for (state, (status, since)) in member.checks.iter_mut().zip(states) {
        (state.status, state.since) = (status, Timestamp(since));
    }
    member.status = Status::worst(states.map(|(status, _)| status));
    member
}

fn expired(due: &[(f64, Due)]) -> f64 {
    let [(at, Due::Expire(_))] = due else { panic!("{due:?}") };
    *at
}

#[test]
fn a_check_that_is_critical_for_too_long_removes_the_instance() {
    let (up, down) = (Status::Passing, Status::Critical);
    let mut leases = leases(0);
    let mut follow = |states, now, until| {
        leases.follow(&key(0), Some(&with_checks(states)), secs(now));
        run(&mut leases, now, until)
    };
    assert_eq!(follow([(up, 0), (down, 1)], 0.0, 8.0), []);
    // The other check goes down, too, and the first of them comes back: each has its own time.
    assert_eq!(follow([(down, 2), (down, 1)], 8.0, 9.0), []);
    assert_eq!(follow([(down, 2), (up, 3)], 9.0, 12.0), []);
    let at = expired(&follow([(down, 2), (down, 4)], 12.0, 20.0));
    assert!((13.0..13.1).contains(&at), "at {at}");
}

#[test]
fn a_check_without_a_time_of_its_own_removes_nothing() {
    let mut member = with_checks([(Status::Critical, 0), (Status::Passing, 0)]);
    let mut instance = Instance::clone(&member.instance);
    instance.checks =
        instance.checks.iter().map(|spec| CheckSpec::new(spec.kind.clone())).collect();
    member.instance = Arc::new(instance);
    let mut leases = leases(0);
    leases.follow(&key(0), Some(&member), secs(0.0));
    assert_eq!(run(&mut leases, 0.0, 30.0), []);
    assert!(leases.reaps.is_empty(), "it takes no memory");
}

#[test]
fn the_time_of_a_check_goes_on_when_its_place_changes() {
    let (up, down) = (Status::Passing, Status::Critical);
    let mut leases = leases(0);
    leases.follow(&key(0), Some(&with_checks([(up, 0), (down, 7)])), secs(0.0));
    assert_eq!(run(&mut leases, 0.0, 4.0), []);
    // As the first of the checks it may be critical for five seconds only.
    leases.follow(&key(0), Some(&with_checks([(down, 7), (up, 0)])), secs(4.0));
    let at = expired(&run(&mut leases, 4.0, 20.0));
    assert!((5.0..5.1).contains(&at), "at {at}");
}
