//! Heartbeats that others have left in the store.

use tokio::{
    sync::mpsc,
    time::{Duration, timeout},
};

use super::{Etcd, Flow, Link, Mirror, client, put, register, shared};
use crate::{
    cluster::{
        etcd::Client,
        follow::{Follower, Relayed, listen::Patience, testing::until},
        testing::{PATIENCE, shared_url},
    },
    registry::Weather,
};

/// A mirror, and what it hands on of heartbeats.
async fn start(
    client: Client,
    prefix: &str,
    patience: Patience,
) -> (Mirror, mpsc::Receiver<Relayed>) {
    let (sender, relayed) = mpsc::channel(64);
    let adjust = |follower: &mut Follower| {
        follower.relayed = Some(sender);
        follower.patience = patience;
    };
    let mut mirror = Mirror::of(client.clone(), prefix, adjust).await;
    // Then it watches.
    let at = register(&client, prefix, "web/z").await;
    mirror.until_seen(at).await;
    (mirror, relayed)
}

/// Leaves heartbeats; they are told apart by what is in them.
async fn leave(etcd: &Client, prefix: &str, value: &str) -> u64 {
    put(etcd, prefix, "beats/other", value).await
}

/// Leaves heartbeats that are new until one comes, while the registry takes what it is told; what
/// else comes. On a busy machine some may have waited, and are not taken: the next ones are.
async fn others_before(
    new: &str,
    (etcd, prefix): (&Client, &str),
    mirror: &mut Mirror,
    relayed: &mut mpsc::Receiver<Relayed>,
) -> Vec<String> {
    let take = async {
        let mut all: Vec<String> = Vec::new();
        while all.last().is_none_or(|last| last != new) {
            leave(etcd, prefix, new).await;
            let next = timeout(Duration::from_secs(1), relayed.recv()).await;
            let next = next.map(|row| String::from_utf8(row.unwrap().value.to_vec()).unwrap());
            all.extend(next);
        }
        all.retain(|value| !value.starts_with("new"));
        all
    };
    let follow = async {
        while mirror.upto < u64::MAX {
            mirror.next().await;
        }
    };
    tokio::select! {
        all = timeout(PATIENCE, take) => all.expect("the new one comes"),
        () = follow => unreachable!("it goes on"),
    }
}

/// They renewed leases as of then: who had died kept its full ttl once more.
#[tokio::test]
async fn heartbeats_that_were_left_while_nobody_watched_are_not_taken_for_new() {
    for is_listed in [false, true] {
        let etcd = Etcd::start(&[]);
        let (direct, link) = (etcd.client(), Link::to(&etcd.url).await);
        let (mut mirror, mut relayed) =
            start(client(&link.url), "/rollcall/", Patience::default()).await;
        let place = (&direct, "/rollcall/");
        others_before("new 1", place, &mut mirror, &mut relayed).await;
        link.cut();
        mirror.until(|mirror| mirror.weather != Weather::Fair).await;
        let mut at = 0;
        for n in 0..3 {
            at = leave(&direct, "/rollcall/", &format!("old {n}")).await;
        }
        if is_listed {
            direct.compact(at).await.unwrap();
        }
        link.lead_to(&etcd.url);
        mirror.until_seen(at).await;
        mirror.until(|mirror| mirror.weather == Weather::Fair).await;
        assert_eq!(mirror.lists, usize::from(is_listed));
        let came = others_before("new 2", place, &mut mirror, &mut relayed).await;
        assert_eq!(came, [""; 0], "listed: {is_listed}");
    }
}

/// A stream that stands still for a while keeps what is in it.
#[tokio::test]
async fn heartbeats_that_have_waited_in_a_stream_are_not_taken_for_new() {
    let (late, idle) = (Duration::from_millis(100), Duration::from_secs(1));
    let patience = Patience { idle, late, ..Patience::default() };
    let link = Link::to(shared_url()).await;
    let (direct, prefix) = shared();
    let (mut mirror, mut relayed) = start(client(&link.url), &prefix, patience).await;
    let place = (&direct, prefix.as_str());
    others_before("new 1", place, &mut mirror, &mut relayed).await;
    link.set_flow(Flow::Out);
    let mut at = 0;
    for n in 0..3 {
        at = leave(&direct, &prefix, &format!("old {n}")).await;
    }
    // By then it has asked, and waited for longer than answers take.
    until(|| mirror.common.heard.silence() > idle * 2).await;
    link.set_flow(Flow::Both);
    mirror.until_seen(at).await;
    // The answer to what was asked is before this.
    let at = register(&direct, &prefix, "web/a").await;
    mirror.until_seen(at).await;
    let came = others_before("new 2", place, &mut mirror, &mut relayed).await;
    assert_eq!(came, [""; 0]);
}
