//! Several registries that share their state, with the clock stopped.

mod asked;
mod opinions;
mod random;
mod returning;
mod seen;

use std::time::Duration;

use tokio::sync::mpsc;

use super::{register, report, status};
use crate::{
    model::{Command, Heartbeat, Revision, Status},
    registry::{
        Applied, Beat, JournalError, Options, Registry, RegistryError,
        shared::testing::Commons,
        testing::{Running, key},
    },
};

/// Servers that share what is in `commons`; heartbeats for others reach them.
struct Fleet {
    commons: Commons,
    servers: Vec<Running>,
}

impl Fleet {
    fn start(count: usize) -> Self {
        Self::of(Commons::default(), count)
    }

    fn of(commons: Commons, count: usize) -> Self {
        let (servers, beats): (Vec<Running>, Vec<_>) =
            (0..count).map(|_| commons.join(Options::default())).unzip();
        let registries: Vec<Registry> = servers.iter().map(|it| it.registry.clone()).collect();
        for beats in beats {
            tokio::spawn(deliver(beats, commons.clone(), registries.clone()));
        }
        Self { commons, servers }
    }

    fn registry(&self, server: usize) -> &Registry {
        &self.servers[server].registry
    }

    /// Whose task the instance is, and one whose task it is not.
    fn owner_and_other(&self, name: &str) -> (usize, usize) {
        let owner = self.commons.owner(&key(name));
        (owner, (owner + 1) % self.servers.len())
    }

    async fn submit(&self, server: usize, command: Command) -> Result<Applied, RegistryError> {
        self.registry(server).submit(command).await
    }

    fn status(&self, name: &str) -> Vec<Option<Status>> {
        self.servers.iter().map(|server| status(server, name)).collect()
    }

    fn registered(&self, server: usize, name: &str) -> Revision {
        self.registry(server).snapshot().member(&key(name)).unwrap().registered
    }
}

/// What the servers' HTTP interfaces do for one another.
async fn deliver(mut beats: mpsc::Receiver<Beat>, commons: Commons, to: Vec<Registry>) {
    while let Some(beat) = beats.recv().await {
        let registry = &to[commons.owner(&beat.key)];
        take_one(registry, &beat).await;
    }
}

async fn take_one(registry: &Registry, beat: &Beat) {
    let heard = beat.heartbeats(&registry.snapshot(), registry.ownership());
    for heartbeat in heard.unwrap_or_default() {
        let _stopping = registry.enqueue(Command::Heartbeat(heartbeat)).await;
    }
}

fn beat(name: &str, status: Status) -> Command {
    Command::Heartbeat(Heartbeat {
        key: key(name),
        check: None,
        status,
        output: "said".into(),
        heard: None,
    })
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn unreachable_or_not<T>(result: &Result<T, RegistryError>) -> bool {
    matches!(result, Err(RegistryError::NotDurable(JournalError::Unreachable(_))))
}
