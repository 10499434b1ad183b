//! Watchers that go on at another server, or at the same one after a restart: what they have not
//! heard of they are told, or told that they have to read all anew.

use std::collections::BTreeSet;

use super::{Commons, Duration, Fleet, Status, beat, key, pass, register, report, status};
use crate::{
    model::{Event, EventKind, Instance, InstanceKey, Revision},
    registry::{
        Edit, Guard, Options, Registration, Registry,
        testing::{self, beating, tcp_checked},
        writer::tests::weather::command,
    },
};

fn events(registry: &Registry, since: Revision) -> Vec<std::sync::Arc<Event>> {
    registry.events().after(since, usize::MAX).expect("all is known").0
}

/// Of whom is told at revisions of the store. What is told again, of those who follow others
/// perhaps only that they are as they were, is left out if `is_new`, and so is what a server tells
/// that has shown more than is shared, which may be that this is no longer so.
fn told(registry: &Registry, is_new: bool) -> BTreeSet<(Revision, InstanceKey)> {
    let mut was_all_shared = true;
    let mut told = BTreeSet::new();
    for event in events(registry, Revision::shared(0)) {
        let is_shared = event.revision.step() == 0;
        let is_plain = was_all_shared && event.place.step() == 0 && event.told_after.is_none();
        was_all_shared = event.place.step() == 0;
        let is_for_all = !matches!(event.kind, EventKind::CheckChanged { .. });
        if is_shared && is_for_all && (is_plain || !is_new) {
            told.extend(event.kind.key().map(|key| (event.revision, key.clone())));
        }
    }
    told
}

/// The statuses that are told of `web/a` after a place.
fn statuses(registry: &Registry, since: Revision) -> Vec<Status> {
    let status = |event: &std::sync::Arc<Event>| match event.kind {
        EventKind::StatusChanged { to, .. } => Some(to),
        _ => None,
    };
    events(registry, since).iter().filter_map(status).collect()
}

fn resume(registry: &Registry, id: Revision) -> Option<Revision> {
    registry.events().resume(id, &registry.snapshot()).ok()
}

/// A fleet with `web/a`, which passes: its owner, and the other.
async fn passing() -> (Fleet, usize, usize) {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    fleet.submit(other, register(tcp_checked("web/a"))).await.unwrap();
    pass(5).await;
    let registered = fleet.registered(owner, "web/a");
    fleet.submit(owner, report("web/a", registered, Status::Passing)).await.unwrap();
    pass(5).await;
    assert_eq!(fleet.status("web/a"), [Some(Status::Passing); 2]);
    (fleet, owner, other)
}

async fn find(fleet: &Fleet, server: usize, status: Status) {
    let registered = fleet.registered(server, "web/a");
    let found = report("web/a", registered, status);
    fleet.registry(server).enqueue(found).await.unwrap();
    tokio::task::yield_now().await;
}

/// Somebody writes something else first.
fn write_another(fleet: &Fleet, name: &str) -> Revision {
    let registration = Registration {
        instance: testing::instance(name, "10.0.0.9").into(),
        registered: None,
        registered_at: crate::model::Timestamp(1),
        since: None,
        created: None,
        checks: None,
    };
    let (to, guard) = (Box::new(registration), Guard::None);
    let edit = Edit::Register { key: key(name), to, guard };
    Revision::shared(fleet.commons.write(vec![edit]))
}

#[tokio::test(start_paused = true)]
async fn what_was_shown_before_the_store_had_it_is_told_at_its_revision_too() {
    let (fleet, owner, other) = passing().await;
    find(&fleet, owner, Status::Critical).await;
    pass(5).await;
    let at = Revision::shared(fleet.commons.revision());
    let before = Revision(at.0 - 1);
    for server in [owner, other] {
        let registry = fleet.registry(server);
        assert_eq!(statuses(registry, before), [Status::Critical], "server {server}");
        let member = registry.snapshot().member(&key("web/a")).cloned().unwrap();
        assert_eq!((member.modified, registry.snapshot().revision), (at, at));
        assert_eq!(registry.snapshot().service("web").unwrap().changed, at);
    }
    let again = events(fleet.registry(owner), before);
    let first = statuses(fleet.registry(owner), again[0].told_after.unwrap());
    assert_eq!(first, [Status::Critical; 2], "it was told, and told again");
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_was_shown_before_is_told_at_its_revision_too() {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    let deregister_after = Some(Duration::from_secs(1));
    let ttl = Duration::from_secs(1);
    let instance = Instance { deregister_after, ..beating("web/a", "10.0.0.1", ttl) };
    fleet.submit(other, register(instance)).await.unwrap();
    pass(5_000).await;
    assert_eq!(fleet.status("web/a"), [None; 2]);
    let at = Revision::shared(fleet.commons.revision());
    for server in [owner, other] {
        let last = events(fleet.registry(server), Revision(at.0 - 1));
        let is_gone = matches!(last[0].kind, EventKind::Deregistered { .. });
        assert!(is_gone && last.len() == 1, "server {server}: {last:?}");
    }
}

/// A client of the other server that has heard of what was written first came to the owner, where
/// the flip was behind it, and was never told.
#[tokio::test(start_paused = true)]
async fn who_comes_while_more_is_shown_than_is_shared_is_told_of_it() {
    let (fleet, owner, _) = passing().await;
    fleet.commons.hang(true);
    find(&fleet, owner, Status::Critical).await;
    let seen = write_another(&fleet, "web/z");
    pass(5).await;
    let registry = fleet.registry(owner);
    assert!(registry.snapshot().shared >= Some(seen));
    assert!(registry.snapshot().steps.is_unshared(&key("web/a").service));
    let from = resume(registry, seen).unwrap();
    assert_eq!(statuses(registry, from), [Status::Critical]);
    // What is told meanwhile has an id that is good here only.
    let another = events(registry, Revision(seen.0 - 1))[0].place;
    assert_ne!(another, seen);
    assert_eq!(resume(registry, another), Some(another));
    let other = fleet.registry((owner + 1) % 2);
    assert_eq!(resume(other, another), None, "it may never be shared");
    assert_eq!(resume(other, seen), Some(seen));
    fleet.commons.hang(false);
    pass(5).await;
    assert!(!registry.snapshot().steps.is_any_unshared());
    assert_eq!(resume(registry, seen), Some(seen));
    assert_eq!(statuses(registry, seen), [Status::Critical], "at its revision");
}

#[tokio::test(start_paused = true)]
async fn a_place_is_good_for_the_life_that_gave_it_out() {
    let (fleet, owner, other) = passing().await;
    fleet.commons.cut(owner, true);
    pass(5).await;
    for turn in 0..4 {
        let status = [Status::Critical, Status::Passing][turn % 2];
        find(&fleet, owner, status).await;
        pass(5).await;
        let place = fleet.registry(owner).snapshot().revision;
        assert!(place.step() > 0);
        assert_eq!(resume(fleet.registry(owner), place), Some(place), "this very one");
        assert_eq!(resume(fleet.registry(other), place), None);
        assert_eq!(resume(fleet.registry(owner), Revision(place.0 + 1)), None, "not yet");
    }
    let ahead = Revision::shared(fleet.commons.revision() + 1);
    assert_eq!(resume(fleet.registry(other), ahead), None, "nothing is known of it");
}

/// What the life before had shown and not written nobody took back: once the new one had gone on
/// past its number, the watcher was taken for one of its own.
#[tokio::test(start_paused = true)]
async fn a_reset_is_not_lost_after_a_restart_over_a_shared_store() {
    let (fleet, owner, _) = passing().await;
    fleet.commons.cut(owner, true);
    pass(5).await;
    find(&fleet, owner, Status::Critical).await;
    pass(5).await;
    let seen = fleet.registry(owner).snapshot().revision;
    fleet.servers[owner].stop.cancel();
    pass(5).await;
    let (after, _beats) = fleet.commons.join(Options::default());
    assert_eq!(status(&after, "web/a"), Some(Status::Passing), "it was not written");
    assert_eq!(resume(&after.registry, seen), None);
    write_another(&fleet, "web/z");
    pass(5).await;
    assert!(after.registry.snapshot().revision > seen);
    assert_eq!(resume(&after.registry, seen), None, "nor later");
    let listed = Revision::shared(fleet.commons.revision() - 1);
    assert_eq!(resume(&after.registry, listed), Some(listed), "what it began with");
    assert_eq!(resume(&after.registry, Revision(listed.0 - 1)), None);
}

#[tokio::test(start_paused = true)]
async fn a_store_that_goes_back_is_a_reset_for_all() {
    let (fleet, owner, _) = passing().await;
    let registry = fleet.registry(owner);
    let (before, era) = (registry.snapshot().revision, registry.snapshot().steps.era);
    fleet.commons.go_back(fleet.commons.revision() - 1);
    pass(5).await;
    let now = registry.snapshot();
    assert!(now.revision > before && now.steps.era > era && now.shared < Some(before));
    assert_eq!(resume(registry, before), None);
    assert!(registry.events().after(before, 9).is_err(), "whoever was there is told");
    // What comes then is this server's own.
    write_another(&fleet, "web/z");
    pass(5).await;
    assert_eq!(resume(registry, Revision::shared(fleet.commons.revision())), None);
    let place = registry.snapshot().revision;
    assert!(place > now.revision && place.step() > 0);
    assert_eq!(resume(registry, place), Some(place));
    assert_eq!(registry.snapshot().steps.era, now.steps.era, "events tell of it");
}

#[tokio::test(start_paused = true)]
async fn who_was_elsewhere_in_what_was_only_listed_reads_all_anew() {
    let (fleet, owner, other) = passing().await;
    let before = Revision::shared(fleet.commons.revision());
    fleet.commons.cut(owner, true);
    pass(5).await;
    let (first, second) = (write_another(&fleet, "web/y"), write_another(&fleet, "web/z"));
    pass(5).await;
    fleet.commons.cut(owner, false);
    pass(5).await;
    let registry = fleet.registry(owner);
    assert_eq!(resume(registry, before), Some(before), "the difference says all");
    assert_eq!(resume(registry, first), None, "it may have been taken back since");
    assert_eq!(resume(registry, second), Some(second));
    assert_eq!(resume(fleet.registry(other), first), Some(first));
}

/// The count went on in the revision of the store, which means something to other servers.
#[tokio::test(start_paused = true)]
async fn more_than_there_are_numbers_for_wakes_watchers_and_is_a_reset() {
    let (fleet, owner, _) = passing().await;
    fleet.commons.cut(owner, true);
    pass(5).await;
    let registry = fleet.registry(owner);
    let shared = registry.snapshot().revision.shared_part();
    let turn = [Status::Critical, Status::Passing];
    for step in 0..usize::from(u16::MAX) {
        find(&fleet, owner, turn[step % 2]).await;
    }
    pass(5).await;
    let used_up = registry.snapshot();
    assert_eq!((used_up.revision.shared_part(), used_up.revision.step()), (shared, u16::MAX));
    let mut bell = registry.events().subscribe();
    for status in [Status::Passing, Status::Critical] {
        let era = registry.snapshot().steps.era;
        find(&fleet, owner, status).await;
        pass(5).await;
        assert_eq!(fleet.status("web/a")[owner], Some(status), "it is shown all the same");
        assert!(registry.snapshot().steps.era > era);
        assert!(bell.has_changed().unwrap());
        bell.mark_unchanged();
    }
    assert_eq!(registry.snapshot().revision, used_up.revision);
    assert_eq!(resume(registry, used_up.revision), None, "it stands for many");
    fleet.commons.cut(owner, false);
    write_another(&fleet, "web/z");
    pass(15_000).await;
    let now = registry.snapshot();
    assert!(now.revision.shared_part() > shared && now.revision > used_up.revision);
}

/// Whoever follows one that was shown before is told of with it.
#[tokio::test(start_paused = true)]
async fn all_servers_tell_the_same_at_the_revisions_of_the_store() {
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let fleet = Fleet::of(Commons::default(), 2);
        for _ in 0..60 {
            let server = random.usize(0..2);
            let (kind, who, how) = (random.u8(0..12), random.u8(0..4), random.u8(0..6));
            let command = command(&fleet.servers[server], kind, who, how);
            let registry = fleet.registry(server).clone();
            tokio::spawn(async move { registry.submit(command).await });
            if random.bool() {
                pass(random.u64(0..4)).await;
            }
        }
        pass(30_000).await;
        for (one, other) in [(0, 1), (1, 0)] {
            let (new, all) = (told(fleet.registry(one), true), told(fleet.registry(other), false));
            let missed: Vec<_> = new.difference(&all).collect();
            assert!(missed.is_empty(), "seed {seed}, told by {one}: {missed:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn heartbeats_that_turn_an_instance_elsewhere_leave_nothing_untold() {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    let ttl = Duration::from_secs(60);
    fleet.submit(owner, register(beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    pass(5).await;
    for status in [Status::Critical, Status::Passing, Status::Warning] {
        fleet.submit(other, beat("web/a", status)).await.unwrap();
        pass(50).await;
        assert_eq!(fleet.status("web/a"), [Some(status); 2]);
        let at = Revision(Revision::shared(fleet.commons.revision()).0 - 1);
        for server in [owner, other] {
            assert_eq!(statuses(fleet.registry(server), at), [status], "server {server}");
        }
    }
}
