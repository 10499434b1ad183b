//! Rows that cannot be read, and what a later version has written.

use super::{Etcd, Link, Mirror, WEB, client, delete, put, register, registration, shared};
use crate::{
    cluster::{
        etcd::{KeyRange, Range},
        follow::testing::until,
    },
    registry::{SharedRow, Weather},
};

fn is_as_it_was(row: &SharedRow) -> bool {
    matches!(row, SharedRow::Registration { to: Some(to), .. } if to.instance.port == 80)
}

fn unreadable(mirror: &Mirror) -> Vec<String> {
    mirror.unreadable.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_row_that_cannot_be_read_leaves_what_was_known_and_is_told_of() {
    let etcd = Etcd::start(&[]);
    let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
    for name in ["web/a", "web/b", "web/c"] {
        register(&direct, "/rollcall/", name).await;
    }
    put(&direct, "/rollcall/", "policies/web", r#"{"ttl":"9s"}"#).await;
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    put(&direct, "/rollcall/", &registration("web/a"), r#"{"addresses":7}"#).await;
    let at = put(&direct, "/rollcall/", &registration("web/d"), "what?").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.names().len(), 4, "{:?}", mirror.names());
    assert!(is_as_it_was(&mirror.rows["registration web/a"]));
    let key = "/rollcall/v1/instances/web/a/registration";
    assert!(mirror.board().contains(&format!("etcd row {key}: `{key}`")), "{}", mirror.board());
    assert!(mirror.board().contains("; since 20"), "{}", mirror.board());
    assert_eq!(mirror.metric("rollcall_cluster_rows_unreadable"), "2");
    assert_eq!(unreadable(&mirror), ["web/a", "web/d"]);

    // A list must not take it for gone, nor one that became so unseen.
    link.cut();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    put(&direct, "/rollcall/", &registration("web/b"), "what?").await;
    let at = delete(&direct, "/rollcall/", "instances/web/c/").await;
    direct.compact(at).await.unwrap();
    link.lead_to(&etcd.url);
    mirror.until_seen(at).await;
    assert_eq!(mirror.lists, 1);
    assert_eq!(mirror.names(), ["policy web", "registration web/a", "registration web/b"]);
    assert_eq!(mirror.metric("rollcall_cluster_rows_unreadable"), "3");
    assert_eq!(unreadable(&mirror), ["web/a", "web/b", "web/d"]);

    // Mended, or deleted, they are as all others.
    put(&direct, "/rollcall/", &registration("web/b"), WEB).await;
    delete(&direct, "/rollcall/", "instances/web/a/").await;
    let at = delete(&direct, "/rollcall/", "instances/web/d/").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.names(), ["policy web", "registration web/b"]);
    assert_eq!(mirror.metric("rollcall_cluster_rows_unreadable"), "0");
    assert!(mirror.unreadable.is_empty(), "{:?}", mirror.unreadable);
    mirror.until(|mirror| mirror.board().is_empty()).await;
}

/// It kept what it was until the next list, which may be months away.
#[tokio::test]
async fn an_instance_with_a_row_that_is_mended_is_shown_as_it_has_become_meanwhile() {
    let etcd = Etcd::start(&[]);
    let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
    register(&direct, "/rollcall/", "web/a").await;
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    link.cut();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    // Unseen, it becomes another, and its health what nobody can read.
    let other = WEB.replace("80", "81");
    assert_ne!(other, WEB);
    put(&direct, "/rollcall/", &registration("web/a"), &other).await;
    let at = put(&direct, "/rollcall/", "instances/web/a/health", "what?").await;
    direct.compact(at).await.unwrap();
    link.lead_to(&etcd.url);
    mirror.until_seen(at).await;
    assert_eq!(mirror.lists, 1);
    assert!(is_as_it_was(&mirror.rows["registration web/a"]), "it is kept");
    delete(&direct, "/rollcall/", "instances/web/a/health").await;
    mirror.until(|mirror| !is_as_it_was(&mirror.rows["registration web/a"])).await;
    // Once, and not again for what could be read all the time.
    let at = put(&direct, "/rollcall/", &registration("web/a"), WEB).await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.lists, 2);
}

/// All was listed for it, though nothing is left of which anything could have been missed.
#[tokio::test]
async fn an_instance_that_is_removed_with_an_unreadable_row_takes_no_list() {
    let etcd = Etcd::start(&[]);
    let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
    for name in ["web/a", "web/b"] {
        register(&direct, "/rollcall/", name).await;
    }
    put(&direct, "/rollcall/", "instances/web/a/health", "what?").await;
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    delete(&direct, "/rollcall/", "instances/web/a/").await;
    let at = register(&direct, "/rollcall/", "web/c").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.names(), ["registration web/b", "registration web/c"]);
    let restarts =
        mirror.metric_or_zero("rollcall_cluster_watch_restarts_total{reason=\"mended\"}");
    assert_eq!((mirror.lists, restarts, mirror.board().as_str()), (0, 0, ""));
}

#[tokio::test]
async fn of_many_rows_that_cannot_be_read_some_are_listed_and_all_are_counted() {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    let mut at = 0;
    for n in 0..50 {
        at = put(&etcd, &prefix, &registration(&format!("web/i{n}")), "what?").await;
    }
    mirror.until_seen(at).await;
    let board = mirror.board();
    assert_eq!(board.lines().count(), 21, "{board}");
    assert!(board.contains("etcd rows: 50 rows of etcd cannot be read"), "{board}");
    let at = delete(&etcd, &prefix, "instances/web/").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.board(), "");
}

#[tokio::test]
async fn what_a_later_version_writes_is_passed_over_and_told_of_once() {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    put(&etcd, &prefix, "zones/example", "{}").await;
    put(&etcd, &prefix, "zones/other", "{}").await;
    let later = WEB.replace("\"port\"", "\"zone\":\"a\",\"port\"");
    let at = put(&etcd, &prefix, &registration("web/a"), &later).await;
    mirror.until_seen(at).await;
    assert!(is_as_it_was(&mirror.rows["registration web/a"]));
    let board = mirror.board();
    assert!(
        board.starts_with("etcd later: ") && board.contains("zone, zones (first in `"),
        "{board}"
    );
}

/// It stayed until the next start, long after all servers were of one version.
#[tokio::test]
async fn the_note_of_a_later_version_goes_with_what_that_has_written() {
    let etcd = Etcd::start(&[]);
    let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
    let later = WEB.replace("\"port\"", "\"zone\":\"a\",\"port\"");
    put(&direct, "/rollcall/", &registration("web/a"), &later).await;
    put(&direct, "/rollcall/", &registration("web/b"), &later).await;
    put(&direct, "/rollcall/", "zones/example", "{}").await;
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    assert!(mirror.board().contains("zone, zones (first in `"), "{}", mirror.board());
    let at = delete(&direct, "/rollcall/", "zones/").await;
    let named = |mirror: &Mirror, name: &str| mirror.board().contains(name);
    until(|| !named(&mirror, "zones (first")).await;
    assert!(named(&mirror, "zone (first"), "{}", mirror.board());
    let last = delete(&direct, "/rollcall/", "instances/web/a/").await;
    mirror.until_seen(last).await;
    assert!(last > at && named(&mirror, "zone (first"), "{}", mirror.board());
    let at = register(&direct, "/rollcall/", "web/b").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.board(), "");
    // Also where it goes unseen.
    let at = put(&direct, "/rollcall/", &registration("web/a"), &later).await;
    mirror.until_seen(at).await;
    assert!(named(&mirror, "zone (first"), "{}", mirror.board());
    link.cut();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    let at = register(&direct, "/rollcall/", "web/a").await;
    direct.compact(at).await.unwrap();
    link.lead_to(&etcd.url);
    mirror.until_seen(at).await;
    mirror.until(|mirror| mirror.board().is_empty()).await;
}

#[tokio::test]
async fn a_later_schema_is_followed_and_not_written() {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    let found = etcd.range(Range::of(KeyRange::key(format!("{prefix}v1/meta")))).await.unwrap();
    let ours = String::from_utf8(found.kvs[0].value.to_vec()).unwrap();
    let later = ours.replace("\"schema\":1", "\"schema\":2");
    put(&etcd, &prefix, "meta", &later).await;
    let at = register(&etcd, &prefix, "web/a").await;
    mirror.until_seen(at).await;
    until(|| mirror.common.read_only().is_some()).await;
    assert!(mirror.board().contains("upgrade this server"), "{}", mirror.board());
    put(&etcd, &prefix, "meta", &ours).await;
    until(|| mirror.common.read_only().is_none()).await;
    let at = register(&etcd, &prefix, "web/b").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.board(), "");
}
