//! The DNS door as a whole: binds everything first, then starts everything.
//!
//! Binding and starting are two steps, so that a server that may not have its port says so before
//! it has begun anything, and privileges can be dropped in between.

mod bind;
mod door;

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
use door::Door;

use super::{
    Limits, Settings, Transport,
    forward::{ForwardHandle, ForwardLane},
    full::{Lanes, LongLane, ShortLane},
    guard::tell_of_limits,
    stats::Stats,
    tcp,
    tls::ShownIdentity,
    udp::Worker,
    view::World,
    zone::ZonesHandle,
};
use crate::{
    registry::Registry,
    telemetry::Metrics,
    util::{Clock, Places},
};

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
    /// The addresses of the encrypted transports.
    pub encrypted: EncryptedListen,
}

/// Where to listen for each of the encrypted transports. On port 0 the system chooses.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EncryptedListen {
    /// DNS over TLS (RFC 7858), on TCP.
    pub tls: Vec<SocketAddr>,
    /// DNS over HTTPS (RFC 8484), on TCP.
    pub https: Vec<SocketAddr>,
    /// DNS over QUIC (RFC 9250), on UDP.
    pub quic: Vec<SocketAddr>,
}

/// What the encrypted transports work with.
#[derive(Debug, Clone)]
pub struct Encryption {
    /// The certificate that is shown.
    pub identity: ShownIdentity,
    /// The path that DNS over HTTPS is answered on, for example `/dns-query`.
    pub https_path: String,
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
    /// What connections may take; may be exchanged at any time.
    pub limits: Arc<ArcSwap<Limits>>,
    /// What the encrypted transports need; without it none of them is served.
    pub encryption: Option<Encryption>,
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
    doors: Vec<Door>,
    workers: usize,
}

type Threads = Vec<thread::JoinHandle<()>>;

/// A server that answers.
#[derive(Debug)]
#[must_use = "its threads should be waited for"]
pub struct RunningDns {
    threads: Threads,
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
        let endpoints = endpoints.collect::<Result<_, _>>()?;
        let EncryptedListen { tls, https, quic } = &config.encrypted;
        let of = |transport, list: &[SocketAddr]| {
            let bind = |&address| Door::bind(transport, address);
            list.iter().map(bind).collect::<Result<Vec<_>, _>>()
        };
        let mut doors = of(Transport::Tls, tls)?;
        doors.extend(of(Transport::Https, https)?);
        doors.extend(of(Transport::Quic, quic)?);
        Ok(Self { endpoints, doors, workers })
    }

    /// The addresses it is bound to, in the order of the configuration, with the ports that the
    /// system chose.
    pub fn local_addrs(&self) -> Vec<SocketAddr> {
        self.endpoints.iter().map(|endpoint| endpoint.address).collect()
    }

    /// The addresses of the encrypted transports, as [`Self::local_addrs`].
    pub fn encrypted_addrs(&self) -> Vec<(Transport, SocketAddr)> {
        self.doors.iter().map(|door| (door.transport, door.address)).collect()
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
        let (runners, connections) =
            tcp::Runners::start(("dns-tcp", self.workers), &stats, &[Transport::Tcp])?;
        let (encrypted_runners, encrypted) = self.start_encrypted(&stats)?.unzip();
        let mut running = RunningDns { threads: vec![forward, long, short], tasks: JoinSet::new() };
        running.threads.extend(connections);
        running.threads.extend(encrypted.into_iter().flatten());
        let shared = Arc::new(tcp::Shared {
            world: world.clone(),
            stats: stats.clone(),
            lanes: Lanes::new(long_lane, forward_lane),
            limits: Arc::clone(&wiring.limits),
            clock: clock.clone(),
            stop: stop.clone(),
            gates: tcp::Gates::default(),
            unproven: Places::default(),
            runners,
            encrypted_runners,
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
            let serving = tcp::serve(listener, tcp::Speech::Plain, Arc::clone(&shared));
            running.tasks.spawn(serving);
        }
        if let Some(encryption) = &wiring.encryption {
            for door in self.doors {
                door.open(encryption, &shared, &mut running.tasks)?;
            }
        }
        let settings = Arc::clone(&wiring.settings);
        running.tasks.spawn(tell_of_limits(settings, stats, clock, stop.clone()));
        running.tasks.spawn(async move {
            stop.cancelled().await;
            is_stopped.store(true, Relaxed);
        });
        Ok(running)
    }

    /// Starts threads for the connections of the encrypted transports, if any is to be served.
    fn start_encrypted(&self, stats: &Stats) -> io::Result<Option<(tcp::Runners, Threads)>> {
        let is_served = |it: &Transport| self.doors.iter().any(|door| door.transport == *it);
        let transports: Vec<_> = Transport::ALL.into_iter().filter(is_served).collect();
        if transports.is_empty() {
            return Ok(None);
        }
        tcp::Runners::start(("dns-tls", self.workers), stats, &transports).map(Some)
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
