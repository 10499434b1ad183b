//! Endpoints that cannot be used, for a while or at all.

use std::time::Duration;

use super::{
    super::{Client, EtcdError, EtcdOptions, Granted, KeyRange, Op, Range, Txn, Watch, Watched},
    relay::Relay,
};
use crate::{
    cluster::testing::{Etcd, PATIENCE, shared_url},
    util::free_address,
};

/// For tests in which the clock is set to the deadline: before the first ping of a connection.
const DEADLINE: Duration = Duration::from_secs(8);

fn client(endpoints: &[&str], deadline: Duration) -> Client {
    Client::new(EtcdOptions { deadline, ..EtcdOptions::new(endpoints.iter().copied()) }).unwrap()
}

/// An endpoint at which nobody listens.
fn nobody() -> String {
    format!("http://{}", free_address())
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
async fn each_server_may_begin_with_another_endpoint() {
    let (first, second) = (Relay::to(shared_url()).await, Relay::to(shared_url()).await);
    for (begin_with, expected) in [(0, &first), (1, &second), (2, &first), (usize::MAX, &second)] {
        let options = EtcdOptions::new([first.url.as_str(), second.url.as_str()]);
        let etcd = Client::new(EtcdOptions { begin_with, ..options }).unwrap();
        assert_eq!(etcd.status().await.unwrap().endpoint, expected.url);
    }
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
    let etcd = client(&[&server.url], DEADLINE);
    etcd.put("/a", "1", None).await.unwrap();
    server.pause();
    // Nobody answers, so all there is to wait for is the clock.
    tokio::time::pause();
    let unsure =
        EtcdError::Unsure { endpoint: server.url.clone(), cause: "no answer within 8s".to_owned() };
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
    tokio::time::resume();
    server.resume();
    let found = client(&[&server.url], PATIENCE);
    let found = found.range(Range::of(KeyRange::key("/a"))).await.unwrap();
    assert!(["1", "2"].iter().any(|it| found.kvs[0].value == it), "{found:?}");
    assert_eq!(etcd.range(Range::of(KeyRange::key("/a"))).await.unwrap().count, 1);
}

#[tokio::test]
async fn what_is_stalled_or_cut_off_is_left_for_the_next_endpoint() {
    let (stalled, alive) = (Relay::to(shared_url()).await, Relay::to(shared_url()).await);
    let etcd = client(&[&stalled.url, &alive.url], DEADLINE);
    let key = "/faults/stalled";
    let read = || Range::of(KeyRange::key(key));
    etcd.put(key, "1", None).await.unwrap();
    stalled.stall();
    let found = stalled.hold(DEADLINE, etcd.range(read())).await.unwrap();
    assert_eq!(found.count, 1);
    // From now on the other one is asked first, so that not every call waits for the first.
    etcd.put(key, "2", None).await.expect("it is sure");
    alive.cut();
    let error = stalled.hold(DEADLINE, etcd.range(read())).await.unwrap_err();
    let EtcdError::Unreachable { attempts } = &error else { panic!("{error:?}") };
    let endpoints = attempts.iter().map(|it| &it.endpoint).collect::<Vec<_>>();
    assert_eq!(endpoints, [&alive.url, &stalled.url]);
    assert_eq!(attempts[1].cause, "no answer within the time for a call");
}

#[tokio::test]
async fn a_watch_that_is_cut_off_says_so_and_the_next_one_begins_elsewhere() {
    let (first, second) = (Relay::to(shared_url()).await, Relay::to(shared_url()).await);
    let etcd = client(&[&first.url, &second.url], PATIENCE);
    let key = "/faults/watch";
    let watch = |from| etcd.watch(Watch::of(KeyRange::key(key), from));
    let mut stream = watch(0).await.unwrap();
    let put = etcd.put(key, "1", None).await.unwrap();
    assert!(matches!(stream.next().await.unwrap(), Watched::Changes(_)));
    first.cut();
    let error = stream.next().await.unwrap_err();
    let EtcdError::Unreachable { attempts } = &error else { panic!("{error:?}") };
    assert_eq!(attempts[0].endpoint, first.url);
    let mut stream = watch(put.revision).await.unwrap();
    assert!(matches!(stream.next().await.unwrap(), Watched::Changes(_)));
    assert_eq!(etcd.members().last().unwrap().endpoint, second.url);
}

#[tokio::test]
async fn a_watch_that_is_stalled_is_given_up_by_pings() {
    let relay = Relay::to(shared_url()).await;
    let etcd = client(&[&relay.url], PATIENCE);
    let mut stream = etcd.watch(Watch::of(KeyRange::key("/faults/stall"), 0)).await.unwrap();
    relay.stall();
    // The clock stands still but where everybody waits for it.
    tokio::time::pause();
    let begin = tokio::time::Instant::now();
    let error = stream.next().await.unwrap_err();
    assert!(matches!(error, EtcdError::Unreachable { .. }), "{error:?}");
    assert!(error.to_string().contains("no answer to a ping"), "{error}");
    let took = begin.elapsed();
    assert!(took > Duration::from_secs(5) && took < Duration::from_secs(20), "{took:?}");
}

#[tokio::test]
async fn beats_go_on_at_the_next_endpoint() {
    let (first, second) = (Relay::to(shared_url()).await, Relay::to(shared_url()).await);
    let etcd = client(&[&first.url, &second.url], DEADLINE);
    let granted = etcd.grant(PATIENCE).await.unwrap();
    let mut alive = etcd.keep_alive(granted);
    assert_eq!(alive.beat().await.unwrap(), granted.ttl);
    first.stall();
    assert_eq!(first.hold(DEADLINE, alive.beat()).await.unwrap(), granted.ttl);
    second.cut();
    let lost = first.hold(DEADLINE, alive.beat()).await;
    assert!(matches!(lost, Err(EtcdError::Unreachable { .. })));
}

/// With a `request_timeout` of 30 s and a lease of 10 s, or the default of 3 s and one of 4 s.
#[tokio::test]
async fn a_member_that_hangs_does_not_cost_the_lease_however_long_a_call_may_take() {
    let (first, second) = (Relay::to(shared_url()).await, Relay::to(shared_url()).await);
    let etcd = client(&[&first.url, &second.url], 100 * PATIENCE);
    let granted = etcd.grant(3 * PATIENCE).await.unwrap();
    // Taken for one that is over before a ping would find out: that takes 15 s.
    let ttl = Duration::from_secs(12);
    let mut alive = etcd.keep_alive(Granted { ttl, ..granted });
    alive.beat().await.unwrap();
    first.stall();
    let beat = first.hold(ttl / 3, alive.beat());
    let renewed = tokio::time::timeout(ttl, beat).await.expect("in time");
    assert_eq!(renewed.unwrap(), granted.ttl);
}

#[tokio::test]
async fn a_member_without_a_leader_refuses_at_once_what_needs_one() {
    let [first, second] = Etcd::pair();
    let etcd = client(&[&first.url], PATIENCE);
    let put = etcd.put("/a", "1", None).await.unwrap();
    let mut stream = etcd.watch(Watch::of(KeyRange::key("/a"), put.revision)).await.unwrap();
    assert!(matches!(stream.next().await.unwrap(), Watched::Changes(_)));
    second.pause();
    let error = tokio::time::timeout(PATIENCE, stream.next()).await.unwrap().unwrap_err();
    assert!(matches!(error, EtcdError::NoLeader { .. }), "{error:?}");
    let read = Range::of(KeyRange::key("/a"));
    for error in [
        etcd.put("/a", "2", None).await.unwrap_err(),
        etcd.txn(Txn { then: vec![Op::put("/a", "2")], ..Txn::default() }).await.unwrap_err(),
        etcd.range(read.clone()).await.unwrap_err(),
        etcd.watch(Watch::of(KeyRange::key("/a"), 0)).await.unwrap_err(),
        etcd.grant(PATIENCE).await.unwrap_err(),
    ] {
        assert!(matches!(error, EtcdError::NoLeader { .. }), "{error:?}");
        assert!(error.to_string().contains("etcdctl endpoint status"), "{error}");
    }
    assert!(etcd.status().await.is_ok(), "which needs none");
    second.resume();
    let found = loop {
        match etcd.range(read.clone()).await {
            Err(EtcdError::NoLeader { .. }) => {}
            found => break found.unwrap(),
        }
    };
    assert_eq!(found.kvs[0].value, "1", "nothing was done");
}

#[tokio::test]
async fn a_member_that_was_started_again_is_found_by_the_next_call() {
    let first = Relay::to(shared_url()).await;
    let etcd = client(&[&first.url], PATIENCE);
    for _ in 0..20 {
        etcd.range(Range::of(KeyRange::key("/faults/again"))).await.unwrap();
        first.hang_up();
    }
}
