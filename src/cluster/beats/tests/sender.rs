//! What goes where, how often, and what does not: with the clock stopped.

use std::{collections::BTreeSet, time::Duration};

use tokio::time::Instant;

use super::support::{Says, World, becomes, by_server, means, metric, pass, shortest_pause};
use crate::{
    cluster::beats::{
        outbox::Waiting,
        sender::{Sender, WAITING_OCTETS_MAX},
    },
    model::{
        InstanceKey,
        Status::{Critical, Passing, Warning},
    },
    registry::{Beat, testing::key},
};

#[tokio::test(start_paused = true)]
async fn what_is_for_one_server_goes_to_it_in_five_batches_a_second_at_the_most() {
    let world = World::start(30).await;
    let others = [world.of(1), world.of(2)];
    for _ in 0..40 {
        for key in others.iter().flatten() {
            world.beat(key, Passing).await;
        }
        pass(50).await;
    }
    pass(200).await;
    let by_server = by_server(world.ways.handed());
    assert_eq!(by_server.keys().collect::<Vec<_>>(), ["server-1", "server-2"]);
    for (batches, keys) in by_server.values().zip(&others) {
        assert!(shortest_pause(batches) >= Duration::from_millis(200), "{batches:#?}");
        assert!((9..=11).contains(&batches.len()), "{}", batches.len());
        for batch in batches {
            let of: Vec<_> = batch.beats.iter().map(|beat| beat.key.clone()).collect();
            assert_eq!(of, *keys, "the newest of each, and of nobody else");
        }
    }
    let sent = by_server.values().flatten().map(|batch| batch.beats.len()).sum::<usize>();
    let taken = world.metric("beats_total{way=\"direct\",outcome=\"taken\"}");
    assert_eq!(taken, sent.to_string());
    let octets = world.metric("beats_sent_bytes_total{way=\"direct\"}");
    assert_eq!(octets, (100 * sent).to_string());
}

#[tokio::test(start_paused = true)]
async fn while_a_server_is_asked_the_newest_waits() {
    let world = World::start(30).await;
    let (begin, slow) = (Instant::now(), &world.of(1)[0]);
    world.ways.with(|log| log.takes = Duration::from_millis(700));
    for status in [Passing, Passing, Critical, Warning] {
        world.beat(slow, status).await;
        pass(201).await;
    }
    pass(2_000).await;
    let handed = world.ways.handed();
    let shown: Vec<_> =
        handed.iter().map(|batch| (batch.at - begin, batch.beats[0].status)).collect();
    let at = Duration::from_millis;
    assert_eq!(shown, [(at(200), Some(Passing)), (at(900), Some(Warning))]);
}

#[tokio::test(start_paused = true)]
async fn what_has_become_this_servers_task_goes_to_its_registry() {
    let world = World::start(30).await;
    let key = &world.of(1)[0];
    world.beat(key, Critical).await;
    world.commons.bury(1);
    world.commons.bury(2);
    becomes(&world.servers[..1], &key.to_string(), Critical).await;
    pass(1_000).await;
    assert!(world.ways.handed().is_empty());
}

/// It came back to the server itself as a heartbeat, and to who had taken over.
#[tokio::test(start_paused = true)]
async fn what_a_server_has_found_is_told_to_all_while_it_is_cut_off_and_is_nobodys_heartbeat() {
    let world = World::start(30).await;
    let own = &world.of(0)[0];
    let found = Beat { status: Some(Critical), is_finding: true, ..Beat::of(own.clone()) };
    world.beats.send(found.clone()).await.unwrap();
    pass(1_000).await;
    assert!(world.ways.handed().is_empty(), "it is not cut off");
    world.commons.cut(0, true);
    pass(10).await;
    world.ways.set_down(&["server-1"]);
    world.beats.send(found.clone()).await.unwrap();
    pass(250).await;
    world.commons.cut(0, false);
    world.ways.set_down(&[]);
    pass(10_000).await;
    let told = world.ways.handed().into_iter().filter(|batch| !batch.beats.is_empty());
    let mut told: Vec<_> = told.map(|batch| (batch.to, batch.beats)).collect();
    told.sort_by_key(|(to, _)| to.clone());
    let once = |to: &str| (to.to_owned(), vec![found.clone()]);
    assert_eq!(told, [once("server-1"), once("server-2")]);
    let snapshot = world.servers[0].registry.snapshot();
    assert_eq!(snapshot.member(own).unwrap().status, Passing);
}

/// Who comes back after it has to know that it was no silence.
#[tokio::test(start_paused = true)]
async fn who_is_cut_off_says_so_each_second_and_once_that_it_no_longer_is() {
    let world = World::start(3).await;
    let said = || world.ways.with(|log| std::mem::take(&mut log.handed)).len();
    for _ in 0..2 {
        pass(5_000).await;
        assert_eq!(said(), 0);
        world.commons.cut(0, true);
        pass(2_500).await;
        assert_eq!(said(), 2 * 3, "at once, and each second");
        world.commons.cut(0, false);
        pass(10).await;
        assert_eq!(said(), 2, "once to each");
    }
}

#[tokio::test(start_paused = true)]
async fn what_waits_for_a_server_that_goes_is_for_who_takes_over() {
    let world = World::start(60).await;
    let keys = world.of(1);
    for key in &keys {
        world.beat(key, Passing).await;
    }
    pass(100).await;
    world.commons.bury(1);
    pass(300).await;
    let handed = world.ways.handed();
    let expected: BTreeSet<_> =
        keys.iter().filter(|key| world.commons.owner(key) == 2).cloned().collect();
    assert!(!expected.is_empty() && expected.len() < keys.len(), "some are this server's own");
    assert!(handed.iter().all(|batch| batch.to == "server-2"));
    let sent: BTreeSet<_> =
        handed.iter().flat_map(|batch| &batch.beats).map(|beat| beat.key.clone()).collect();
    assert_eq!(sent, expected);
    assert!(world.ways.with(|log| log.forgotten.contains("server-1")));
}

#[tokio::test(start_paused = true)]
async fn what_was_not_known_or_not_kept_there_is_sent_once_more() {
    for (says, outcome) in [(Says::Elsewhere, "elsewhere"), (Says::Unknown, "unknown")] {
        let world = World::start(30).await;
        world.ways.with(|log| log.says = Some(says));
        let lost = &world.of(1)[0];
        world.beat(lost, Passing).await;
        pass(5_000).await;
        assert_eq!(world.ways.handed().len(), 2);
        let dropped = format!("beats_dropped_total{{reason=\"{outcome}\"}}");
        assert_eq!(world.metric(&dropped), "1");
        world.beat(lost, Critical).await;
        pass(250).await;
        world.ways.with(|log| log.says = None);
        pass(5_000).await;
        let handed = world.ways.handed();
        assert_eq!((handed.len(), handed[3].beats[0].status), (4, Some(Critical)));
        assert_eq!(world.metric(&dropped), "1");
    }
}

#[tokio::test(start_paused = true)]
async fn of_an_instance_that_is_gone_nothing_is_sent() {
    let world = World::start(30).await;
    world.beat(&key("web/nobody"), Passing).await;
    pass(1_000).await;
    assert!(world.ways.handed().is_empty());
    assert_eq!(world.metric("beats_dropped_total{reason=\"unknown\"}"), "1");
}

#[tokio::test(start_paused = true)]
async fn who_cannot_be_reached_is_left_heartbeats_in_the_store_once_a_second_at_the_most() {
    let world = World::start(30).await;
    let (near, far) = (world.of(1), world.of(2));
    world.ways.set_down(&["server-2"]);
    let begin = Instant::now();
    for _ in 0..200 {
        for key in near.iter().chain(&far) {
            world.beat(key, Passing).await;
        }
        pass(100).await;
    }
    let (handed, left) = (world.ways.handed(), world.ways.left());
    assert_eq!(handed.iter().filter(|batch| batch.to == "server-2").count(), 1);
    assert!(handed.iter().filter(|batch| batch.to == "server-1").count() > 60);
    assert!((19..=20).contains(&left.len()), "{}", left.len());
    assert!(shortest_pause(&left) >= Duration::from_secs(1));
    for batch in &left {
        assert_eq!(
            batch.beats.iter().map(|beat| &beat.key).collect::<Vec<_>>(),
            far.iter().collect::<Vec<_>>()
        );
    }
    // It is tried with nothing, ever more rarely.
    let tried: Vec<_> = world.ways.with(|log| {
        log.handed.iter().filter(|batch| batch.beats.is_empty()).map(|batch| batch.at).collect()
    });
    assert!((3..15).contains(&tried.len()), "{tried:?}");
    assert!(tried[0] - begin < Duration::from_millis(701));
    assert_eq!(world.metric("peers_unreachable"), "1");
    let board = world.board();
    assert!(
        board.starts_with("server server-2: server `server-2` () cannot be reached since 2027-")
    );
    assert!(board.contains(": down. Heartbeats") && board.lines().count() == 1, "{board}");
}

/// Ten seconds of heartbeats for a server that cannot be reached.
async fn lose_server_1(world: &World, key: &InstanceKey) {
    world.ways.set_down(&["server-1"]);
    for _ in 0..100 {
        world.beat(key, Passing).await;
        pass(100).await;
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_back_is_handed_heartbeats_as_before() {
    let world = World::start(30).await;
    let key = &world.of(1)[0];
    lose_server_1(&world, key).await;
    assert!(!world.board().is_empty());
    world.ways.set_down(&[]);
    pass(10_000).await;
    assert_eq!((world.board().as_str(), world.metric("peers_unreachable").as_str()), ("", "0"));
    let left = world.ways.left().len();
    let handed = world.ways.handed().len();
    world.beat(key, Passing).await;
    pass(201).await;
    assert_eq!((world.ways.left().len(), world.ways.handed().len()), (left, handed + 1));
}

#[tokio::test(start_paused = true)]
async fn who_is_out_of_reach_and_then_gone_is_no_trouble_any_more() {
    let world = World::start(30).await;
    let key = &world.of(1)[0];
    lose_server_1(&world, key).await;
    assert!(world.board().contains("server-1"));
    world.commons.bury(1);
    pass(20_000).await;
    assert_eq!((world.board().as_str(), world.metric("peers_unreachable").as_str()), ("", "0"));
    let tries = world.ways.with(|log| log.handed.len());
    pass(60_000).await;
    assert_eq!(world.ways.with(|log| log.handed.len()), tries);
}

#[tokio::test(start_paused = true)]
async fn what_had_no_room_in_the_store_goes_there_next() {
    let world = World::start(30).await;
    let keys = world.of(1);
    world.ways.set_down(&["server-1"]);
    world.ways.with(|log| log.room = Some(2));
    for key in &keys[..4] {
        world.beat(key, Passing).await;
    }
    pass(2_000).await;
    let left = world.ways.left();
    let sent: Vec<_> = left.iter().map(|batch| batch.beats.len()).collect();
    assert_eq!(sent, [2, 2]);
    let all: Vec<_> = left.iter().flat_map(|batch| &batch.beats).map(|beat| &beat.key).collect();
    assert_eq!(all, keys[..4].iter().collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_sent_for_long_is_dropped() {
    let world = World::start(30).await;
    let key = &world.of(1)[0];
    world.ways.set_down(&["server-1", "store"]);
    world.beat(key, Passing).await;
    pass(2_900).await;
    assert_eq!(world.metric("beats_dropped_total{reason=\"late\"}"), "0");
    pass(30_000).await;
    world.ways.set_down(&[]);
    pass(30_000).await;
    assert!(world.ways.left().is_empty() && world.ways.handed().len() == 1);
    assert_eq!(world.metric("beats_dropped_total{reason=\"late\"}"), "1");
}

#[tokio::test(start_paused = true)]
async fn without_room_the_oldest_of_those_for_the_server_with_most_are_dropped() {
    let world = World::start(0).await;
    let server = &world.servers[0];
    let mut sender = Sender::new(means(server, world.ways.clone()));
    let word = "w".repeat(4_096);
    let (mut turn, mut kept) = (0, [0, 0]);
    while sender.waiting().sum::<usize>() == kept[0] + kept[1] {
        turn += 1;
        let key = key(&format!("web/i{turn}"));
        let to = world.commons.owner(&key);
        // One in ten for the second server.
        if to == 0 || (to == 2 && turn % 10 != 0) {
            continue;
        }
        kept[to - 1] += 1;
        let output = Some(word.as_str().into());
        let beat = Beat { status: Some(Passing), output, ..Beat::of(key) };
        let now = Instant::now();
        sender.place(Waiting::new(beat, turn, Duration::from_secs(30), now)).await;
    }
    let most = WAITING_OCTETS_MAX / (4_096 + 200);
    assert!((most * 9 / 10..=most).contains(&(kept[0] + kept[1])), "{kept:?} of {most}");
    let waiting: Vec<_> = sender.waiting().collect();
    assert_eq!(waiting, [kept[0] - 1, kept[1]]);
    assert_eq!(metric(server, "beats_dropped_total{reason=\"full\"}"), "1");
}

#[tokio::test(start_paused = true)]
async fn what_waits_when_the_registry_stops_is_sent_at_once() {
    for by_token in [true, false] {
        let World { ways, beats, runs, stop, servers, commons, _for_others, .. } =
            World::start(30).await;
        let of_one = (0..30).map(|n| key(&format!("web/i{n}")));
        let of_one = of_one.filter(|key| commons.owner(key) != 0).collect::<Vec<_>>();
        let begin = Instant::now();
        for key in &of_one {
            beats.send(Beat { status: Some(Critical), ..Beat::of(key.clone()) }).await.unwrap();
        }
        match by_token {
            true => stop.cancel(),
            false => drop(beats),
        }
        runs.await.unwrap();
        assert!(begin.elapsed() < Duration::from_millis(100));
        let sent: usize = ways.handed().iter().map(|batch| batch.beats.len()).sum();
        assert_eq!(sent, of_one.len());
        drop(servers);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_does_not_wait_for_a_server_that_does_not_answer() {
    let world = World::start(30).await;
    world.ways.with(|log| log.takes = Duration::from_secs(60));
    let key = &world.of(1)[0];
    world.beat(key, Passing).await;
    let begin = Instant::now();
    world.stop.cancel();
    world.runs.await.unwrap();
    assert!(begin.elapsed() <= Duration::from_millis(1_001));
}
