//! What is known of the store, with the time given by hand.

use futures_util::FutureExt;
use tokio::time::{Duration, Instant, advance};
use tokio_util::sync::CancellationToken;

use super::BREAK;
use crate::{
    cluster::{
        follow::{
            inspect,
            testing::{client, common},
        },
        testing::shared_url,
    },
    registry::ServerId,
};

#[tokio::test(start_paused = true)]
async fn a_server_of_the_same_name_is_told_of_as_long_as_it_is_heard_of() {
    let (common, _metrics) = common(client("http://127.0.0.1:1"), "/rollcall/");
    let stop = CancellationToken::new();
    let _stopping = stop.clone().drop_guard();
    tokio::spawn(inspect(common.clone(), fastrand::Rng::new(), stop));
    let note = || common.board.conditions().into_iter().find(|it| it.0 == "server id twin");
    for _ in 0..10 {
        common.hear_of_twin();
        advance(Duration::from_secs(30)).await;
        assert!(note().is_some_and(|it| it.1.message.contains("restart it")), "{:?}", note());
    }
    let last = Instant::now();
    while note().is_some() {
        assert!(last.elapsed() < Duration::from_secs(120));
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Heartbeats that others had for this server by etcd are dropped after that time.
#[tokio::test(start_paused = true)]
async fn no_silence_counts_that_began_before_etcd_said_nothing_for_long() {
    let (common, _metrics) = common(client("http://127.0.0.1:1"), "/rollcall/");
    let (ttl, soon) = (Duration::from_secs(10), Duration::from_millis(100));
    for (pause, sound) in [(BREAK, "Silent"), (BREAK + soon, "Unknown")] {
        advance(ttl).await;
        common.heard.touch();
        advance(pause).await;
        common.hear_again();
        advance(soon).await;
        let ended = common.clock.elapsed();
        common.contact.answered(ended);
        assert_eq!(format!("{:?}", common.contact.sound(ended, ttl)), sound, "{pause:?}");
    }
}

/// A server would leave its tasks to others that are refused as well, and soon there were none.
#[tokio::test(start_paused = true)]
async fn who_may_not_write_is_alone_once_another_has_written_and_it_was_refused_again() {
    let (common, _metrics) = common(client(shared_url()), "/rollcall/");
    let (a, b) = (ServerId::from("a"), ServerId::from("b"));
    let is_alone = || {
        let alone = common.until_denied_alone(Duration::from_secs(10));
        alone.now_or_never().is_some()
    };
    let refused_after = async |seconds| {
        advance(Duration::from_secs(seconds)).await;
        common.set_refusing(Some("no permission".into()));
    };
    common.hear_of_taken(&a, Some(Instant::now()));
    refused_after(1).await;
    let since = Instant::now();
    refused_after(10).await;
    assert!(!is_alone(), "nobody was seen to write");
    common.hear_of_taken(&a, Some(since - Duration::from_secs(1)));
    refused_after(10).await;
    assert!(!is_alone(), "that was before");
    common.hear_of_taken(&a, Some(Instant::now()));
    refused_after(2).await;
    assert!(!is_alone(), "it may be since then that it may not");
    refused_after(1).await;
    assert!(is_alone());
    common.hear_of_taken(&b, None);
    assert!(is_alone(), "the other one still may");
    common.hear_of_taken(&a, None);
    assert!(!is_alone(), "it may not any more");
    common.hear_of_taken(&b, Some(Instant::now()));
    refused_after(3).await;
    assert!(is_alone());
    // It is full: that is so for all.
    common.set_refusing(None);
    assert!(!is_alone());
    common.set_taking();
    refused_after(1).await;
    assert!(!is_alone(), "it begins anew");
}
