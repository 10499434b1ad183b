//! What one transaction takes, and what is divided.

use super::{World, drain, health, own_policy, register};
use crate::{
    cluster::testing::Etcd,
    model::Status::{Critical, Passing},
    registry::{Guard, Refused},
};

#[tokio::test]
async fn what_one_transaction_takes_is_written_in_one() {
    let mut world = World::new().await;
    let all = |count: usize, guard| {
        (0..count).map(|n| register(&format!("web/i{n}"), guard)).collect::<Vec<_>>()
    };
    // Whose state it is, and that no bulk is under way, are conditions, too.
    for edits in [all(126, Guard::Unchanged), all(63, Guard::PresentUnchanged)] {
        let count = edits.len();
        let at = world.write(edits).await;
        let revisions = world.revisions("instances/").await;
        let newest = revisions.last().copied();
        assert_eq!((newest, revisions.len()), (Some(at), 1 + usize::from(count < 126)));
    }
}

#[tokio::test]
async fn what_is_said_as_owner_is_divided_as_needed() {
    let mut world = World::new().await;
    world.join().await;
    let names: Vec<String> = (0..100).map(|n| format!("web/i{n}")).collect();
    world.write(names.iter().map(|name| register(name, Guard::Unchanged)).collect()).await;
    let all = |status| names.iter().map(|name| health(name, status, "")).collect::<Vec<_>>();
    let at = world.as_owner(all(Critical)).await.unwrap();
    world.mirror.until_seen(at).await;
    assert_eq!(world.mirror.rows.len(), 200);
    // One that is lost takes those of its own transaction with it; the others are written.
    let base = world.mirror.upto;
    world.write(vec![register("web/i50", Guard::None)]).await;
    world.mirror.upto = base;
    match world.as_owner(all(Passing)).await {
        Err(Refused::Conflict { keys, at }) => {
            assert_eq!(keys.iter().map(ToString::to_string).collect::<Vec<_>>(), ["web/i50"]);
            world.mirror.until_seen(at).await;
        }
        other => panic!("{other:?}"),
    }
    let rows = world.mirror.rows.values();
    let told = rows.filter(|row| format!("{row:?}").contains("Passing")).count();
    assert_eq!(told, 100 - 41, "all but the 41 of that transaction");
}

#[tokio::test]
async fn octets_are_limited_too() {
    let mut world = World::new().await;
    world.join().await;
    let names: Vec<String> = (0..40).map(|n| format!("web/i{n}")).collect();
    world.write(names.iter().map(|name| register(name, Guard::Unchanged)).collect()).await;
    let long = "x".repeat(60 << 10);
    let all = || names.iter().map(|name| health(name, Critical, &long)).collect::<Vec<_>>();
    assert!(world.as_owner(all()).await.is_ok());
    assert!(world.propose(vec![drain("web/i1", true, Guard::Present)]).await.is_ok());
}

/// An etcd that takes less than others took none of it.
#[tokio::test]
async fn what_is_too_much_for_this_etcd_is_halved_if_it_may_be() {
    let etcd = Etcd::start(&["--max-txn-ops", "20", "--max-request-bytes", "100000"]);
    let mut world = World::of(etcd.client(), etcd.client(), "/rollcall/").await;
    world.join().await;
    let names: Vec<String> = (0..30).map(|n| format!("web/i{n}")).collect();
    let all: Vec<_> = names.iter().map(|name| register(name, Guard::Unchanged)).collect();
    match world.propose(all.clone()).await {
        Err(Refused::TooLarge(why)) => assert!(why.contains("--max-txn-ops"), "{why}"),
        other => panic!("{other:?}"),
    }
    for some in all.chunks(10) {
        world.write(some.to_vec()).await;
    }
    let all = names.iter().map(|name| health(name, Critical, "")).collect();
    let at = world.as_owner(all).await.unwrap();
    world.mirror.until_seen(at).await;
    assert_eq!(world.mirror.rows.len(), 60);
    // One row alone is too large, and is named.
    let small = Etcd::start(&["--max-request-bytes", "20000"]);
    let mut world = World::of(small.client(), small.client(), "/rollcall/").await;
    world.join().await;
    world.write(names.iter().map(|name| register(name, Guard::Unchanged)).collect()).await;
    let found = names.iter().map(|name| match name.ends_with("i7") {
        true => health(name, Critical, &"x".repeat(30 << 10)),
        false => health(name, Critical, ""),
    });
    match world.as_owner(found.collect()).await {
        Err(Refused::TooLarge(why)) => {
            assert!(why.contains("web/i7/health") && why.contains("--max-request-bytes"), "{why}");
        }
        other => panic!("{other:?}"),
    }
    let at = world.write(vec![own_policy("web")]).await;
    world.mirror.until_seen(at).await;
    let written = world.mirror.names().iter().filter(|name| name.starts_with("health")).count();
    assert_eq!(written, 29, "all but that one");
}
