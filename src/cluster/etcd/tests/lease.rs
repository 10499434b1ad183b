//! Leases: granted, kept alive, ended.

use std::time::Duration;

use super::super::{EtcdError, Event, KeyRange, LeaseId, Range, Watch, Watched};
use crate::cluster::testing::{PATIENCE, shared};

#[tokio::test]
async fn a_lease_is_granted_for_whole_seconds_and_takes_its_keys_along() {
    let (etcd, prefix) = shared();
    let granted = etcd.grant(Duration::from_millis(29_100)).await.unwrap();
    assert_eq!(granted.ttl, Duration::from_secs(30));
    let key = format!("{prefix}a");
    etcd.put(key.clone(), "", Some(granted.lease)).await.unwrap();
    let left = etcd.time_to_live(granted.lease, true).await.unwrap();
    assert_eq!((left.granted, left.keys.len()), (granted.ttl, 1));
    assert!(left.left <= granted.ttl && left.keys[0] == key.as_bytes());
    let found = etcd.range(Range::of(KeyRange::key(key.clone()))).await.unwrap();
    assert_eq!(found.kvs[0].lease, Some(granted.lease));
    etcd.revoke(granted.lease).await.unwrap();
    assert_eq!(etcd.range(Range::of(KeyRange::key(key))).await.unwrap().count, 0);
    let gone = EtcdError::LeaseGone { lease: granted.lease };
    assert_eq!(etcd.time_to_live(granted.lease, false).await.unwrap_err(), gone);
    assert_eq!(etcd.put(prefix, "", Some(granted.lease)).await.unwrap_err(), gone);
    etcd.revoke(granted.lease).await.expect("that it is gone already is as good");
}

#[tokio::test]
async fn a_lease_lives_as_long_as_it_is_kept_alive() {
    let (etcd, prefix) = shared();
    let granted = etcd.grant(Duration::from_secs(60)).await.unwrap();
    let mut alive = etcd.keep_alive(granted);
    for _ in 0..3 {
        assert_eq!(alive.beat().await.unwrap(), granted.ttl, "{prefix}");
    }
    etcd.revoke(granted.lease).await.unwrap();
    let gone = EtcdError::LeaseGone { lease: granted.lease };
    assert_eq!(alive.beat().await.unwrap_err(), gone);
    assert_eq!(alive.beat().await.unwrap_err(), gone, "also where the stream is opened for it");
    assert!(LeaseId::of(0).is_none() && alive.lease() == granted.lease);
}

#[tokio::test]
async fn a_lease_that_nobody_keeps_alive_runs_out_with_its_keys() {
    let (etcd, prefix) = shared();
    let granted = etcd.grant(Duration::from_secs(1)).await.unwrap();
    let key = format!("{prefix}a");
    let put = etcd.put(key.clone(), "", Some(granted.lease)).await.unwrap();
    let keys = KeyRange::prefix(prefix);
    let mut watch = etcd.watch(Watch::of(keys, put.revision + 1)).await.unwrap();
    let next = tokio::time::timeout(PATIENCE, watch.next()).await.unwrap().unwrap();
    let Watched::Changes(events) = next else { panic!("{next:?}") };
    assert!(matches!(&events[..], [Event::Delete { key: gone, .. }] if *gone == key), "{events:?}");
}
