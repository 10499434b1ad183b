//! How many instances are this server's task, for the metric.

use std::{future::pending, sync::Arc};

use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::common::Common,
    registry::{Member, Ownership, Registry, Snapshot},
};

/// How soon it is counted again.
const PERIOD: Duration = Duration::from_secs(1);

/// Of a thread's time so much may go into it, one part of these: each instance costs a hash for
/// each server, a tenth of a second for a million and three.
const SHARE: u32 = 200;

/// Instances that are counted in one go, or up to twice as many, which takes less than a
/// millisecond.
const SLICE: usize = 2_048;

/// How many times as long as a slice took none is counted: servers come and go for all at the same
/// time, and each has more urgent work to do then.
const REST: u32 = 9;

/// Keeps the metric up to date until it is told to stop.
pub async fn count(
    common: Common,
    registry: Registry,
    ownership: Ownership,
    stop: CancellationToken,
) {
    let mut changes = ownership.subscribe();
    let counting = async {
        loop {
            let (count, took) = kept(&registry.snapshot(), &ownership).await;
            common.metrics.owned(count);
            let changed = async {
                sleep(PERIOD).await;
                if changes.changed().await.is_err() {
                    pending::<()>().await;
                }
            };
            tokio::select! {
                () = sleep(PERIOD.max(took * SHARE)) => {}
                () = changed => {}
            }
        }
    };
    stop.run_until_cancelled(counting).await;
}

/// How many there are, and how long it took to count them without the rests.
async fn kept(snapshot: &Snapshot, ownership: &Ownership) -> (usize, Duration) {
    let (mut count, mut seen, mut took) = (0, 0, Duration::ZERO);
    let mut began = Instant::now();
    let is_kept = |member: &&Arc<Member>| ownership.keeps(&member.key());
    for members in snapshot.services.iter().flat_map(|(_, it)| it.members.chunks(SLICE)) {
        count += members.iter().filter(is_kept).count();
        seen += members.len();
        if seen >= SLICE {
            seen = 0;
            let slice = began.elapsed();
            took += slice;
            sleep(slice * REST).await;
            began = Instant::now();
        }
    }
    (count, took + began.elapsed())
}

#[cfg(test)]
mod tests {
    use tokio::time::{Duration, Instant};
    use tokio_util::sync::CancellationToken;

    use super::{PERIOD, count};
    use crate::{
        cluster::{
            follow::testing::{client, common, until},
            testing::shared_url,
        },
        model::Command,
        registry::{
            Ownership,
            testing::{self, view},
        },
    };

    #[tokio::test(start_paused = true)]
    async fn instances_are_counted_anew_when_servers_come_and_go() {
        let registry = testing::registry();
        let instances = (0..100).map(|n| testing::instance(&format!("web/i{n}"), "10.0.0.1"));
        let command = Command::Register(instances.map(Into::into).collect());
        registry.submit(command).await.unwrap();
        let (common, metrics) = common(client(shared_url()), "/rollcall/");
        let ownership = Ownership::of(view(&["a"]));
        let stop = CancellationToken::new();
        let _stopping = stop.clone().drop_guard();
        tokio::spawn(count(common, registry, ownership.clone(), stop));
        let owned = || {
            let text = metrics.encode().unwrap();
            let line = text
                .lines()
                .find_map(|line| line.strip_prefix("rollcall_cluster_instances_owned "));
            line.unwrap().parse::<usize>().unwrap()
        };
        until(|| owned() == 100).await;
        ownership.set(view(&["a", "b"]));
        until(|| (30..70).contains(&owned())).await;
        // Each change began a count at once, whatever it takes.
        let counted = Instant::now();
        ownership.set(view(&["b"]));
        until(|| owned() == 0).await;
        assert!(counted.elapsed() > PERIOD - Duration::from_millis(50), "{:?}", counted.elapsed());
    }
}
