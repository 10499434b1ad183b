//! Takes what other servers have left in the store for this one.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::{metrics::BeatsMetrics, relay};
use crate::{
    cluster::follow::Relayed,
    model::Command,
    registry::{Beat, Registry},
    util::aside,
};

/// Gives the registry what is for this server.
pub(super) struct Receiver {
    pub registry: Registry,
    pub metrics: BeatsMetrics,
}

// === impl Receiver ===

impl Receiver {
    /// Runs until it is told to stop, or nothing comes any more.
    pub(super) async fn run(self, mut relayed: mpsc::Receiver<Relayed>, stop: CancellationToken) {
        let take = async {
            // Also a row of this server's own name: another one may have that, too.
            while let Some(row) = relayed.recv().await {
                self.take(row).await;
            }
        };
        stop.run_until_cancelled(take).await;
    }

    async fn take(&self, Relayed { from, value, at }: Relayed) {
        // The registry was busy meanwhile.
        if at.elapsed() > Beat::WORTH {
            return debug!(server = &*from, "its heartbeats in etcd have waited here for too long");
        }
        let beats = match aside(move || relay::unpack(&value)).await {
            Some(Ok(beats)) => beats,
            Some(Err(error)) => {
                return debug!(server = &*from, %error, "its heartbeats in etcd cannot be read");
            }
            None => return,
        };
        let (snapshot, ownership) = (self.registry.snapshot(), self.registry.ownership());
        let mut count = 0;
        // Most of the others are for other servers, and those of nobody are dropped.
        for heartbeats in beats.iter().filter_map(|beat| beat.heartbeats(&snapshot, ownership).ok())
        {
            count += 1;
            for heartbeat in heartbeats {
                if self.registry.enqueue(Command::Heartbeat(heartbeat)).await.is_err() {
                    return;
                }
            }
        }
        self.metrics.relayed(count);
    }
}
