//! An etcd that is another one than before: restored from a backup, emptied, begun anew.

use super::{Link, Mirror, client, delete, register};
use crate::{
    cluster::{follow::testing::until, testing::Place},
    registry::Weather,
};

/// A mirror, a way to it, and a backup that has `web/a` and `web/b`; since then `web/b` went and
/// `web/c` came.
async fn after_a_backup(place: &Place) -> (Mirror, Link) {
    let etcd = place.start("first");
    let (direct, link) = (client(&place.client), Link::to(&place.client).await);
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    register(&direct, "/rollcall/", "web/a").await;
    let at = register(&direct, "/rollcall/", "web/b").await;
    mirror.until_seen(at).await;
    place.backup();
    delete(&direct, "/rollcall/", "instances/web/b/").await;
    let at = register(&direct, "/rollcall/", "web/c").await;
    mirror.until_seen(at).await;
    link.cut();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    drop(etcd);
    (mirror, link)
}

#[tokio::test]
async fn a_revision_that_went_back_is_a_backup_that_was_restored() {
    let place = Place::new();
    let (mut mirror, link) = after_a_backup(&place).await;
    let known = mirror.upto;
    place.restore("second");
    let _etcd = place.start("second");
    link.lead_to(&place.client);
    mirror.until(|mirror| mirror.lists == 1 && mirror.weather == Weather::Fair).await;
    assert!(mirror.upto < known, "{} is not before {known}", mirror.upto);
    assert_eq!(mirror.names(), ["registration web/a", "registration web/b"]);
    assert!(mirror.board().contains("restored from a backup"), "{}", mirror.board());
    let at = register(&client(&place.client), "/rollcall/", "web/d").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.lists, 1);
}

/// The cluster's id and the election are those of before, and the revisions have overtaken it.
#[tokio::test]
async fn a_backup_that_has_gone_on_for_long_is_noticed_by_its_history() {
    let place = Place::new();
    let (mut mirror, link) = after_a_backup(&place).await;
    place.restore("second");
    let _etcd = place.start("second");
    let direct = client(&place.client);
    let mut at = 0;
    while at <= mirror.upto + 3 {
        at = register(&direct, "/rollcall/", "web/e").await;
    }
    link.lead_to(&place.client);
    mirror.until(|mirror| mirror.lists == 1 && mirror.weather == Weather::Fair).await;
    let names = ["registration web/a", "registration web/b", "registration web/e"];
    assert_eq!((mirror.names(), mirror.upto), (names.to_vec(), at));
    assert!(mirror.board().contains("another history"), "{}", mirror.board());
}

#[tokio::test]
async fn an_etcd_that_was_emptied_takes_nothing_away() {
    let place = Place::new();
    let (mut mirror, link) = after_a_backup(&place).await;
    let names = ["registration web/a", "registration web/c"];
    let etcd = place.start("empty");
    link.lead_to(&place.client);
    until(|| mirror.board().contains("was emptied")).await;
    assert_eq!(mirror.names(), names);
    // Another server begins anew: that is not the state that is shown here.
    let other = Mirror::start(client(&place.client), "/rollcall/").await;
    assert!(other.rows.is_empty());
    until(|| mirror.board().contains("restart this server")).await;
    assert_eq!(mirror.names(), names);
    // The backup is found after all.
    drop((etcd, other));
    link.cut();
    place.restore("second");
    let _etcd = place.start("second");
    link.lead_to(&place.client);
    mirror.until(|mirror| mirror.lists == 1 && mirror.weather == Weather::Fair).await;
    assert_eq!(mirror.names(), ["registration web/a", "registration web/b"]);
}
