//! Servers that are cut off from the store, all or some of them: whose silence counts where.

use super::{Duration, Fleet, Status, beat, key, pass, register, status, take_one, tell_one};
use crate::{
    model::{CheckSpec, Instance},
    registry::testing::beating,
};

pub(super) const TTL: Duration = Duration::from_secs(3);

/// From the end of a ttl until all show what it means, while all are cut off: two words of each
/// server, and the time to decide.
pub(super) const FOUND: u64 = 3_000;

impl Fleet {
    /// Has servers say to one another whether they are cut off, each second.
    pub(super) fn talk(&self) {
        let registries: Vec<_> = self.servers.iter().map(|it| it.registry.clone()).collect();
        let parted = self.parted.clone();
        tokio::spawn(async move {
            loop {
                for (from, speaker) in registries.iter().enumerate() {
                    let (me, circle) = (speaker.ownership().me(), speaker.ownership().circle());
                    let others = registries.iter().enumerate().filter(|(at, _)| *at != from);
                    for (_, other) in others.filter(|(at, _)| {
                        let parted = parted.lock();
                        !parted.contains(at) && !parted.contains(&from)
                    }) {
                        other.ownership().hear_of(&me.clone().unwrap(), circle);
                    }
                }
                pass(1_000).await;
            }
        });
    }

    pub(super) fn cut_all(&self, is_cut: bool) {
        (0..self.servers.len()).for_each(|server| self.commons.cut(server, is_cut));
    }

    /// Lets a client live for so many seconds, and looks all the time how it is shown.
    pub(super) async fn live(&self, at: usize, seconds: u64) {
        for _ in 0..seconds {
            self.submit(at, beat("web/a", Status::Passing)).await.unwrap();
            pass(1_000).await;
            let shown = self.status("web/a");
            assert!(shown.iter().all(|it| *it == Some(Status::Passing)), "{shown:?}");
        }
    }
}

/// Three servers with `web/a`: its owner, and one that its client comes to.
pub(super) async fn fleet(instance: Instance) -> (Fleet, usize, usize) {
    fleet_of(Fleet::start(3), instance).await
}

pub(super) async fn fleet_of(fleet: Fleet, instance: Instance) -> (Fleet, usize, usize) {
    fleet.talk();
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(other, register(instance)).await.unwrap();
    fleet.live(other, 5).await;
    (fleet, owner, other)
}

#[tokio::test(start_paused = true)]
async fn a_client_that_dies_while_all_are_cut_off_is_found_by_all() {
    let (fleet, owner, other) = fleet(beating("web/a", "10.0.0.1", TTL)).await;
    fleet.cut_all(true);
    for at in [other, owner] {
        fleet.live(at, 20).await;
        pass(1_500).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3], "within its ttl");
        pass(500 + FOUND).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3], "it came to {at}");
        // It lives again.
        fleet.submit(at, beat("web/a", Status::Passing)).await.unwrap();
        pass(500).await;
        fleet.live(other, 5).await;
    }
    pass(2_000 + FOUND).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
    fleet.cut_all(false);
    pass(60_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3], "that was right");
    assert_eq!(fleet.commons.members()[0].status, Status::Critical, "in the store");
}

#[tokio::test(start_paused = true)]
async fn a_client_that_lives_where_nothing_is_heard_of_is_condemned_nowhere() {
    let (fleet, owner, other) = fleet(beating("web/a", "10.0.0.1", TTL)).await;
    fleet.cut_all(true);
    fleet.live(other, 10).await;
    // From here on nobody hands on what comes to the other server.
    fleet.parted.lock().insert(owner);
    fleet.live(other, 20).await;
    fleet.parted.lock().clear();
    fleet.live(other, 10).await;
    // The other one reaches the store again, and hands nothing on to who is taken for dead.
    fleet.commons.cut(other, false);
    fleet.parted.lock().insert(other);
    fleet.live(other, 20).await;
    fleet.parted.lock().clear();
    fleet.live(other, 5).await;
    fleet.cut_all(false);
    fleet.live(other, 10).await;
    pass(5_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3], "but it dies as ever");
}

/// The others had not noticed yet that they were cut off, and were not told.
#[tokio::test(start_paused = true)]
async fn what_was_found_before_all_knew_that_they_are_cut_off_is_told_again() {
    let (fleet, owner, other) = fleet(beating("web/a", "10.0.0.1", TTL)).await;
    (0..3).for_each(|server| fleet.commons.lose(server));
    fleet.submit(owner, beat("web/a", Status::Critical)).await.unwrap();
    pass(1_000).await;
    assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Critical));
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Passing));
    fleet.commons.cut(owner, true);
    pass(2_000).await;
    fleet.cut_all(true);
    pass(4_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
}

/// It was told to nobody again, as it was what the store has.
#[tokio::test(start_paused = true)]
async fn who_lives_again_before_all_knew_that_they_are_cut_off_is_shown_by_all() {
    let (fleet, owner, other) = fleet(beating("web/a", "10.0.0.1", TTL)).await;
    (0..3).for_each(|server| fleet.commons.lose(server));
    fleet.submit(other, beat("web/a", Status::Critical)).await.unwrap();
    pass(500).await;
    for second in 0..20 {
        fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
        pass(1_000).await;
        if second == 8 {
            assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical));
            fleet.cut_all(true);
        }
    }
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3]);
}

/// For less than a lease, so that nobody notices: neither the store nor the others are there, and
/// the client goes to one of these.
#[tokio::test(start_paused = true)]
async fn who_hears_of_nobody_for_a_moment_takes_no_client_for_dead() {
    for removes in [None, Some(Duration::ZERO)] {
        let mut instance = beating("web/a", "10.0.0.1", TTL);
        let check = CheckSpec { deregister_after: removes, ..instance.checks[0].clone() };
        instance.checks = [check].into();
        let (fleet, owner, other) = fleet(instance).await;
        for _ in 0..3 {
            fleet.parted.lock().insert(owner);
            fleet.commons.lose(owner);
            fleet.live(other, 6).await;
            fleet.parted.lock().clear();
            fleet.commons.cut(owner, false);
            fleet.live(other, 5).await;
        }
        pass(2_500 + 1_000).await;
        assert_ne!(fleet.status("web/a"), [Some(Status::Passing); 3], "within a second as ever");
    }
}

/// The store tells of nothing for long, as nothing happens; asked, it is there.
#[tokio::test(start_paused = true)]
async fn a_store_that_has_nothing_to_tell_keeps_no_death_from_being_found() {
    let (fleet, _, other) = fleet(beating("web/a", "10.0.0.1", TTL)).await;
    fleet.live(other, 120).await;
    pass(2_000 + 600).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_for_a_silence_while_all_are_cut_off() {
    let mut instance = beating("web/a", "10.0.0.1", TTL);
    let lease = CheckSpec { deregister_after: Some(Duration::ZERO), ..instance.checks[0].clone() };
    assert!(lease.is_lease());
    instance.checks = [lease].into();
    let (fleet, _, _) = fleet(instance).await;
    fleet.cut_all(true);
    pass(20_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
    assert_eq!(fleet.commons.members()[0].key(), key("web/a"));
    fleet.cut_all(false);
    pass(2_000).await;
    assert!(fleet.status("web/a").iter().all(Option::is_some), "a full ttl");
    pass(2_000).await;
    assert_eq!(fleet.status("web/a"), [None; 3]);
}

/// It was told again what it was before, and the word that it had acknowledged was gone for a
/// moment; for good, where it did not come to the owner.
#[tokio::test(start_paused = true)]
async fn what_was_found_before_a_word_undoes_it_nowhere() {
    let (fleet, mut queues) = Fleet::with_queues(2);
    fleet.talk();
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(0, register(beating("web/a", "10.0.0.1", TTL * 10))).await.unwrap();
    fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
    fleet.cut_all(true);
    pass(2_000).await;
    let me = fleet.registry(owner).ownership().me().unwrap();
    let shown = || status(&fleet.servers[other], "web/a").unwrap();
    let mut told = async |what: Status| {
        let mut count = 0;
        while let Ok(found) = queues[owner].try_recv() {
            assert!(found.is_finding && found.status == Some(what), "{found:?}");
            tell_one(fleet.registry(other), &found, &me, &fleet.servers[owner].clock).await;
            pass(5).await;
            count += 1;
        }
        count
    };
    for word in [Status::Passing, Status::Critical, Status::Passing] {
        let before = if word == Status::Critical { Status::Passing } else { Status::Critical };
        fleet.submit(owner, beat("web/a", before)).await.unwrap();
        pass(50).await;
        told(before).await;
        assert_eq!(shown(), before);
        pass(4_000).await;
        fleet.submit(other, beat("web/a", word)).await.unwrap();
        assert_ne!(told(before).await, 0, "it is told again");
        assert_eq!(shown(), word);
        // What is found later counts, whatever was said.
        fleet.submit(owner, beat("web/a", word)).await.unwrap();
        pass(50).await;
        told(word).await;
        fleet.submit(owner, beat("web/a", before)).await.unwrap();
        pass(50).await;
        assert_ne!(told(before).await, 0);
        assert_eq!(shown(), before);
    }
    // One that is taken late is no later than the next.
    fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
    pass(100).await;
    let late = queues[owner].try_recv().unwrap();
    fleet.submit(owner, beat("web/a", Status::Critical)).await.unwrap();
    pass(300).await;
    let next = queues[owner].try_recv().unwrap();
    for found in [late, next] {
        tell_one(fleet.registry(other), &found, &me, &fleet.servers[owner].clock).await;
        pass(50).await;
    }
    assert_eq!(shown(), Status::Critical);
}

/// Nothing says which was later of two words that came to two servers, where one of them is on its
/// way still.
#[tokio::test(start_paused = true)]
async fn a_word_that_an_older_one_has_overtaken_counts_again_with_the_next_heartbeat() {
    let (fleet, mut queues) = Fleet::with_queues(2);
    fleet.talk();
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(0, register(beating("web/a", "10.0.0.1", TTL))).await.unwrap();
    fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
    fleet.cut_all(true);
    pass(2_000).await;
    let shown = || status(&fleet.servers[owner], "web/a").unwrap();
    for word in [Status::Critical, Status::Passing] {
        let before = if word == Status::Critical { Status::Passing } else { Status::Critical };
        for _ in 0..2 {
            // The one before goes by the other server, and is on its way.
            fleet.submit(other, beat("web/a", before)).await.unwrap();
            let late = queues[other].recv().await.unwrap();
            fleet.submit(owner, beat("web/a", word)).await.unwrap();
            take_one(fleet.registry(owner), &late).await;
            pass(500).await;
            fleet.submit(other, beat("web/a", word)).await.unwrap();
            take_one(fleet.registry(owner), &queues[other].recv().await.unwrap()).await;
            pass(500).await;
            assert_eq!(shown(), word);
        }
    }
}

/// It was acknowledged, and gone in the moment in which another server took over.
#[tokio::test(start_paused = true)]
async fn a_word_that_is_said_once_outlives_the_server_that_counts_it() {
    for to_next in [true, false] {
        let (fleet, owner, other) = fleet(beating("web/a", "10.0.0.1", TTL * 200)).await;
        fleet.parted.lock().insert(owner); // it is dead, and its lease is not over
        let next = fleet.commons.next_owner(&key("web/a"));
        let at = if to_next { next } else { 3 - owner - next };
        fleet.submit(at, beat("web/a", Status::Critical)).await.unwrap();
        pass(7_500).await; // with the reply longer than a lease
        fleet.commons.bury(owner);
        pass(30_000).await;
        let living = [other, 3 - owner - other].map(|at| status(&fleet.servers[at], "web/a"));
        assert_eq!(living, [Some(Status::Critical); 2], "said to {at}, next is {next}");
        assert_eq!(fleet.commons.members()[0].status, Status::Critical, "in the store");
    }
}
