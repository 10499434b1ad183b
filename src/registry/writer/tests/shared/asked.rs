//! What is asked for: replies, conflicts, and what the store is asked where nothing is to change.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::{Instant, timeout};

use super::{Fleet, key, pass, register, report, status, unreachable_or_not};
use crate::{
    model::{Command, Policy, Revision, Status},
    registry::{JournalError, Refused, RegistryError, testing},
};

#[tokio::test(start_paused = true)]
async fn a_reply_comes_when_this_server_shows_it_and_its_revision_means_the_same_on_others() {
    let fleet = Fleet::start(2);
    let applied = fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    assert_eq!((applied.created, applied.revision), (1, Revision::shared(1)));
    assert_eq!(status(&fleet.servers[0], "web/a"), Some(Status::Passing));
    pass(1).await;
    assert!(fleet.registry(1).snapshot().has_seen(applied.revision));
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
    assert_eq!(fleet.registered(0, "web/a"), fleet.registered(1, "web/a"));
    let same = fleet.submit(1, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    assert!(!same.changed, "it is there already");
    assert_eq!(fleet.commons.revision(), 1);
}

#[tokio::test(start_paused = true)]
async fn of_two_who_replace_one_instance_at_once_one_is_told_that_it_lost() {
    let fleet = Fleet::start(2);
    fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    pass(1).await;
    let one = fleet.submit(0, register(testing::instance("web/a", "10.0.0.2")));
    let other = fleet.submit(1, register(testing::instance("web/a", "10.0.0.3")));
    let (one, other) = tokio::join!(one, other);
    let (won, lost) = if one.is_ok() { (one, other) } else { (other, one) };
    assert!(won.unwrap().changed);
    let Err(RegistryError::Conflict(of)) = lost else { panic!("{lost:?}") };
    assert_eq!(of, key("web/a"));
    // Who wanted the same has what it wanted.
    let one = fleet.submit(0, register(testing::instance("web/a", "10.0.0.9")));
    let other = fleet.submit(1, register(testing::instance("web/a", "10.0.0.9")));
    let (one, other) = tokio::join!(one, other);
    assert_eq!((one.unwrap().changed as u8) + (other.unwrap().changed as u8), 1);
}

#[tokio::test(start_paused = true)]
async fn what_changes_nothing_is_acknowledged_only_when_the_store_has_it_too() {
    let fleet = Fleet::start(2);
    let same = || register(testing::instance("web/a", "10.0.0.1"));
    let drain = || Command::Drain { key: key("web/a"), on: true };
    let policy = |ttl_seconds| {
        let policy = Policy { ttl_seconds, ..Policy::default() };
        Command::SetPolicy(key("web/a").service, policy)
    };
    for command in [same(), drain(), policy(9)] {
        assert!(fleet.submit(0, command).await.unwrap().changed);
    }
    pass(1).await;
    // The other server has not heard yet of what goes on at this one.
    let put_back = Command::Drain { key: key("web/a"), on: false };
    let (one, other) = tokio::join!(fleet.submit(0, put_back), fleet.submit(1, drain()));
    assert!(one.is_ok() && other.is_ok());
    let (one, other) = tokio::join!(fleet.submit(0, policy(7)), fleet.submit(1, policy(9)));
    assert!(one.is_ok() && other.is_ok());
    pass(5).await;
    for server in &fleet.servers {
        let snapshot = server.registry.snapshot();
        assert!(snapshot.member(&key("web/a")).unwrap().drained, "the last word was that");
        assert_eq!(snapshot.service("web").unwrap().policy.ttl_seconds, 9);
    }
    let gone = Command::Deregister(key("web/a"));
    let (one, other) = tokio::join!(fleet.submit(0, gone), fleet.submit(1, same()));
    one.unwrap();
    assert!(other.unwrap().changed, "it is registered anew");
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
    // Nor while nobody can be asked.
    fleet.commons.cut(1, true);
    pass(5).await;
    for command in [same(), policy(9)] {
        let refused = fleet.submit(1, command).await;
        assert!(unreachable_or_not(&refused), "{refused:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_written_again_is_acknowledged_with_the_revision_of_that() {
    let fleet = Fleet::start(2);
    let drain = |on| Command::Drain { key: key("web/a"), on };
    let policy = |ttl_seconds| {
        let policy = Policy { ttl_seconds, ..Policy::default() };
        Command::SetPolicy(key("web/a").service, policy)
    };
    for command in [register(testing::instance("web/a", "10.0.0.1")), drain(true), policy(9)] {
        fleet.submit(0, command).await.unwrap();
    }
    pass(1).await;
    // To the other server it seems that nothing is to change, until it hears of this.
    for (first, again) in [(drain(false), drain(true)), (policy(7), policy(9))] {
        let (one, other) = tokio::join!(fleet.submit(0, first), fleet.submit(1, again));
        let (one, other) = (one.unwrap().revision, other.unwrap().revision);
        assert!(other > one, "{other:?} is before {one:?}");
        pass(1).await;
    }
}

#[tokio::test(start_paused = true)]
async fn out_of_reach_nobody_waits_for_a_proposal_that_hangs() {
    let fleet = Fleet::start(1);
    fleet.commons.hang(true);
    let registry = fleet.registry(0).clone();
    let first = register(testing::instance("web/a", "10.0.0.1"));
    let first = tokio::spawn(async move { registry.submit(first).await });
    pass(10).await;
    fleet.commons.cut(0, true);
    let second = fleet.submit(0, register(testing::instance("web/b", "10.0.0.2"))).await;
    assert!(unreachable_or_not(&second), "{second:?}");
    assert!(!first.is_finished());
    fleet.commons.hang(false);
    assert!(unreachable_or_not(&first.await.unwrap()));
}

/// What became of a hundred that came one by one from now on, and of more than the writer looks at
/// before it has an answer, that came after a second: each refused, and after how long.
async fn refused_in_line(fleet: &Fleet) -> [Vec<(RegistryError, Duration)>; 2] {
    let submit = async |name: String, after| {
        pass(after).await;
        let came = Instant::now();
        let result = fleet.submit(0, register(testing::instance(&name, "10.0.0.1")));
        let result = timeout(Duration::from_secs(60), result).await.expect("it is answered");
        (result.unwrap_err(), came.elapsed())
    };
    let one_by_one = (0..100).map(|n| submit(format!("web/{n}"), 200 * n));
    let at_once = (0..3_000).map(|n| submit(format!("api/{n}"), 1_000));
    tokio::join!(join_all(one_by_one), join_all(at_once)).into()
}

fn waited_at_most(refused: &[(RegistryError, Duration)], most: Duration) {
    for (refused, took) in refused {
        assert!(*took <= most + Duration::from_millis(10), "{refused} after {took:?}");
    }
}

/// What queued behind one that hung began to wait for as long when that had failed, and its clients
/// had gone by then.
#[tokio::test(start_paused = true)]
async fn where_the_store_hangs_who_queues_is_answered_in_time() {
    let fleet = Fleet::start(1);
    let unsure = Refused::Unsure("no reply in time".into());
    fleet.commons.give_up_after(Duration::from_secs(6), unsure);
    fleet.commons.hang(true);
    let [one_by_one, at_once] = refused_in_line(&fleet).await;
    waited_at_most(&one_by_one, Duration::from_secs(8));
    waited_at_most(&at_once, Duration::from_secs(8));
    let was_never_sent = |(refused, _): &_| {
        let RegistryError::NotDurable(JournalError::Unreachable(why)) = refused else {
            return false;
        };
        why.contains("was not sent")
    };
    assert!(at_once.iter().all(was_never_sent));
    assert!(!was_never_sent(&one_by_one[0]), "{:?}", one_by_one[0]);
    fleet.commons.hang(false);
    fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
}

/// Forty were refused each five seconds, and between them what was owed waited for as long.
#[tokio::test(start_paused = true)]
async fn while_another_server_writes_a_bulk_who_queues_is_answered_in_time() {
    let fleet = Fleet::start(1);
    fleet.submit(0, register(testing::tcp_checked("web/found"))).await.unwrap();
    let busy = Refused::Busy("`server-1` writes 9 changes".into());
    fleet.commons.give_up_after(Duration::from_secs(5), busy);
    fleet.commons.hang(true);
    let found = report("web/found", fleet.registered(0, "web/found"), Status::Passing);
    fleet.registry(0).enqueue(found).await.unwrap();
    for refused in refused_in_line(&fleet).await {
        waited_at_most(&refused, Duration::from_secs(7));
        let is_held = |(refused, _): &_| matches!(refused, RegistryError::Held(_));
        assert!(refused.iter().all(is_held), "not as if the store were out of reach");
    }
}

/// They waited for as long as it took, half a minute perhaps.
#[tokio::test(start_paused = true)]
async fn behind_a_bulk_of_this_server_who_queues_is_answered_in_time() {
    let fleet = Fleet::start(1);
    fleet.commons.hang(true);
    let registry = fleet.registry(0).clone();
    let bulk = register(testing::instance("web/a", "10.0.0.1"));
    let bulk = tokio::spawn(async move { registry.submit(bulk).await });
    pass(10).await;
    for refused in refused_in_line(&fleet).await {
        waited_at_most(&refused, Duration::from_secs(9));
        let is_held = |(refused, took): &_| {
            matches!(refused, RegistryError::Held(_)) && *took >= Duration::from_secs(8)
        };
        assert!(refused.iter().all(is_held), "nobody before the time");
    }
    fleet.commons.hang(false);
    bulk.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_drains_what_another_has_just_replaced_drains_what_is_there_now() {
    let fleet = Fleet::start(2);
    fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    pass(1).await;
    let replaced = fleet.submit(0, register(testing::instance("web/a", "10.0.0.2")));
    let drained = fleet.submit(1, Command::Drain { key: key("web/a"), on: true });
    let (replaced, drained) = tokio::join!(replaced, drained);
    assert!(replaced.unwrap().changed && drained.unwrap().changed);
    pass(5).await;
    for server in 0..2 {
        let snapshot = fleet.registry(server).snapshot();
        let member = snapshot.member(&key("web/a")).unwrap();
        assert!(member.drained, "on {server}");
        assert_eq!(member.instance.addresses.as_ips()[0].to_string(), "10.0.0.2");
    }
    let gone = fleet.submit(1, Command::Deregister(key("web/a")));
    let again = fleet.submit(0, Command::Deregister(key("web/a")));
    let (gone, again) = tokio::join!(gone, again);
    assert!(gone.is_ok() != again.is_ok(), "one of them was too late");
    fleet.submit(0, register(testing::instance("web/a", "10.0.0.2"))).await.unwrap();
    let snapshot = fleet.registry(0).snapshot();
    assert!(!snapshot.member(&key("web/a")).unwrap().drained, "nothing is left of the one before");
}

#[tokio::test(start_paused = true)]
async fn whether_an_answer_was_lost_is_said() {
    let fleet = Fleet::start(1);
    fleet.commons.fail(0, Some(Refused::Unsure("no reply in time".into())));
    let unsure = fleet.submit(0, register(testing::instance("web/a", "10.0.0.1"))).await;
    assert!(
        matches!(unsure, Err(RegistryError::NotDurable(JournalError::Unsure(_)))),
        "{unsure:?}"
    );
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing)], "this time it was taken");
}

#[tokio::test(start_paused = true)]
async fn of_opposed_commands_in_one_proposal_the_last_one_counts() {
    let fleet = Fleet::start(1);
    for name in ["web/a", "web/b"] {
        fleet.submit(0, register(testing::instance(name, "10.0.0.1"))).await.unwrap();
    }
    fleet.submit(0, Command::Drain { key: key("web/b"), on: true }).await.unwrap();
    // While this one is under way, the others gather for one proposal.
    fleet.commons.hang(true);
    let registry = fleet.registry(0);
    let first = registry.submit(register(testing::instance("web/c", "10.0.0.3")));
    let drain = |name: &str, on| registry.submit(Command::Drain { key: key(name), on });
    let policy = |ttl_seconds| {
        let policy = Policy { ttl_seconds, ..Policy::default() };
        registry.submit(Command::SetPolicy(key("web/a").service, policy))
    };
    let opposed = async {
        pass(10).await;
        let all = tokio::join!(
            async { tokio::join!(drain("web/a", true), drain("web/a", false)) },
            async { tokio::join!(drain("web/b", false), drain("web/b", true)) },
            async { tokio::join!(policy(7), policy(9)) },
            registry.submit(register(testing::instance("web/d", "10.0.0.4"))),
            registry.submit(Command::Deregister(key("web/d"))),
            registry.submit(register(testing::instance("web/e", "10.0.0.5"))),
        );
        let ((a, b), (c, d), (e, f), (g, h, i)) = (all.0, all.1, all.2, (all.3, all.4, all.5));
        [a, b, c, d, e, f, g, h, i].map(Result::unwrap)
    };
    let go_on = async {
        pass(20).await;
        fleet.commons.hang(false);
    };
    let (first, _, ()) = tokio::join!(first, opposed, go_on);
    first.unwrap();
    let snapshot = registry.snapshot();
    let is_drained = |name: &str| snapshot.member(&key(name)).map(|member| member.drained);
    assert_eq!((is_drained("web/a"), is_drained("web/b")), (Some(false), Some(true)));
    assert_eq!((is_drained("web/d"), is_drained("web/e")), (None, Some(false)));
    assert_eq!(snapshot.service("web").unwrap().policy.ttl_seconds, 9);
}

/// What would have made room was refused because a registration waited beside it.
#[tokio::test(start_paused = true)]
async fn a_full_store_takes_a_removal_that_waits_beside_a_registration() {
    let fleet = Fleet::start(1);
    for name in ["web/a", "web/b"] {
        fleet.submit(0, register(testing::instance(name, "10.0.0.1"))).await.unwrap();
    }
    let drain = |on| fleet.submit(0, Command::Drain { key: key("web/b"), on });
    drain(true).await.unwrap();
    fleet.commons.fail(0, Some(Refused::Full("database space exceeded".into())));
    let (put, gone, back, policy) = tokio::join!(
        fleet.submit(0, register(testing::instance("web/c", "10.0.0.3"))),
        fleet.submit(0, Command::Deregister(key("web/a"))),
        drain(false),
        fleet.submit(0, Command::SetPolicy(key("web/b").service, Policy::default())),
    );
    for refused in [put, policy] {
        let error = refused.unwrap_err();
        let is_full = |error| matches!(error, RegistryError::NotDurable(JournalError::Full(_)));
        assert!(is_full(error.clone()), "{error:?}");
    }
    assert!(gone.unwrap().changed && back.unwrap().changed);
    let left = fleet.commons.members();
    assert_eq!((left.len(), left[0].key(), left[0].drained), (1, key("web/b"), false));
}

/// It was the only one of all notes about etcd that did not.
#[tokio::test(start_paused = true)]
async fn the_note_says_since_when_changes_are_refused() {
    let fleet = Fleet::start(1);
    fleet.commons.fail(0, Some(Refused::Full("database space exceeded".into())));
    for name in ["web/a", "web/b"] {
        pass(2_000).await;
        fleet.submit(0, register(testing::instance(name, "10.0.0.1"))).await.unwrap_err();
    }
    let notes = fleet.servers[0].board.conditions();
    let [(name, note)] = &*notes else { panic!("{notes:?}") };
    let is_dated = note.message.contains("exceeded; since 2027-01-15T08:00:02.");
    assert!(name == "store" && is_dated, "{note:?}");
}

#[tokio::test(start_paused = true)]
async fn that_changes_are_refused_is_told_until_the_store_is_back_and_not_for_one_lost_answer() {
    let fleet = Fleet::start(1);
    let is_told = || fleet.servers[0].board.conditions().iter().any(|(name, _)| name == "store");
    let change = |name: &str| fleet.submit(0, register(testing::instance(name, "10.0.0.1")));
    fleet.commons.fail(0, Some(Refused::Unsure("the answer was lost".into())));
    assert!(change("web/a").await.is_err() && !is_told());
    fleet.commons.fail(0, Some(Refused::Unavailable("out of reach".into())));
    assert!(change("web/b").await.is_err() && is_told());
    fleet.commons.fail(0, None);
    fleet.commons.cut(0, true);
    pass(5).await;
    assert!(is_told());
    fleet.commons.cut(0, false);
    pass(5).await;
    assert!(!is_told(), "although nobody has changed anything since");
}
