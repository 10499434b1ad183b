//! Servers that were cut off from the store together, and come back one after the other: what was
//! found meanwhile stays found, unless somebody may know better.

use super::{
    Commons, Duration, Fleet, Status,
    apart::{FOUND, TTL, fleet, fleet_of},
    beat, key, pass, register, report, status,
};
use crate::{
    model::CheckSpec,
    registry::{
        Ownership, Peer, View,
        testing::{beating, tcp_checked},
    },
};

impl Fleet {
    /// All come back, from the `first` after the owner on; none knows itself known.
    async fn all_come_back(&self, owner: usize, first: usize) {
        for at in self.from(owner + first) {
            self.commons.come_back(at, first != 1);
            pass(200).await;
        }
    }

    /// All are known again.
    async fn all_join_again(&self, owner: usize, first: usize) {
        for at in self.from(owner + first) {
            pass(300).await;
            self.commons.join_again(at);
        }
    }

    fn from(&self, first: usize) -> impl Iterator<Item = usize> {
        let count = self.servers.len();
        (0..count).map(move |at| (first + at) % count)
    }
}

/// Three servers that are cut off, and have found that the client of `web/a` is dead.
async fn bereft(fleet: Fleet) -> (Fleet, usize, usize) {
    let (fleet, owner, other) = fleet_of(fleet, beating("web/a", "10.0.0.1", TTL)).await;
    fleet.cut_all(true);
    fleet.live(other, 20).await;
    pass(2_000 + FOUND).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
    (fleet, owner, other)
}

/// All their leases have run out, so that each finds itself unknown, and joins anew. The client was
/// shown again for a ttl, by the server that counts its heartbeats.
#[tokio::test(start_paused = true)]
async fn who_died_while_all_were_cut_off_is_not_shown_again_when_they_come_back() {
    for first in 0..3 {
        let (fleet, owner, _) = bereft(Fleet::start(3)).await;
        for at in fleet.from(owner + first) {
            fleet.commons.come_back(at, first != 1);
            for _ in 0..20 {
                pass(50).await;
                let shown = fleet.status("web/a");
                assert_eq!(shown, [Some(Status::Critical); 3], "{at} is back, {first} first");
            }
            fleet.commons.join_again(at);
            pass(1_000).await;
        }
        pass(60_000).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
        assert_eq!(fleet.commons.members()[0].status, Status::Critical, "in the store");
    }
}

/// It was found before the servers had told one another that they are cut off, and forgotten: the
/// dead were answered again until the next check, and who lived was not.
#[tokio::test(start_paused = true)]
async fn what_an_active_check_has_found_at_once_stays_found_when_all_come_back() {
    let states = [(Status::Passing, Status::Critical), (Status::Critical, Status::Passing)];
    for (case, (was, is)) in (0..6).map(|case| (case, states[case % 2])) {
        let fleet = Fleet::start(3);
        fleet.talk();
        let (owner, other) = fleet.owner_and_other("web/a");
        fleet.submit(other, register(tcp_checked("web/a"))).await.unwrap();
        let registered = fleet.registered(owner, "web/a");
        let found = |status| report("web/a", registered, status);
        fleet.submit(owner, found(was)).await.unwrap();
        pass(5_000).await;
        assert_eq!(fleet.status("web/a"), [Some(was); 3]);
        fleet.cut_all(true);
        pass(10).await;
        for at in 0..3 {
            fleet.submit(at, found(is)).await.unwrap();
        }
        pass(20_000).await;
        for at in fleet.from(owner + case / 2) {
            fleet.commons.come_back(at, case / 2 != 1);
            for _ in 0..20 {
                pass(50).await;
                assert_eq!(fleet.status("web/a"), [Some(is); 3], "{at} is back, case {case}");
            }
            fleet.commons.join_again(at);
            pass(1_000).await;
        }
        pass(60_000).await;
        assert_eq!(fleet.status("web/a"), [Some(is); 3]);
        assert_eq!(fleet.commons.members()[0].status, is, "in the store");
    }
}

/// Others had found that it lives, and told its client that it is there; then it was gone, and who
/// is checked does not come back by itself.
#[tokio::test(start_paused = true)]
async fn what_was_removed_before_all_knew_that_they_are_cut_off_is_there_when_they_come_back() {
    let fleet = Fleet::start(3);
    fleet.talk();
    let mut instance = tcp_checked("web/a");
    let down = Some(Duration::from_secs(3));
    let check = CheckSpec { deregister_after: down, ..instance.checks[0].clone() };
    instance.checks = [check].into();
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(other, register(instance)).await.unwrap();
    let registered = fleet.registered(owner, "web/a");
    fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
    pass(1_000).await;
    (0..3).for_each(|server| fleet.commons.lose(server));
    pass(3_000).await;
    assert_eq!(status(&fleet.servers[owner], "web/a"), None, "it was down for too long");
    fleet.cut_all(true);
    pass(5_000).await;
    for at in (0..3).filter(|at| *at != owner) {
        fleet.submit(at, report("web/a", registered, Status::Passing)).await.unwrap();
    }
    pass(5_000).await;
    for at in fleet.from(owner) {
        fleet.commons.resume(at);
        pass(200).await;
    }
    pass(1_000).await;
    assert!(fleet.status("web/a").iter().all(Option::is_some), "{:?}", fleet.status("web/a"));
    assert_eq!(fleet.commons.members().len(), 1, "in the store");
}

/// The owner had waited for longer until it asked again than a short lease is, and the others had
/// shown the client again.
#[tokio::test(start_paused = true)]
async fn who_waits_for_five_seconds_is_waited_for_however_short_the_lease() {
    let commons = Commons::with_lease(Duration::from_secs(2));
    let (fleet, owner, _) = bereft(Fleet::of(commons, 3)).await;
    (0..3).filter(|at| *at != owner).for_each(|at| fleet.commons.cut(at, false));
    pass(5_000).await;
    fleet.commons.cut(owner, false);
    for _ in 0..100 {
        assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
        pass(100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_alone_shows_no_dead_again() {
    let fleet = Fleet::start(1);
    fleet.submit(0, register(beating("web/a", "10.0.0.1", TTL))).await.unwrap();
    fleet.commons.cut(0, true);
    pass(5_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical)]);
    fleet.all_come_back(0, 0).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical)]);
    fleet.all_join_again(0, 0).await;
    pass(1_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical)]);
    assert_eq!(fleet.commons.members()[0].status, Status::Critical, "in the store");
}

/// The owner was not known to the others yet, so it would not have the heartbeat that came to one
/// of them, and wrote what it had found before.
#[tokio::test(start_paused = true)]
async fn who_lives_again_while_all_come_back_is_not_taken_for_dead_again() {
    for first in 0..3 {
        let (fleet, owner, other) = bereft(Fleet::start(3)).await;
        fleet.all_come_back(owner, first).await;
        // At one that is not known itself, and hands it on all the same.
        fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
        fleet.all_join_again(owner, first).await;
        for _ in 0..6 {
            pass(300).await;
            let shown = [owner, other].map(|at| status(&fleet.servers[at], "web/a"));
            assert_eq!(shown, [Some(Status::Passing); 2], "{first} first");
        }
        // The third was told of the death, and had nothing to hear of since.
        for _ in 0..15 {
            fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
            pass(1_000).await;
        }
        assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3], "{first} first");
    }
}

/// Taken by the owner, it was forgotten when that found itself known.
#[tokio::test(start_paused = true)]
async fn a_word_that_is_said_once_while_all_come_back_is_kept() {
    for (first, to_owner) in (0..6).map(|case| (case % 3, case < 3)) {
        let (fleet, owner, other) = fleet(beating("web/a", "10.0.0.1", TTL * 200)).await;
        fleet.cut_all(true);
        fleet.live(other, 10).await;
        fleet.all_come_back(owner, first).await;
        let at = if to_owner { owner } else { other };
        fleet.submit(at, beat("web/a", Status::Critical)).await.unwrap();
        fleet.all_join_again(owner, first).await;
        pass(30_000).await;
        assert_eq!(
            fleet.status("web/a"),
            [Some(Status::Critical); 3],
            "said to {at}, {first} first"
        );
        assert_eq!(fleet.commons.members()[0].status, Status::Critical, "in the store");
    }
}

/// One of the others has been back for so long that it takes the owner for dead, and looks after
/// the client itself, which lives again.
#[tokio::test(start_paused = true)]
async fn who_comes_back_late_believes_what_the_others_have_found_meanwhile() {
    let (fleet, owner, other) = bereft(Fleet::start(3)).await;
    (0..3).filter(|at| *at != owner).for_each(|at| fleet.commons.cut(at, false));
    pass(10_000).await;
    fleet.commons.bury(owner);
    pass(1_000).await;
    for _ in 0..3 {
        fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
        pass(1_000).await;
        assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Passing));
    }
    fleet.commons.come_back(owner, true);
    pass(500).await;
    fleet.commons.join_again(owner);
    for _ in 0..20 {
        pass(100).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3]);
    }
}

/// It may have looked after the client all the time; the owner has not heard of it in time.
#[tokio::test(start_paused = true)]
async fn once_a_stranger_is_there_what_is_not_written_yet_counts_for_nothing() {
    let (fleet, owner, _) = bereft(Fleet::start(3)).await;
    fleet.commons.hang(true);
    fleet.all_come_back(owner, 0).await;
    fleet.all_join_again(owner, 0).await;
    let shown = || status(&fleet.servers[owner], "web/a");
    assert_eq!(shown(), Some(Status::Critical));
    let ownership = fleet.registry(owner).ownership();
    let with = |name: String| {
        let View { mut servers, me, .. } = ownership.view().unwrap();
        servers.push(Peer { id: name.into(), http: [].into() });
        View { me, servers, checkers: 1, is_cut_off: false, hears_all: false }
    };
    let leaves_it = |name: &String| Ownership::of(with(name.clone())).keeps(&key("web/a"));
    let stranger = (0..).map(|n| format!("stranger-{n}")).find(leaves_it).unwrap();
    ownership.set(with(stranger));
    pass(50).await;
    assert_eq!(shown(), Some(Status::Passing), "for a full ttl");
}
