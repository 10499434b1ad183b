//! Who waits for what to change, and one task that wakes them.
//!
//! Ten thousand clients may wait for a service each. Were each of them woken by every change to
//! look whether it is theirs, a thousand changes a second would be ten million wake-ups; so a
//! change wakes those who wait for its service, and no others.

use std::sync::Arc;

use hashbrown::{HashMap, HashSet};
use parking_lot::Mutex;
use prometheus_client::metrics::gauge::Gauge;
use tokio::sync::{Notify, futures::OwnedNotified};
use tokio_util::sync::CancellationToken;

use super::world::SERVER;
use crate::{
    http::metrics::Counted,
    model::{Event, Revision, Scope, ServiceName},
    registry::{Registry, Snapshot},
};

/// Events that are taken from the ring at once: as many as it takes to make its lock cheap.
const BATCH: usize = 4_096;

/// What somebody waits for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Interest {
    /// Anything that happens to an instance or a node.
    Anything,
    /// What happens to a node, and to the instances on it.
    Node(Scope),
    /// A service or a tag that is new or gone.
    Names,
    /// A node that is new, changed or gone.
    Nodes,
    /// Nothing: what is asked about never changes.
    Nothing,
    /// What happens to a service, and to the nodes that its instances are on.
    Service(ServiceName),
}

/// All who wait. Clones share it.
#[derive(Debug, Clone, Default)]
pub(in crate::http) struct Waiters {
    bells: Arc<Mutex<Bells>>,
    /// How many there are.
    waiting: Gauge,
}

/// A bell for each thing that somebody waits for.
type Bells = HashMap<Interest, Arc<Notify>>;

/// One who waits: hears the bell from the moment that this was made on.
#[derive(Debug)]
pub(super) struct Waiter {
    waiters: Waiters,
    interest: Interest,
    bell: Arc<Notify>,
}

// === impl Interest ===

impl Interest {
    /// How many instances an answer may have to be made of.
    pub(super) fn size(&self, snapshot: &Snapshot) -> usize {
        match self {
            Self::Nothing => 0,
            Self::Service(name) => {
                snapshot.service(name.as_str()).map_or(0, |entry| entry.members.len())
            }
            Self::Node(scope) => snapshot.origins.of(scope).count(),
            Self::Anything | Self::Names | Self::Nodes => {
                snapshot.counts.instances() + snapshot.nodes.len()
            }
        }
    }
}

// === impl Waiters ===

impl Waiters {
    /// Nobody yet; `waiting` is to say how many wait.
    pub(in crate::http) fn new(waiting: Gauge) -> Self {
        Self { bells: Arc::default(), waiting }
    }

    /// Somebody who waits.
    pub(super) fn waiter(&self, interest: Interest) -> Waiter {
        let bell = Arc::clone(self.bells.lock().entry(interest.clone()).or_default());
        Waiter { waiters: self.clone(), interest, bell }
    }

    /// For how many things somebody waits.
    #[cfg(test)]
    pub(super) fn bells(&self) -> usize {
        self.bells.lock().len()
    }

    /// Wakes who waits for what happens, until `stop`, and then everybody.
    pub(in crate::http) async fn run(self, registry: Registry, stop: CancellationToken) {
        let mut revisions = registry.events().subscribe();
        let mut before = registry.snapshot();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                changed = revisions.changed() => if changed.is_err() { break },
            }
            before = self.follow(&registry, &before);
        }
        self.wake_all();
    }

    /// Wakes for all that happened since `before`, and says until when that is.
    fn follow(&self, registry: &Registry, before: &Snapshot) -> Arc<Snapshot> {
        let now = registry.snapshot();
        if now.steps.era != before.steps.era {
            self.wake_all(); // events do not tell of all that has happened
            return now;
        }
        let mut since = before.revision;
        while since < now.revision {
            match registry.events().after(since, BATCH) {
                Ok((events, until)) => {
                    since = until.max(Revision(since.0 + 1));
                    self.wake(&events, [before, &now]);
                }
                Err(_too_many) => {
                    self.wake_all();
                    return now;
                }
            }
        }
        if now.names_changed > before.names_changed {
            self.ring(&Interest::Names);
        }
        if now.nodes_changed > before.nodes_changed {
            self.ring(&Interest::Nodes);
        }
        now
    }

    fn wake(&self, events: &[Arc<Event>], worlds: [&Snapshot; 2]) {
        if events.is_empty() || self.bells.lock().is_empty() {
            return;
        }
        self.ring(&Interest::Anything);
        let mut services: HashSet<&ServiceName> = HashSet::new();
        for event in events {
            services.insert(&event.service);
            let Some(key) = event.kind.key() else { continue };
            // Where it was and where it is; what was there in between only, nobody has seen.
            for world in worlds {
                let Some(member) = world.member(key) else { continue };
                let Some(origin) = &member.instance.origin else { continue };
                self.ring(&Interest::Node(origin.scope.clone()));
                if event.service.is_nodes() {
                    services.extend(world.origins.of(&origin.scope).map(|on| &on.service));
                }
            }
        }
        if services.remove(&ServiceName::nodes()) {
            // The server is on a node as well.
            self.ring(&Interest::Service(ServiceName::derived(SERVER)));
        }
        services.into_iter().for_each(|name| self.ring(&Interest::Service(name.clone())));
    }

    fn ring(&self, interest: &Interest) {
        if let Some(bell) = self.bells.lock().get(interest) {
            bell.notify_waiters();
        }
    }

    fn wake_all(&self) {
        for bell in self.bells.lock().values() {
            bell.notify_waiters();
        }
    }
}

// === impl Waiter ===

impl Waiter {
    /// Counts it among those who wait, from now on.
    pub(super) fn counted(&self) -> Counted {
        Counted::new(&self.waiters.waiting)
    }

    /// Ready when the bell rings, from now on: look at the world after this, and before waiting.
    pub(super) fn heard(&self) -> OwnedNotified {
        Arc::clone(&self.bell).notified_owned()
    }
}

impl Drop for Waiter {
    fn drop(&mut self) {
        let mut bells = self.waiters.bells.lock();
        // The table's and our own.
        if Arc::strong_count(&self.bell) == 2 {
            bells.remove(&self.interest);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use tokio_util::sync::CancellationToken;

    use super::{Interest, Waiters};
    use crate::{
        model::{Amendment, Command, Instance, InstanceId, Replacement, Scope, ServiceName},
        registry::{Options, testing},
    };

    fn service(name: &str) -> Interest {
        Interest::Service(ServiceName::parse(name).unwrap())
    }

    fn node(name: &str) -> Interest {
        Interest::Node(Scope::node(name))
    }

    fn register(instance: &Instance) -> Command {
        Command::Register(vec![Arc::new(instance.clone())])
    }

    /// What a client of a node registers, in place of nothing.
    fn amend(instances: &[&Instance]) -> Command {
        let new = instances.iter().map(|instance| {
            let replacement = Replacement {
                instance: Arc::new(Instance::clone(instance)),
                checks: vec![],
                drained: None,
            };
            Amendment { key: instance.key(), seen: None, to: Some(replacement) }
        });
        Command::Amend(new.collect())
    }

    /// Which of the interests are woken by a command, once the world was set up by others.
    async fn woken(before: &[Command], command: Command, of: &[Interest]) -> Vec<bool> {
        let running = testing::run(testing::Kept::default(), Options::default());
        for command in before {
            running.registry.submit(command.clone()).await.unwrap();
        }
        let (waiters, stop) = (Waiters::default(), CancellationToken::new());
        let all: Vec<_> = of.iter().map(|interest| waiters.waiter(interest.clone())).collect();
        let heard: Vec<_> = all.iter().map(super::Waiter::heard).collect();
        let task = tokio::spawn(waiters.clone().run(running.registry.clone(), stop.clone()));
        tokio::task::yield_now().await;
        running.registry.submit(command).await.unwrap();
        let mut answers = Vec::new();
        for heard in heard {
            let patience = Duration::from_secs(1);
            answers.push(tokio::time::timeout(patience, heard).await.is_ok());
        }
        let last = waiters.waiter(Interest::Anything);
        let heard = last.heard();
        stop.cancel();
        task.await.unwrap();
        heard.await;
        drop((last, all));
        assert_eq!(waiters.bells(), 0, "nobody waits any more");
        answers
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_wakes_those_who_wait_for_it_and_no_others() {
        let interests =
            [service("web"), service("api"), Interest::Anything, Interest::Names, Interest::Nodes];
        let web = testing::instance("web/a", "10.0.0.1");
        let second = testing::instance("web/b", "10.0.0.2");
        let first = woken(&[], register(&web), &interests).await;
        assert_eq!(first, [true, false, true, true, false]);
        let second = woken(&[register(&web)], register(&second), &interests).await;
        assert_eq!(second, [true, false, true, false, false], "its name was there");
        let gone = woken(&[register(&web)], Command::Deregister(web.key()), &interests).await;
        assert_eq!(gone, [true, false, true, true, false]);
        let again = woken(&[register(&web)], register(&web), &interests).await;
        assert_eq!(again, [false; 5], "nothing happened");
    }

    /// Every change of any node woke all.
    #[tokio::test(start_paused = true)]
    async fn a_node_wakes_those_who_look_at_it_and_at_what_is_on_it() {
        let on = |name: &str, node: &str| {
            let instance = testing::instance(name, "10.0.0.1");
            testing::from_elsewhere(instance, Scope::node(node), name)
        };
        let (web, api, other) = (on("web/a", "n"), on("api/a", "m"), on("web/b", "m"));
        let own = Instance {
            service: ServiceName::nodes(),
            id: InstanceId::derived("n"),
            ..testing::from_elsewhere(web.clone(), Scope::node("n"), "")
        };
        let interests = [
            service("web"),
            service("api"),
            service("consul"),
            node("n"),
            node("m"),
            Interest::Anything,
            Interest::Names,
            Interest::Nodes,
            Interest::Nothing,
        ];
        let before = [amend(&[&web, &api])];
        let by = async |command| woken(&before, command, &interests).await;
        let to_node = [true, false, true, true, false, true, false, true, false];
        assert_eq!(by(amend(&[&own])).await, to_node);
        let to_service = [true, false, false, false, true, true, false, false, false];
        assert_eq!(by(amend(&[&other])).await, to_service);
        let gone = [true, false, false, true, false, true, true, true, false];
        assert_eq!(by(Command::Deregister(web.key())).await, gone, "the node is gone, too");
    }
}
