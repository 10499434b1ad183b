//! Several servers that check each instance: the majority decides what is shown.

use super::{Commons, Duration, Fleet, Revision, Status, key, pass, register, report};
use crate::{
    model::{
        Command, Instance,
        Status::{Critical, Passing, Warning},
    },
    registry::{Options, testing},
};

/// A fleet that shows `web/a` as passing, and the servers that check it: the one that writes first.
async fn passing(checkers: usize, servers: usize) -> (Fleet, Vec<usize>, Revision) {
    let fleet = Fleet::of(Commons::with_checkers(checkers), servers);
    fleet.submit(0, register(testing::tcp_checked("web/a"))).await.unwrap();
    pass(2).await;
    let (jury, registered) = (fleet.commons.jury(&key("web/a")), fleet.registered(0, "web/a"));
    assert_eq!(jury.len(), checkers.min(servers));
    for server in &jury {
        find(&fleet, *server, registered, Passing).await;
    }
    pass(50).await;
    assert_eq!(fleet.status("web/a"), vec![Some(Passing); servers]);
    assert!(fleet.commons.opinions().is_empty(), "all agree");
    (fleet, jury, registered)
}

async fn find(fleet: &Fleet, server: usize, registered: Revision, status: Status) {
    fleet.submit(server, report("web/a", registered, status)).await.unwrap();
}

fn all_show(fleet: &Fleet, status: Status) {
    assert_eq!(fleet.status("web/a"), vec![Some(status); fleet.servers.len()]);
}

fn dissenters(fleet: &Fleet) -> usize {
    let at_all = fleet.servers.iter().map(|it| it.registry.dissent().of(&key("web/a")).len());
    let counts: Vec<usize> = at_all.collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "all know of it: {counts:?}");
    counts[0]
}

#[tokio::test(start_paused = true)]
async fn one_of_three_that_cannot_reach_an_instance_does_not_bring_it_down() {
    for juror in 0..3 {
        let (fleet, jury, registered) = passing(3, 4).await;
        find(&fleet, jury[juror], registered, Critical).await;
        pass(50).await;
        all_show(&fleet, Passing);
        assert_eq!(dissenters(&fleet), 1);
        let revision = fleet.commons.revision();
        for _ in 0..5 {
            find(&fleet, jury[juror], registered, Critical).await;
            pass(1_000).await;
        }
        assert_eq!(fleet.commons.revision(), revision, "nothing is written again");
        find(&fleet, jury[juror], registered, Passing).await;
        pass(50).await;
        assert_eq!(dissenters(&fleet), 0, "it has come round");
        all_show(&fleet, Passing);
    }
}

#[tokio::test(start_paused = true)]
async fn two_of_three_that_cannot_reach_an_instance_bring_it_down_and_two_up_again() {
    for absent in 0..3 {
        let (fleet, jury, registered) = passing(3, 4).await;
        let two: Vec<usize> = (0..3).filter(|at| *at != absent).map(|at| jury[at]).collect();
        for server in &two {
            find(&fleet, *server, registered, Critical).await;
        }
        pass(50).await;
        all_show(&fleet, Critical);
        assert_eq!(dissenters(&fleet), 0, "those who did now agree");
        // The third finds that what is shown is another thing than it finds.
        find(&fleet, jury[absent], registered, Passing).await;
        pass(50).await;
        all_show(&fleet, Critical);
        assert_eq!(dissenters(&fleet), 1);
        find(&fleet, two[0], registered, Passing).await;
        pass(50).await;
        all_show(&fleet, Passing);
        assert_eq!(dissenters(&fleet), 0);
    }
}

#[tokio::test(start_paused = true)]
async fn of_fewer_servers_than_are_to_check_as_many_as_there_are_decide() {
    let (fleet, jury, registered) = passing(3, 1).await;
    find(&fleet, jury[0], registered, Critical).await;
    all_show(&fleet, Critical);
    let (fleet, jury, registered) = passing(3, 2).await;
    find(&fleet, jury[1], registered, Critical).await;
    pass(50).await;
    all_show(&fleet, Passing);
    find(&fleet, jury[0], registered, Critical).await;
    pass(50).await;
    all_show(&fleet, Critical);
}

#[tokio::test(start_paused = true)]
async fn whether_what_passes_warns_is_the_word_of_the_one_that_writes() {
    let (fleet, jury, registered) = passing(3, 3).await;
    find(&fleet, jury[1], registered, Warning).await;
    pass(50).await;
    all_show(&fleet, Passing);
    find(&fleet, jury[0], registered, Warning).await;
    pass(50).await;
    all_show(&fleet, Warning);
    assert_eq!(dissenters(&fleet), 0);
}

#[tokio::test(start_paused = true)]
async fn the_opinion_of_a_server_goes_with_it_and_the_others_are_fewer() {
    let (fleet, jury, registered) = passing(3, 3).await;
    find(&fleet, jury[2], registered, Critical).await;
    pass(50).await;
    assert_eq!(fleet.commons.opinions().len(), 1);
    fleet.commons.bury(jury[2]);
    pass(50).await;
    assert!(fleet.commons.opinions().is_empty());
    // Two that are of two opinions leave it as it is, whoever of them writes.
    find(&fleet, jury[1], registered, Critical).await;
    pass(50).await;
    let living = |fleet: &Fleet| (fleet.status("web/a")[jury[0]], fleet.status("web/a")[jury[1]]);
    assert_eq!(living(&fleet), (Some(Passing), Some(Passing)));
    // The one that writes goes, and the other is all there is.
    fleet.commons.bury(jury[0]);
    pass(50).await;
    assert_eq!(fleet.status("web/a")[jury[1]], Some(Critical));
}

#[tokio::test(start_paused = true)]
async fn what_is_registered_anew_is_found_anew() {
    let (fleet, jury, registered) = passing(3, 3).await;
    find(&fleet, jury[1], registered, Critical).await;
    pass(50).await;
    assert_eq!(dissenters(&fleet), 1);
    let other = Instance { weight: 7, ..testing::tcp_checked("web/a") };
    fleet.submit(0, register(other)).await.unwrap();
    pass(50).await;
    assert!(fleet.commons.opinions().is_empty(), "of what is there no more");
    let again = fleet.registered(0, "web/a");
    find(&fleet, jury[1], registered, Critical).await;
    find(&fleet, jury[2], again, Critical).await;
    pass(50).await;
    all_show(&fleet, Passing);
    find(&fleet, jury[1], again, Critical).await;
    pass(50).await;
    all_show(&fleet, Critical);
}

#[tokio::test(start_paused = true)]
async fn cut_off_a_server_believes_itself_and_back_again_the_majority() {
    for juror in 0..3 {
        let (fleet, jury, registered) = passing(3, 3).await;
        let server = jury[juror];
        fleet.commons.cut(server, true);
        pass(1).await;
        find(&fleet, server, registered, Critical).await;
        assert_eq!(fleet.status("web/a")[server], Some(Critical), "nobody is there to ask");
        fleet.commons.cut(server, false);
        pass(100).await;
        assert_eq!(fleet.status("web/a")[server], Some(Critical), "for a while");
        assert_eq!(dissenters(&fleet), 1, "and tells of it");
        pass(11_000).await;
        all_show(&fleet, Passing);
        find(&fleet, server, registered, Critical).await;
        pass(50).await;
        all_show(&fleet, Passing);
        assert_eq!(dissenters(&fleet), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_all_have_found_while_nobody_reached_the_store_is_shown_without_a_gap() {
    let (fleet, jury, registered) = passing(3, 3).await;
    jury.iter().for_each(|server| fleet.commons.cut(*server, true));
    pass(1).await;
    for server in &jury {
        find(&fleet, *server, registered, Critical).await;
    }
    for server in &jury {
        fleet.commons.cut(*server, false);
        for _ in 0..300 {
            pass(10).await;
            all_show(&fleet, Critical);
        }
    }
    pass(60_000).await;
    all_show(&fleet, Critical);
    assert_eq!(dissenters(&fleet), 0);
}

#[tokio::test(start_paused = true)]
async fn heartbeats_are_counted_by_one_and_are_no_opinion() {
    let fleet = Fleet::of(Commons::with_checkers(3), 3);
    let ttl = Duration::from_secs(3);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    pass(2).await;
    fleet.submit(1, super::beat("web/a", Critical)).await.unwrap();
    pass(50).await;
    all_show(&fleet, Critical);
    fleet.submit(2, super::beat("web/a", Passing)).await.unwrap();
    pass(50).await;
    all_show(&fleet, Passing);
    pass(5_000).await;
    all_show(&fleet, Critical);
    assert!(fleet.commons.opinions().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_server_that_starts_knows_of_the_opinions_that_are_there() {
    let (fleet, jury, registered) = passing(3, 3).await;
    find(&fleet, jury[1], registered, Critical).await;
    pass(50).await;
    let (new, _beats) = fleet.commons.join(Options::default());
    pass(50).await;
    let of = key("web/a");
    assert_eq!(new.registry.dissent().of(&of).len(), 1);
    fleet.commons.list_again();
    pass(50).await;
    assert_eq!(new.registry.dissent().of(&of).len(), 1);
}

/// It waited for something else to happen: with each look forty were passed over.
#[tokio::test(start_paused = true)]
async fn what_a_server_found_alone_does_not_hide_what_it_has_to_write() {
    let fleet = Fleet::of(Commons::with_checkers(3), 3);
    let of_first = |name: &String| fleet.commons.owner(&key(name)) == 0;
    let names = (0..).map(|number| format!("web/{number}")).filter(of_first).take(2_000);
    let names: Vec<String> = names.collect();
    for some in names.chunks(100) {
        let all = some.iter().map(|name| testing::tcp_checked(name).into());
        fleet.submit(0, Command::Register(all.collect())).await.unwrap();
    }
    let said = (0..).map(|number| format!("api/{number}")).find(of_first).unwrap();
    let beating = testing::beating(&said, "10.0.0.1", Duration::from_secs(60));
    fleet.submit(0, register(beating)).await.unwrap();
    // That it finds them passing is known already when it finds it alone.
    for is_cut in [false, true] {
        fleet.commons.cut(0, is_cut);
        pass(1).await;
        for name in &names {
            let found = report(name, fleet.registered(0, name), Passing);
            fleet.submit(0, found).await.unwrap();
        }
        pass(1_000).await;
        assert_eq!(fleet.commons.opinions().len(), names.len());
    }
    fleet.submit(0, super::beat(&said, Critical)).await.unwrap();
    fleet.commons.cut(0, false);
    pass(10).await;
    let written = fleet.commons.members().into_iter().find(|member| member.key() == key(&said));
    assert_eq!(written.unwrap().status, Critical);
    assert_eq!(fleet.status(&names[0])[1..], [Some(Critical); 2], "as the majority has it");
}
