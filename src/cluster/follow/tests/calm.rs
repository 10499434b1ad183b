//! While all is well.

use tokio::time::{Duration, timeout};
use tokio_util::sync::CancellationToken;

use super::{Link, Mirror, WEB, client, delete, put, register, registration, shared};
use crate::{
    cluster::{
        etcd::{Op, Txn},
        follow::{Follower, testing},
        testing::{Etcd, PATIENCE, shared_url},
    },
    registry,
};

#[tokio::test]
async fn what_is_there_comes_first_and_then_every_change() {
    let (etcd, prefix) = shared();
    register(&etcd, &prefix, "web/a").await;
    put(&etcd, &prefix, "policies/web", r#"{"ttl":"9s"}"#).await;
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    assert_eq!(mirror.names(), ["policy web", "registration web/a"]);
    register(&etcd, &prefix, "web/b").await;
    let drained = put(&etcd, &prefix, "instances/web/b/drained", "{}").await;
    mirror.until_seen(drained).await;
    assert_eq!(mirror.names().len(), 4);
    let gone = delete(&etcd, &prefix, "instances/web/b/").await;
    mirror.until_seen(gone).await;
    assert_eq!(mirror.names(), ["policy web", "registration web/a"]);
    assert_eq!((mirror.lists, mirror.board().as_str()), (0, ""));
    assert_eq!(mirror.metric("rollcall_cluster_lists_total"), "1");
    assert_eq!(mirror.metric("rollcall_cluster_revision "), mirror.upto.to_string());
    assert!(mirror.metric("rollcall_cluster_silence_seconds").parse::<f64>().unwrap() < 5.0);
}

/// A wrong prefix, or an etcd that was emptied, took all services out of the answers of a server
/// that was started there, which said nothing of it.
#[tokio::test]
async fn who_begins_a_registry_warns_and_says_where() {
    let (log, mut lines) = registry::testing::log();
    let _guard = tracing::subscriber::set_default(log);
    let (etcd, prefix) = shared();
    let mut warnings = || {
        let lines = std::iter::from_fn(|| lines.try_recv().ok());
        lines.filter(|line| line.contains(" WARN ")).collect::<Vec<_>>()
    };
    let _one = Mirror::start(etcd.clone(), &prefix).await;
    let said = warnings();
    let begun = format!("there was no registry below `{prefix}v1/` in etcd");
    let begun: Vec<_> = said.iter().filter(|line| line.contains(&begun)).collect();
    assert_eq!(begun.len(), 1, "{said:?}");
    for words in [shared_url(), "DNS answers with nothing until", "`store.prefix`"] {
        assert!(begun[0].contains(words), "{words}: {}", begun[0]);
    }
    let _other = Mirror::start(etcd, &prefix).await;
    let said = warnings();
    assert!(!said.iter().any(|line| line.contains("no registry")), "there is one: {said:?}");
}

#[tokio::test]
async fn the_first_server_writes_what_all_agree_on() {
    let (etcd, prefix) = shared();
    let mut one = Mirror::start(etcd.clone(), &prefix).await;
    let other = Mirror::start(etcd.clone(), &prefix).await;
    assert!(one.upto <= other.upto && other.common.read_only().is_none());
    let at = register(&etcd, &prefix, "web/a").await;
    one.until_seen(at).await;
}

#[tokio::test]
async fn a_list_of_many_pages_is_of_one_revision() {
    let (etcd, prefix) = shared();
    let put = |n: usize| {
        let key = format!("{prefix}v1/{}", registration(&format!("s{n:05}/i")));
        Op::put(key, WEB)
    };
    for begin in (0..12_000).step_by(100) {
        let then = (begin..begin + 100).map(put).collect();
        etcd.txn(Txn { then, ..Txn::default() }).await.unwrap();
    }
    // While it is read, instances move from the end to the front: none is missing or twice there.
    let (moving, prefix_of_moves) = (etcd.clone(), prefix.clone());
    let moves = tokio::spawn(async move {
        for n in (6_000..12_000).rev() {
            let end = format!("{prefix_of_moves}v1/{}", registration(&format!("s{n:05}/i")));
            let front = format!("{prefix_of_moves}v1/{}", registration(&format!("a{n:05}/i")));
            let then =
                vec![Op::put(front, WEB), Op::Delete(crate::cluster::etcd::KeyRange::key(end))];
            if moving.txn(Txn { then, ..Txn::default() }).await.is_err() {
                return;
            }
        }
    });
    for _ in 0..3 {
        let mirror = Mirror::start(etcd.clone(), &prefix).await;
        assert_eq!(mirror.rows.len(), 12_000);
    }
    moves.abort();
}

#[tokio::test]
async fn a_slow_registry_holds_up_the_watch_and_misses_nothing() {
    let (etcd, prefix) = shared();
    let mut mirror = Mirror::start(etcd.clone(), &prefix).await;
    let mut last = 0;
    for n in 0..2_000 {
        last = register(&etcd, &prefix, &format!("web/i{n}")).await;
    }
    // Until now nobody has looked, and only a few words fit into the queue.
    mirror.until_seen(last).await;
    assert_eq!((mirror.rows.len(), mirror.lists), (2_000, 0));
}

#[tokio::test]
async fn a_server_waits_for_its_store_and_says_so() {
    let etcd = Etcd::start(&[]);
    let link = Link::to(&etcd.url).await;
    link.cut();
    let (common, _) = testing::common(client(&link.url), "/rollcall/");
    let mut follower = Follower::new(common.clone(), None, fastrand::Rng::new());
    let stop = CancellationToken::new();
    let first = follower.first(&stop);
    let mut first = std::pin::pin!(first);
    assert!(timeout(Duration::from_millis(500), &mut first).await.is_err());
    let conditions = common.board.conditions();
    let (name, condition) = &conditions[0];
    assert_eq!((name.as_str(), condition.blocks), ("etcd", true));
    assert!(condition.message.contains(&link.url), "{}", condition.message);
    link.lead_to(&etcd.url);
    let (rows, _) = timeout(PATIENCE, first).await.unwrap().unwrap();
    assert!(rows.is_empty() && common.board.conditions().is_empty());
    link.cut();
    let mut again = Follower::new(common, None, fastrand::Rng::new());
    let first = again.first(&stop);
    stop.cancel();
    assert!(timeout(PATIENCE, first).await.unwrap().is_none());
}
