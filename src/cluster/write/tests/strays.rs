//! Endpoints of another etcd among ours: nothing is written there.

use std::time::Duration;

use super::{World, bulks::many, deregister, health, register};
use crate::{
    cluster::{
        agreed::Agreed,
        etcd::{Client, EtcdOptions, KeyRange, Range},
        follow::testing::{Flow, Link, Mirror},
        testing::{Etcd, shared, shared_url},
    },
    model::Status::Passing,
    registry::{Guard, Refused, Weather},
};

/// A server that follows one etcd, and whose writes go to another one first.
async fn beside(other: &Etcd) -> World {
    let (etcd, prefix) = shared();
    let writes = Client::new(EtcdOptions::new([&*other.url, shared_url()])).unwrap();
    World::of(etcd, writes, &prefix).await
}

/// All keys of an etcd but what servers have agreed on.
async fn rows(etcd: &Client) -> usize {
    let found = etcd.range(Range { keys_only: true, ..Range::of(KeyRange::prefix("/")) }).await;
    found.unwrap().kvs.iter().filter(|kv| !kv.key.ends_with(b"/meta")).count()
}

/// In the window before it was noticed, the wrong etcd took the write, and it was lost.
#[tokio::test]
async fn no_write_goes_into_another_etcd() {
    let other = Etcd::start(&[]);
    for is_empty in [true, false] {
        for (edits, as_owner) in [
            (vec![register("web/a", Guard::Unchanged)], false),
            (vec![deregister("web/a", Guard::Present)], false),
            (many(300, Guard::Unchanged), false),
            (vec![health("web/b", Passing, "")], true),
        ] {
            let mut world = beside(&other).await;
            if !is_empty {
                Mirror::start(other.client(), &world.prefix).await;
            }
            let (etcd, prefix) = (world.etcd.clone(), world.prefix.clone());
            World::of(etcd.clone(), etcd, &prefix)
                .await
                .write(vec![register("web/a", Guard::None), register("web/b", Guard::None)])
                .await;
            world.mirror.until(|mirror| mirror.names().len() == 2).await;
            world.join().await;
            let refused = match as_owner {
                true => world.as_owner(edits.clone()).await,
                false => world.propose(edits.clone()).await,
            };
            let Err(Refused::Unavailable(why)) = refused else { panic!("{refused:?}") };
            assert!(why.starts_with(&other.url) && why.contains("`store.endpoints`"), "{why}");
            assert!(why.contains("it has no row `") == is_empty, "{why}");
            assert_eq!(rows(&other.client()).await, 0, "{edits:?}");
            // Whoever follows looks, and finds that it is where it was.
            let name = "rollcall_cluster_watch_restarts_total{reason=\"meta\"}";
            world.mirror.until(|mirror| mirror.metric_or_zero(name) == 1).await;
            // The next one goes to the next endpoint.
            let taken = match as_owner {
                true => world.as_owner(edits).await,
                false => world.propose(edits).await,
            };
            assert!(taken.is_ok(), "{taken:?}");
        }
    }
}

/// The note of what was refused stayed on a server at which nobody changed anything more.
#[tokio::test]
async fn after_a_write_that_met_another_etcd_it_is_said_that_writes_are_taken() {
    let other = Etcd::start(&[]);
    let mut world = beside(&other).await;
    let refused = world.propose(vec![register("web/a", Guard::Unchanged)]).await;
    assert!(matches!(refused, Err(Refused::Unavailable(_))), "{refused:?}");
    world.mirror.until(|mirror| mirror.writable == 1).await;
    assert_eq!(world.mirror.weather, Weather::Fair);
}

/// An import writes the row again, of which a server may not have heard yet.
#[tokio::test]
async fn the_same_state_in_another_row_is_written_to() {
    let mut world = World::new().await;
    let before = world.mirror.common.agreed().unwrap();
    let Agreed { cluster, row } = before.clone();
    let sealed =
        format!(r#"{{"schema":1,"cluster":"{cluster}","imported":"2026-11-18T11:06:40.000Z"}}"#);
    let at = world.put("meta", &sealed).await;
    world.mirror.until_seen(at).await;
    let forget = |world: &World| world.mirror.common.forget_import(&before);
    for edits in [vec![register("web/a", Guard::None)], many(300, Guard::Unchanged)] {
        forget(&world);
        world.write(edits).await;
        let known = world.mirror.common.agreed().unwrap();
        assert!(known.row != row && known.row == sealed.as_bytes(), "{known:?}");
    }
    assert_eq!(world.mirror.restarts(), 0);
}

/// There is nothing there, so what was to be deleted is gone.
#[tokio::test]
async fn what_became_of_a_write_is_not_looked_for_in_another_etcd() {
    let other = Etcd::start(&[]);
    let (etcd, prefix) = shared();
    let link = Link::to(shared_url()).await;
    let deadline = Duration::from_millis(500);
    let writes = EtcdOptions { deadline, ..EtcdOptions::new([&*link.url, &*other.url]) };
    let mut world = World::of(etcd, Client::new(writes).unwrap(), &prefix).await;
    world.write(vec![register("web/a", Guard::Unchanged)]).await;
    link.set_flow(Flow::None);
    let lost = world.propose(vec![deregister("web/a", Guard::Present)]).await;
    assert!(matches!(lost, Err(Refused::Unsure(_))), "{lost:?}");
}
