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
use tokio::{net::TcpListener, sync::mpsc, task::JoinSet};
use tokio_util::sync::CancellationToken;

pub use bind::BindError;
use bind::Endpoint;

use super::{
    Settings, TcpLimits, Transport, full,
    stats::Stats,
    tcp,
    udp::{Deferred, Worker},
    view::World,
    zone::ZonesHandle,
};
use crate::{registry::Registry, telemetry::Metrics, util::Clock};

/// Packets that wait for the full path. Each takes some 20 µs, so the last one of a full queue
/// waits 20 ms, and a flood of odd packets holds 4 MiB at the most.
const FULL_PATH_QUEUE: usize = 1_024;

/// UDP workers on one address: more than any machine's cores; each costs a thread and its buffers.
const WORKERS_MAX: usize = 1_024;

/// Where and with how much to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DnsConfig {
    /// The addresses, for UDP and TCP alike. On port 0 both share one that the system chooses.
    pub listen: Vec<SocketAddr>,
    /// UDP workers on each address; `None` is one for each core.
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
}

/// A server that answers.
#[derive(Debug)]
#[must_use = "its threads should be waited for"]
pub struct RunningDns {
    workers: Vec<thread::JoinHandle<()>>,
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
        Ok(Self { endpoints: endpoints.collect::<Result<_, _>>()? })
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
        let world = World { registry, zones, settings };
        let is_stopped = Arc::new(AtomicBool::new(false));
        let mut running = RunningDns { workers: Vec::new(), tasks: JoinSet::new() };
        let (full_path, packets) = mpsc::channel::<Deferred>(FULL_PATH_QUEUE);
        let shared = Arc::new(tcp::Shared {
            world: world.clone(),
            stats: stats.clone(),
            pen: stats.pen(Transport::Tcp).shared(),
            limits: Arc::clone(&wiring.tcp_limits),
            clock: clock.clone(),
            stop: stop.clone(),
            gate: tcp::Gate::default(),
        });
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
                let name = format!("dns-udp-{}", running.workers.len());
                let thread = thread::Builder::new().name(name).spawn(move || worker.run())?;
                running.workers.push(thread);
            }
            let listener = TcpListener::from_std(endpoint.tcp)?;
            running.tasks.spawn(tcp::serve(listener, Arc::clone(&shared)));
        }
        let pen = stats.pen(Transport::Udp);
        running.tasks.spawn(full::serve(packets, world, pen, clock));
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
        let workers = self.workers;
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                if worker.join().is_err() {
                    tracing::error!("a DNS worker has panicked");
                }
            }
        });
        if joined.await.is_err() {
            tracing::error!("cannot wait for the DNS workers");
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
