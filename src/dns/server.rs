//! The DNS door as a whole: binds everything first, then starts everything.
//!
//! Binding and starting are two steps, so that a server that may not have its port says so before
//! it has begun anything, and privileges can be dropped in between.

mod bind;

use std::{
    io,
    net::SocketAddr,
    num::NonZeroUsize,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
};

use arc_swap::ArcSwap;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use bind::BindError;
use bind::Endpoint;

use super::{
    Settings, TcpLimits, Transport,
    forward::{ForwardHandle, ForwardLane},
    full::{Lanes, LongLane, ShortLane},
    stats::Stats,
    tcp,
    udp::Worker,
    view::World,
    zone::ZonesHandle,
};
use crate::{registry::Registry, telemetry::Metrics, util::Clock};

/// UDP workers on one address: more than any machine's cores; each costs a thread and its buffers.
const WORKERS_MAX: usize = 1_024;

/// Where and with how much to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsConfig {
    /// The addresses, for UDP and TCP alike. On port 0 both share one that the system chooses.
    pub listen: Vec<SocketAddr>,
    /// UDP workers on each address, and threads for the TCP connections of all; `None` is one for
    /// each core.
    pub workers: Option<NonZeroUsize>,
}

/// What the server works with.
#[derive(Debug, Clone)]
pub struct Wiring {
    /// The services.
    pub registry: Registry,
    /// The static zones.
    pub zones: ZonesHandle,
    /// The operator's choices; may be exchanged at any time.
    pub settings: Arc<ArcSwap<Settings>>,
    /// Who is asked for names that are not ours; may be configured anew at any time.
    pub forward: ForwardHandle,
    /// What TCP connections may take; may be exchanged at any time.
    pub tcp_limits: Arc<ArcSwap<TcpLimits>>,
    /// Where numbers are shown.
    pub metrics: Metrics,
    /// The time.
    pub clock: Clock,
    /// When to stop.
    pub stop: CancellationToken,
}

/// A server that holds its sockets and has yet to answer.
#[derive(Debug)]
#[must_use = "its sockets answer nothing until it is started"]
pub struct DnsServer {
    endpoints: Vec<Endpoint>,
    workers: usize,
}

/// A server that answers.
#[derive(Debug)]
#[must_use = "its threads should be waited for"]
pub struct RunningDns {
    threads: Vec<thread::JoinHandle<()>>,
    tasks: JoinSet<()>,
}

// === impl DnsServer ===

impl DnsServer {
    /// Binds all sockets.
    ///
    /// # Errors
    /// Names the first address that cannot be had, why, and what to do.
    pub fn bind(config: &DnsConfig) -> Result<Self, BindError> {
        let workers = config.workers.or_else(|| thread::available_parallelism().ok());
        let workers = workers.map_or(1, NonZeroUsize::get).min(WORKERS_MAX);
        let endpoints = config.listen.iter().map(|&address| Endpoint::bind(address, workers));
        Ok(Self { endpoints: endpoints.collect::<Result<_, _>>()?, workers })
    }

    /// The addresses it is bound to, in the order of the configuration, with the ports that the
    /// system chose.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.endpoints.iter().map(|endpoint| endpoint.address).collect()
    }

    /// Starts answering; to be called within a tokio runtime.
    ///
    /// # Errors
    /// When the system refuses a thread, or to watch a socket.
    pub fn start(self, wiring: &Wiring) -> io::Result<RunningDns> {
        let stats = Stats::new(&wiring.metrics);
        let Wiring { registry, zones, settings, clock, stop, .. } = wiring.clone();
        let world = World { registry, zones, settings, forward: wiring.forward.clone() };
        let is_stopped = Arc::new(AtomicBool::new(false));
        let (forward_lane, forward) =
            ForwardLane::start(world.clone(), &stats, clock.clone(), stop.clone())?;
        let (long_lane, long) =
            LongLane::start(world.clone(), &stats, clock.clone(), forward_lane.clone())?;
        let pen = stats.pen(Transport::Udp);
        let lanes = (long_lane.clone(), forward_lane.clone());
        let (full_path, short) = ShortLane::start(world.clone(), pen, clock.clone(), lanes)?;
        let (runners, connections) = tcp::Runners::start(self.workers, &stats)?;
        let mut running = RunningDns { threads: vec![forward, long, short], tasks: JoinSet::new() };
        running.threads.extend(connections);
        let shared = Arc::new(tcp::Shared {
            world: world.clone(),
            stats: stats.clone(),
            lanes: Lanes::new(long_lane, forward_lane),
            limits: Arc::clone(&wiring.tcp_limits),
            clock: clock.clone(),
            stop: stop.clone(),
            gate: tcp::Gate::default(),
            runners,
        });
        let mut workers = 0;
        for endpoint in self.endpoints {
            for socket in endpoint.udp {
                stats.watch(&socket);
                let worker = Worker {
                    socket,
                    view: world.view(),
                    full_path: full_path.clone(),
                    pen: stats.pen(Transport::Udp),
                    rng: fastrand::Rng::new(),
                    clock: clock.clone(),
                    is_stopped: Arc::clone(&is_stopped),
                };
                let name = thread::Builder::new().name(format!("dns-udp-{workers}"));
                running.threads.push(name.spawn(move || worker.run())?);
                workers += 1;
            }
            let listener = TcpListener::from_std(endpoint.tcp)?;
            running.tasks.spawn(tcp::serve(listener, Arc::clone(&shared)));
        }
        running.tasks.spawn(async move {
            stop.cancelled().await;
            is_stopped.store(true, Relaxed);
        });
        Ok(running)
    }
}

// === impl RunningDns ===

impl RunningDns {
    /// Waits until, after the stop, everything that was taken from the sockets is answered and all
    /// threads are gone.
    pub async fn stopped(mut self) {
        let threads = self.threads;
        let joined = tokio::task::spawn_blocking(move || {
            for thread in threads {
                if thread.join().is_err() {
                    tracing::error!("a DNS thread has panicked");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("cannot wait for the DNS threads");
        }
        while let Some(ended) = self.tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a DNS task has panicked");
            }
        }
    }
}

#[cfg(test)]
mod tests;
