//! Answers that were lost, stores that are full, and who must not write.

use tokio::time::Duration;
use tokio_util::sync::CancellationToken;

use super::{World, deregister, health, own_policy, policy, register};
use crate::{
    cluster::{
        etcd::{Client, EtcdOptions},
        follow::{
            inspect,
            testing::{Flow, Link, client, until},
        },
        testing::{Etcd, shared, shared_url},
    },
    model::Status::Critical,
    registry::{Guard, Refused, Weather, testing::key},
};

/// A writer whose answers are lost on its first way to etcd, and come on the second.
async fn half_deaf() -> (World, Link, Link) {
    let (etcd, prefix) = shared();
    let (one, other) = (Link::to(shared_url()).await, Link::to(shared_url()).await);
    let deadline = Duration::from_millis(500);
    let writes = EtcdOptions { deadline, ..EtcdOptions::new([&*one.url, &*other.url]) };
    let mut world = World::of(etcd, Client::new(writes).unwrap(), &prefix).await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    (world, one, other)
}

#[tokio::test]
async fn a_lost_answer_is_found_out() {
    let (mut world, one, _other) = half_deaf().await;
    one.set_flow(Flow::Out);
    let edits = vec![register("web/b", Guard::Unchanged), policy("web")];
    let at = world.propose(edits).await.unwrap();
    world.mirror.until_seen(at).await;
    assert_eq!((world.mirror.upto, world.mirror.rows.len()), (at, 2));
}

#[tokio::test]
async fn a_lost_answer_to_a_deletion_is_found_out() {
    let (mut world, one, _other) = half_deaf().await;
    one.set_flow(Flow::Out);
    let at = world.propose(vec![deregister("web/a", Guard::PresentUnchanged)]).await.unwrap();
    world.mirror.until_seen(at).await;
    assert!(world.mirror.rows.is_empty());
}

/// Somebody else may have put the same: that is no proof that all of it was taken.
#[tokio::test]
async fn the_same_row_of_another_server_is_no_answer() {
    let (mut world, one, _other) = half_deaf().await;
    let mut another = world.other().await;
    one.set_flow(Flow::None);
    let edits = vec![own_policy("web"), register("web/b", Guard::Unchanged)];
    let (lost, written) =
        tokio::join!(world.propose(edits), another.write(vec![own_policy("web")]));
    assert!(matches!(lost, Err(Refused::Unsure(_))), "{lost:?} with {written}");
    another.mirror.until_seen(written).await;
    assert_eq!(another.mirror.names(), ["policy web", "registration web/a"]);
}

#[tokio::test]
async fn where_the_store_does_not_answer_only_the_first_parts_are_tried() {
    let (mut world, one, other) = half_deaf().await;
    one.set_flow(Flow::None);
    other.set_flow(Flow::None);
    world.writer.deadline = Duration::from_secs(1);
    let kept = (0..1_000).map(|n| key(&format!("web/{n}"))).collect();
    let refused = world.keep(kept, Vec::new()).await.unwrap_err();
    assert!(matches!(refused, Refused::Unavailable(_) | Refused::Unsure(_)), "{refused:?}");
    let metrics = ["unavailable", "unsure"].map(|outcome| {
        let name = format!("rollcall_store_transactions_total{{outcome=\"{outcome}\"}}");
        world.mirror.metric_or_zero(&name)
    });
    assert!(metrics.iter().sum::<u64>() <= 4, "{metrics:?}");
}

/// What has not arrived may still arrive, so nobody may say that it was not done.
#[tokio::test]
async fn what_is_on_its_way_is_unsure() {
    let (mut world, one, _other) = half_deaf().await;
    one.set_flow(Flow::None);
    match world.propose(vec![register("web/b", Guard::Unchanged)]).await {
        Err(Refused::Unsure(why)) => assert!(why.contains("etcd may have taken it"), "{why}"),
        other => panic!("{other:?}"),
    }
}

/// Who hears that has to look what became of it, though nothing was ever sent.
#[tokio::test]
async fn what_was_never_sent_is_not_unsure() {
    let (etcd, prefix) = shared();
    let (one, other) = (Link::to(shared_url()).await, Link::to(shared_url()).await);
    one.set_flow(Flow::None);
    other.set_flow(Flow::None);
    // The time of the proposal is over while the second endpoint is tried.
    let deadline = Duration::from_millis(1_500);
    let writes = EtcdOptions { deadline, ..EtcdOptions::new([&*one.url, &*other.url]) };
    let mut world = World::of(etcd, Client::new(writes).unwrap(), &prefix).await;
    world.writer.deadline = Duration::from_secs(2);
    match world.propose(vec![register("web/a", Guard::Unchanged)]).await {
        Err(Refused::Unavailable(why)) => {
            assert!(why.contains(&one.url) && why.contains(&other.url), "{why}");
        }
        other => panic!("{other:?}"),
    }
}

/// The watch was silent for ten seconds more, in which changes were refused and no note said why.
#[tokio::test]
async fn what_has_no_answer_makes_who_follows_look() {
    let (_, prefix) = shared();
    let link = Link::to(shared_url()).await;
    let mut world = World::of(client(&link.url), client(&link.url), &prefix).await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    world.writer.deadline = Duration::from_millis(500);
    link.set_flow(Flow::None);
    let refused = world.propose(vec![register("web/b", Guard::Unchanged)]).await;
    assert!(matches!(refused, Err(Refused::Unsure(_))), "{refused:?}");
    world.mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    let name = "rollcall_cluster_watch_restarts_total{reason=\"unanswered\"}";
    assert_eq!(world.mirror.metric_or_zero(name), 1);
    assert!(world.mirror.board().starts_with("etcd: "), "{}", world.mirror.board());
    link.set_flow(Flow::Both);
    world.mirror.until(|mirror| mirror.weather == Weather::Fair && mirror.writable == 1).await;
    assert_eq!(world.mirror.board(), "");
}

/// The next member said at once what had become of the change, so nobody looked: for ten seconds
/// more changes of others were not shown, and nothing was written, for want of its echo.
#[tokio::test]
async fn who_follows_looks_also_where_another_member_knows_what_became_of_it() {
    let (etcd, prefix) = shared();
    let (one, other) = (Link::to(shared_url()).await, Link::to(shared_url()).await);
    let deadline = Duration::from_millis(500);
    let options = EtcdOptions { deadline, ..EtcdOptions::new([&*one.url, &*other.url]) };
    let both = Client::new(options).unwrap();
    let mut world = World::of(both.clone(), both, &prefix).await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    one.set_flow(Flow::None);
    let refused = world.propose(vec![register("web/b", Guard::Unchanged)]).await;
    assert!(matches!(refused, Err(Refused::Unsure(_))), "{refused:?}");
    let at = World::of(etcd.clone(), etcd, &prefix).await.write(vec![own_policy("web")]).await;
    world.mirror.until_seen(at).await;
    let restarts = ["unanswered", "silent"].map(|reason| {
        let name = format!("rollcall_cluster_watch_restarts_total{{reason=\"{reason}\"}}");
        world.mirror.metric_or_zero(&name)
    });
    assert_eq!(restarts, [1, 0], "it was not waited for");
    assert_eq!(world.mirror.weather, Weather::Fair);
}

#[tokio::test]
async fn a_store_that_is_out_of_reach_is_unavailable() {
    let (etcd, prefix) = shared();
    let link = Link::to(shared_url()).await;
    link.cut();
    let mut world = World::of(etcd, client(&link.url), &prefix).await;
    match world.propose(vec![register("web/a", Guard::None)]).await {
        Err(Refused::Unavailable(why)) => assert!(why.contains(&link.url), "{why}"),
        other => panic!("{other:?}"),
    }
    link.lead_to(shared_url());
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
}

#[tokio::test]
async fn a_full_store_refuses_as_full_and_is_told_of() {
    let etcd = Etcd::start(&["--quota-backend-bytes", "1000000"]);
    let mut world = World::of(etcd.client(), etcd.client(), "/rollcall/").await;
    fill(&world.etcd).await;
    match world.propose(vec![register("web/a", Guard::None)]).await {
        Err(Refused::Full(why)) => assert!(why.contains("etcdctl alarm disarm"), "{why}"),
        other => panic!("{other:?}"),
    }
    let board = world.mirror.board();
    assert!(board.starts_with("etcd space: etcd's database is full"), "{board}");
    // What only deletes is taken all the same, which is no sign of room; the alarm says the same.
    world.propose(vec![policy("web")]).await.unwrap();
    assert_eq!(world.mirror.board(), board);
    // The alarm is told of in the same words.
    world.mirror.common.board.clear("etcd space");
    let inspected =
        inspect(world.mirror.common.clone(), fastrand::Rng::new(), CancellationToken::new());
    tokio::select! { () = inspected => {}, () = until(|| !world.mirror.board().is_empty()) => {} }
    let words = |board: &str| board.split("; since").next().map(str::to_owned);
    assert_eq!(words(&world.mirror.board()), words(&board));
}

/// All of what an owner had found was refused, and refused again.
#[tokio::test]
async fn a_full_store_takes_removals_of_what_is_proposed_beside_them() {
    let etcd = Etcd::start(&["--quota-backend-bytes", "1000000"]);
    let mut world = World::of(etcd.client(), etcd.client(), "/rollcall/").await;
    world.join().await;
    let names = ["web/a", "web/b", "web/c"];
    world.write(names.map(|name| register(name, Guard::Unchanged)).into()).await;
    fill(&world.etcd).await;
    let mut found = vec![health("web/a", Critical, "down")];
    found.extend(["web/b", "web/c"].map(|name| deregister(name, Guard::PresentUnchanged)));
    let refused = world.as_owner(found).await;
    assert!(matches!(refused, Err(Refused::Full(_))), "{refused:?}");
    world.mirror.until(|mirror| mirror.names() == ["registration web/a"]).await;
    assert!(world.mirror.board().starts_with("etcd space: "), "{}", world.mirror.board());
    // What a client asks for is all or none.
    let asked = vec![deregister("web/a", Guard::Present), own_policy("web")];
    let refused = world.propose(asked).await;
    assert!(matches!(refused, Err(Refused::Full(_))), "{refused:?}");
    assert_eq!(world.keys("instances/").await, 1);
}

/// Writes until there is no room left.
async fn fill(etcd: &Client) {
    let filler = vec![b'x'; 100 << 10];
    for n in 0.. {
        if etcd.put(format!("/other/{n}"), filler.clone(), None).await.is_err() {
            return;
        }
    }
}

#[tokio::test]
async fn a_later_schema_is_not_written() {
    let mut world = World::new().await;
    world.put("meta", r#"{"schema":2,"cluster":"a"}"#).await;
    // Another state, too: but for that it is not looked at before it is asked for.
    world.mirror.common.set_read_only(Some("schema 2".into()));
    let refused = world.propose(vec![register("web/a", Guard::None)]).await;
    assert_eq!(refused, Err(Refused::Unavailable("schema 2".into())));
}

/// Other programs may use the same etcd: revisions at which nothing of ours changed are not told
/// of.
#[tokio::test]
async fn a_revision_that_the_watch_does_not_tell_of_is_made_one_that_it_does() {
    let mut world = World::new().await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    let base = world.mirror.upto;
    world.write(vec![deregister("web/a", Guard::Present)]).await;
    let others = world.etcd.put("/others/key", "", None).await.unwrap().revision;
    assert!(others > world.mirror.upto);
    // It is gone already: nothing changes, at a revision of somebody else.
    let at = world.propose_on(base, vec![deregister("web/a", Guard::Unchanged)]).await.unwrap();
    world.mirror.until_seen(at).await;
    world.etcd.put("/others/key", "", None).await.unwrap();
    match world.propose_on(base, vec![deregister("web/a", Guard::Present)]).await {
        Err(Refused::Conflict { at, .. }) => world.mirror.until_seen(at).await,
        other => panic!("{other:?}"),
    }
    assert_eq!(world.mirror.board(), "");
    assert_eq!(world.mirror.restarts(), 0, "nobody has to look anew");
}
