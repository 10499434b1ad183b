//! What is seen, listed and told: by whose task it is, and by all.

use std::sync::Arc;

use super::{
    Duration, Fleet, beat, key, pass, register, report, status, take_one, unreachable_or_not,
};
use crate::{
    model::{
        Amendment, Arrival, Carry, Command, EventKind, Instance, Replacement, Revision, Status,
        Timestamp,
    },
    registry::{
        Beat, Edit, Guard, Options, Refused, Registration, Registry,
        shared::testing::BEATS_MAX,
        testing::{self, tcp_checked},
    },
};

#[tokio::test(start_paused = true)]
async fn what_the_owner_finds_is_shown_there_at_once_and_by_all_soon() {
    let fleet = Fleet::start(3);
    let (owner, _) = fleet.owner_and_other("web/a");
    fleet.submit(0, register(tcp_checked("web/a"))).await.unwrap();
    pass(2).await;
    let registered = fleet.registered(owner, "web/a");
    fleet.commons.hang(true);
    let found = report("web/a", registered, Status::Passing);
    let submitted = tokio::spawn({
        let registry = fleet.registry(owner).clone();
        async move { registry.submit(found).await }
    });
    pass(1).await;
    assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Passing), "whatever etcd does");
    assert_eq!(fleet.commons.revision(), 1);
    fleet.commons.hang(false);
    assert!(submitted.await.unwrap().is_ok());
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3]);
    let told = fleet.registry(owner).events().after(Revision::shared(1), 9).unwrap().0;
    let told: Vec<_> = told.iter().filter(|event| event.told_after.is_none()).collect();
    assert_eq!(told.len(), 1, "who was told is not told again by the store: {told:?}");
    // The same again is nothing to write.
    fleet.submit(owner, report("web/a", registered, Status::Passing)).await.unwrap();
    pass(5).await;
    assert_eq!(fleet.commons.revision(), 2);
}

/// Others left out for a second more who was alive again.
#[tokio::test(start_paused = true)]
async fn what_was_found_is_written_as_soon_as_a_store_answers_that_had_not() {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(owner, register(tcp_checked("web/a"))).await.unwrap();
    pass(2).await;
    // A member of etcd whose leader dies drops what it was given, and says nothing.
    let unsure = Refused::Unsure("no reply in time".into());
    fleet.commons.give_up_after(Duration::from_secs(3), unsure);
    fleet.commons.hang(true);
    let found = report("web/a", fleet.registered(owner, "web/a"), Status::Passing);
    fleet.registry(owner).enqueue(found).await.unwrap();
    pass(3_005).await;
    fleet.commons.hang(false);
    fleet.submit(owner, register(testing::instance("web/b", "10.0.0.2"))).await.unwrap();
    pass(5).await;
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Passing));
}

/// It was passing again, on all servers, until the next heartbeat.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_that_is_handed_on_late_beats_no_newer_word() {
    let (fleet, mut queues) = Fleet::with_queues(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(3);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
    pass(1).await;
    let all = |status| [Some(status); 2];
    let take = async |beat: &Beat| {
        take_one(fleet.registry(owner), beat).await;
        pass(5).await;
    };
    fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
    let before_silence = queues[other].recv().await.unwrap();
    pass(4_000).await;
    assert_eq!(fleet.status("web/a"), all(Status::Critical), "silent for its ttl");
    // A silence is nobody's word.
    take(&before_silence).await;
    assert_eq!(fleet.status("web/a"), all(Status::Passing));

    fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
    let first = queues[other].recv().await.unwrap();
    fleet.submit(owner, beat("web/a", Status::Critical)).await.unwrap();
    pass(2_000).await;
    take(&first).await;
    assert_eq!(fleet.status("web/a"), all(Status::Critical), "that was its last word");
    pass(2_000).await;
    let known = fleet.registry(owner).snapshot().member(&key("web/a")).cloned().unwrap();
    assert_eq!(&*known.checks[0].output, "said", "it is a sign of life all the same");
    // An older Rollcall does not say what it had seen.
    take(&Beat { heard: None, ..first }).await;
    assert_eq!(fleet.status("web/a"), all(Status::Passing));

    fleet.submit(owner, beat("web/a", Status::Critical)).await.unwrap();
    pass(1).await;
    let back = fleet.submit(other, beat("web/a", Status::Passing));
    let deliver = async {
        let beat = queues[other].recv().await.unwrap();
        take(&beat).await;
    };
    let (back, ()) = tokio::join!(back, deliver);
    assert!(back.unwrap().changed);
    assert_eq!(fleet.status("web/a"), all(Status::Passing), "it knew that word");
}

/// Of words that a client says one after the other, each acknowledged, at servers that have not
/// heard of the one before, the last one was taken for older than that, and had no effect.
#[tokio::test(start_paused = true)]
async fn the_last_word_that_was_acknowledged_counts_wherever_it_was_said() {
    use Status::{Critical, Passing};
    let (fleet, mut queues) = Fleet::with_queues(3);
    let (owner, other) = fleet.owner_and_other("web/a");
    let third = (other + 1) % 3;
    let ttl = Duration::from_secs(60);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    fleet.submit(owner, beat("web/a", Passing)).await.unwrap();
    pass(100).await;
    for words in [
        &[(owner, Critical), (other, Passing)][..],
        &[(owner, Critical)],
        &[(owner, Passing), (other, Critical)],
        &[(owner, Passing)],
        &[(owner, Critical), (third, Passing)],
        &[(owner, Passing), (other, Critical), (third, Passing), (owner, Critical)],
    ] {
        [other, third].iter().for_each(|server| fleet.commons.lag(*server, true));
        for (server, status) in words {
            fleet.submit(*server, beat("web/a", *status)).await.unwrap();
            pass(1).await;
        }
        [other, third].iter().for_each(|server| fleet.commons.lag(*server, false));
        // They are collected for a while before they are handed on, and come in any order.
        pass(200).await;
        for server in [third, other] {
            while let Ok(beat) = queues[server].try_recv() {
                take_one(fleet.registry(owner), &beat).await;
            }
        }
        pass(100).await;
        let last = words.last().map(|(_, status)| *status);
        assert_eq!(fleet.status("web/a"), [last; 3], "{words:?}");
        pass(11_000).await;
    }
}

/// The time on the way counts as time before it came, so it looks later than it was, and than the
/// word that was said meanwhile: that was undone until the next heartbeat.
#[tokio::test(start_paused = true)]
async fn a_heartbeat_on_its_way_undoes_no_word_that_comes_meanwhile() {
    let (fleet, mut queues) = Fleet::with_queues(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(60);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
    for way in [10, 15] {
        pass(11_000).await;
        fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
        let sent = queues[other].recv().await.unwrap();
        pass(5).await;
        fleet.registry(owner).enqueue(beat("web/a", Status::Critical)).await.unwrap();
        pass(way - 5).await;
        let at = Timestamp(fleet.servers[owner].clock.wall_millis());
        let heard = sent.heard.map(|heard| Arrival { at: Some(at), ..heard });
        assert!(heard.is_some(), "it says how it was heard");
        take_one(fleet.registry(owner), &Beat { heard, ..sent }).await;
        pass(100).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 2], "{way} ms on its way");
        fleet.submit(owner, beat("web/a", Status::Passing)).await.unwrap();
    }
}

/// Of two checks whose owners are two, the other would never have lapsed.
#[tokio::test(start_paused = true)]
async fn of_what_is_registered_again_only_the_signs_of_life_in_it_are_handed_on() {
    let (fleet, mut queues) = Fleet::with_queues(2);
    let (_, other) = fleet.owner_and_other("web/a");
    let one = testing::beating("web/a", "10.0.0.1", Duration::from_secs(3));
    let two = Instance { checks: vec![one.checks[0].clone(); 2].into(), ..one };
    fleet.submit(other, register(two.clone())).await.unwrap();
    pass(5).await;
    let registered = fleet.registered(other, "web/a");
    let to = Replacement {
        instance: Arc::new(two.clone()),
        checks: vec![Carry::From(0), Carry::Renewed(1)],
        drained: None,
    };
    let amendment = Amendment { key: key("web/a"), seen: Some(registered), to: Some(to) };
    fleet.submit(other, Command::Amend(vec![amendment])).await.unwrap();
    let beat = queues[other].recv().await.unwrap();
    assert_eq!((beat.check, beat.status), (Some((1, registered)), None));
    // Nobody counts the signs of life of what has no such check.
    let plain = (0..).map(|number| format!("web/plain{number}"));
    let plain = plain.into_iter().find(|name| fleet.owner_and_other(name).0 != other).unwrap();
    for _ in 0..2 {
        fleet.submit(other, register(testing::instance(&plain, "10.0.0.2"))).await.unwrap();
    }
    fleet.submit(other, register(two)).await.unwrap();
    let beat = queues[other].recv().await.unwrap();
    assert_eq!((beat.key.clone(), beat.check), (key("web/a"), None), "all of it is alive");
    assert!(queues[other].try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn heartbeats_may_come_to_any_server_and_are_never_written() {
    let fleet = Fleet::start(3);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(3);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    for turn in 0..20 {
        let server = turn % 3;
        fleet.submit(server, beat("web/a", Status::Passing)).await.unwrap();
        pass(2_000).await;
        assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 3]);
    }
    // The first one says something where nothing was said before.
    assert!(fleet.commons.revision() <= 2, "{}", fleet.commons.revision());
    let down = fleet.submit(other, beat("web/a", Status::Critical)).await.unwrap();
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical));
    assert!(fleet.registry(owner).snapshot().has_seen(down.revision), "it was written");
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3]);
    fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
    pass(5_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical); 3], "silent for its ttl");
}

/// They were missing in the number of those that were dropped.
#[tokio::test(start_paused = true)]
async fn heartbeats_for_others_that_find_no_room_are_counted() {
    // Nobody takes what they have for one another.
    let (fleet, _queues) = Fleet::with_queues(3);
    let (owner, next) = (fleet.owner_and_other("web/a").0, fleet.commons.next_owner(&key("web/a")));
    let other = 3 - owner - next;
    let ttl = Duration::from_secs(3_600);
    fleet.submit(other, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    pass(5).await;
    for _ in 0..BEATS_MAX + 7 {
        fleet.registry(other).enqueue(beat("web/a", Status::Passing)).await.unwrap();
    }
    pass(5).await;
    assert_eq!(fleet.commons.beats_left_out(other), 7);
    fleet.registry(other).enqueue(beat("web/a", Status::Critical)).await.unwrap();
    pass(5).await;
    assert_eq!(fleet.commons.beats_left_out(other), 8);
    fleet.commons.bury(owner);
    pass(5).await;
    assert_eq!(fleet.commons.beats_left_out(other), 9, "handed on again to the next owner");
    assert_eq!(fleet.commons.beats_left_out(owner), 0);
}

/// It was acknowledged, and undone: at the start of a server, before the others know of it.
#[tokio::test(start_paused = true)]
async fn a_word_that_a_client_waits_for_stays_when_its_server_becomes_known() {
    let fleet = Fleet::start(1);
    let ttl = Duration::from_secs(60);
    fleet.submit(0, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    fleet.commons.come_back(0, true);
    pass(5).await;
    let registry = fleet.registry(0).clone();
    let said = tokio::spawn(async move { registry.submit(beat("web/a", Status::Critical)).await });
    pass(5).await;
    assert!(!said.is_finished(), "nobody may write it");
    fleet.commons.join_again(0);
    assert!(said.await.unwrap().unwrap().changed);
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical)]);
    assert_eq!(fleet.commons.members()[0].status, Status::Critical, "it is written");
    pass(15_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Critical)]);
}

#[tokio::test(start_paused = true)]
async fn who_takes_over_gives_each_silent_one_a_full_ttl() {
    let fleet = Fleet::start(3);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(10);
    fleet.submit(other, register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    pass(9_000).await;
    fleet.commons.bury(owner);
    pass(9_900).await;
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Passing));
    pass(1_000).await;
    let seen = fleet.status("web/a");
    let living = seen.iter().enumerate().filter(|(server, _)| *server != owner);
    assert!(living.map(|(_, status)| *status).all(|it| it == Some(Status::Critical)), "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn cut_off_it_refuses_changes_and_shows_what_it_finds() {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(0, register(tcp_checked("web/a"))).await.unwrap();
    pass(2).await;
    let registered = fleet.registered(other, "web/a");
    fleet.submit(owner, report("web/a", registered, Status::Passing)).await.unwrap();
    pass(2).await;
    fleet.commons.cut(other, true);
    pass(1).await;
    let refused = fleet.submit(other, register(testing::instance("web/b", "10.0.0.2"))).await;
    assert!(unreachable_or_not(&refused), "{refused:?}");
    fleet.submit(other, report("web/a", registered, Status::Critical)).await.unwrap();
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical));
    assert_eq!(status(&fleet.servers[owner], "web/a"), Some(Status::Passing), "its own finding");
    let written = fleet.submit(owner, register(testing::instance("web/c", "10.0.0.3"))).await;
    assert!(written.is_ok());
    fleet.commons.cut(other, false);
    pass(100).await;
    assert_eq!(status(&fleet.servers[other], "web/c"), Some(Status::Passing));
    assert_eq!(status(&fleet.servers[other], "web/a"), Some(Status::Critical), "for a while");
    pass(10_000).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2], "what its owner says");
    assert_eq!(fleet.commons.members().len(), 2, "nothing of what was refused");
}

#[tokio::test(start_paused = true)]
async fn a_list_is_taken_as_a_difference() {
    let fleet = Fleet::start(1);
    for name in ["web/a", "api/a", "db/a"] {
        fleet.submit(0, register(testing::instance(name, "10.0.0.1"))).await.unwrap();
    }
    let before = fleet.registry(0).snapshot();
    fleet.commons.list_again();
    pass(5).await;
    let after = fleet.registry(0).snapshot();
    for name in ["web", "api", "db"] {
        assert!(Arc::ptr_eq(before.service(name).unwrap(), after.service(name).unwrap()), "{name}");
    }
    // While it is away, one goes, one comes and one is replaced.
    fleet.commons.cut(0, true);
    let put = |name: &str, ip: &str| {
        let instance = Arc::new(testing::instance(name, ip));
        let to = Registration {
            instance,
            registered: None,
            registered_at: crate::model::Timestamp(1),
            since: None,
            created: None,
            checks: None,
        };
        Edit::Register { key: key(name), to: Box::new(to), guard: Guard::None }
    };
    let gone = Edit::Deregister { key: key("db/a"), guard: Guard::None };
    fleet.commons.write(vec![put("web/b", "10.0.0.2"), put("api/a", "10.0.0.9"), gone]);
    let since = fleet.registry(0).snapshot().revision;
    fleet.commons.cut(0, false);
    pass(5).await;
    let (events, _) = fleet.registry(0).events().after(since, 9).unwrap();
    assert_eq!(events.len(), 3, "{events:?}");
    let snapshot = fleet.registry(0).snapshot();
    assert!(snapshot.service("db").is_none());
    assert_eq!(snapshot.service("web").unwrap().members.len(), 2);
}

/// As with a store of its own: clients of the stream may count on it.
#[tokio::test(start_paused = true)]
async fn a_registration_in_place_of_another_is_one_event_whatever_the_state_was() {
    let fleet = Fleet::start(2);
    let beating = testing::beating("web/a", "10.0.0.1", Duration::from_secs(99));
    fleet.submit(0, register(beating)).await.unwrap();
    fleet.submit(0, beat("web/a", Status::Critical)).await.unwrap();
    pass(1_000).await;
    let replaced = fleet.submit(0, register(testing::instance("web/a", "10.0.0.2"))).await.unwrap();
    pass(1).await;
    for server in 0..2 {
        let (events, _) =
            fleet.registry(server).events().after(Revision(replaced.revision.0 - 1), 9).unwrap();
        let kinds: Vec<_> = events.iter().map(|event| &event.kind).collect();
        assert!(matches!(kinds[..], [EventKind::Registered { replaced: true, .. }]), "{kinds:?}");
    }
}

/// Else the time would be another one after each start.
#[tokio::test(start_paused = true)]
async fn who_lists_knows_since_when_instances_are_in_their_state() {
    let fleet = Fleet::start(1);
    let beating = |ip| testing::beating("web/a", ip, Duration::from_secs(99));
    let since = |registry: &Registry| registry.snapshot().member(&key("web/a")).unwrap().since;
    let is_known = || {
        let (late, _beats) = fleet.commons.join(Options::default());
        since(&late.registry) == since(fleet.registry(0))
    };
    fleet.submit(0, register(beating("10.0.0.1"))).await.unwrap();
    pass(1_000).await;
    for status in [Status::Critical, Status::Passing] {
        fleet.submit(0, beat("web/a", status)).await.unwrap();
        pass(1_000).await;
        assert!(is_known(), "{status:?}");
    }
    // What is registered in its place is in the same state.
    let before = since(fleet.registry(0));
    fleet.submit(0, register(beating("10.0.0.2"))).await.unwrap();
    pass(1_000).await;
    assert_eq!(since(fleet.registry(0)), before);
    assert!(is_known());
}
