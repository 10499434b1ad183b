//! Watches: whole revisions, progress, ends.

use super::super::{Event, KeyRange, Op, Txn, Watch, WatchStream, Watched};
use crate::cluster::testing::{Etcd, PATIENCE, shared};

async fn next(watch: &mut WatchStream) -> Watched {
    tokio::time::timeout(PATIENCE, watch.next()).await.expect("something comes").unwrap()
}

/// `a=1@7` and `a@8` for what is gone, counted from `first`.
fn shown(watched: Watched, prefix: &str, first: u64) -> Vec<String> {
    let Watched::Changes(events) = watched else { panic!("{watched:?}") };
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let line = |event: &Event| {
        let key = text(event.key());
        let value = match event {
            Event::Put(kv) => format!("={}", text(&kv.value)),
            Event::Delete { .. } => String::new(),
        };
        format!("{}{value}@{}", key.strip_prefix(prefix).unwrap(), event.revision() - first)
    };
    events.iter().map(line).collect()
}

#[tokio::test]
async fn what_changes_comes_in_whole_revisions_from_the_past_on() {
    let (etcd, prefix) = shared();
    let key = |name: &str| format!("{prefix}{name}");
    let first = etcd.put(key("a"), "1", None).await.unwrap().revision;
    let both = Txn { then: vec![Op::put(key("b"), "2"), Op::put(key("c"), "3")], ..Txn::default() };
    etcd.txn(both).await.unwrap();
    let all = KeyRange::prefix(prefix.clone());
    let mut watch = etcd.watch(Watch::of(all.clone(), first)).await.unwrap();
    let mut seen = Vec::new();
    while seen.len() < 3 {
        seen.extend(shown(next(&mut watch).await, &prefix, first));
    }
    // Other tests write to the same etcd, so only the order of our own revisions is known.
    let place = |entry: &str| entry.split_once('@').unwrap().1.to_owned();
    assert!(seen[0].starts_with("a=1@0") && place(&seen[1]) == place(&seen[2]), "{seen:?}");
    etcd.txn(Txn { then: vec![Op::Delete(all)], ..Txn::default() }).await.unwrap();
    let gone = shown(next(&mut watch).await, &prefix, first);
    assert_eq!(gone.len(), 3, "one revision is not split: {gone:?}");
    assert!(gone.iter().all(|entry| !entry.contains('=')), "{gone:?}");
}

#[tokio::test]
async fn progress_is_said_when_it_is_asked_for() {
    let (etcd, prefix) = shared();
    let first = etcd.put(format!("{prefix}a"), "1", None).await.unwrap().revision;
    let mut watch = etcd.watch(Watch::of(KeyRange::prefix(prefix.clone()), first)).await.unwrap();
    assert_eq!(shown(next(&mut watch).await, &prefix, first), ["a=1@0"]);
    watch.request_progress();
    let Watched::Progress(revision) = next(&mut watch).await else { panic!("no progress") };
    assert!(revision >= first, "{revision} {first}");
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_says_from_where_on_to_list() {
    let server = Etcd::start(&[]);
    let (etcd, prefix) = (server.client(), "/");
    let first = etcd.put(format!("{prefix}a"), "1", None).await.unwrap().revision;
    let second = etcd.put(format!("{prefix}a"), "2", None).await.unwrap().revision;
    etcd.compact(second).await.unwrap();
    let mut watch = etcd.watch(Watch::of(KeyRange::prefix(prefix), first)).await.unwrap();
    let canceled = next(&mut watch).await;
    let Watched::Canceled { compact_revision, .. } = canceled else { panic!("{canceled:?}") };
    assert_eq!(compact_revision, second);
}

#[tokio::test]
async fn a_revision_of_many_pieces_comes_whole() {
    let (etcd, prefix) = shared();
    let first = etcd.put(format!("{prefix}first"), "", None).await.unwrap().revision;
    let mut watch =
        etcd.watch(Watch::of(KeyRange::prefix(prefix.clone()), first + 1)).await.unwrap();
    // Some transactions whose deletion is far above what etcd sends in one piece.
    let long = "x".repeat(10_000);
    for batch in 0..4 {
        let key = |number| format!("{prefix}{batch}-{number:03}-{long}");
        let then = (0..120).map(|number| Op::put(key(number), "")).collect();
        etcd.txn(Txn { then, ..Txn::default() }).await.unwrap();
    }
    let mut seen = 0;
    while seen < 480 {
        let Watched::Changes(events) = next(&mut watch).await else { panic!("no changes") };
        seen += events.len();
        assert_eq!(events.len() % 120, 0, "a transaction is not split");
    }
    let all = KeyRange::prefix(prefix.clone());
    etcd.txn(Txn { then: vec![Op::Delete(all)], ..Txn::default() }).await.unwrap();
    let Watched::Changes(events) = next(&mut watch).await else { panic!("no changes") };
    assert_eq!(events.len(), 481);
}
