//! A store that tells of changes and takes none: it is full, or lets nobody write.

use super::{
    Commons, Duration, Fleet, Status, beat, key, pass, register, removals::leased, report, status,
};
use crate::{
    model::{
        Command, Instance,
        Status::{Critical, Passing},
    },
    registry::{
        Refused,
        testing::{self, tcp_checked},
    },
};

async fn find(fleet: &Fleet, servers: &[usize], status: Status) {
    for &server in servers {
        let registered = fleet.registered(server, "web/a");
        fleet.submit(server, report("web/a", registered, status)).await.unwrap();
    }
    pass(5).await;
}

/// Two of three went back to what the store has after ten seconds, again and again.
#[tokio::test(start_paused = true)]
async fn each_server_shows_what_it_finds_until_it_can_be_written() {
    for checkers in [1, 3] {
        let fleet = Fleet::of(Commons::with_checkers(checkers), 3);
        fleet.submit(0, register(tcp_checked("web/a"))).await.unwrap();
        pass(5).await;
        find(&fleet, &fleet.commons.jury(&key("web/a")), Passing).await;
        assert_eq!(fleet.status("web/a"), [Some(Passing); 3]);

        fleet.commons.refuse(true);
        pass(5).await;
        find(&fleet, &[0, 1, 2], Critical).await;
        for _ in 0..12 {
            assert_eq!(fleet.status("web/a"), [Some(Critical); 3], "{checkers} checkers");
            pass(5_000).await;
        }
        assert_eq!(fleet.commons.members()[0].status, Passing, "nobody could write it");
        let noted = |fleet: &Fleet, at: usize| {
            let notes = fleet.servers[at].board.conditions();
            notes.iter().any(|(name, _)| name == "store")
        };
        assert!((0..3).any(|at| noted(&fleet, at)), "who had to write it says so");

        fleet.commons.refuse(false);
        pass(5).await;
        assert!(!(0..3).any(|at| noted(&fleet, at)), "though nothing was changed yet");
        // Each finds it again with the next check.
        find(&fleet, &fleet.commons.jury(&key("web/a")), Critical).await;
        pass(60_000).await;
        assert_eq!(fleet.status("web/a"), [Some(Critical); 3], "{checkers} checkers");
        assert_eq!(fleet.commons.members()[0].status, Critical);
    }
}

/// They went with forty findings at a time, in no order, and these could not be written.
#[tokio::test(start_paused = true)]
async fn what_an_owner_removes_goes_before_what_it_finds_while_there_is_no_room() {
    let fleet = Fleet::start(1);
    let checked = (0..400).map(|n| tcp_checked(&format!("web/i{n}")).into());
    let leased = (0..3).map(|n| leased(&format!("api/i{n}")).into());
    fleet.submit(0, Command::Register(checked.chain(leased).collect())).await.unwrap();
    fleet.commons.fail(0, Some(Refused::Full("database space exceeded".into())));
    for n in 0..400 {
        let name = format!("web/i{n}");
        let found = report(&name, fleet.registered(0, &name), Passing);
        fleet.registry(0).enqueue(found).await.unwrap();
    }
    pass(10_000).await;
    let left = fleet.commons.members();
    assert!(left.len() == 400 && left.iter().all(|it| it.status == Critical), "{}", left.len());
    fleet.commons.fail(0, None);
    pass(10_000).await;
    assert!(fleet.commons.members().iter().all(|it| it.status == Passing), "what it found");
}

/// Nobody could tell that heartbeats do not go elsewhere, and no silence counted.
#[tokio::test(start_paused = true)]
async fn the_owner_still_finds_out_who_is_silent_and_removes_nobody() {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(3);
    let beating = testing::beating("web/a", "10.0.0.1", ttl);
    let beating = Instance { deregister_after: Some(Duration::from_secs(60)), ..beating };
    fleet.submit(owner, register(beating)).await.unwrap();
    fleet.commons.refuse(true);
    for _ in 0..10 {
        fleet.submit(other, beat("web/a", Passing)).await.unwrap();
        pass(2_000).await;
        assert_eq!(fleet.status("web/a"), [Some(Passing); 2], "it beats");
    }
    pass(5_000).await;
    assert_eq!(
        status(&fleet.servers[owner], "web/a"),
        Some(Critical),
        "though nobody else says so"
    );
    pass(300_000).await;
    assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Critical), "it could not come back");
}
