//! More instances than are looked at in one go.

use std::{sync::Arc, time::Duration};

use futures_util::FutureExt;

use super::{Fleet, beat, key, pass, register};
use crate::{
    model::{Command, EventKind, Policy, Status, limit},
    registry::{Edit, Member, SLICE, testing},
};

/// So many that it takes several slices to look at them.
const MANY: usize = 2 * SLICE + 100;

fn name(number: usize) -> String {
    format!("s{}/i{number}", number % 100)
}

async fn register_many(fleet: &Fleet, ttl: Duration) {
    for from in (0..MANY).step_by(100) {
        let numbers = from..MANY.min(from + 100);
        let all = numbers.map(|number| testing::beating(&name(number), "10.0.0.1", ttl).into());
        fleet.submit(0, Command::Register(all.collect())).await.unwrap();
    }
}

/// How many are found silent: turned critical, or held by self-preservation.
fn silent(fleet: &Fleet, server: usize) -> usize {
    let snapshot = fleet.registry(server).snapshot();
    snapshot.members().filter(|it| it.suspect || it.status == Status::Critical).count()
}

#[tokio::test(start_paused = true)]
async fn of_many_that_are_taken_over_each_has_a_full_ttl_and_each_silent_one_is_found() {
    let fleet = Fleet::start(2);
    register_many(&fleet, Duration::from_secs(20)).await;
    let (mine, others): (Vec<_>, Vec<_>) =
        (0..MANY).partition(|number| fleet.commons.owner(&testing::key(&name(*number))) == 0);
    assert!(mine.len() > SLICE / 2 && others.len() > SLICE / 2);
    pass(15_000).await;
    for number in &mine {
        fleet.submit(0, beat(&name(*number), Status::Passing)).await.unwrap();
    }
    fleet.commons.bury(1);
    pass(19_900).await;
    assert_eq!(silent(&fleet, 0), 0, "each has a full ttl");
    pass(1_000).await;
    assert_eq!(silent(&fleet, 0), MANY, "and no more");
}

/// Those that are another's task now must not turn critical for want of heartbeats that go there.
#[tokio::test(start_paused = true)]
async fn of_many_that_are_given_up_none_is_counted_any_more() {
    let fleet = Fleet::start(2);
    fleet.commons.bury(1);
    register_many(&fleet, Duration::from_secs(20)).await;
    fleet.commons.come_back(1, true);
    fleet.commons.join_again(1);
    let owner = |number: &usize| fleet.commons.owner(&testing::key(&name(*number)));
    let others: Vec<_> = (0..MANY).filter(|number| owner(number) == 1).collect();
    assert!(others.len() > SLICE / 2);
    pass(15_000).await;
    for number in 0..MANY {
        fleet.submit(owner(&number), beat(&name(number), Status::Passing)).await.unwrap();
    }
    pass(15_000).await;
    for server in 0..2 {
        assert_eq!(silent(&fleet, server), 0, "on {server}");
    }
}

/// A server that is alone, and has just heard the last word of each.
async fn alone_with_many() -> Fleet {
    let fleet = Fleet::start(2);
    fleet.commons.bury(1);
    register_many(&fleet, Duration::from_secs(1)).await;
    pass(100).await;
    for number in 0..MANY {
        fleet.submit(0, beat(&name(number), Status::Passing)).await.unwrap();
    }
    fleet
}

/// The walk takes milliseconds, and a lease may run out before it is come upon.
#[tokio::test(start_paused = true)]
async fn what_is_given_up_as_it_falls_silent_is_left_to_its_new_owner() {
    let fleet = alone_with_many().await;
    let (mut silent_at, until) = (1_400, 1_600);
    pass(silent_at).await;
    while silent(&fleet, 0) == 0 && silent_at < until {
        pass(1).await;
        silent_at += 1;
    }
    assert!(silent_at < until, "nobody else counts");

    let fleet = alone_with_many().await;
    pass(silent_at - 1).await;
    assert_eq!(silent(&fleet, 0), 0);
    fleet.commons.come_back(1, true);
    fleet.commons.join_again(1);
    pass(20).await;
    let snapshot = fleet.registry(0).snapshot();
    let others = snapshot.members().filter(|it| fleet.commons.owner(&it.key()) == 1);
    let is_silent = |it: &&Arc<Member>| it.suspect || it.status == Status::Critical;
    assert_eq!(others.filter(is_silent).count(), 0);
    assert!(silent(&fleet, 0) > SLICE / 2, "what is its own is counted as ever");
}

/// While heartbeats came without a pause, nothing that others had changed was shown.
#[tokio::test(start_paused = true)]
async fn a_flood_of_heartbeats_does_not_hold_up_what_others_have_changed() {
    let fleet = Fleet::start(1);
    let ttl = Duration::from_secs(60);
    for name in ["web/a", "web/b"] {
        fleet.submit(0, register(testing::beating(name, "10.0.0.1", ttl))).await.unwrap();
    }
    let registry = fleet.registry(0);
    let before = registry.snapshot().revision;
    for _ in 0..2 * limit::WRITER_BATCH_MAX {
        let _sent = registry.submit(beat("web/a", Status::Passing)).now_or_never();
    }
    let to = Some(Policy { ttl_seconds: 9, ..Policy::default() });
    fleet.commons.write(vec![Edit::Policy { service: key("web/a").service, to }]);
    fleet.submit(0, beat("web/b", Status::Critical)).await.unwrap();
    let events = registry.events().after(before, 9).unwrap().0;
    let first = &events[0].kind;
    assert!(matches!(first, EventKind::PolicyChanged), "it was there before the last heartbeat");
}
