//! Connections that break, members that stall, compactions.

use std::sync::Arc;

use tokio::time::{Duration, Instant};
use tokio_util::sync::CancellationToken;

use super::{Etcd, Flow, Link, Mirror, client, delete, register};
use crate::{
    cluster::{
        etcd::{Client, EtcdError, EtcdOptions, Op, Txn},
        follow::{Follower, inspect, listen::Patience, testing::until},
        testing::PATIENCE,
    },
    registry::{Beat, Weather},
};

const SHORT: Patience = Patience {
    idle: Duration::from_millis(200),
    answer: Duration::from_millis(400),
    late: Duration::from_secs(1),
};

#[tokio::test]
async fn a_watch_that_breaks_goes_on_where_it_was() {
    let etcd = Etcd::start(&[]);
    let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    for n in 0..5 {
        link.cut();
        register(&direct, "/rollcall/", &format!("web/i{n}")).await;
        link.lead_to(&etcd.url);
        let at = delete(&direct, "/rollcall/", &format!("instances/web/i{}/", n - 1)).await;
        mirror.until_seen(at).await;
        assert_eq!(mirror.names(), [format!("registration web/i{n}")]);
    }
    assert_eq!(mirror.lists, 0, "nothing had to be listed again");
    mirror.until(|mirror| mirror.weather == Weather::Fair).await;
}

/// etcd issues 18089 and 19179: what was deleted while nobody watched is in no event.
#[tokio::test]
async fn a_compaction_while_nobody_watched_hides_no_deletion() {
    let etcd = Etcd::start(&[]);
    let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
    for name in ["web/a", "web/b", "api/c"] {
        register(&direct, "/rollcall/", name).await;
    }
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    link.cut();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    let board = mirror.board();
    assert!(board.contains("; since 20") && board.contains("changes are refused"), "{board}");
    delete(&direct, "/rollcall/", "instances/web/a/").await;
    let at = register(&direct, "/rollcall/", "api/d").await;
    direct.compact(at).await.unwrap();
    link.lead_to(&etcd.url);
    mirror.until_seen(at).await;
    let names = ["registration api/c", "registration api/d", "registration web/b"];
    assert_eq!((mirror.names(), mirror.lists), (names.to_vec(), 1));
    mirror.until(|mirror| mirror.weather == Weather::Fair).await;
    let restarts = mirror.metric("rollcall_cluster_watch_restarts_total{reason=\"compacted\"}");
    assert_eq!((restarts.as_str(), mirror.board().as_str()), ("1", ""));
    // And it goes on from there.
    let at = register(&direct, "/rollcall/", "web/e").await;
    mirror.until_seen(at).await;
}

/// A member that is paused keeps its connections, and says nothing.
#[tokio::test]
async fn a_paused_etcd_is_noticed_and_caught_up_with() {
    let etcd = Etcd::start(&[]);
    let mut mirror =
        Mirror::of(client(&etcd.url), "/rollcall/", |follower| follower.patience = SHORT).await;
    let at = register(&etcd.client(), "/rollcall/", "web/a").await;
    mirror.until_seen(at).await;
    etcd.pause();
    let paused_at: jiff::Timestamp = mirror.common.now().parse().unwrap();
    mirror.until(|mirror| mirror.weather != Weather::Fair).await;
    let restarts = mirror.metric("rollcall_cluster_watch_restarts_total{reason=\"silent\"}");
    assert_eq!(restarts, "1");
    // It was noticed later than it began.
    let since = mirror.common.board.since("etcd").parse::<jiff::Timestamp>().unwrap();
    assert!(since <= paused_at, "{since}, and not {paused_at}");
    let metrics = mirror.metrics.encode().unwrap();
    let seconds = |name: &str| {
        let value = metrics.lines().find_map(|line| line.strip_prefix(name));
        value.and_then(|value| value.trim().parse::<f64>().ok()).unwrap()
    };
    let silence = seconds("rollcall_cluster_silence_seconds ");
    let lost = seconds("rollcall_cluster_out_of_reach_seconds ");
    assert!((silence - lost).abs() < 0.1, "{silence}, and not {lost}");
    etcd.resume();
    let at = register(&etcd.client(), "/rollcall/", "web/b").await;
    mirror.until_seen(at).await;
    mirror.until(|mirror| mirror.weather == Weather::Fair).await;
    assert_eq!(mirror.lists, 0);
}

/// What others have left for this server meanwhile is dropped, or not taken for new: who had beaten
/// there was taken for silent.
#[tokio::test]
async fn no_silence_counts_that_began_before_etcd_stood_still() {
    let patient = Patience { answer: PATIENCE, late: Duration::from_millis(100), ..SHORT };
    // A watch that goes on by itself, and one that is given up and begun again.
    // Its lease may be renewed all the time by another member.
    let given_up = (SHORT.idle + SHORT.answer) * 2;
    let cases =
        [(patient, patient.idle * 3, false), (SHORT, Beat::WORTH, false), (SHORT, given_up, true)];
    for (patience, standstill, is_renewed) in cases {
        let etcd = Etcd::start(&[]);
        let adjust = |follower: &mut Follower| follower.patience = patience;
        let mut mirror = Mirror::of(client(&etcd.url), "/rollcall/", adjust).await;
        let at = register(&etcd.client(), "/rollcall/", "web/a").await;
        mirror.until_seen(at).await;
        let (contact, clock) = (mirror.common.contact(), mirror.common.clock.clone());
        let begun = clock.elapsed();
        let silence = || {
            let ended = clock.elapsed();
            contact.answered(ended);
            format!("{:?}", contact.sound(ended, ended - begun))
        };
        assert_eq!(silence(), "Silent");
        etcd.pause();
        let paused = Instant::now();
        until(|| {
            if is_renewed {
                mirror.common.heard.touch();
            }
            paused.elapsed() > standstill
        })
        .await;
        etcd.resume();
        let at = register(&etcd.client(), "/rollcall/", "web/b").await;
        mirror.until_seen(at).await;
        assert_eq!(silence(), "Unknown", "{patience:?}");
    }
}

#[tokio::test]
async fn a_member_that_stalls_is_left_for_another_one() {
    let etcd = Etcd::start(&[]);
    let (one, other) = (Link::to(&etcd.url).await, Link::to(&etcd.url).await);
    let deadline = Duration::from_secs(1);
    let both = EtcdOptions { deadline, ..EtcdOptions::new([&*one.url, &*other.url]) };
    let both = Client::new(both).unwrap();
    let mut mirror = Mirror::of(both, "/rollcall/", |follower| follower.patience = SHORT).await;
    one.set_flow(Flow::None);
    other.set_flow(Flow::None);
    let at = register(&etcd.client(), "/rollcall/", "web/a").await;
    // Whichever it is that stalls: one of them does not.
    other.set_flow(Flow::Both);
    mirror.until_seen(at).await;
    other.set_flow(Flow::None);
    one.set_flow(Flow::Both);
    let at = register(&etcd.client(), "/rollcall/", "web/b").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.lists, 0);
}

#[tokio::test]
async fn silence_alone_is_no_reason_to_leave() {
    let etcd = Etcd::start(&[]);
    let mut mirror =
        Mirror::of(etcd.client(), "/rollcall/", |follower| follower.patience = SHORT).await;
    let heard = mirror.common.heard.clone();
    for _ in 0..3 {
        let before = heard.at();
        // It answers each time it is asked.
        until(|| heard.at() > before).await;
    }
    let at = register(&etcd.client(), "/rollcall/", "web/a").await;
    mirror.until_seen(at).await;
    assert_eq!(mirror.restarts(), 0);
}

/// Kubernetes issue 45037: what one response cannot carry comes in fragments.
#[tokio::test]
async fn revisions_that_come_in_fragments_are_whole() {
    let etcd = Etcd::start(&[]);
    let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
    let mut mirror = Mirror::start(client(&link.url), "/rollcall/").await;
    link.cut();
    let large: Arc<str> = "x".repeat(11 << 10).into();
    let mut last = 0;
    for batch in 0..20 {
        let put = |n: usize| {
            Op::put(
                format!("/rollcall/v1/instances/s{batch}/i{n}/drained"),
                large.as_bytes().to_vec(),
            )
        };
        let then = (0..120).map(put).collect();
        last = direct.txn(Txn { then, ..Txn::default() }).await.unwrap().header.revision;
    }
    link.lead_to(&etcd.url);
    // 26 MB, in which each revision is more than one response. Seen are all of it or nothing.
    mirror
        .until(|mirror| {
            assert_eq!(mirror.rows.len() % 120, 0, "at {}", mirror.upto);
            mirror.upto >= last
        })
        .await;
    assert_eq!((mirror.rows.len(), mirror.lists), (2_400, 0));
}

/// etcd takes nothing more, and goes on to tell what it has.
#[tokio::test]
async fn an_etcd_that_is_full_is_followed_and_told_of() {
    let etcd = Etcd::start(&["--quota-backend-bytes", "1000000"]);
    let direct = etcd.client();
    let mut mirror = Mirror::start(etcd.client(), "/rollcall/").await;
    let at = register(&direct, "/rollcall/", "web/a").await;
    mirror.until_seen(at).await;
    let filler = vec![b'x'; 100 << 10];
    let mut number = 0;
    let refusal = loop {
        number += 1;
        if let Err(refusal) = direct.put(format!("/other/{number}"), filler.clone(), None).await {
            break refusal;
        }
    };
    assert!(matches!(refusal, EtcdError::NoSpace { .. }), "{refusal}");
    let stop = CancellationToken::new();
    let _stopping = stop.clone().drop_guard();
    tokio::spawn(inspect(mirror.common.clone(), fastrand::Rng::new(), stop));
    until(|| mirror.board().contains("etcd space: etcd's database is full (alarm NOSPACE)")).await;
    assert!(mirror.metric("rollcall_store_size_bytes").parse::<u64>().unwrap() > 500_000);
    let at = delete(&direct, "/rollcall/", "instances/web/a/").await;
    mirror.until_seen(at).await;
    assert!(mirror.rows.is_empty() && mirror.weather == Weather::Fair);
}
