//! Several registries that share their state, with the clock stopped.

mod apart;
mod asked;
mod innocent;
mod many;
mod opinions;
mod random;
mod refusing;
mod removals;
mod resuming;
mod returning;
mod rivals;
mod seen;
mod together;

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::mpsc;

use super::{heartbeat, register, report, status};
use crate::{
    model::{Command, Revision, Status, Timestamp},
    registry::{
        Applied, Beat, JournalError, Options, Registry, RegistryError,
        shared::testing::Commons,
        testing::{Running, key},
    },
    util::Clock,
};

/// Servers that share what is in `commons`; heartbeats for others reach them.
struct Fleet {
    commons: Commons,
    servers: Vec<Running>,
    parted: Parted,
}

/// Servers that no other reaches, and that reach no other.
type Parted = Arc<Mutex<BTreeSet<usize>>>;

impl Fleet {
    fn start(count: usize) -> Self {
        Self::of(Commons::default(), count)
    }

    fn of(commons: Commons, count: usize) -> Self {
        let (fleet, queues) = Self::joined(commons, count);
        let to: Vec<Registry> = fleet.servers.iter().map(|it| it.registry.clone()).collect();
        for (from, beats) in queues.into_iter().enumerate() {
            let (commons, clock) = (fleet.commons.clone(), fleet.servers[from].clock.clone());
            let way = Way { from, commons, to: to.clone(), clock };
            tokio::spawn(way.deliver(beats, fleet.parted.clone()));
        }
        fleet
    }

    /// One whose heartbeats for others nobody delivers but the test, from a queue of each server.
    fn with_queues(count: usize) -> (Self, Vec<mpsc::Receiver<Beat>>) {
        Self::joined(Commons::default(), count)
    }

    fn joined(commons: Commons, count: usize) -> (Self, Vec<mpsc::Receiver<Beat>>) {
        let join = |_| commons.join(Options::default());
        let (servers, queues) = (0..count).map(join).unzip();
        (Self { commons, servers, parted: Parted::default() }, queues)
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

/// The way of what one server has for others.
struct Way {
    from: usize,
    commons: Commons,
    to: Vec<Registry>,
    clock: Clock,
}

impl Way {
    /// What the servers' HTTP interfaces do for one another.
    async fn deliver(self, mut beats: mpsc::Receiver<Beat>, parted: Parted) {
        while let Some(beat) = beats.recv().await {
            let is_parted = |at: usize| {
                let parted = parted.lock();
                parted.contains(&at) || parted.contains(&self.from)
            };
            if beat.is_finding {
                self.tell(&beat, is_parted).await;
                continue;
            }
            let owner = self.to[self.from].ownership().owner(&beat.key);
            let owner = owner.map_or(self.from, |peer| self.commons.place(&peer.id));
            if owner == self.from || !is_parted(owner) {
                take_one(&self.to[owner], &beat).await;
            }
        }
    }

    /// What it has found while it is cut off is for all.
    async fn tell(&self, beat: &Beat, is_parted: impl Fn(usize) -> bool) {
        let own = self.to[self.from].ownership();
        let (me, circle) = (own.me().unwrap(), own.circle());
        let is_apart = |other: &Registry| circle.is_some() && other.ownership().circle() == circle;
        for (at, other) in self.to.iter().enumerate().filter(|(_, other)| is_apart(other)) {
            if at != self.from && !is_parted(at) {
                tell_one(other, beat, &me, &self.clock).await;
            }
        }
    }
}

async fn tell_one(registry: &Registry, beat: &Beat, by: &str, clock: &Clock) {
    let now = Timestamp(clock.wall_millis());
    let found = beat.found_by(by, &registry.snapshot(), registry.ownership(), now);
    if let Some(report) = found {
        let _stopping = registry.enqueue(Command::Report(report)).await;
    }
}

async fn take_one(registry: &Registry, beat: &Beat) {
    let heard = beat.heartbeats(&registry.snapshot(), registry.ownership());
    for heartbeat in heard.unwrap_or_default() {
        let _stopping = registry.enqueue(Command::Heartbeat(heartbeat)).await;
    }
}

fn beat(name: &str, status: Status) -> Command {
    heartbeat(name, status, "said")
}

async fn pass(millis: u64) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
}

fn unreachable_or_not<T>(result: &Result<T, RegistryError>) -> bool {
    matches!(result, Err(RegistryError::NotDurable(JournalError::Unreachable(_))))
}
