//! Endpoints of two etcd clusters in one list, and a state whose name cannot be read.

use super::{Etcd, Link, Mirror, client, delete, put, register};
use crate::{
    cluster::{
        etcd::{Client, EtcdOptions},
        follow::{
            Follower,
            follower::End,
            testing::{self, until},
        },
        testing::{shared, shared_url},
    },
    registry::Weather,
};

/// It stayed at the wrong one for as long as that answered.
#[tokio::test]
async fn the_next_endpoint_is_tried_where_one_is_of_another_etcd() {
    let (other, link) = (Etcd::start(&[]), Link::to(shared_url()).await);
    let (direct, prefix) = shared();
    let endpoints = EtcdOptions::new([&*link.url, &*other.url]);
    let mut mirror = Mirror::start(Client::new(endpoints).unwrap(), &prefix).await;
    link.cut();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    until(|| mirror.board().contains("nothing of this cluster")).await;
    assert_eq!(mirror.lists, 0);
    link.lead_to(shared_url());
    mirror.until(|mirror| mirror.weather == Weather::Fair).await;
    let at = register(&direct, &prefix, "web/a").await;
    mirror.until_seen(at).await;
    assert_eq!((mirror.board().as_str(), mirror.lists), ("", 0));
}

/// The endpoint that was looked at may fail before it is watched.
#[tokio::test]
async fn what_another_etcd_tells_is_not_taken() {
    let (etcd, prefix) = shared();
    let (common, _metrics) = testing::common(etcd.clone(), &prefix);
    let follower = Follower::new(common, None, fastrand::Rng::new());
    let ours = etcd.status().await.unwrap().header.cluster;
    assert!(follower.watch(ours).await.is_ok());
    match follower.watch(ours + 1).await {
        Err(End::Again("meta", why)) => assert!(why.contains(&format!("{ours:x}")), "{why}"),
        other => panic!("{:?}", other.is_ok()),
    }
}

/// It was told of as the state of a cluster `?`.
#[tokio::test]
async fn a_name_of_the_state_that_cannot_be_read_any_more_is_told_of_and_can_be_mended() {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    let at = register(&etcd, &prefix, "web/a").await;
    mirror.until_seen(at).await;
    put(&etcd, &prefix, "meta", "{").await;
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    let board = mirror.board();
    let told =
        board.strip_prefix("etcd: the row `meta` of etcd").unwrap_or_else(|| panic!("{board}"));
    assert!(told.contains("cannot be read any more") && told.contains("; since 20"), "{board}");
    assert!(mirror.common.read_only().is_some_and(|why| why.contains("cannot be read")));
    assert_eq!(mirror.names(), ["registration web/a"]);
    // As it says.
    let (_, row) = told.split_once("as it was: ").unwrap();
    let row = &row[..=row.find('}').unwrap()];
    put(&etcd, &prefix, "meta", row).await;
    mirror.until(|mirror| mirror.weather == Weather::Fair).await;
    assert_eq!((mirror.board().as_str(), mirror.names().len()), ("", 1));
    assert!(mirror.common.read_only().is_none());
}

/// It was told of as an etcd that was emptied.
#[tokio::test]
async fn a_name_of_the_state_that_was_deleted_alone_is_told_of_and_can_be_put_back() {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    register(&etcd, &prefix, "web/a").await;
    let at = register(&etcd, &prefix, "web/b").await;
    mirror.until_seen(at).await;
    delete(&etcd, &prefix, "meta").await;
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    let board = mirror.board();
    let key = format!("{prefix}v1/meta");
    for words in [
        &*format!("etcd: the row `{key}` of etcd"),
        "was deleted; of other rows there are 2, and nothing else is missing.",
        "; since 20",
    ] {
        assert!(board.contains(words), "{words}: {board}");
    }
    let refused = mirror.common.read_only();
    assert!(refused.is_some_and(|why| why.contains("was deleted")), "changes say so too");
    // Where more is missing, that is said.
    delete(&etcd, &prefix, "instances/web/b/").await;
    until(|| mirror.board().contains("of other rows there are 1, where there were 2.")).await;
    assert_eq!(mirror.names().len(), 2);
    // As it says.
    let (_, row) = board.split_once(&format!("etcdctl put {key} '")).unwrap();
    put(&etcd, &prefix, "meta", row.split_once('\'').unwrap().0).await;
    mirror.until(|mirror| mirror.weather == Weather::Fair).await;
    assert_eq!((mirror.board().as_str(), mirror.names()), ("", vec!["registration web/a"]));
    assert!(mirror.common.read_only().is_none());
}

#[tokio::test]
async fn who_began_with_a_name_that_cannot_be_read_goes_on_when_it_is_mended() {
    let (etcd, prefix) = shared();
    put(&etcd, &prefix, "meta", "{").await;
    let mut mirror = Mirror::start(client(shared_url()), &prefix).await;
    assert!(mirror.board().contains("cannot be read, so nothing is written"), "{}", mirror.board());
    let at = register(&etcd, &prefix, "web/a").await;
    mirror.until_seen(at).await;
    put(&etcd, &prefix, "meta", r#"{"schema":1,"cluster":"a"}"#).await;
    until(|| mirror.common.read_only().is_none()).await;
    let at = register(&etcd, &prefix, "web/b").await;
    mirror.until_seen(at).await;
    assert_eq!((mirror.board().as_str(), mirror.names().len()), ("", 2));
}
