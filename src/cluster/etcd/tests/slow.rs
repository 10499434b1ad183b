//! Replies that take their time: pieces that trickle, and pieces that stay away.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use parking_lot::Mutex;
use prost::Message;

use super::{
    super::{
        Client, EtcdError, EtcdOptions, KeyRange, Pages, Range,
        connection::Connection,
        proto::{KeyValue, RangeRequest, RangeResponse, ResponseHeader},
    },
    fake::{Answer, Call, Said, serve},
};

/// Keys that the fake has.
const KEYS: usize = 100;
/// Of a row with a key of four.
const ROW_OCTETS: usize = 8;
/// Between two rows of a reply, and how long an attempt may wait.
const ROW: Duration = Duration::from_secs(1);
const DEADLINE: Duration = Duration::from_secs(3);

/// Says what the limit of each page was.
type Asked = Arc<Mutex<Vec<u64>>>;

/// An etcd that sends a row each second, and the last piece of a page of `stuck` rows never.
fn trickling(stuck: u64) -> (Arc<Answer>, Asked) {
    let asked = Asked::default();
    let seen = Arc::clone(&asked);
    let answer = move |call: &Call| {
        let request = RangeRequest::decode(call.message.clone()).unwrap();
        seen.lock().push(request.limit);
        let keys = (0..KEYS).map(|number| Bytes::from(format!("/{number:03}")));
        let mut keys: Vec<_> = keys.filter(|key| *key >= request.key).collect();
        let count = keys.len();
        keys.truncate(usize::try_from(request.limit).unwrap());
        let more = keys.len() < count;
        let kvs = keys.into_iter().map(|key| KeyValue { key, ..KeyValue::default() }).collect();
        let header =
            Some(ResponseHeader { cluster_id: 1, member_id: 2, revision: 7, raft_term: 4 });
        let reply = RangeResponse { header, kvs, more, count: count as u64 };
        Said::Pieces(reply.encode_to_vec(), ROW_OCTETS, ROW, request.limit != stuck)
    };
    (Arc::new(answer), asked)
}

/// A client that is connected to it, by memory.
fn client() -> Client {
    let options = EtcdOptions { deadline: DEADLINE, ..EtcdOptions::new(["http://127.0.0.1:1"]) };
    Client::new(options).unwrap()
}

async fn connect(etcd: &Client, answer: &Arc<Answer>, number: u64) {
    let (ours, its) = tokio::io::duplex(1 << 20);
    tokio::spawn(serve(its, Arc::clone(answer)));
    let connection = Connection::over(ours, number).await;
    etcd.pool().slot(0).unwrap().put(connection).await;
}

async fn all(mut pages: Pages) -> usize {
    let mut rows = 0;
    while let Some(page) = pages.next().await.unwrap() {
        rows += page.kvs.len();
    }
    rows
}

#[tokio::test(start_paused = true)]
async fn a_list_of_pages_that_take_longer_than_a_call_comes_in_smaller_ones() {
    let (answer, asked) = trickling(0);
    let etcd = client();
    connect(&etcd, &answer, 0).await;
    assert_eq!(all(etcd.list(KeyRange::prefix("/"), 64)).await, KEYS);
    // One that comes all the while may take 30 seconds.
    let mut limits = std::mem::take(&mut *asked.lock());
    assert_eq!(limits[..3], [64, 32, 16]);
    limits.dedup();
    assert_eq!(limits.len(), 3, "smaller ones once and for all: {limits:?}");
    assert_eq!(all(etcd.list(KeyRange::prefix("/"), 8)).await, KEYS);
    assert_eq!(all(etcd.list(KeyRange::prefix("/"), 64)).await, KEYS);
    assert_eq!(asked.lock()[13..15], [32, 16], "it is tried again, and not from the beginning");
}

#[tokio::test(start_paused = true)]
async fn a_reply_that_stays_away_in_the_middle_is_waited_for_no_longer_than_one_that_never_came() {
    let (answer, asked) = trickling(20);
    let etcd = client();
    connect(&etcd, &answer, 0).await;
    let begin = tokio::time::Instant::now();
    let range = Range { limit: 20, ..Range::of(KeyRange::prefix("/")) };
    let error = etcd.range(range).await.unwrap_err();
    assert!(error.to_string().contains("no answer within 3s"), "{error}");
    let took = begin.elapsed();
    assert!(took > ROW * 20 && took < ROW * 25 + DEADLINE, "{took:?}");
    connect(&etcd, &answer, 1).await;
    let error = etcd.list(KeyRange::prefix("/"), 20).next().await.unwrap_err();
    assert!(matches!(error, EtcdError::Unreachable { .. }), "{error:?}");
    asked.lock().clear();
    connect(&etcd, &answer, 2).await;
    assert_eq!(all(etcd.list(KeyRange::prefix("/"), 20)).await, KEYS, "of smaller pages");
    assert_eq!(asked.lock()[0], 10);
}
