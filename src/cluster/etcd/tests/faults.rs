//! Endpoints that cannot be used, for a while or at all.

use std::{net::TcpListener, time::Duration};

use super::super::{Client, EtcdError, EtcdOptions, KeyRange, Op, Range, Txn, Watch};
use crate::cluster::testing::{Etcd, shared_url};

/// For tests that want the deadline to come.
const IMPATIENCE: Duration = Duration::from_millis(300);

fn client(endpoints: &[&str], deadline: Duration) -> Client {
    Client::new(EtcdOptions { deadline, ..EtcdOptions::new(endpoints.iter().copied()) }).unwrap()
}

/// An endpoint at which nobody listens.
fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

#[tokio::test]
async fn what_never_went_out_is_tried_at_the_next_endpoint_also_a_write() {
    let (dead, alive) = (nobody(), shared_url());
    let etcd = client(&[&dead, alive], Duration::from_secs(3));
    let key = "/faults/next";
    etcd.put(key, "1", None).await.unwrap();
    let members = etcd.members();
    assert_eq!(members.iter().map(|it| it.endpoint.as_str()).collect::<Vec<_>>(), [alive]);
    assert_eq!(etcd.range(Range::of(KeyRange::key(key))).await.unwrap().count, 1);
}

#[tokio::test]
async fn every_endpoint_is_named_when_none_can_be_used() {
    let (first, second) = (nobody(), nobody());
    let etcd = client(&[&first, &second], Duration::from_secs(3));
    let error = etcd.range(Range::of(KeyRange::key("/a"))).await.unwrap_err();
    let expected =
        format!("etcd is out of reach: {first}: connection refused; {second}: connection refused");
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_write_without_an_answer_is_unsure_and_a_read_is_not() {
    let server = Etcd::start(&[]);
    let etcd = client(&[&server.url], IMPATIENCE);
    etcd.put("/a", "1", None).await.unwrap();
    server.signal("STOP");
    let unsure = EtcdError::Unsure {
        endpoint: server.url.clone(),
        cause: "no answer within 300ms".to_owned(),
    };
    assert_eq!(etcd.put("/a", "2", None).await.unwrap_err(), unsure);
    // The connection is not trusted any more: the next call would have to make one, and cannot.
    let read_only = Txn { then: vec![Op::Range(Range::of(KeyRange::key("/a")))], ..Txn::default() };
    for error in [
        etcd.range(Range::of(KeyRange::key("/a"))).await.unwrap_err(),
        etcd.txn(read_only).await.unwrap_err(),
        etcd.put("/a", "3", None).await.unwrap_err(),
        etcd.watch(Watch::of(KeyRange::key("/a"), 0)).await.unwrap_err(),
    ] {
        assert!(matches!(error, EtcdError::Unreachable { .. }), "{error:?}");
    }
    server.signal("CONT");
    let found = client(&[&server.url], Duration::from_secs(20));
    let found = found.range(Range::of(KeyRange::key("/a"))).await.unwrap();
    assert!(["1", "2"].iter().any(|it| found.kvs[0].value == it), "{found:?}");
    assert_eq!(etcd.range(Range::of(KeyRange::key("/a"))).await.unwrap().count, 1);
}
