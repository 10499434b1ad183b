//! Somebody deletes everything under running servers.

use super::{Mirror, delete, put, register, registration, shared};
use crate::{
    cluster::{
        etcd::{Client, KeyRange, Op, Range, Txn},
        follow::testing::until,
        layout::testing::AUTHOR,
        transfer::{How, PATIENCE, restore},
    },
    registry::{Loaded, Weather},
    store::testing,
};

/// A mirror of two instances, after everything was deleted.
async fn emptied() -> (Client, String, Mirror) {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    register(&etcd, &prefix, "web/a").await;
    let at = register(&etcd, &prefix, "web/b").await;
    mirror.until_seen(at).await;
    delete(&etcd, &prefix, "").await;
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    assert_eq!((mirror.upto, mirror.names().len()), (at, 2), "{:?}", mirror.names());
    (etcd, prefix, mirror)
}

async fn import(mirror: &Mirror, etcd: &Client) {
    let how = How { replace: true, at: AUTHOR.at, cluster: "new".into(), patience: PATIENCE };
    let members = (0..200).map(testing::plain).collect();
    let loaded = Loaded { members, ..Loaded::default() };
    restore(etcd, &mirror.common.layout, loaded, how, &mut |_, _| {}).await.unwrap();
}

/// `etcdctl del --prefix` took all services out of all answers.
#[tokio::test]
async fn who_deletes_everything_takes_nothing_out_of_the_answers() {
    let (_etcd, _, mirror) = emptied().await;
    let board = mirror.board();
    assert!(board.contains("was emptied") && board.contains("; since 20"), "{board}");
    assert!(mirror.common.read_only().is_some_and(|why| why.contains("was emptied")));
    assert!(*mirror.common.strayed().borrow());
    let seconds = || mirror.metric("rollcall_cluster_out_of_reach_seconds").parse::<f64>();
    until(|| seconds().unwrap() > 0.1).await;
    assert!(mirror.metric("rollcall_cluster_silence_seconds").parse::<f64>().unwrap() < 10.0);
}

#[tokio::test]
async fn what_is_imported_into_an_etcd_that_was_emptied_is_believed() {
    let (etcd, _, mut mirror) = emptied().await;
    import(&mirror, &etcd).await;
    mirror.until(|mirror| mirror.lists == 1 && mirror.weather == Weather::Fair).await;
    assert_eq!(mirror.rows.len(), 200, "all of it at once, and nothing else");
    assert!(mirror.common.read_only().is_none() && !*mirror.common.strayed().borrow());
    assert_eq!(mirror.metric("rollcall_cluster_out_of_reach_seconds"), "0.0");
    assert!(mirror.board().contains("etcd was emptied, and a registry imported"));
}

/// What was deleted is in no event that is told of.
#[tokio::test]
async fn rows_that_are_put_back_one_by_one_are_what_is_shown() {
    let (etcd, prefix, mut mirror) = emptied().await;
    register(&etcd, &prefix, "web/b").await;
    register(&etcd, &prefix, "web/c").await;
    let key = format!("{prefix}v1/meta");
    let before = Range { revision: mirror.upto, ..Range::of(KeyRange::key(key)) };
    let meta = etcd.range(before).await.unwrap().kvs.remove(0).value;
    put(&etcd, &prefix, "meta", std::str::from_utf8(&meta).unwrap()).await;
    mirror.until(|mirror| mirror.lists == 1 && mirror.weather == Weather::Fair).await;
    assert_eq!(mirror.names(), ["registration web/b", "registration web/c"]);
}

/// Only the rows before it are told of, however they come.
#[tokio::test]
async fn changes_that_come_with_the_deletion_of_everything_end_before_it() {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    let at = register(&etcd, &prefix, "web/a").await;
    let keys = KeyRange::prefix(format!("{prefix}v1/m"));
    let row = format!("{prefix}v1/{}", registration("web/b"));
    let then = vec![Op::Delete(keys), Op::put(row, super::WEB)];
    etcd.txn(Txn { then, ..Txn::default() }).await.unwrap();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    assert_eq!((mirror.upto, mirror.names()), (at, vec!["registration web/a"]));
}
