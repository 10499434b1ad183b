//! Bulks: one revision, all or none, and nothing beside them.

use tokio::time::Duration;

use super::{World, deregister, drain, policy, register};
use crate::{
    cluster::{
        common::Over,
        etcd::{Client, EtcdOptions},
        follow::testing::{Flow, Link, Mirror, client},
        testing::shared_url,
    },
    model::Revision,
    registry::{Edit, Guard, Refused, SharedRow},
};

pub(super) fn many(count: usize, guard: Guard) -> Vec<Edit> {
    (0..count).map(|n| register(&format!("web/i{n}"), guard)).collect()
}

/// The revision of a registration, where the row says it.
fn registered(mirror: &Mirror, name: &str) -> Option<Revision> {
    match &mirror.rows[&format!("registration {name}")] {
        SharedRow::Registration { to: Some(to), .. } => to.registered,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_is_more_than_a_transaction_is_seen_at_one_revision() {
    let mut world = World::new().await;
    let mut other = world.other().await;
    for (count, guard) in [(128, Guard::Unchanged), (64, Guard::PresentUnchanged)] {
        let at = world.propose(many(count, guard)).await.unwrap();
        // Nothing has come into its row as yet.
        let before = if guard == Guard::Unchanged { 0 } else { 128 };
        assert_eq!(world.keys("instances/").await, before);
        for mirror in [&mut world.mirror, &mut other.mirror] {
            mirror.until_seen(at).await;
            assert_eq!((mirror.upto, mirror.rows.len()), (at, 128));
            assert_eq!(registered(mirror, "web/i5"), None, "that of the revision");
        }
        let _finish = world.finish();
        world.until_over().await;
        other.until_over().await;
        assert_eq!((world.keys("instances/").await, world.keys("bulk").await), (128, 0));
        for mirror in [&mut world.mirror, &mut other.mirror] {
            assert_eq!(registered(mirror, "web/i5"), Some(Revision::shared(at)));
            assert_eq!(mirror.board(), "");
        }
    }
}

#[tokio::test]
async fn all_kinds_of_changes_come_into_their_rows() {
    let mut world = World::new().await;
    let _finish = world.finish();
    world.write(many(100, Guard::Unchanged)).await;
    world.write(vec![drain("web/i7", true, Guard::Present)]).await;
    let mut edits = vec![
        policy("web"),
        deregister("web/i7", Guard::PresentUnchanged),
        drain("web/i8", true, Guard::Present),
        // A registration and its drain are two rows.
        register("web/i9", Guard::PresentUnchanged),
        drain("web/i9", true, Guard::None),
    ];
    edits.extend((100..300).map(|n| register(&format!("web/i{n}"), Guard::Unchanged)));
    world.write(edits).await;
    let names = |mirror: &Mirror| mirror.names().into_iter().map(String::from).collect::<Vec<_>>();
    let shown = names(&world.mirror);
    assert_eq!(shown.len(), 299 + 2, "{shown:?}");
    assert_eq!(shown[..2], ["drained web/i8", "drained web/i9"]);
    world.until_over().await;
    assert_eq!(names(&world.mirror), shown);
    assert_eq!(world.keys("instances/").await, 301);
    assert_eq!(names(&world.other().await.mirror), shown);
}

#[tokio::test]
async fn who_lists_while_a_bulk_comes_into_its_rows_has_all_of_it() {
    let mut world = World::new().await;
    let mut all = many(200, Guard::Unchanged);
    world.write(all.split_off(100)).await;
    world.write(vec![drain("web/i150", true, Guard::Present)]).await;
    let mut edits = many(150, Guard::Unchanged);
    edits.extend((150..200).map(|n| deregister(&format!("web/i{n}"), Guard::PresentUnchanged)));
    world.write(edits).await;
    let finisher = super::super::Finisher::new(world.mirror.common.clone(), "me".into());
    let bulk = world.mirror.common.bulks().borrow().under_way.clone().unwrap();
    let shown = |mirror: &Mirror| -> Vec<_> {
        let name = |name: &&str| (*name).to_owned();
        mirror.names().iter().map(name).collect()
    };
    let expected = shown(&world.mirror);
    assert_eq!(expected.len(), 150);
    assert_eq!(shown(&world.other().await.mirror), expected, "nothing has come into its row");
    for rows in finisher.batches(&bulk) {
        finisher.write(bulk.at, rows).await.unwrap();
        assert_eq!(shown(&world.other().await.mirror), expected, "some of it has");
    }
    finisher.finish(&bulk).await.unwrap();
    // Once more by who has not heard that it is done.
    finisher.finish(&bulk).await.unwrap();
    assert_eq!(shown(&world.other().await.mirror), expected);
    world.until_over().await;
    assert_eq!((shown(&world.mirror), world.keys("bulk").await), (expected, 0));
}

#[tokio::test]
async fn a_conflict_of_a_bulk_names_those_that_changed_and_nothing_is_written() {
    let mut world = World::new().await;
    let finish = world.finish();
    world.write(many(300, Guard::Unchanged)).await;
    world.until_over().await;
    let base = world.mirror.upto;
    world.write(vec![register("web/i7", Guard::None)]).await;
    world.write(vec![deregister("web/i290", Guard::Present)]).await;
    drop(finish);
    match world.propose_on(base, many(300, Guard::PresentUnchanged)).await {
        Err(Refused::Conflict { keys, at }) => {
            let keys: Vec<_> = keys.iter().map(ToString::to_string).collect();
            assert_eq!(keys, ["web/i7", "web/i290"]);
            world.mirror.until_seen(at).await;
        }
        other => panic!("{other:?}"),
    }
    assert_eq!((world.mirror.rows.len(), world.keys("bulk").await), (299, 0));
    assert!(world.propose(vec![policy("web")]).await.is_ok(), "nothing is left in the way");
}

#[tokio::test]
async fn nothing_else_is_written_until_a_bulk_is_over() {
    let mut world = World::new().await;
    let mut other = world.other().await;
    other.join().await;
    let at = world.propose(many(300, Guard::Unchanged)).await.unwrap();
    let base = other.mirror.upto;
    other.writer.patience = Duration::from_millis(100);
    let edits = || vec![deregister("web/i5", Guard::Present), register("web/i6", Guard::Present)];
    match other.propose(edits()).await {
        Err(Refused::Busy(why)) => assert!(why.contains("`me` writes 300 changes"), "{why}"),
        other => panic!("{other:?}"),
    }
    other.mirror.until_seen(at).await;
    assert!(matches!(other.as_owner(edits()).await, Err(Refused::Busy(_))));
    assert!(matches!(other.propose(many(200, Guard::None)).await, Err(Refused::Busy(_))));
    // It waits, and what was decided before the bulk is judged as ever.
    other.writer.patience = Duration::from_secs(20);
    let (within, _finish) = (other.mirror.upto, world.finish());
    let unchanged = || vec![register("web/i9", Guard::Unchanged)];
    match other.propose_on(base, unchanged()).await {
        Err(Refused::Conflict { keys, .. }) => assert_eq!(keys.len(), 1),
        other => panic!("{other:?}"),
    }
    // What was decided on within it is to be decided anew: no instance was changed by anybody.
    let over = other.mirror.common.bulks().borrow().last;
    let Some(Over { counted, ended, .. }) = over else { panic!("{over:?}") };
    assert!(counted == at && ended > within);
    match other.propose_on(within, unchanged()).await {
        Err(Refused::Conflict { keys, at }) => assert_eq!((keys.len(), at), (0, ended)),
        other => panic!("{other:?}"),
    }
    other.mirror.until_seen(ended).await;
    other.write(edits()).await;
    other.write(unchanged()).await;
    assert_eq!(other.mirror.rows.len(), 299, "what is removed does not come back");
}

/// The condition is etcd's to judge: what this server knows may be old.
#[tokio::test]
async fn who_has_not_heard_of_a_bulk_does_not_write_beside_it() {
    let mut world = World::new().await;
    let link = Link::to(shared_url()).await;
    let follows: Client = client(&link.url);
    let mut deaf = World::of(follows, world.etcd.clone(), &world.prefix).await;
    deaf.writer.me = "deaf".into();
    link.set_flow(Flow::None);
    world.write(many(300, Guard::Unchanged)).await;
    deaf.writer.patience = Duration::from_millis(200);
    let refused = deaf.propose(vec![register("web/i5", Guard::None)]).await;
    assert!(matches!(refused, Err(Refused::Busy(_))), "{refused:?}");
    assert!(matches!(deaf.propose(many(200, Guard::None)).await, Err(Refused::Busy(_))));
    assert_eq!((world.keys("instances/").await, world.keys("bulks/").await), (0, 1));
}

#[tokio::test]
async fn a_bulk_whose_first_request_had_no_answer_goes_on() {
    let (one, other) = (Link::to(shared_url()).await, Link::to(shared_url()).await);
    let mut world = World::new().await;
    let deadline = Duration::from_millis(500);
    let writes = EtcdOptions { deadline, ..EtcdOptions::new([&*one.url, &*other.url]) };
    world.mirror.common.client = Client::new(writes).unwrap();
    world.writer.common.client = world.mirror.common.client.clone();
    one.set_flow(Flow::Out);
    let at = world.propose(many(300, Guard::Unchanged)).await.unwrap();
    world.mirror.until_seen(at).await;
    assert_eq!(world.mirror.rows.len(), 300);
}

/// It may be of a later version, or somebody's mistake.
#[tokio::test]
async fn a_marker_that_cannot_be_read_is_waited_for_and_then_refused() {
    let mut world = World::new().await;
    world.put("bulk", "x").await;
    world.writer.patience = Duration::from_millis(500);
    for edits in [vec![policy("web")], many(300, Guard::Unchanged)] {
        match world.propose(edits).await {
            Err(Refused::Busy(why)) => assert!(why.contains("v1/bulk` of etcd is there"), "{why}"),
            other => panic!("{other:?}"),
        }
    }
    world.delete("bulk").await;
    world.write(vec![policy("web")]).await;
}

#[tokio::test]
async fn two_bulks_come_one_after_the_other() {
    let mut world = World::new().await;
    let mut other = world.other().await;
    let (_one, _two) = (world.finish(), other.finish());
    let of = |name: &str| -> Vec<Edit> {
        (0..1_000).map(|n| register(&format!("{name}/i{n}"), Guard::Unchanged)).collect()
    };
    let (one, two) = tokio::join!(world.propose(of("one")), other.propose(of("two")));
    let last = one.unwrap().max(two.unwrap());
    for world in [&mut world, &mut other] {
        world.mirror.until_seen(last).await;
        world.until_over().await;
        assert_eq!(world.mirror.rows.len(), 2_000);
    }
    assert_eq!((world.keys("instances/").await, world.keys("bulk").await), (2_000, 0));
}

/// The largest request there is.
#[tokio::test]
async fn a_hundred_thousand_are_one_revision() {
    let mut world = World::new().await;
    let mut other = world.other().await;
    // How long that takes is another matter: here it is not optimised, and not alone.
    world.writer.bulk_time = Duration::from_secs(600);
    let at = world.write(many(100_000, Guard::Unchanged)).await;
    other.mirror.until_seen(at).await;
    assert_eq!((other.mirror.upto, other.mirror.rows.len()), (at, 100_000));
    assert_eq!(world.keys("instances/").await, 0);
    let bulk = world.mirror.common.bulks().borrow().under_way.clone().unwrap();
    let finisher = super::super::Finisher::new(world.mirror.common.clone(), "me".into());
    finisher.finish(&bulk).await.unwrap();
    let after = world.etcd.put(format!("{}v1/beats/other", world.prefix), "", None).await;
    other.mirror.until_seen(after.unwrap().revision).await;
    other.until_over().await;
    assert_eq!((other.mirror.rows.len(), world.keys("instances/").await), (100_000, 100_000));
}
