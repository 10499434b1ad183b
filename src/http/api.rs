//! What every handler may reach.

use std::sync::Arc;

use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use super::{
    ConsulOptions, EurekaOptions, Options, Peers, Server,
    aside::Aside,
    bodies::Bodies,
    consul::{self, CheckIds, Turns, Waiters},
    eureka::Recent,
    metrics::HttpMetrics,
    problem::Problem,
    seen,
    shared::Shared,
};
use crate::{
    model::{Command, DnsName, Instance, Invalid, Policy},
    registry::{self, Applied, Registry, SelfPreservation},
    telemetry::{Board, Metrics},
    util::Clock,
};

/// What the API is started with.
pub struct Setup {
    /// The registry that it is the door of.
    pub registry: Registry,
    /// The registry's settings: the default policy completes policies that leave fields out.
    pub registry_options: watch::Receiver<registry::Options>,
    /// What stands behind services in their names: the zones that these are in.
    pub zones: Vec<DnsName>,
    /// What `/ready` reads.
    pub board: Board,
    /// What `/metrics` shows, and where the API counts its own requests.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// Cancelled when no more changes are taken; reads go on.
    pub draining: CancellationToken,
    /// Cancelled when the server ends; what is in flight is finished.
    pub stop: CancellationToken,
    /// The operator's settings.
    pub options: Options,
    /// The operator's settings of Consul's interface.
    pub consul: ConsulOptions,
    /// The operator's settings of Eureka's interface.
    pub eureka: EurekaOptions,
    /// This server, as it is shown.
    pub server: Server,
    /// The other servers, where there are some that share the registry.
    pub peers: Option<Peers>,
}

/// The API's state; clones share it.
#[derive(Clone)]
pub struct Api(Arc<Inner>);

struct Inner {
    setup: Setup,
    metrics: HttpMetrics,
    watchers: Arc<Semaphore>,
    aside: Aside,
    bulks: Arc<Semaphore>,
    waiting: Semaphore,
    bodies: Bodies,
    waiters: Waiters,
    answers: Shared,
    check_ids: CheckIds,
    turns: Turns,
    recent: Recent,
}

/// Large bulk registrations that are read at once: each may hold a body of 64 MiB.
const BULKS_MAX: usize = 2;

// === impl Api ===

impl Api {
    /// The API of a registry. Registers its metric families: once for each [`Metrics`].
    pub fn new(setup: Setup) -> Self {
        let metrics = HttpMetrics::new(&setup.metrics);
        let watchers = Arc::new(Semaphore::new(setup.options.watchers_max));
        let aside = Aside::new(metrics.aside_refused.clone());
        let bulks = Arc::new(Semaphore::new(BULKS_MAX));
        let bodies = Bodies::new(metrics.body_octets.clone(), metrics.bodies_refused.clone());
        let waiters = Waiters::new(metrics.consul_waiters.clone());
        let answers = Shared::default();
        let recent = Recent::new(setup.eureka);
        if setup.eureka.enabled {
            // What there is before anybody can change anything.
            recent.now(&setup.registry, &setup.clock);
        }
        Self(Arc::new(Inner {
            setup,
            metrics,
            watchers,
            aside,
            bulks,
            waiting: Semaphore::new(seen::WAITING_MAX),
            bodies,
            waiters,
            answers,
            check_ids: CheckIds::default(),
            turns: Turns::default(),
            recent,
        }))
    }

    /// Has the registry carry out a command.
    ///
    /// # Errors
    /// The registry's refusal as a problem.
    pub(super) async fn submit(&self, command: Command) -> Result<Applied, Problem> {
        Ok(self.registry().submit(command).await?)
    }

    /// Runs work that takes long without holding up others, a bounded amount of it.
    ///
    /// # Errors
    /// When too much of it waits already, and when the work panics.
    pub(super) async fn aside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        self.0.aside.run(work).await
    }

    pub(super) fn registry(&self) -> &Registry {
        &self.0.setup.registry
    }

    pub(super) fn default_policy(&self) -> Policy {
        self.0.setup.registry_options.borrow().default_policy
    }

    /// Refuses an instance whose host name is one of its service's own.
    ///
    /// # Errors
    /// Names the field.
    pub(super) fn checked(&self, instance: Instance) -> Result<Instance, Invalid> {
        let mut zones = self.0.setup.zones.iter();
        zones.try_for_each(|zone| instance.addresses.lead_away_from(&instance.service, zone))?;
        Ok(instance)
    }

    pub(super) fn board(&self) -> &Board {
        &self.0.setup.board
    }

    pub(super) fn all_metrics(&self) -> &Metrics {
        &self.0.setup.metrics
    }

    pub(super) fn metrics(&self) -> &HttpMetrics {
        &self.0.metrics
    }

    pub(super) fn clock(&self) -> &Clock {
        &self.0.setup.clock
    }

    pub(super) fn draining(&self) -> &CancellationToken {
        &self.0.setup.draining
    }

    pub(super) fn stop(&self) -> &CancellationToken {
        &self.0.setup.stop
    }

    pub(super) fn options(&self) -> &Options {
        &self.0.setup.options
    }

    pub(super) fn watchers(&self) -> &Arc<Semaphore> {
        &self.0.watchers
    }

    pub(super) fn bodies(&self) -> &Bodies {
        &self.0.bodies
    }

    pub(super) fn consul(&self) -> &ConsulOptions {
        &self.0.setup.consul
    }

    /// Those who wait for an answer by Consul's interface.
    pub(super) fn waiters(&self) -> &Waiters {
        &self.0.waiters
    }

    /// Large answers that are being sent.
    pub(super) fn answers(&self) -> &Shared {
        &self.0.answers
    }

    /// Whose checks are, by Consul's interface.
    pub(super) fn check_ids(&self) -> &CheckIds {
        &self.0.check_ids
    }

    /// Those who change something by Consul's interface.
    pub(super) fn turns(&self) -> &Turns {
        &self.0.turns
    }

    /// Wakes those who wait for a change, until the API stops.
    pub(super) fn wake_waiters(&self) -> impl Future<Output = ()> + use<> {
        self.waiters().clone().run(self.registry().clone(), self.stop().clone())
    }

    /// Moves what is registered on this server's own node to where that is now.
    pub(super) fn follow_own_address(&self) -> impl Future<Output = ()> + use<> {
        consul::follow_own_address(self.clone())
    }

    pub(super) fn eureka(&self) -> &EurekaOptions {
        &self.0.setup.eureka
    }

    /// What Eureka's clients have not seen yet.
    pub(super) fn recent(&self) -> &Recent {
        &self.0.recent
    }

    /// Keeps up with what Eureka's clients have not seen yet, until the API stops.
    pub(super) fn follow_changes(&self) -> impl Future<Output = ()> + use<> {
        let (registry, clock) = (self.registry().clone(), self.clock().clone());
        self.recent().clone().run(registry, clock, self.stop().clone())
    }

    pub(super) fn server(&self) -> &Server {
        &self.0.setup.server
    }

    pub(super) fn peers(&self) -> Option<&Peers> {
        self.0.setup.peers.as_ref()
    }

    pub(super) fn self_preservation(&self) -> SelfPreservation {
        self.0.setup.registry_options.borrow().self_preservation
    }

    /// The places of requests that wait for a revision.
    pub(super) fn waiting(&self) -> &Semaphore {
        &self.0.waiting
    }

    pub(super) fn bulks(&self) -> &Arc<Semaphore> {
        &self.0.bulks
    }
}
