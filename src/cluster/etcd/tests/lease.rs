//! Leases: granted, kept alive, ended.

use std::time::Duration;

use prost::Message;
use tokio::{io::DuplexStream, sync::oneshot};

use super::{
    super::{
        Client, EtcdError, EtcdOptions, Event, Granted, KeyRange, LeaseId, Range, Watch, Watched,
        connection::Connection, proto::LeaseKeepAliveResponse,
    },
    fake::framed_of,
};
use crate::{
    cluster::testing::{PATIENCE, shared},
    registry::testing,
};

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
    assert!(LeaseId::of(0).is_none());
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

/// A member that answers a beat, and is not there any more when it is told so: not even for a ping.
async fn vanishing(stream: DuplexStream, told: oneshot::Receiver<()>) {
    let mut connection = h2::server::handshake(stream).await.unwrap();
    let (_request, mut respond) = connection.accept().await.unwrap().unwrap();
    let head = hyper::Response::builder().header("content-type", "application/grpc");
    let mut sent = respond.send_response(head.body(()).unwrap(), false).unwrap();
    let answer = LeaseKeepAliveResponse { ttl: 300, ..LeaseKeepAliveResponse::default() };
    sent.send_data(framed_of(&answer.encode_to_vec()), false).unwrap();
    tokio::select! {
        _ = connection.accept() => unreachable!("one stream is all"),
        _ = told => {}
    }
    std::future::pending::<()>().await;
}

#[tokio::test(start_paused = true)]
async fn why_the_stream_of_a_lease_has_ended_is_in_the_log() {
    let (log, mut lines) = testing::log();
    let _guard = tracing::subscriber::set_default(log);
    let options = EtcdOptions::new(["http://127.0.0.1:1"]);
    let etcd = Client::new(EtcdOptions { deadline: PATIENCE * 3, ..options }).unwrap();
    let ((ours, its), (vanish, told)) = (tokio::io::duplex(1 << 16), oneshot::channel());
    tokio::spawn(vanishing(its, told));
    let connection = Connection::over(ours, 0).await;
    etcd.pool().slot(0).unwrap().put(connection).await;
    let (lease, ttl) = (LeaseId::of(7).unwrap(), Duration::from_secs(300));
    let mut alive = etcd.keep_alive(Granted { lease, ttl });
    assert_eq!(alive.beat().await.unwrap(), ttl);
    vanish.send(()).unwrap();
    alive.beat().await.expect_err("nobody else is there");
    let said = std::iter::from_fn(|| lines.try_recv().ok()).find(|it| it.contains("has ended"));
    let said = said.expect("it is told");
    assert!(said.contains("no answer to a ping within 5s"), "{said}");
}
