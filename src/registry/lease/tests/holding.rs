//! Many silences at once: self-preservation.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use super::{held, key, lapsed, leases, member, run, secs};
use crate::{
    model::{
        CheckKind, CheckSpec, Instance, Revision, Status, Target, TcpCheck, Thresholds, Timestamp,
    },
    registry::{
        Member, SelfPreservation,
        lease::{Due, Leases, Sound},
    },
};

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
        for due in leases.advance(now, |_, _| Sound::Silent, |_| false) {
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
        let at = Duration::from_millis(10) * step;
        due.extend(leases.advance(at, |_, _| Sound::Silent, |_| true));
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
