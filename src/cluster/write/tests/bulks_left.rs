//! Bulks whose writer died: before they counted, and after.

use tokio::time::{Duration, Instant};

use super::{World, bulks::many, deregister, policy};
use crate::{
    cluster::{
        follow::testing::{Link, Mirror, client, until},
        layout::{Author, BulkId, Marker, encode_parts},
        testing::Place,
        write::{bulk::Bulk, writer::Free},
    },
    model::Timestamp,
    registry::{Guard, Weather},
};

/// How far a writer comes before it dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Begun,
    Written,
    Looked,
    Counted,
}

/// Writes a bulk of so many changes up to a step. What it leaves is what a process leaves that is
/// killed there.
async fn die_at(world: &World, step: Step, count: usize) -> Option<u64> {
    let at = Timestamp(1_795_000_000_000);
    let edits = many(count, Guard::Unchanged);
    let parts = encode_parts(&edits, &Author { server: "me", at }).unwrap();
    let marker = Marker {
        bulk: BulkId(fastrand::u64(1..)),
        counts: false,
        parts: u32::try_from(parts.len()).unwrap(),
        edits: u64::try_from(count).unwrap(),
        base: world.mirror.upto,
        by: world.writer.me.clone(),
        at,
    };
    let until = Instant::now() + Duration::from_secs(20);
    let free = Free { writer: &world.writer, base: world.mirror.upto, until };
    let mut bulk = Bulk::begin(marker, &free).await.unwrap();
    if step >= Step::Written {
        bulk.put_parts(parts).await.unwrap();
    }
    if step >= Step::Looked {
        bulk.check(&[]).await.unwrap();
    }
    if step >= Step::Counted { Some(bulk.count().await.unwrap()) } else { None }
}

#[tokio::test]
async fn a_bulk_that_did_not_count_has_changed_nothing() {
    for step in [Step::Begun, Step::Written, Step::Looked] {
        let dead = World::new().await;
        let mut other = dead.other().await;
        assert_eq!(die_at(&dead, step, 300).await, None);
        let _finish = other.finish_after(Duration::ZERO);
        let at = other.propose(vec![policy("web")]).await.unwrap();
        other.mirror.until_seen(at).await;
        assert_eq!((other.mirror.rows.len(), other.keys("bulk").await), (0, 0), "{step:?}");
        assert_eq!(other.keys("instances/").await, 0, "{step:?}");
    }
}

#[tokio::test]
async fn a_bulk_that_counts_is_finished_by_another_server() {
    let dead = World::new().await;
    let mut other = dead.other().await;
    let at = die_at(&dead, Step::Counted, 300).await.unwrap();
    other.mirror.until_seen(at).await;
    assert_eq!(other.mirror.rows.len(), 300);
    let _finish = other.finish_after(Duration::ZERO);
    other.until_over().await;
    assert_eq!((other.keys("instances/").await, other.keys("bulk").await), (300, 0));
}

/// A server that comes back by its name finds what it has left.
#[tokio::test]
async fn a_server_finishes_what_its_earlier_life_has_left() {
    for (step, rows) in [(Step::Written, 0), (Step::Counted, 300)] {
        let dead = World::new().await;
        die_at(&dead, step, 300).await;
        let mut next = World::of(dead.etcd.clone(), dead.etcd.clone(), &dead.prefix).await;
        let _finish = next.finish_after(Duration::ZERO);
        next.until_over().await;
        assert_eq!((next.keys("instances/").await, next.keys("bulk").await), (rows, 0));
    }
}

/// A writer that was paused for longer than others wait for it.
#[tokio::test]
async fn a_bulk_that_others_have_given_up_is_refused() {
    let world = World::new().await;
    let mut other = world.other().await;
    let at = Timestamp(1_795_000_000_000);
    let parts = encode_parts(&many(300, Guard::None), &Author { server: "me", at }).unwrap();
    let (bulk, by) = (BulkId(7), world.writer.me.clone());
    let marker = Marker { bulk, counts: false, parts: 1, edits: 300, base: 1, by, at };
    let until = Instant::now() + Duration::from_secs(20);
    let free = Free { writer: &world.writer, base: world.mirror.upto, until };
    let mut bulk = Bulk::begin(marker, &free).await.unwrap();
    let _finish = other.finish_after(Duration::ZERO);
    other.propose(vec![policy("web")]).await.unwrap();
    assert!(bulk.put_parts(parts).await.is_err() && bulk.count().await.is_err());
    assert_eq!((world.keys("instances/").await, world.keys("bulk").await), (0, 0));
}

/// Its revisions were held against those of the copy: all was refused until these had passed them.
#[tokio::test]
async fn a_bulk_from_before_etcd_went_back_to_a_copy_holds_up_nothing() {
    let place = Place::new();
    let etcd = place.start("first");
    let (direct, link) = (client(&place.client), Link::to(&place.client).await);
    let by_link = client(&link.url);
    let mut world = World::of(by_link.clone(), by_link, "/rollcall/").await;
    world.write(vec![policy("web")]).await;
    place.backup();
    let finish = world.finish();
    let counted = world.write(many(300, Guard::Unchanged)).await;
    world.until_over().await;
    let ended = world.mirror.upto;
    assert!(ended > counted);
    link.cut();
    world.mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    drop((etcd, finish));
    place.restore("second");
    let _etcd = place.start("second");
    link.lead_to(&place.client);
    world.mirror.until(|mirror| mirror.lists == 1 && mirror.weather == Weather::Fair).await;
    while world.mirror.upto < counted {
        let at = direct.put("/rollcall/v1/beats/other", "", None).await.unwrap().revision;
        world.mirror.until_seen(at).await;
    }
    assert!(world.mirror.upto < ended);
    world.write(vec![deregister("web/i1", Guard::Unchanged), policy("other")]).await;
}

/// All were refused as busy, and nothing said why.
#[tokio::test]
async fn who_holds_up_all_others_is_told_of_until_it_is_over() {
    let dead = World::new().await;
    let mut other = dead.other().await;
    die_at(&dead, Step::Written, 300).await;
    let _finish = other.finish_after(Duration::from_secs(2));
    // As if its writer were alive.
    let row = crate::cluster::layout::ServerRow {
        http: Vec::new(),
        version: "0".into(),
        started: Timestamp(1),
        token: String::new(),
        settings: Default::default(),
    };
    other.put("servers/me", std::str::from_utf8(&row.encode()).unwrap()).await;
    let told = |mirror: &Mirror| mirror.board().contains("etcd bulk: `me` writes 300 changes");
    other.mirror.until(|mirror| mirror.common.bulks().borrow().under_way.is_some()).await;
    until(|| told(&other.mirror)).await;
    assert!(other.mirror.board().contains("given up 2 s after"), "{}", other.mirror.board());
    other.until_over().await;
    until(|| other.mirror.board().is_empty()).await;
}
