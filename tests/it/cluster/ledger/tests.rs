//! The ledger judges as a person would who knows what was asked, said and shown, and when.

use std::time::Duration;

use super::{
    Begun, Bounds, Care, Change, Kind, Ledger, Outcome, Shown, Sight, Verdict,
    history::{History, Registered},
};

const BOUNDS: Bounds =
    Bounds { seen: s(1), settled: s(5), checked: s(8), noticed: s(4), moved: s(10) };

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// A ledger of two servers and of one instance, which this says the health of.
fn ledger(care: Care) -> Ledger {
    Ledger::new(BOUNDS, 2, &[care])
}

/// A change by a server that takes a tenth of a second.
fn change(ledger: &mut Ledger, change: Change, server: usize, at: Duration, outcome: Outcome) {
    let begun = ledger.begin(0, change, at);
    ledger.end(begun, server, outcome, at + ms(100));
}

/// What is made of an answer of a server that took a hundredth of a second.
fn see(ledger: &mut Ledger, server: usize, asked: Duration, shown: Shown) -> Verdict {
    ledger.see(Sight { server, asked, answered: asked + ms(10) }, 0, shown)
}

fn is_wrong(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Wrong(_))
}

#[test]
fn who_acknowledged_shows_it_from_then_on_and_others_within_the_bound() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(7));
    // Before it was asked for, while it was under way, and after it.
    assert_eq!(see(&mut ledger, 0, s(9), Shown::Unknown), Verdict::Right);
    assert!(is_wrong(see(&mut ledger, 0, s(9), Shown::As(1))));
    for shown in [Shown::Unknown, Shown::As(1)] {
        assert_eq!(see(&mut ledger, 1, s(10) + ms(50), shown), Verdict::Right, "{shown:?}");
    }
    assert_eq!(see(&mut ledger, 0, s(11), Shown::As(1)), Verdict::Right);
    assert_eq!(see(&mut ledger, 0, s(11), Shown::Unknown), Verdict::Wrong(Some(ms(900))));
    // The other one has a second.
    assert_eq!(see(&mut ledger, 1, s(11), Shown::Hidden), Verdict::Late(ms(900)));
    assert_eq!(
        see(&mut ledger, 1, s(11) + ms(200), Shown::Hidden),
        Verdict::Wrong(Some(ms(1_100)))
    );
    // Nobody has ever registered it like that.
    assert_eq!(see(&mut ledger, 1, s(11), Shown::As(2)), Verdict::Wrong(None));
}

#[test]
fn what_was_asked_before_the_acknowledgement_need_not_know_of_it() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(7));
    let sight = Sight { server: 0, asked: s(10) + ms(90), answered: s(10) + ms(200) };
    assert_eq!(ledger.see(sight, 0, Shown::Unknown), Verdict::Right);
}

#[test]
fn a_server_does_not_go_back_to_what_it_showed_before() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(7));
    change(&mut ledger, Change::Register(2), 0, s(20), Outcome::Taken(8));
    let later = s(20) + ms(200);
    assert_eq!(see(&mut ledger, 1, later, Shown::As(1)), Verdict::Late(ms(100)));
    assert_eq!(see(&mut ledger, 1, later + ms(50), Shown::As(2)), Verdict::Right);
    // What it showed may have been taken only after the change before it had ended.
    change(&mut ledger, Change::Register(3), 0, s(30), Outcome::Taken(9));
    assert_eq!(see(&mut ledger, 1, s(30) + ms(200), Shown::As(3)), Verdict::Right);
    let before = see(&mut ledger, 1, s(30) + ms(300), Shown::As(2));
    assert_eq!(before, Verdict::Late(ms(200)), "the third may have been taken at its beginning");
    assert!(is_wrong(see(&mut ledger, 1, s(30) + ms(300), Shown::As(1))));
}

#[test]
fn draining_hides_and_what_is_gone_is_unknown() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    change(&mut ledger, Change::Drain(true), 0, s(20), Outcome::Taken(2));
    assert_eq!(see(&mut ledger, 0, s(21), Shown::Hidden), Verdict::Right);
    assert!(is_wrong(see(&mut ledger, 0, s(21), Shown::As(1))));
    assert!(is_wrong(see(&mut ledger, 0, s(21), Shown::Unknown)));
    // A replacement stays drained.
    change(&mut ledger, Change::Register(2), 0, s(30), Outcome::Taken(3));
    assert_eq!(see(&mut ledger, 0, s(31), Shown::Hidden), Verdict::Right);
    change(&mut ledger, Change::Drain(false), 0, s(40), Outcome::Taken(4));
    assert_eq!(see(&mut ledger, 0, s(41), Shown::As(2)), Verdict::Right);
    change(&mut ledger, Change::Deregister, 0, s(50), Outcome::Taken(5));
    assert_eq!(see(&mut ledger, 0, s(51), Shown::Unknown), Verdict::Right);
    // Who registers again is not drained.
    change(&mut ledger, Change::Register(3), 0, s(60), Outcome::Taken(6));
    assert_eq!(see(&mut ledger, 0, s(61), Shown::As(3)), Verdict::Right);
}

#[test]
fn what_was_refused_never_was() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Refused);
    assert_eq!(ledger.states(0), [None]);
    assert_eq!(see(&mut ledger, 1, s(11), Shown::As(1)), Verdict::Wrong(None));
}

#[test]
fn what_nobody_was_told_of_may_be_or_not_until_something_else_is_acknowledged() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    change(&mut ledger, Change::Deregister, 0, s(20), Outcome::Unsure);
    for (at, shown) in [(21, Shown::As(1)), (22, Shown::Unknown), (60, Shown::As(1))] {
        assert_eq!(see(&mut ledger, 1, s(at), shown), Verdict::Right, "at {at}");
    }
    // It is left alone until what waits somewhere has had the time to be taken.
    assert!(!ledger.is_free(0, s(25)));
    assert!(ledger.is_free(0, s(26)));
    let excuse = ledger.excuse(None, Kind::Behind, s(26));
    assert!(!ledger.is_free(0, s(60)));
    ledger.over(&excuse, s(60));
    assert!(!ledger.is_free(0, s(64)));
    assert!(ledger.is_free(0, s(65)));
    change(&mut ledger, Change::Register(2), 0, s(70), Outcome::Taken(2));
    assert_eq!(ledger.states(0), [Some(Registered { generation: 2, drained: false })]);
    assert!(ledger.is_free(0, s(71)));
    assert!(is_wrong(see(&mut ledger, 0, s(71), Shown::As(1))));
}

#[test]
fn who_was_found_to_have_caught_up_is_excused_no_longer_but_for_health() {
    let mut ledger = Ledger::new(BOUNDS, 2, &[Care::Nobody, Care::Checks(s(1))]);
    for key in [0, 1] {
        let begun = ledger.begin(key, Change::Register(1), s(10));
        ledger.end(begun, 0, Outcome::Taken(1), s(10));
    }
    ledger.turn(1, true, s(10));
    let excuse = ledger.excuse(None, Kind::Behind, s(15));
    change(&mut ledger, Change::Deregister, 0, s(20), Outcome::Taken(2));
    ledger.turn(1, false, s(29));
    ledger.over(&excuse, s(30));
    let stale = |ledger: &mut Ledger, key: usize, at: Duration| {
        is_wrong(ledger.see(Sight { server: 1, asked: at, answered: at }, key, Shown::As(1)))
    };
    assert!(!stale(&mut ledger, 0, s(32)), "it has five seconds");
    assert!(ledger.may_be_away(Sight { server: 1, asked: s(32), answered: s(32) }));
    ledger.caught_up(s(31));
    assert!(stale(&mut ledger, 0, s(32)));
    assert!(!ledger.may_be_away(Sight { server: 1, asked: s(32), answered: s(32) }));
    assert!(!stale(&mut ledger, 1, s(38)), "health has eight");
    assert!(stale(&mut ledger, 1, s(41)));
}

#[test]
fn what_somebody_has_read_who_has_seen_all_changes_is_open_no_longer() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    change(&mut ledger, Change::Drain(true), 0, s(20), Outcome::Unsure);
    change(&mut ledger, Change::Register(2), 0, s(30), Outcome::Taken(2));
    let as_two = |drained| Some(Registered { generation: 2, drained });
    assert_eq!(ledger.states(0), [as_two(false), as_two(true)]);
    ledger.resolve(0, as_two(true), s(31));
    assert_eq!(ledger.states(0), [as_two(true)]);
    assert!(is_wrong(see(&mut ledger, 1, s(33), Shown::As(2))));
}

#[test]
fn of_two_at_the_same_time_the_higher_revision_stays() {
    for [first, second] in [[5, 6], [6, 5]] {
        let mut ledger = ledger(Care::Nobody);
        let ends: Vec<Begun> =
            [1, 2].map(|n| ledger.begin(0, Change::Register(n), s(10))).into_iter().collect();
        ledger.end(ends[0], 0, Outcome::Taken(first), s(11));
        // The other may be the later one: whose is answered is open.
        for shown in [Shown::As(1), Shown::As(2)] {
            assert_eq!(see(&mut ledger, 1, s(11), shown), Verdict::Right, "{shown:?}");
        }
        ledger.end(ends[1], 1, Outcome::Taken(second), s(11) + ms(500));
        let stays = if first > second { 1 } else { 2 };
        assert_eq!(ledger.states(0), [Some(Registered { generation: stays, drained: false })]);
        let mut ledger = self::ledger(Care::Nobody);
        let ends = [1, 2].map(|n| ledger.begin(0, Change::Register(n), s(10)));
        ledger.end(ends[0], 0, Outcome::Refused, s(11));
        ledger.end(ends[1], 1, Outcome::Taken(second), s(11));
        assert_eq!(ledger.states(0), [Some(Registered { generation: 2, drained: false })]);
    }
}

#[test]
fn who_acknowledged_what_is_replaced_already_may_show_it_until_it_is_told() {
    let mut ledger = ledger(Care::Nobody);
    let ends = [1, 2].map(|n| ledger.begin(0, Change::Register(n), s(10)));
    ledger.end(ends[1], 1, Outcome::Taken(6), s(11));
    ledger.end(ends[0], 0, Outcome::Taken(5), s(11));
    assert_eq!(see(&mut ledger, 0, s(11) + ms(1), Shown::As(1)), Verdict::Late(ms(1)));
    assert!(is_wrong(see(&mut ledger, 1, s(11) + ms(1), Shown::As(1))));
    // Longer than the bound, or once it has shown the later one, it may not.
    assert!(is_wrong(see(&mut ledger, 0, s(13), Shown::As(1))));
    assert_eq!(see(&mut ledger, 0, s(11) + ms(20), Shown::As(2)), Verdict::Right);
}

#[test]
fn a_revision_is_not_below_one_that_was_acknowledged_before() {
    let mut history = History::default();
    let first = history.begin(Change::Register(1), s(1));
    assert_eq!(history.end(first, Outcome::Taken(9), s(2)), Ok(()));
    let second = history.begin(Change::Register(2), s(3));
    let fault = history.end(second, Outcome::Taken(8), s(4)).unwrap_err();
    assert!(fault.contains("revision 8 after 9"), "{fault}");
    // Two at the same time have no order.
    let [third, fourth] = [3, 4].map(|n| history.begin(Change::Register(n), s(5)));
    assert_eq!(history.end(third, Outcome::Taken(12), s(6)), Ok(()));
    assert_eq!(history.end(fourth, Outcome::Taken(11), s(6)), Ok(()));
}

#[test]
fn in_bad_weather_the_last_that_was_known_is_right_until_it_has_settled() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    let excuse = ledger.excuse(Some(1), Kind::Behind, s(20));
    assert!(!ledger.is_down(1));
    change(&mut ledger, Change::Register(2), 0, s(25), Outcome::Taken(2));
    assert!(matches!(see(&mut ledger, 1, s(60), Shown::As(1)), Verdict::Late(_)));
    ledger.over(&excuse, s(100));
    let sight = |at| Sight { server: 1, asked: at, answered: at + ms(10) };
    assert!(ledger.may_be_away(sight(s(104))) && !ledger.may_be_away(sight(s(106))));
    assert!(matches!(see(&mut ledger, 1, s(104), Shown::As(1)), Verdict::Late(_)));
    assert!(is_wrong(see(&mut ledger, 1, s(106), Shown::As(1))));
    // Another server has no such excuse.
    assert!(is_wrong(see(&mut ledger, 0, s(60), Shown::As(1))));
    // What was wrong before the bad weather is not right in it.
    let mut ledger = self::ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    let _lasting = ledger.excuse(Some(1), Kind::Behind, s(20));
    assert!(is_wrong(see(&mut ledger, 1, s(21), Shown::Unknown)));
}

#[test]
fn bad_weather_that_follows_before_the_last_has_settled_is_one_with_it() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    let first = ledger.excuse(Some(1), Kind::Behind, s(20));
    change(&mut ledger, Change::Register(2), 0, s(25), Outcome::Taken(2));
    ledger.over(&first, s(30));
    let second = ledger.excuse(Some(1), Kind::Down, s(34));
    assert!(ledger.is_down(1));
    ledger.over(&second, s(50));
    assert!(!ledger.is_down(1));
    assert!(matches!(see(&mut ledger, 1, s(54), Shown::As(1)), Verdict::Late(_)));
    assert!(is_wrong(see(&mut ledger, 1, s(56), Shown::As(1))));
}

#[test]
fn a_question_to_a_server_that_is_dead_need_not_be_answered() {
    let mut ledger = ledger(Care::Nobody);
    let excuse = ledger.excuse(Some(1), Kind::Down, s(20));
    ledger.over(&excuse, s(30));
    ledger.unanswered(1, s(19), s(20));
    ledger.unanswered(1, s(29), s(31));
    assert_eq!((ledger.tally.unanswered, ledger.tally.unanswered_by_dead), (0, 2));
    ledger.tally.check();
    ledger.unanswered(1, s(31), s(32));
    ledger.unanswered(0, s(25), s(26));
    assert_eq!(ledger.tally.unanswered, 2);
}

/// An instance with a TTL of three seconds, registered at 10.
fn beating() -> Ledger {
    let mut ledger = ledger(Care::Heartbeats(s(3)));
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    ledger
}

fn beat(ledger: &mut Ledger, at: Duration, is_taken: bool) {
    let begun = ledger.begin_beat(0, 0, at);
    ledger.end_beat(begun, is_taken, at + ms(10));
}

#[test]
fn an_instance_is_well_while_it_beats_and_for_its_ttl_and_a_second_after_it() {
    let mut ledger = beating();
    (10..20).for_each(|at| beat(&mut ledger, s(at), true));
    assert_eq!(see(&mut ledger, 0, s(15), Shown::As(1)), Verdict::Right);
    assert!(is_wrong(see(&mut ledger, 0, s(15), Shown::Hidden)));
    // The last is from 19: within its TTL it is well, within a second more it may be either.
    assert!(is_wrong(see(&mut ledger, 0, s(21) + ms(900), Shown::Hidden)));
    for shown in [Shown::As(1), Shown::Hidden] {
        let server = usize::from(shown == Shown::Hidden);
        assert_eq!(see(&mut ledger, server, s(22) + ms(500), shown), Verdict::Right, "{shown:?}");
    }
    assert_eq!(see(&mut ledger, 0, s(24), Shown::As(1)), Verdict::Late(ms(990)));
    assert_eq!(see(&mut ledger, 0, s(24), Shown::Hidden), Verdict::Right);
    assert!(is_wrong(see(&mut ledger, 0, s(25), Shown::As(1))));
    // It comes back: at once where it beat, within the bound elsewhere.
    beat(&mut ledger, s(30), true);
    assert_eq!(see(&mut ledger, 0, s(30) + ms(20), Shown::As(1)), Verdict::Right);
    assert!(matches!(see(&mut ledger, 1, s(31), Shown::Hidden), Verdict::Right));
    beat(&mut ledger, s(31), true);
    assert_eq!(see(&mut ledger, 1, s(31) + ms(500), Shown::Hidden), Verdict::Late(ms(490)));
    beat(&mut ledger, s(33), true);
    assert!(is_wrong(see(&mut ledger, 1, s(33), Shown::Hidden)));
}

#[test]
fn a_heartbeat_that_was_not_acknowledged_may_count_or_not() {
    let mut ledger = beating();
    beat(&mut ledger, s(11), true);
    beat(&mut ledger, s(13), false);
    for shown in [Shown::As(1), Shown::Hidden] {
        assert_eq!(see(&mut ledger, 0, s(16), shown), Verdict::Right, "{shown:?}");
    }
}

#[test]
fn bad_weather_is_no_reason_to_hide_what_beats_and_may_keep_what_does_not() {
    let mut ledger = beating();
    (10..20).for_each(|at| beat(&mut ledger, s(at), true));
    let excuse = ledger.excuse(Some(0), Kind::Behind, s(14));
    assert!(is_wrong(see(&mut ledger, 0, s(16), Shown::Hidden)));
    assert!(is_wrong(see(&mut ledger, 1, s(16), Shown::Hidden)));
    // It is silent since 19, and who counts that may be on the move until 30.
    ledger.over(&excuse, s(20));
    assert!(!is_wrong(see(&mut ledger, 1, s(29), Shown::As(1))));
    assert!(is_wrong(see(&mut ledger, 1, s(31), Shown::As(1))));
    assert!(!is_wrong(see(&mut ledger, 1, s(31), Shown::Hidden)));
    // Who is reached by nobody misses heartbeats, and takes nobody for dead for that.
    let mut ledger = beating();
    let _lasting = ledger.excuse(Some(1), Kind::Apart, s(14));
    (10..20).for_each(|at| beat(&mut ledger, s(at), true));
    assert!(is_wrong(see(&mut ledger, 1, s(16), Shown::Hidden)));
    assert!(is_wrong(see(&mut ledger, 0, s(16), Shown::Hidden)));
    // Others need not hear of what comes to it.
    let mut ledger = beating();
    (10..14).for_each(|at| beat(&mut ledger, s(at), true));
    let _lasting = ledger.excuse(Some(0), Kind::Apart, s(15));
    (14..20).for_each(|at| beat(&mut ledger, s(at), true));
    assert!(is_wrong(see(&mut ledger, 0, s(18), Shown::Hidden)));
    assert!(!is_wrong(see(&mut ledger, 1, s(18), Shown::Hidden)));
}

#[test]
fn who_was_found_dead_by_a_server_stays_dead_there_unless_that_was_in_bad_weather() {
    // The weather turns bad before that, or long after it; and whether it must stay.
    for (from, kind, stays) in [
        (s(25), Kind::Apart, true),
        (s(25), Kind::Behind, true),
        (s(25), Kind::Down, true),
        (s(20), Kind::Moving, true),
        (s(20), Kind::Outage, true),
        (s(20), Kind::Behind, false),
        (s(20), Kind::Apart, false),
        (s(23) + ms(500), Kind::Down, false),
    ] {
        let mut ledger = beating();
        (10..20).for_each(|at| beat(&mut ledger, s(at), true));
        // For which death would be no news else.
        let _moving = ledger.excuse(None, Kind::Moving, s(19));
        let of = (kind != Kind::Outage).then_some(0);
        let early = (from < s(23)).then(|| ledger.excuse(of, kind, from));
        assert!(!is_wrong(see(&mut ledger, 0, s(23), Shown::Hidden)));
        let _late = early.is_none().then(|| ledger.excuse(of, kind, from));
        assert_eq!(is_wrong(see(&mut ledger, 0, s(28), Shown::As(1))), stays, "{from:?} {kind:?}");
        if early.is_some() {
            assert!(!is_wrong(see(&mut ledger, 1, s(28), Shown::As(1))), "it may not know of it");
        }
        beat(&mut ledger, s(28), true);
        assert!(!is_wrong(see(&mut ledger, 0, s(29), Shown::As(1))));
    }
}

#[test]
fn who_dies_in_an_outage_that_all_have_noticed_is_known_as_dead_within_its_bound() {
    // The last heartbeat, and until when it may count: two ttls and three seconds, and one, from
    // 24 on, or one ttl from itself on.
    for (last, until) in [(19, 34), (23, 34), (25, 32)] {
        let mut ledger = beating();
        (10..=last).for_each(|at| beat(&mut ledger, s(at), true));
        let _lasting = ledger.excuse(None, Kind::Outage, s(20));
        assert!(!is_wrong(see(&mut ledger, 0, s(until), Shown::As(1))), "{last}");
        assert!(is_wrong(see(&mut ledger, 0, s(until) + ms(100), Shown::As(1))), "{last}");
    }
    // With a server out of reach nobody knows whether the client goes there.
    let mut ledger = beating();
    (10..20).for_each(|at| beat(&mut ledger, s(at), true));
    let _lasting = ledger.excuse(None, Kind::Outage, s(20));
    let _besides = ledger.excuse(Some(1), Kind::Down, s(20));
    assert!(!is_wrong(see(&mut ledger, 0, s(60), Shown::As(1))));
}

#[test]
fn when_many_are_silent_they_may_be_kept_until_they_beat() {
    let silent = |count: usize| {
        let mut ledger = Ledger::new(BOUNDS, 1, &[Care::Heartbeats(s(3)); 8]);
        for key in 0..8 {
            let begun = ledger.begin(key, Change::Register(1), s(9));
            ledger.end(begun, 0, Outcome::Taken(1), s(9));
            for at in 10..if key < count { 15 } else { 60 } {
                let begun = ledger.begin_beat(key, 0, s(at));
                ledger.end_beat(begun, true, s(at));
            }
        }
        see(&mut ledger, 0, s(50), Shown::As(1))
    };
    assert!(is_wrong(silent(1)) && is_wrong(silent(3)));
    assert!(!is_wrong(silent(4)) && !is_wrong(silent(8)));
}

#[test]
fn a_turn_of_what_is_checked_is_known_within_its_time_and_not_before_it() {
    let mut ledger = ledger(Care::Checks(s(2)));
    ledger.turn(0, true, s(1));
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    // It is ill until it was checked.
    for shown in [Shown::As(1), Shown::Hidden] {
        assert_eq!(see(&mut ledger, 0, s(11), shown), Verdict::Right, "{shown:?}");
    }
    assert_eq!(see(&mut ledger, 0, s(13), Shown::Hidden), Verdict::Late(ms(900)));
    assert!(is_wrong(see(&mut ledger, 0, s(14), Shown::Hidden)));
    assert_eq!(see(&mut ledger, 0, s(14), Shown::As(1)), Verdict::Right);
    ledger.turn(0, false, s(20));
    for shown in [Shown::As(1), Shown::Hidden] {
        assert_eq!(see(&mut ledger, 0, s(21), shown), Verdict::Right, "{shown:?}");
    }
    assert!(is_wrong(see(&mut ledger, 0, s(23) + ms(1), Shown::As(1))));
    // Who checks may have died.
    let excuse = ledger.excuse(Some(1), Kind::Down, s(22));
    assert!(!is_wrong(see(&mut ledger, 0, s(30), Shown::As(1))));
    // That lasts, and others have taken over what it checked.
    assert!(is_wrong(see(&mut ledger, 0, s(32), Shown::As(1))));
    // But it does not know of that when it goes on.
    ledger.over(&excuse, s(40));
    assert!(!is_wrong(see(&mut ledger, 1, s(41), Shown::As(1))));
}

#[test]
fn at_the_end_all_agree_on_what_was_acknowledged() {
    let as_one = |generation| Some(Registered { generation, drained: false });
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    ledger.conclude(0, &[as_one(1), as_one(1)]);
    ledger.tally.check();
    ledger.conclude(0, &[as_one(1), None]);
    assert_eq!(ledger.tally.lost, 1);
    // Either of two is right, but not both.
    change(&mut ledger, Change::Deregister, 0, s(20), Outcome::Unsure);
    ledger.conclude(0, &[None, None]);
    assert_eq!(ledger.tally.lost, 1);
    ledger.conclude(0, &[as_one(1), None]);
    assert_eq!(ledger.tally.lost, 1);
    let failed = std::panic::catch_unwind(|| ledger.tally.check()).unwrap_err();
    assert!(failed.downcast_ref::<String>().unwrap().starts_with("2 violations"));
}

#[test]
fn what_is_long_over_is_forgotten_and_what_is_not_is_kept() {
    let mut ledger = ledger(Care::Nobody);
    for n in 1..1_000 {
        change(&mut ledger, Change::Register(n), 0, s(n.into()), Outcome::Taken(n.into()));
    }
    assert!(ledger.entries[0].history.states().len() == 1);
    let text = ledger.entries[0].history.to_string();
    assert!(text.contains("999"), "{text}");
    assert_eq!(see(&mut ledger, 1, s(1_000), Shown::As(5)), Verdict::Wrong(None));
    assert_eq!(see(&mut ledger, 1, s(1_000), Shown::As(997)), Verdict::Wrong(Some(ms(1_900))));
}

#[test]
fn a_machine_that_stands_still_excuses_all_servers_for_that_time() {
    let mut ledger = beating();
    for at in (10_000..20_000).step_by(200) {
        ledger.look_at_the_machine(ms(at));
        if at % 1_000 == 0 {
            beat(&mut ledger, ms(at), true);
        }
    }
    ledger.look_at_the_machine(s(20));
    assert_eq!(ledger.tally.stalls, 0);
    // Nobody was let run, and no heartbeat could be sent.
    ledger.look_at_the_machine(s(30));
    assert_eq!(ledger.tally.stalls, 1);
    ledger.unanswered(0, s(19), s(31));
    assert!(!is_wrong(see(&mut ledger, 0, s(31), Shown::As(1))));
    assert!(!is_wrong(see(&mut ledger, 0, s(31), Shown::Hidden)));
    assert_eq!((ledger.tally.unanswered, ledger.tally.unanswered_by_dead), (0, 1));
}

#[test]
fn an_instance_is_tried_when_it_was_seen_both_well_and_ill() {
    let mut ledger = Ledger::new(BOUNDS, 1, &[Care::Nobody, Care::Checks(s(2))]);
    assert_eq!(ledger.untried(), [0, 1]);
    ledger.turn(1, true, s(1));
    for key in [0, 1] {
        let begun = ledger.begin(key, Change::Register(1), s(10));
        ledger.end(begun, 0, Outcome::Taken(1), s(10));
        ledger.see(Sight { server: 0, asked: s(14), answered: s(14) }, key, Shown::As(1));
    }
    assert_eq!(ledger.untried(), [1]);
    ledger.turn(1, false, s(20));
    ledger.see(Sight { server: 0, asked: s(24), answered: s(24) }, 1, Shown::Hidden);
    assert_eq!(ledger.untried(), [0; 0]);
    ledger.tally.check();
}

#[test]
fn what_is_wrong_in_the_same_way_for_a_while_is_counted_and_told_once() {
    let mut ledger = ledger(Care::Nobody);
    change(&mut ledger, Change::Register(1), 0, s(10), Outcome::Taken(1));
    for n in 0..100 {
        see(&mut ledger, 0, s(20) + ms(10 * n), Shown::Unknown);
    }
    see(&mut ledger, 1, s(20), Shown::Unknown);
    let failed = std::panic::catch_unwind(|| ledger.tally.check()).unwrap_err();
    let said = failed.downcast_ref::<String>().unwrap();
    assert!(said.starts_with("101 violations"), "{said}");
    assert_eq!(said.matches("wrong for").count(), 2, "{said}");
}
