//! A server that was cut off while others did its work, and is back: what it has found alone it
//! does not write.

use super::{Commons, Duration, Fleet, Status, beat, key, pass, register, report, status};
use crate::{
    model::{Instance, Revision},
    registry::{
        Edit, Health,
        testing::{beating, tcp_checked},
    },
};

/// A fleet with `web/a`, which passes: its owner, and one that takes over.
async fn passing(instance: Instance) -> (Fleet, usize, usize) {
    let fleet = Fleet::of(Commons::default(), 2);
    let (owner, other) = fleet.owner_and_other("web/a");
    let is_checked = instance.checks.iter().any(|spec| spec.thresholds().is_some());
    fleet.submit(other, register(instance)).await.unwrap();
    pass(5).await;
    if is_checked {
        let registered = fleet.registered(owner, "web/a");
        fleet.submit(owner, report("web/a", registered, Status::Passing)).await.unwrap();
        pass(5).await;
    }
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
    (fleet, owner, other)
}

/// Cuts the owner off; the other takes over.
async fn cut_for_long(fleet: &Fleet, owner: usize) {
    fleet.commons.cut(owner, true);
    fleet.commons.bury(owner);
    pass(5).await;
}

async fn come_back(fleet: &Fleet, owner: usize, hears_of_it: bool) {
    fleet.commons.come_back(owner, hears_of_it);
    if hears_of_it {
        pass(500).await;
        fleet.commons.join_again(owner);
    }
    pass(50).await;
}

fn all_pass(fleet: &Fleet) {
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
    let shared = fleet.commons.members();
    assert_eq!(shared.len(), 1);
    assert_eq!(shared[0].status, Status::Passing, "in the store");
}

#[tokio::test(start_paused = true)]
async fn what_its_checks_found_alone_is_written_only_when_they_find_it_again() {
    for hears_of_it in [true, false] {
        let (fleet, owner, _) = passing(tcp_checked("web/a")).await;
        let registered = fleet.registered(owner, "web/a");
        cut_for_long(&fleet, owner).await;
        fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
        assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Critical), "shown alone");
        pass(60_000).await;
        let revision = fleet.commons.revision();
        come_back(&fleet, owner, hears_of_it).await;
        all_pass(&fleet);
        pass(30_000).await;
        all_pass(&fleet);
        assert_eq!(fleet.commons.revision(), revision, "nothing was written");
        fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
        pass(5).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 2], "found again");
    }
}

#[tokio::test(start_paused = true)]
async fn silences_do_not_count_while_heartbeats_may_go_to_others() {
    for hears_of_it in [true, false] {
        let ttl = Duration::from_secs(3);
        let (fleet, owner, other) = passing(beating("web/a", "10.0.0.1", ttl)).await;
        cut_for_long(&fleet, owner).await;
        for _ in 0..20 {
            fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
            pass(2_000).await;
            assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
        }
        come_back(&fleet, owner, hears_of_it).await;
        pass(2_400).await;
        all_pass(&fleet);
        pass(1_500).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 2], "silent for a full ttl");
    }
}

/// It learns only after a while that it is cut off.
#[tokio::test(start_paused = true)]
async fn what_it_heard_before_it_knew_counts_for_nothing_when_it_is_back() {
    let ttl = Duration::from_secs(3);
    let (fleet, owner, other) = passing(beating("web/a", "10.0.0.1", ttl)).await;
    fleet.commons.lose(owner);
    fleet.submit(owner, beat("web/a", Status::Critical)).await.unwrap();
    pass(5_000).await;
    assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Critical));
    cut_for_long(&fleet, owner).await;
    for _ in 0..5 {
        fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
        pass(2_000).await;
    }
    come_back(&fleet, owner, true).await;
    all_pass(&fleet);
    pass(2_400).await;
    all_pass(&fleet);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_for_what_only_a_server_by_itself_has_found() {
    for is_lost_first in [true, false] {
        let deregister_after = Some(Duration::from_secs(5));
        let instance = Instance { deregister_after, ..tcp_checked("web/a") };
        let (fleet, owner, _) = passing(instance).await;
        let registered = fleet.registered(owner, "web/a");
        if is_lost_first {
            fleet.commons.lose(owner);
            fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
            pass(6_000).await;
            assert_eq!(status(&fleet.servers[owner], "web/a"), None);
        }
        cut_for_long(&fleet, owner).await;
        if !is_lost_first {
            fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
            pass(60_000).await;
            assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Critical));
        }
        come_back(&fleet, owner, true).await;
        all_pass(&fleet);
        pass(30_000).await;
        all_pass(&fleet);
        // What is down is removed as ever.
        fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
        pass(4_000).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 2]);
        pass(2_000).await;
        assert_eq!(fleet.status("web/a"), [None; 2]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_was_never_replaced_writes_what_it_found_alone() {
    let (fleet, owner, _) = passing(tcp_checked("web/a")).await;
    let registered = fleet.registered(owner, "web/a");
    fleet.commons.cut(owner, true);
    pass(5).await;
    fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
    pass(5_000).await;
    fleet.commons.cut(owner, false);
    pass(50).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 2]);
}

#[tokio::test(start_paused = true)]
async fn a_lapsed_lease_that_the_store_shows_alive_again_lapses_again() {
    let ttl = Duration::from_secs(3);
    let (fleet, owner, _) = passing(beating("web/a", "10.0.0.1", ttl)).await;
    let alive = fleet.commons.members()[0].checks.clone();
    let of: Revision = fleet.registered(owner, "web/a");
    pass(5_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 2]);
    let to = Health { of, checks: alive, suspect: false, since: None };
    fleet.commons.write(vec![Edit::Health { key: key("web/a"), to }]);
    fleet.commons.list_again();
    pass(2_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2], "a full ttl");
    pass(2_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 2]);
}

/// It was critical on all servers until its owner looked again.
#[tokio::test(start_paused = true)]
async fn what_is_registered_in_place_of_another_brings_nothing_that_was_found_alone() {
    let (fleet, owner, other) = passing(tcp_checked("web/a")).await;
    let registered = fleet.registered(owner, "web/a");
    fleet.commons.cut(other, true);
    fleet.submit(other, report("web/a", registered, Status::Critical)).await.unwrap();
    pass(5_000).await;
    fleet.commons.cut(other, false);
    pass(50).await;
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical), "for a while");
    let heavier = Instance { weight: 9, ..tcp_checked("web/a") };
    let applied = fleet.submit(other, register(heavier)).await.unwrap();
    assert_eq!((applied.changed, applied.created), (true, 0));
    pass(50).await;
    all_pass(&fleet);
}

/// Each difference stays for its own time.
#[tokio::test(start_paused = true)]
async fn what_is_noted_late_stays_as_long_as_what_is_noted_early() {
    let (fleet, owner, other) = passing(tcp_checked("web/a")).await;
    let second = (0..)
        .map(|n| format!("web/b{n}"))
        .find(|name| fleet.commons.owner(&key(name)) == owner)
        .unwrap();
    fleet.submit(0, register(tcp_checked(&second))).await.unwrap();
    pass(5).await;
    fleet
        .submit(owner, report(&second, fleet.registered(owner, &second), Status::Passing))
        .await
        .unwrap();
    pass(5).await;
    let found = |name: &str| report(name, fleet.registered(other, name), Status::Critical);
    // Not waited for: the replies wait for the store, which is told nothing.
    fleet.registry(other).enqueue(found("web/a")).await.unwrap();
    pass(9_000).await;
    fleet.registry(other).enqueue(found(&second)).await.unwrap();
    pass(7_000).await;
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Passing));
    assert_eq!(status(&fleet.servers[other], &second), Some(Status::Critical), "not yet");
    pass(7_500).await;
    assert_eq!(status(&fleet.servers[other], &second), Some(Status::Critical), "not yet");
    pass(1_000).await;
    assert_eq!(status(&fleet.servers[other], &second), Some(Status::Passing));
}
