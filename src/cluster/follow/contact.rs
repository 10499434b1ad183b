//! Puts the registry's questions to etcd: whether a majority of it is within reach.

use tokio::time::{Duration, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::debug;

use crate::cluster::{common::Common, meta};

/// How long an answer may take. One that is in good order answers in some milliseconds.
const ANSWER: Duration = Duration::from_secs(1);

/// Between two questions there is so much at least, however many clients fall silent.
const PAUSE: Duration = Duration::from_millis(20);

/// Asks until it is told to stop.
pub async fn answer(common: Common, stop: CancellationToken) {
    let contact = common.contact();
    let answering = async {
        loop {
            let asked = contact.asked().await;
            // Read by consensus: a member that has lost the others cannot answer it.
            match timeout(ANSWER, meta::look(&common.client, &common.layout)).await {
                Ok(Ok(_)) => contact.answered(asked),
                Ok(Err(error)) => {
                    debug!(%error, "etcd has not said whether it is within reach");
                    contact.failed(asked);
                }
                Err(_) => contact.failed(asked),
            }
            sleep(PAUSE).await;
        }
    };
    stop.run_until_cancelled(answering).await;
}

#[cfg(test)]
mod tests {
    use tokio::time::Duration;
    use tokio_util::sync::CancellationToken;

    use super::answer;
    use crate::cluster::{
        follow::testing::{Flow, Link, client, common, until},
        testing::shared_url,
    };

    #[tokio::test]
    async fn what_is_asked_is_answered_or_fails_in_time() {
        let link = Link::to(shared_url()).await;
        let (common, _metrics) = common(client(&link.url), "/contact/");
        let (contact, clock) = (common.contact(), common.clock.clone());
        let stop = CancellationToken::new();
        let _stopping = stop.clone().drop_guard();
        tokio::spawn(answer(common, stop));
        for (flow, answer) in [(Flow::Both, "Silent"), (Flow::None, "Unknown")] {
            link.set_flow(flow);
            let ended = clock.elapsed();
            let sound = || format!("{:?}", contact.sound(ended, Duration::ZERO));
            until(|| sound() != "Soon").await;
            assert_eq!(sound(), answer);
        }
    }
}
