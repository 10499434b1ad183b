//! Puts the registry's questions to etcd: whether a majority of it is within reach.

use tokio::time::{Duration, Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::notes::REACH;
use crate::cluster::{common::Common, meta};

/// The name of the condition that says that etcd is too slow to be asked.
const SLOW: &str = "etcd reads";

/// How long nothing is answered before that is told: an election takes two seconds.
const WORTH_A_NOTE: Duration = Duration::from_secs(5);

/// How long an answer may take. One that is in good order answers in some milliseconds.
const ANSWER: Duration = Duration::from_secs(1);

/// Between two questions there is so much at least, however many clients fall silent.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until it is told to stop.
pub async fn answer(common: Common, stop: CancellationToken) {
    let contact = common.contact();
    let mut slow = Slow { common: common.clone(), since: None };
    let answering = async {
        loop {
            let asked = contact.asked().await;
            match ask(&common).await {
                Ok(()) => {
                    contact.answered(asked);
                    slow.is_over();
                }
                Err(why) => {
                    contact.failed(asked);
                    slow.goes_on(&why);
                }
            }
            sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(answering).await;
}

/// Asks etcd something.
///
/// # Errors
/// Why it has not answered in time.
async fn ask(common: &Common) -> Result<(), String> {
    let Common { client, layout, .. } = common.clone();
    // Read by consensus: a member that has lost the others cannot answer it. It goes on when nobody
    // waits for it any more, until the client has waited for long enough to leave that member:
    // else each question would be put to the same one.
    let look = tokio::spawn(async move { meta::look(&client, &layout).await });
    match timeout(ANSWER, look).await {
        Ok(Ok(Ok(_))) => Ok(()),
        Ok(Ok(Err(error))) => Err(error.to_string()),
        Ok(Err(failed)) => Err(failed.to_string()),
        Err(_) => Err(format!("no answer within {ANSWER:?}")),
    }
}

/// Tells of an etcd that does not answer in time, though it may tell of changes.
struct Slow {
    common: Common,
    since: Option<Instant>,
}

// === impl Slow ===

impl Slow {
    fn goes_on(&mut self, why: &str) {
        debug!(why, "etcd has not said whether it is within reach");
        let board = &self.common.board;
        if board.has(REACH) {
            self.since = None; // that says it all
            return board.clear(SLOW);
        }
        let since = *self.since.get_or_insert_with(Instant::now);
        if since.elapsed() >= WORTH_A_NOTE {
            let message = format!(
                "etcd does not answer a read: {why}. Until it does, missing heartbeats are not \
                 counted, so that who dies stays in the answers"
            );
            let is_there = board.has(SLOW);
            board.note_late(SLOW, &message, since.elapsed());
            if !is_there {
                warn!("{message}");
            }
        }
    }

    fn is_over(&mut self) {
        self.since = None;
        if self.common.board.has(SLOW) {
            self.common.board.clear(SLOW);
            info!("etcd answers reads again");
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;
    use tokio_util::sync::CancellationToken;

    use super::{ANSWER, REACH, SLOW, answer};
    use crate::cluster::{
        common::Common,
        etcd::{Client, EtcdOptions},
        follow::testing::{Flow, Link, client, common, until},
        testing::shared_url,
    };

    /// What puts questions to a real etcd over a link, as long as `_stop` is there.
    struct World {
        link: Link,
        common: Common,
        _stop: tokio_util::sync::DropGuard,
    }

    async fn world() -> World {
        let link = Link::to(shared_url()).await;
        let (common, _metrics) = common(client(&link.url), "/contact/");
        let stop = CancellationToken::new();
        tokio::spawn(answer(common.clone(), stop.clone()));
        World { link, common, _stop: stop.drop_guard() }
    }

    #[tokio::test]
    async fn what_is_asked_is_answered_or_fails_in_time() {
        let World { link, common, _stop } = world().await;
        for (flow, answer) in [(Flow::Both, "Silent"), (Flow::None, "Unknown")] {
            link.set_flow(flow);
            let ended = common.clock.elapsed();
            let sound = || format!("{:?}", common.contact().sound(ended, Duration::ZERO));
            until(|| sound() != "Soon").await;
            assert_eq!(sound(), answer);
        }
    }

    /// Each was put to the same member, until something else had left that one.
    #[tokio::test]
    async fn questions_leave_a_member_that_stands_still() {
        let (one, other) = (Link::to(shared_url()).await, Link::to(shared_url()).await);
        let options = EtcdOptions::new([&*one.url, &*other.url]);
        let deadline = ANSWER + Duration::from_millis(200);
        let client = Client::new(EtcdOptions { deadline, ..options }).unwrap();
        let (common, _metrics) = common(client, "/contact/");
        let stop = CancellationToken::new();
        let _stop = stop.clone().drop_guard();
        tokio::spawn(answer(common.clone(), stop));
        one.set_flow(Flow::None);
        for _ in 0..5 {
            let ended = common.clock.elapsed();
            let sound = || format!("{:?}", common.contact().sound(ended, Duration::ZERO));
            until(|| sound() != "Soon").await;
            if sound() == "Silent" {
                return;
            }
        }
        panic!("not one of five had an answer");
    }

    /// Nobody was told why the dead stayed in the answers.
    #[tokio::test]
    async fn an_etcd_that_answers_no_read_is_told_of_until_it_does() {
        let World { link, common, _stop } = world().await;
        let board = &common.board;
        link.set_flow(Flow::None);
        common.contact().sound(common.clock.elapsed(), Duration::ZERO);
        until(|| board.has(SLOW)).await;
        let (_, told) = board.conditions().remove(0);
        assert!(told.message.contains("missing heartbeats are not counted"), "{told:?}");
        board.note(REACH, "out of reach");
        until(|| !board.has(SLOW)).await;
        board.clear(REACH);
        until(|| board.has(SLOW)).await;
        link.set_flow(Flow::Both);
        until(|| !board.has(SLOW)).await;
    }
}
