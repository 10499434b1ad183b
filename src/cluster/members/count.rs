//! How many instances are this server's task, for the metric.

use std::future::pending;

use tokio::time::{Duration, Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    cluster::common::Common,
    registry::{Ownership, Registry, Snapshot},
    util::aside,
};

/// How soon it is counted again.
const PERIOD: Duration = Duration::from_secs(1);

/// Of a thread's time so much may go into it, one part of these: each instance costs a hash for
/// each server, a tenth of a second for a million and three.
const SHARE: u32 = 200;

/// The same while servers come and go: what is shown is wrong then, and each change would else
/// begin another count.
const SHARE_OF_CHANGES: u32 = 10;

/// Keeps the metric up to date until it is told to stop.
pub async fn count(
    common: Common,
    registry: Registry,
    ownership: Ownership,
    stop: CancellationToken,
) {
    let mut changes = ownership.subscribe();
    loop {
        let (snapshot, own, began) = (registry.snapshot(), ownership.clone(), Instant::now());
        // Aside: it would hold up everything else on its thread.
        if let Some(count) = aside(move || kept(&snapshot, &own)).await {
            common.metrics.owned(count);
        }
        let took = began.elapsed();
        let changed = async {
            sleep(PERIOD.max(took * SHARE_OF_CHANGES)).await;
            if changes.changed().await.is_err() {
                pending::<()>().await;
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(PERIOD.max(took * SHARE)) => {}
            () = changed => {}
        }
    }
}

fn kept(snapshot: &Snapshot, ownership: &Ownership) -> usize {
    let members = snapshot.services.iter().flat_map(|(_, service)| &service.members);
    members.filter(|member| ownership.keeps(&member.key())).count()
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
        registry::{Ownership, Peer, View, testing},
    };

    #[tokio::test(start_paused = true)]
    async fn instances_are_counted_anew_when_servers_come_and_go() {
        let registry = testing::registry();
        let instances = (0..100).map(|n| testing::instance(&format!("web/i{n}"), "10.0.0.1"));
        let command = Command::Register(instances.map(Into::into).collect());
        registry.submit(command).await.unwrap();
        let (common, metrics) = common(client(shared_url()), "/rollcall/");
        let peer = |id: &str| Peer { id: id.into(), http: [].into() };
        let view = |servers: &[&str]| View {
            me: "a".into(),
            servers: servers.iter().map(|id| peer(id)).collect(),
            checkers: 1,
            is_cut_off: false,
            hears_all: false,
        };
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
