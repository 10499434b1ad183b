//! What starts the parts.

use std::time::Duration;

use tokio::{sync::mpsc, time::Instant};
use tokio_util::sync::CancellationToken;

use super::{
    direct::Direct,
    metrics::BeatsMetrics,
    outbox::Waiting,
    receive::Receiver,
    relay::Relay,
    sender::{Means, Sender},
    ways::{Handed, Left, Ways},
};
use crate::{
    cluster::{Common, follow::Relayed},
    registry::{Beat, Peer, Registry, ServerId},
};

/// What heartbeats for other servers need.
pub struct BeatsSetup {
    /// The store, and the rows of the servers.
    pub common: Common,
    /// This server.
    pub me: ServerId,
    /// Which knows whose task which instance is.
    pub registry: Registry,
    /// What the registry has for others.
    pub beats: mpsc::Receiver<Beat>,
    /// What others have left in the store.
    pub relayed: mpsc::Receiver<Relayed>,
    /// What is counted.
    pub metrics: BeatsMetrics,
}

/// Brings heartbeats to the servers that count them.
pub struct Beats {
    sender: Sender<Both>,
    receiver: Receiver,
    beats: mpsc::Receiver<Beat>,
    relayed: mpsc::Receiver<Relayed>,
}

/// Both ways, and what is known of the store.
#[derive(Debug, Clone)]
struct Both {
    direct: Direct,
    relay: Relay,
    common: Common,
}

// === impl Beats ===

impl Beats {
    /// Of a setup; nothing is sent before it runs.
    pub fn new(setup: BeatsSetup, rng: fastrand::Rng) -> Self {
        let BeatsSetup { common, me, registry, beats, relayed, metrics } = setup;
        let receiver = Receiver { registry: registry.clone(), metrics: metrics.clone() };
        let (board, clock) = (common.board.undated().clone(), common.clock.clone());
        let ownership = registry.ownership().clone();
        let direct = Direct::new(me.clone(), ownership, common.roster(), clock.clone());
        let ways = Both { direct, relay: Relay::new(me, common.clone()), common };
        let sender = Sender::new(Means { ways, registry, board, metrics, clock, rng });
        Self { sender, receiver, beats, relayed }
    }

    /// Runs until it is told to stop, or until there is no registry any more, which is better: then
    /// it has sent, within a second, what the registry had for others to the end.
    pub async fn run(self, stop: CancellationToken) {
        let Self { sender, receiver, beats, relayed } = self;
        let is_over = stop.child_token();
        let send = async {
            sender.run(beats, stop).await;
            is_over.cancel();
        };
        tokio::join!(send, receiver.run(relayed, is_over.clone()));
    }
}

// === impl Both ===

impl Ways for Both {
    async fn hand(&self, to: &Peer, batch: &[Waiting]) -> Result<Handed, String> {
        let began = Instant::now();
        let handed = self.direct.hand(to, batch).await?;
        let ago = handed.said.changed_ago_ms.map(Duration::from_millis);
        // By when it was asked: nothing is said to be later than it was.
        self.common.hear_of_taken(&to.id, ago.and_then(|ago| began.checked_sub(ago)));
        Ok(handed)
    }

    async fn leave(&self, batch: &[Waiting]) -> Result<Left, String> {
        self.relay.leave(batch).await
    }

    fn forget(&self, server: &ServerId) {
        self.direct.forget(server);
    }
}
