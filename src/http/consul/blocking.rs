//! Blocking queries: an answer is waited for until it is another than the one that the client has.
//!
//! Each answer has an index that only grows, and only when something happened to what it is about.
//! A client gives back the index that it has. Who waits is woken when something happens to what it
//! asked about, and is answered when its own answer is another by that: a watch of the instances
//! that pass is left alone by those that fail while they do.
//!
//! Where servers share the registry a client may come with the index of another one. If that is a
//! revision of the shared store it means the same here. While this server shows more than is shared
//! of what is asked about, its answer has an index of its own instead, which no other server takes
//! for one of theirs; and when that is over, the next revision of the store. Who comes with an
//! index that this server cannot place is answered, but only after a moment, so that a client that
//! goes to and fro between two servers that have nothing to tell does not do so at full speed.

use std::{sync::Arc, time::Duration};

use super::{
    texts::ConsulError,
    waiters::{Interest, Waiters},
};
pub(super) use crate::http::shared::Indexed;
use crate::{
    model::{Revision, ServiceName},
    registry::{Registry, Snapshot},
};

/// How long a client waits that does not say.
pub(super) const WAIT_DEFAULT: Duration = Duration::from_secs(300);

/// How long a client may wait at the most, without the random part.
pub(in crate::http) const WAIT_MAX: Duration = Duration::from_secs(600);

/// How long a client is kept that has an index that may be of the answer that there is, or not.
const DOUBT: Duration = Duration::from_secs(1);

/// How long a client is kept at the most whose index is ahead of this server's: what another server
/// has told it is here within moments, unless this one is cut off.
const BEHIND_MAX: Duration = Duration::from_secs(5);

/// The part of the time by which it is lengthened at random at the most, so that those who came
/// together do not come back together.
const JITTER_PART: f64 = 1.0 / 16.0;

/// How long a client waits, and for what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocking {
    /// The answer that it has.
    pub has: Has,
    /// How long it waits, if it says.
    pub wait: Option<Duration>,
}

/// By what a client says which answer it has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Has {
    /// It has none, and is answered at once.
    Nothing,
    /// The one at this index.
    Index(u64),
    /// The one with this hash, where answers have no index.
    Hash(u64),
}

/// Whether a client has the answer that there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    /// It has.
    Same,
    /// It has another one.
    Other,
    /// Its index does not say.
    InDoubt,
}

// === impl Blocking ===

impl Blocking {
    /// Waits for an answer other than the one that the client has; after its time, or when `stop`
    /// comes, the one that there is, at its own index: of what has happened since, without a change
    /// of the answer, the client need not hear again.
    ///
    /// # Errors
    /// Those of `read`.
    pub(super) async fn answer<F>(
        self,
        (registry, waiters): (&Registry, &Waiters),
        interest: Interest,
        stop: impl Future<Output = ()>,
        mut read: impl FnMut(Arc<Snapshot>) -> F,
    ) -> Result<Indexed, ConsulError>
    where
        F: Future<Output = Result<Indexed, ConsulError>>,
    {
        let mut stop = std::pin::pin!(stop);
        tokio::select! {
            biased;
            () = stop.as_mut() => {}
            () = self.follow(registry) => {}
        }
        let waiter = waiters.waiter(interest.clone());
        let mut heard = waiter.heard();
        let mut read = async |registry: &Registry| {
            let before = registry.snapshot();
            let mut answer = read(Arc::clone(&before)).await?;
            // It may be of a later moment.
            let worlds = [&*before, &*registry.snapshot()];
            if !matches!(self.has, Has::Hash(_)) {
                answer.index = shown_index(answer.index, &interest, worlds);
            }
            Ok::<_, ConsulError>(answer)
        };
        let mut answer = read(registry).await?;
        let time = match self.has.compare(&answer, registry) {
            Known::Other => return Ok(answer),
            Known::Same => self.time(),
            Known::InDoubt => self.time().min(DOUBT),
        };
        let known = answer.digest();
        let _counted = waiter.counted();
        let mut over = std::pin::pin!(tokio::time::sleep(time));
        loop {
            // Nothing of it is needed while it waits, perhaps for ten minutes among ten thousand.
            drop(answer);
            let is_over = tokio::select! {
                biased;
                () = stop.as_mut() => true,
                () = heard => false,
                () = over.as_mut() => true,
            };
            heard = waiter.heard();
            answer = read(registry).await?;
            if is_over || answer.digest() != known {
                return Ok(answer);
            }
        }
    }

    /// Waits until this server has followed the others to the index that the client has, if that is
    /// of the shared store.
    async fn follow(self, registry: &Registry) {
        let Has::Index(index) = self.has else { return };
        let has_seen = || {
            let snapshot = registry.snapshot();
            snapshot.shared.is_none() || !snapshot.is_behind(Revision(index))
        };
        if has_seen() {
            return;
        }
        let mut revisions = registry.events().subscribe();
        let followed = async { while !has_seen() && revisions.changed().await.is_ok() {} };
        // It is answered with what there is then.
        let _behind = tokio::time::timeout(self.time().min(BEHIND_MAX), followed).await;
    }

    fn time(self) -> Duration {
        let wait = self.wait.filter(|wait| !wait.is_zero()).unwrap_or(WAIT_DEFAULT).min(WAIT_MAX);
        wait + wait.mul_f64(JITTER_PART * fastrand::f64())
    }
}

// === impl Has ===

impl Has {
    /// What a client has that gives this index.
    pub(super) fn index(index: u64) -> Self {
        if index == 0 { Self::Nothing } else { Self::Index(index) }
    }

    /// Whether a client that says so has this answer.
    fn compare(self, answer: &Indexed, registry: &Registry) -> Known {
        let is_same = match self {
            Self::Nothing => false,
            Self::Index(index) if registry.snapshot().shared.is_some() => {
                let is_behind = registry.snapshot().is_behind(Revision(index));
                return match compare_shared(Revision(index), answer.index) {
                    Known::Same if is_behind => Known::InDoubt,
                    known => known,
                };
            }
            Self::Index(index) => {
                // An index of another life of the server says nothing. 1 is what a client was given
                // for 0.
                let is_lost = index > 1 && registry.events().is_lost(Revision(index));
                answer.index.0 <= index && !is_lost
            }
            Self::Hash(hash) => answer.index.0 == hash,
        };
        if is_same { Known::Same } else { Known::Other }
    }
}

/// Whether a client has an answer at the index `here` that says that it has one at `has`, where
/// other servers share the registry.
fn compare_shared(has: Revision, here: Revision) -> Known {
    // Of several answers that had no number left, all have the last one.
    let is_used_up = here.step() == u16::MAX;
    let are_shared = has.step() == 0 && here.step() == 0;
    let never_changes = here.0 <= 1;
    if here > has {
        Known::Other
    } else if never_changes || are_shared || (here == has && !is_used_up) {
        Known::Same
    } else {
        Known::InDoubt
    }
}

/// The index at which an answer of these moments is shown, of which something last happened at
/// `index`.
fn shown_index(index: Revision, interest: &Interest, worlds: [&Snapshot; 2]) -> Revision {
    let [before, now] = worlds;
    let Some(shared) = before.shared.filter(|_| index.0 > 1) else {
        return index; // or it is of what never changes
    };
    let is_unshared = |world: &Snapshot| match interest {
        Interest::Nothing => false,
        Interest::Service(name) => {
            world.steps.is_unshared(name) || world.steps.is_unshared(&ServiceName::nodes())
        }
        Interest::Anything | Interest::Node(_) | Interest::Names | Interest::Nodes => {
            world.steps.is_any_unshared()
        }
    };
    let is_unshared = worlds.into_iter().any(is_unshared);
    // The names are shared as soon as they are shown, but for what is removed here first.
    let is_named = matches!(interest, Interest::Names | Interest::Nodes);
    if index.step() == 0 {
        let is_own = is_unshared && !is_named;
        return if is_own { index.with_step(now.steps.life) } else { index };
    }
    let is_over = !is_unshared && shared.shared_part() > index.shared_part();
    if is_over { Revision::shared(index.shared_part() + 1) } else { index }
}

#[cfg(test)]
mod tests {
    use std::{future::pending, sync::Arc, time::Duration};

    use tokio_util::sync::CancellationToken;

    use super::{Blocking, Has, Indexed, WAIT_DEFAULT, WAIT_MAX};
    use crate::{
        http::consul::waiters::{Interest, Waiters},
        model::{Command, Instance, Revision, ServiceName},
        registry::{Options, Registry, Snapshot, testing},
    };

    struct Rig {
        registry: Registry,
        waiters: Waiters,
        stop: CancellationToken,
    }

    impl Rig {
        fn new() -> Self {
            let running = testing::run(testing::Kept::default(), Options::default());
            let rig = Self {
                registry: running.registry,
                waiters: Waiters::default(),
                stop: CancellationToken::new(),
            };
            tokio::spawn(rig.waiters.clone().run(rig.registry.clone(), rig.stop.clone()));
            rig
        }

        async fn register(&self, instance: Instance) {
            let command = Command::Register(vec![Arc::new(instance)]);
            self.registry.submit(command).await.unwrap();
        }

        /// The heavy instances of `web`, one to each octet.
        async fn heavy(&self, index: u64, wait: Option<u64>) -> Indexed {
            let blocking = Blocking { has: Has::index(index), wait: wait.map(Duration::from_secs) };
            let web = Interest::Service(ServiceName::parse("web").unwrap());
            let read = async |snapshot: Arc<Snapshot>| {
                let Some(entry) = snapshot.service("web") else {
                    return Ok(Indexed::new(Revision(1), ""));
                };
                let heavy = entry.members.iter().filter(|member| member.instance.weight > 5);
                let ids = heavy.map(|member| member.instance.id.as_str().as_bytes()[0]);
                Ok(Indexed::new(entry.changed, ids.collect::<Vec<_>>()))
            };
            blocking.answer((&self.registry, &self.waiters), web, pending(), read).await.unwrap()
        }
    }

    fn instance(name: &str, weight: u16) -> Instance {
        Instance { weight, ..testing::instance(name, "10.0.0.1") }
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_waited_for_until_it_is_another() {
        let rig = Rig::new();
        rig.register(instance("web/a", 9)).await;
        let first = rig.heavy(1, None).await;
        assert_eq!(first.body, "a");
        let (second, ()) = tokio::join!(rig.heavy(first.index.0, None), async {
            rig.register(instance("api/x", 9)).await;
            rig.register(instance("web/light", 1)).await;
            tokio::time::sleep(Duration::from_secs(100)).await;
            rig.register(instance("web/b", 9)).await;
        });
        assert_eq!(second.body, "ab");
        assert!(second.index > first.index);
        assert_eq!(rig.waiters.bells(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn after_its_time_a_client_is_answered_at_the_index_that_there_is() {
        let rig = Rig::new();
        rig.register(instance("web/a", 9)).await;
        let index = rig.heavy(0, None).await.index;
        for (wait, least) in [
            (Some(10), Duration::from_secs(10)),
            (None, WAIT_DEFAULT),
            (Some(0), WAIT_DEFAULT),
            (Some(100_000), WAIT_MAX),
        ] {
            let began = tokio::time::Instant::now();
            assert_eq!(rig.heavy(index.0, wait).await.index, index);
            let took = began.elapsed();
            let most = least + least / 16 + Duration::from_millis(2);
            assert!((least..=most).contains(&took), "{wait:?}: {took:?}");
        }
        // Something happened to the service meanwhile, but not to the answer: with the index of
        // before, the next request would have been answered at once with the same.
        let (answer, ()) = tokio::join!(rig.heavy(index.0, Some(10)), async {
            rig.register(instance("web/light", 1)).await;
        });
        assert!(answer.index > index);
        assert_eq!(answer.body, "a");
        let began = tokio::time::Instant::now();
        assert_eq!(rig.heavy(answer.index.0, Some(10)).await.index, answer.index);
        assert!(began.elapsed() >= Duration::from_secs(10));
    }

    #[tokio::test(start_paused = true)]
    async fn those_who_came_together_do_not_come_back_together() {
        let rig = Rig::new();
        rig.register(instance("web/a", 9)).await;
        let index = rig.heavy(0, None).await.index.0;
        let mut times = std::collections::BTreeSet::new();
        for _ in 0..8 {
            let began = tokio::time::Instant::now();
            rig.heavy(index, Some(160)).await;
            times.insert(began.elapsed());
        }
        assert!(times.len() > 1, "{times:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn an_index_of_another_life_is_answered_at_once() {
        let rig = Rig::new();
        rig.register(instance("web/a", 9)).await;
        let began = tokio::time::Instant::now();
        assert!(rig.heavy(1 << 40, None).await.index < Revision(1 << 40));
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[test]
    fn an_index_of_the_shared_store_means_the_same_on_every_server() {
        use super::{Known, compare_shared};
        let at = |shared, step| Revision::shared(shared).with_step(step);
        for (has, here, expected) in [
            (at(7, 0), at(7, 0), Known::Same),
            (at(9, 0), at(7, 0), Known::Same),
            (at(7, 0), at(8, 0), Known::Other),
            // What this server alone shows it tells at once, also to those who come from elsewhere.
            (at(7, 0), at(7, 5), Known::Other),
            (at(7, 5), at(7, 6), Known::Other),
            (at(7, 5), at(8, 0), Known::Other),
            (at(7, 5), at(7, 5), Known::Same),
            // What another one alone showed is not what is shown here.
            (at(7, 5), at(7, 0), Known::InDoubt),
            (at(7, 9), at(7, 5), Known::InDoubt),
            (at(9, 0), at(7, 5), Known::InDoubt),
            (at(9, 4), at(7, 0), Known::InDoubt),
            // The last number stands for all that has none.
            (at(7, u16::MAX), at(7, u16::MAX), Known::InDoubt),
            // What never changes.
            (Revision(1), Revision(1), Known::Same),
            (at(9, 4), Revision(1), Known::Same),
        ] {
            assert_eq!(compare_shared(has, here), expected, "{has:?} {here:?}");
        }
    }
}
