//! Reading, writing, transactions.

use super::super::{
    Compare, EtcdError, KeyRange, KeyValue, Listing, Op, OpReply, Range, Relation, Txn,
};
use crate::cluster::testing::{Etcd, PATIENCE, shared};

/// Keys as text, without the test's prefix, with their values.
fn shown(listing: &Listing, prefix: &str) -> Vec<String> {
    let text = |octets: &[u8]| String::from_utf8(octets.to_vec()).unwrap();
    let line = |kv: &KeyValue| {
        let key = text(&kv.key);
        format!("{}={}", key.strip_prefix(prefix).unwrap(), text(&kv.value))
    };
    listing.kvs.iter().map(line).collect()
}

#[tokio::test]
async fn what_is_put_is_read_with_its_place_in_history() {
    let (etcd, prefix) = shared();
    let key = format!("{prefix}a");
    let first = etcd.put(key.clone(), "1", None).await.unwrap();
    let second = etcd.put(key.clone(), "2", None).await.unwrap();
    assert!(first.revision < second.revision && first.cluster == second.cluster);
    let found = etcd.range(Range::of(KeyRange::key(key.clone()))).await.unwrap();
    assert_eq!(shown(&found, &prefix), ["a=2"]);
    let kv = &found.kvs[0];
    assert_eq!((kv.create_revision, kv.mod_revision), (first.revision, second.revision));
    assert_eq!((kv.version, kv.lease, found.count, found.more), (2, None, 1, false));
    assert!(found.header.revision >= second.revision && found.header.member != 0);
    let before = Range { revision: first.revision, ..Range::of(KeyRange::key(key)) };
    assert_eq!(shown(&etcd.range(before).await.unwrap(), &prefix), ["a=1"]);
}

#[tokio::test]
async fn a_range_is_limited_and_counted() {
    let (etcd, prefix) = shared();
    let mut revisions = Vec::new();
    for name in ["a", "b", "c"] {
        let header = etcd.put(format!("{prefix}{name}"), name, None).await.unwrap();
        revisions.push(header.revision);
    }
    let all = Range::of(KeyRange::prefix(prefix.clone()));
    let found = etcd.range(all.clone()).await.unwrap();
    assert_eq!(shown(&found, &prefix), ["a=a", "b=b", "c=c"]);
    let cases = [
        (Range { limit: 2, ..all.clone() }, vec!["a=a", "b=b"], 3, true),
        (Range { keys_only: true, ..all.clone() }, vec!["a=", "b=", "c="], 3, false),
        (Range { revision: revisions[1], ..all.clone() }, vec!["a=a", "b=b"], 2, false),
    ];
    for (range, expected, count, more) in cases {
        let found = etcd.range(range.clone()).await.unwrap();
        let seen = (shown(&found, &prefix), found.count, found.more);
        assert_eq!(
            seen,
            (expected.into_iter().map(str::to_owned).collect(), count, more),
            "{range:?}"
        );
    }
    let between = KeyRange::between(format!("{prefix}b"), format!("{prefix}c"));
    assert_eq!(shown(&etcd.range(Range::of(between)).await.unwrap(), &prefix), ["b=b"]);
}

#[tokio::test]
async fn a_list_has_every_key_once_as_of_its_first_page() {
    let (etcd, prefix) = shared();
    for name in ["a", "b", "c", "d", "e"] {
        etcd.put(format!("{prefix}{name}"), "1", None).await.unwrap();
    }
    let mut pages = etcd.list(KeyRange::prefix(prefix.clone()), 2);
    let first = pages.next().await.unwrap().unwrap();
    assert_eq!(pages.revision(), first.header.revision);
    let changes = vec![Op::put(format!("{prefix}c"), "2"), Op::put(format!("{prefix}f"), "2")];
    etcd.txn(Txn { then: changes, ..Txn::default() }).await.unwrap();
    let mut seen = shown(&first, &prefix);
    while let Some(page) = pages.next().await.unwrap() {
        assert!(page.kvs.len() <= 2 && page.count > 0);
        seen.extend(shown(&page, &prefix));
    }
    assert_eq!(seen, ["a=1", "b=1", "c=1", "d=1", "e=1"]);
    assert!(pages.next().await.unwrap().is_none());
    let mut none = etcd.list(KeyRange::prefix(format!("{prefix}none/")), 2);
    assert_eq!(none.next().await.unwrap().unwrap().kvs, [], "but its revision is known");
    assert!(none.next().await.unwrap().is_none() && none.revision() > 0);
}

#[tokio::test]
async fn pages_become_smaller_where_values_are_large() {
    let (etcd, prefix) = shared();
    for number in 0..70 {
        etcd.put(format!("{prefix}{number:02}"), vec![0; 1_000_000], None).await.unwrap();
    }
    let mut pages = etcd.list(KeyRange::prefix(prefix), 5_000);
    let mut sizes = Vec::new();
    while let Some(page) = pages.next().await.unwrap() {
        sizes.push(page.kvs.len());
    }
    assert_eq!((sizes.iter().sum::<usize>(), sizes[0] < 70), (70, true), "{sizes:?}");
}

#[tokio::test]
async fn a_transaction_takes_one_branch_and_says_which() {
    let (etcd, prefix) = shared();
    let key = |name: &str| format!("{prefix}{name}");
    let create = Txn {
        compare: vec![Compare::absent(key("a"))],
        then: vec![Op::put(key("a"), "1"), Op::put(key("b"), "1")],
        otherwise: vec![Op::Range(Range::of(KeyRange::key(key("a"))))],
    };
    let made = etcd.txn(create.clone()).await.unwrap();
    assert_eq!((made.succeeded, &made.replies[..]), (true, &[OpReply::Put, OpReply::Put][..]));
    let again = etcd.txn(create).await.unwrap();
    let [OpReply::Range(found)] = &again.replies[..] else { panic!("{again:?}") };
    assert_eq!((again.succeeded, shown(found, &prefix)), (false, vec!["a=1".to_owned()]));
    assert_eq!(found.kvs[0].mod_revision, made.header.revision, "all of it has one revision");
    let remove = Txn {
        compare: vec![Compare::present(key("a"))],
        then: vec![Op::Delete(KeyRange::prefix(prefix.clone()))],
        otherwise: vec![],
    };
    let gone = etcd.txn(remove).await.unwrap();
    assert_eq!((gone.succeeded, &gone.replies[..]), (true, &[OpReply::Deleted(2)][..]));
}

#[tokio::test]
async fn every_comparison_holds_or_does_not() {
    let (etcd, prefix) = shared();
    let one = || KeyRange::key(format!("{prefix}a"));
    let all = || KeyRange::prefix(prefix.clone());
    let none = || KeyRange::prefix(format!("{prefix}none/"));
    let made = etcd.put(one().first().clone(), "1", None).await.unwrap().revision;
    let changed = etcd.put(one().first().clone(), "2", None).await.unwrap().revision;
    let lease = etcd.grant(PATIENCE).await.unwrap().lease;
    let other = format!("{prefix}b");
    let last = etcd.put(other.clone(), "2", Some(lease)).await.unwrap().revision;
    for (holds, compare) in [
        (true, Compare::create_revision(one(), Relation::Equal, made)),
        (false, Compare::create_revision(one(), Relation::Equal, changed)),
        (true, Compare::mod_revision(one(), Relation::Equal, changed)),
        (true, Compare::mod_revision(one(), Relation::Less, changed + 1)),
        (false, Compare::mod_revision(one(), Relation::Greater, changed)),
        (true, Compare::value(one(), Relation::Equal, "2")),
        (false, Compare::value(one(), Relation::Equal, "1")),
        (true, Compare::value(all(), Relation::Equal, "2")),
        (true, Compare::present(other.clone())),
        (false, Compare::absent(other)),
        (true, Compare::unchanged_since(all(), last)),
        (false, Compare::unchanged_since(all(), changed)),
        // What is not there has zero in everything, but no value.
        (true, Compare::unchanged_since(none(), 0)),
        (false, Compare::value(none(), Relation::Equal, "")),
    ] {
        let shown = format!("{compare:?}");
        let reply = etcd.txn(Txn { compare: vec![compare], ..Txn::default() }).await.unwrap();
        assert_eq!(reply.succeeded, holds, "{shown}");
    }
    etcd.revoke(lease).await.unwrap();
}

#[tokio::test]
async fn what_is_compacted_and_what_is_to_come_are_told_apart() {
    // One of its own: the others' watches begin in the past.
    let server = Etcd::start(&[]);
    let (etcd, prefix) = (server.client(), "/");
    let first = etcd.put(format!("{prefix}a"), "1", None).await.unwrap().revision;
    let second = etcd.put(format!("{prefix}a"), "2", None).await.unwrap().revision;
    etcd.compact(second).await.unwrap();
    let before = Range { revision: first, ..Range::of(KeyRange::prefix(prefix)) };
    let error = etcd.range(before.clone()).await.unwrap_err();
    assert_eq!(error, EtcdError::Compacted { oldest: first + 1 });
    let later = etcd.range(Range { revision: 1 << 40, ..before }).await.unwrap_err();
    assert!(matches!(later, EtcdError::Future { revision, .. } if revision == 1 << 40), "{later}");
}

#[tokio::test]
async fn too_many_operations_and_too_many_octets_are_told_apart() {
    let (etcd, prefix) = shared();
    let put = |number| Op::put(format!("{prefix}{number}"), "");
    let many = |count| Txn { then: (0..count).map(put).collect(), ..Txn::default() };
    assert!(etcd.txn(many(128)).await.unwrap().succeeded);
    let error = etcd.txn(many(129)).await.unwrap_err();
    assert!(matches!(error, EtcdError::TooLarge { .. }), "{error:?}");
    assert!(error.to_string().contains("too many operations in txn request"), "{error}");
    for octets in [1_600_000, 3_000_000] {
        let error = etcd.put(format!("{prefix}a"), vec![0; octets], None).await.unwrap_err();
        assert!(matches!(error, EtcdError::TooLarge { .. }), "{octets}: {error:?}");
        assert!(error.to_string().contains(&format!("write `{prefix}a`")), "{error}");
    }
}
