//! Silence, self-preservation and removal, with the time given by hand.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{Due, Leases};
use crate::{
    model::{
        CheckKind, CheckSpec, Instance, InstanceKey, Revision, ServiceName, Status, Target,
        TcpCheck, Thresholds, Timestamp,
    },
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
        let due = leases.advance(now, |_| false);
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
fn up_to_three_silences_are_believed_however_small_the_registry() {
    let mut leases = leases(3);
    assert_eq!(lapsed(&run(&mut leases, 0.0, 12.0)).len(), 3);
    assert_eq!(leases.held(), 0);
}

#[test]
fn many_silences_at_once_are_held_until_heartbeats_return() {
    let mut leases = leases(20);
    let due = run(&mut leases, 0.0, 12.0);
    assert_eq!((held(&due).len(), lapsed(&due).len(), leases.held()), (20, 0, 20));
    for index in 0..19 {
        leases.beat(&key(index), None, secs(12.0));
    }
    assert_eq!(leases.held(), 1, "the last one is still silent");
    assert_eq!(lapsed(&run(&mut leases, 12.0, 20.0)).len(), 0);
}

#[test]
fn those_that_lapsed_earlier_in_the_window_are_taken_back() {
    let mut leases = leases(20);
    // One dies alone; five seconds later the network is cut for all.
    for index in 1..20 {
        leases.beat(&key(index), None, secs(5.0));
    }
    let due = run(&mut leases, 0.0, 17.0);
    assert_eq!(lapsed(&due), BTreeSet::from([key(0)]));
    assert_eq!(held(&due).len(), 20, "the first one is doubted too: {due:?}");
}

#[test]
fn silences_far_apart_are_not_counted_together() {
    let mut leases = leases(20);
    let mut all = BTreeSet::new();
    // One instance in twenty seconds falls silent; the rest go on.
    for step in 0..8 {
        let now = f64::from(step) * 20.0;
        for half in [0.0, 5.0, 10.0, 15.0] {
            let silent = usize::try_from(step).unwrap();
            for index in silent + 1..20 {
                leases.beat(&key(index), None, secs(now + half));
            }
            let due = run(&mut leases, now + half, now + half + 5.0);
            assert_eq!(held(&due).len(), 0);
            all.extend(lapsed(&due));
        }
    }
    assert_eq!(all.len(), 8, "one by one, eight of twenty have lapsed");
}

/// An instance that is removed as soon as its lease is over.
fn short_lived(index: usize, registered: u64) -> Member {
    let mut instance = Instance::clone(&member(index).instance);
    let after = Some(Duration::from_millis(100));
    instance.checks = [CheckSpec { deregister_after: after, ..instance.checks[0].clone() }].into();
    Member::new(Arc::new(instance), Revision(registered), Timestamp(0))
}

#[test]
fn those_that_are_removed_at_once_count_for_as_long_as_those_that_stay() {
    let mut leases = leases(0);
    let (mut expired, mut held) = (BTreeSet::new(), BTreeSet::new());
    // Each falls silent half a second after the one before it: more than 15 % within the window.
    for tick in 0..4_000_u32 {
        let now = Duration::from_millis(10) * tick;
        if tick % 50 == 0 && tick < 2_000 {
            let index = usize::try_from(tick / 50).unwrap();
            leases.follow(&key(index), Some(&short_lived(index, 1)), now);
        }
        for due in leases.advance(now, |_| false) {
            match due {
                Due::Lapse(key, 0) => {
                    let index = key.id.as_str()[1..].parse().unwrap();
                    let mut dead = short_lived(index, 1);
                    (dead.checks[0].status, dead.status) = (Status::Critical, Status::Critical);
                    leases.follow(&key, Some(&dead), now);
                }
                Due::Expire(key) => {
                    leases.follow(&key, None, now);
                    expired.insert(key);
                }
                Due::Hold(key, _) => drop(held.insert(key)),
                Due::Lapse(..) | Due::Miss(..) => panic!("{due:?}"),
            }
        }
    }
    assert!(expired.len() <= 7, "15 % of 40 and a bit: {}", expired.len());
    assert_eq!((held.len() + expired.len(), leases.held()), (40, held.len()));
    assert!(leases.gone.len() <= 7, "{:?}", leases.gone);
}

#[test]
fn a_hold_ends_after_max_hold() {
    let mut leases = leases(20);
    run(&mut leases, 0.0, 12.0);
    let due = run(&mut leases, 12.0, 12.0 + 15.0 * 60.0);
    assert_eq!(lapsed(&due).len(), 20);
    assert_eq!(leases.held(), 0);
}

#[test]
fn turned_off_it_lets_go_of_those_that_it_holds() {
    let mut leases = leases(20);
    run(&mut leases, 0.0, 12.0);
    leases.set_settings(SelfPreservation { max_hold: secs(1.0), ..SelfPreservation::DEFAULT });
    assert_eq!(run(&mut leases, 12.0, 14.0), [], "a hold that began has its end");
    leases.set_settings(SelfPreservation { enabled: false, ..SelfPreservation::DEFAULT });
    assert_eq!(lapsed(&run(&mut leases, 14.0, 15.0)).len(), 20);
    assert_eq!(leases.held(), 0);
}

#[test]
fn a_death_that_an_active_check_knows_is_no_silence() {
    let mut leases = leases(20);
    let mut due = Vec::new();
    for step in 1..=1_200 {
        due.extend(leases.advance(Duration::from_millis(10) * step, |_| true));
    }
    assert_eq!(due.len(), 20);
    assert!(due.iter().all(|due| matches!(due, Due::Lapse(..))), "{due:?}");
}

/// Instance `index` with another check, which is critical.
fn with_critical(index: usize, kind: CheckKind) -> Member {
    let mut instance = Instance::clone(&member(index).instance);
    let beat = instance.checks[0].clone();
    instance.checks = [beat, CheckSpec::new(kind)].into();
    let mut member = Member::new(Arc::new(instance), Revision(1), Timestamp(0));
    (member.checks[1].status, member.status) = (Status::Critical, Status::Critical);
    member
}

#[test]
fn an_active_check_ends_the_hold_and_somebody_s_word_does_not() {
    let mut leases = leases(20);
    run(&mut leases, 0.0, 12.0);
    let said = with_critical(2, CheckKind::Manual);
    leases.follow(&key(2), Some(&said), secs(12.0));
    assert_eq!(leases.held(), 20);
    let check = TcpCheck::new(Target::default(), Thresholds::DEFAULT);
    let dead = with_critical(3, CheckKind::Tcp(Box::new(check)));
    leases.follow(&key(3), Some(&dead), secs(12.0));
    assert_eq!(leases.held(), 19);
    leases.follow(&key(4), None, secs(12.0));
    assert_eq!(leases.held(), 18, "a deregistration does too");
}

/// An instance with so many `ttl` checks.
fn with_leases(index: usize, count: usize) -> Member {
    let mut instance = Instance::clone(&member(index).instance);
    instance.checks = vec![instance.checks[0].clone(); count].into();
    Member::new(Arc::new(instance), Revision(1), Timestamp(0))
}

/// One client with four checks that died used to be held, as if four had.
#[test]
fn a_silent_instance_is_one_whatever_the_number_of_its_checks() {
    let mut leases = leases(3);
    leases.follow(&key(9), Some(&with_leases(9, 4)), Duration::ZERO);
    for index in 0..3 {
        leases.beat(&key(index), None, secs(9.0));
    }
    let due = run(&mut leases, 0.0, 12.0);
    assert_eq!((lapsed(&due), due.len()), (BTreeSet::from([key(9)]), 4));
    assert_eq!((leases.kept, leases.held), (3, 0));
}

#[test]
fn those_that_are_held_are_counted_once_each() {
    let mut leases = Leases::new(SelfPreservation::default());
    for index in 0..4 {
        leases.follow(&key(index), Some(&with_leases(index, 2)), Duration::ZERO);
    }
    let due = run(&mut leases, 0.0, 12.0);
    assert_eq!((held(&due).len(), due.len(), leases.held()), (4, 8, 4));
    leases.beat(&key(0), Some(0), secs(12.0));
    assert_eq!((leases.held(), leases.kept), (4, 4), "its other check is silent still");
    leases.beat(&key(0), Some(1), secs(12.0));
    assert_eq!((leases.held(), leases.kept), (3, 4));
    leases.follow(&key(1), Some(&Member { registered: Revision(2), ..member(1) }), secs(12.0));
    assert_eq!((leases.held(), leases.kept), (2, 4), "it was registered anew, with one check");
    leases.follow(&key(2), None, secs(12.0));
    assert_eq!((leases.held(), leases.kept), (1, 3));
    // One of its leases goes on as the fourth check of another registration.
    let next = Member { registered: Revision(2), ..with_leases(3, 4) };
    leases.carry(&next, &[None, None, None, Some(1)]);
    assert_eq!((leases.held(), leases.kept), (1, 3));
    leases.follow(&key(3), Some(&next), secs(12.0));
    leases.beat(&key(3), Some(3), secs(13.0));
    assert_eq!((leases.held(), leases.kept), (0, 3));
}

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
