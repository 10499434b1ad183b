//! The server from its configuration to its end: build → bind → serve → drain, top to bottom.

use std::{net::SocketAddr, sync::Arc};

use anyhow::Context as _;
use arc_swap::ArcSwap;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    banner::Banner,
    check,
    config::{Config, ConsulNode},
    encryption, forwarding,
    reload::{ReloadOutcome, Reloader},
    shared::{self, Sharing, SharingTasks},
    signal::{Asked, Signals},
    sockets::Sockets,
    supervise::Tasks,
    unasked::Unasked,
};
use crate::{
    dns::{
        CookieSecrets, Encryption, Limits, RunningDns, Settings, Transport, Wiring,
        forward::ForwardHandle,
        tls::CertificateWatcher,
        zone::{ZoneWatcher, ZonesHandle},
    },
    health, http,
    registry::{self, Keeping, Registry, Setup, Writer},
    store::Store,
    telemetry::{Board, LogFormat, Logging, Metrics, init_logging},
    util::Clock,
};

/// What all parts share.
pub(super) struct Common {
    pub(super) clock: Clock,
    pub(super) board: Board,
    pub(super) metrics: Metrics,
    /// How many files may be open at once.
    files: u64,
    /// The secrets of DNS cookies while none are given.
    own_cookies: CookieSecrets,
    /// What this server is to Consul's clients.
    node: ConsulNode,
}

/// Everything that is made before anything is heard or said.
struct Built {
    registry: Registry,
    registry_options: watch::Sender<registry::Options>,
    writer: Writer,
    checker: health::Checker,
    zones: ZoneWatcher,
    unasked: Unasked,
    settings: Arc<ArcSwap<Settings>>,
    forward: ForwardHandle,
    dns_limits: Arc<ArcSwap<Limits>>,
    certificate: Option<CertificateWatcher>,
    sharing: Option<SharingTasks>,
}

/// What is made of the configuration alone.
struct Prepared {
    settings: Settings,
    certificate: Option<CertificateWatcher>,
}

/// What the store has, and how it goes on.
struct Kept {
    loaded: registry::Loaded,
    keeping: Keeping,
    sharing: Option<SharingTasks>,
}

/// Everything while it runs, and what it takes to end it.
struct Running {
    dns: RunningDns,
    tasks: Tasks,
    ends: Ends,
    board: Board,
}

/// The ends of the life cycle, in the order in which they come.
#[derive(Default)]
struct Ends {
    /// No more changes are taken; DNS and reading go on.
    draining: CancellationToken,
    /// HTTP finishes what is in flight; checks end.
    http: CancellationToken,
    /// The writer finishes what was accepted.
    writer: CancellationToken,
    /// Other servers are told that this one goes.
    sharing: CancellationToken,
    /// DNS answers no more.
    dns: CancellationToken,
}

/// Runs the server until it is told to stop.
///
/// # Errors
/// When a part cannot start, or one of them ends by itself; nothing is left running then.
pub fn serve(config: Config) -> anyhow::Result<()> {
    let logging = init_logging(&config.log.filter, config.log.format)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(run(config, &logging))
}

async fn run(config: Config, logging: &Logging) -> anyhow::Result<()> {
    let files = raise_file_limit();
    let mut signals = Signals::new()?;
    let (clock, board, metrics) = (Clock::system(), Board::default(), Metrics::new());
    logging.register(&metrics);
    let (own_cookies, sockets) = (CookieSecrets::random()?, Sockets::bind(&config)?);
    let node = ConsulNode::of(&config.consul, &sockets.http.local_addrs());
    let common = Common { clock, board, metrics, files, own_cookies, node };
    // Before anything is read: what is wrong here is a mistake of the configuration.
    let prepared = prepare(&config, &common)?;
    let read = read(&config, &common, sockets, &mut signals).await?;
    let Some((kept, sockets)) = read else { return Ok(()) };
    let built = build(&config, &common, prepared, kept)?;
    let (dns, http) = (sockets.dns.local_addrs(), sockets.http.local_addrs());
    let encrypted = sockets.dns.encrypted_addrs();
    tell_of_listening(&dns, &encrypted, &http);
    let snapshot = built.registry.snapshot();
    let (instances, revision) = (snapshot.counts.instances(), snapshot.revision);
    info!(
        path = %config.place(),
        instances,
        services = snapshot.services.len(),
        revision = revision.0,
        "data"
    );
    let zones = built.zones.handle();
    let banner = Banner {
        dns: &dns,
        encrypted: &encrypted,
        forward: forwarding::shown(&config.forward),
        https_path: &config.dns.encrypted.https_path,
        pin: built.certificate.as_ref().map(|it| it.shown().load().pin()),
        http: &http,
        config: &config,
        instances,
        revision,
        zones: shown_zones(&config, &zones, built.zones.refused()),
    };
    let reloader = Reloader {
        config: config.clone(),
        filter: logging.filter.clone(),
        registry: built.registry_options.clone(),
        settings: Arc::clone(&built.settings),
        dns_limits: Arc::clone(&built.dns_limits),
        forward: built.forward.clone(),
        zones,
        own_cookies: common.own_cookies.clone(),
        node: common.node.clone(),
        certificate: built.certificate.as_ref().map(CertificateWatcher::reload),
        unasked: built.unasked.clone(),
        outcome: ReloadOutcome::new(common.board.clone(), &common.metrics),
    };
    built.forward.listens_on(&dns);
    built.forward.configure(&config.forward);
    built.unasked.configure(&config.forward);
    let running = start(&config, common, built, sockets)?;
    for warning in config.warnings() {
        warn!("{warning}");
    }
    if config.forward.is_enabled() {
        forwarding::tell(&config.forward);
    }
    info!("ready");
    // Whoever wants the log as JSON has no person reading along.
    if config.log.format == LogFormat::Text {
        banner.print();
    }
    running.serve_until_asked(reloader, &mut signals).await
}

fn tell_of_listening(
    dns: &[SocketAddr],
    encrypted: &[(Transport, SocketAddr)],
    http: &[SocketAddr],
) {
    for address in dns {
        info!(protocol = "dns", %address, "listening");
    }
    for (transport, address) in encrypted {
        info!(protocol = "dns", transport = transport.as_str(), %address, "listening");
    }
    for address in http {
        info!(protocol = "http", %address, "listening");
    }
}

fn prepare(config: &Config, common: &Common) -> anyhow::Result<Prepared> {
    let Common { own_cookies, node, .. } = common;
    let settings = Settings::new(&config.dns_settings(own_cookies, node)?)?;
    let certificate = encryption::certificate(config, settings.origin(), common)?;
    Ok(Prepared { settings, certificate })
}

/// Reads what is kept, from the store that is configured; `None` when a signal came before that was
/// done. A store that others keep may be waited for: until it is read, the sockets are closed.
async fn read(
    config: &Config,
    common: &Common,
    sockets: Sockets,
    signals: &mut Signals,
) -> anyhow::Result<Option<(Kept, Sockets)>> {
    let Common { clock, board, metrics, .. } = common;
    let parts = (clock, board, metrics);
    let Some(sharing) = Sharing::new(config, &sockets.http.local_addrs(), parts)? else {
        let (mut store, loaded) = Store::open(&config.server.data)?;
        store.register(metrics);
        store.report_to(board.clone());
        let keeping = Keeping::Own(Box::new(store));
        return Ok(Some((Kept { loaded, keeping, sharing: None }, sockets)));
    };
    let sockets = sockets.close(config);
    let stop = CancellationToken::new();
    tokio::select! {
        read = sharing.read(&stop) => {
            let Some((loaded, keeping, tasks)) = read else { return Ok(None) };
            Ok(Some((Kept { loaded, keeping, sharing: Some(tasks) }, sockets.open()?)))
        }
        signal = signals.stop() => {
            info!(signal, "stopping, before anything was read");
            Ok(None)
        }
    }
}

fn build(
    config: &Config,
    common: &Common,
    prepared: Prepared,
    kept: Kept,
) -> anyhow::Result<Built> {
    let Common { clock, board, metrics, files, .. } = common;
    let Prepared { settings, certificate } = prepared;
    let Kept { loaded, keeping, sharing } = kept;
    let (registry_options, options) = watch::channel(config.registry_options());
    let (registry, writer) = registry::start(Setup {
        loaded,
        keeping,
        options,
        clock: clock.clone(),
        board: board.clone(),
        metrics: metrics.clone(),
    })
    .with_context(|| match config.is_shared() {
        true => format!("what is in etcd below `{}`", config.store.etcd.prefix),
        false => format!("the store in `{}`", config.server.data.display()),
    })?;
    let folder = check::zone_folder(config, &settings);
    let zones = ZoneWatcher::open(folder, board.clone(), metrics)?;
    let options = config.health_options().within(*files);
    let checker = health::start(registry.clone(), &options, clock.clone(), metrics)?;
    Ok(Built {
        registry,
        registry_options,
        writer,
        checker,
        unasked: Unasked::new(zones.handle(), board.clone()),
        zones,
        settings: Arc::new(ArcSwap::from_pointee(settings)),
        forward: ForwardHandle::new(board.clone(), metrics, clock.clone()),
        dns_limits: Arc::new(ArcSwap::from_pointee(config.dns_limits())),
        certificate,
        sharing,
    })
}

/// Says, once it is sure that the server starts, that fewer checks run at once than were asked for.
fn tell_of_fewer_checks(asked: &health::Options, files: u64) {
    let (asked, in_flight_max) = (asked.in_flight_max, asked.clone().within(files).in_flight_max);
    if in_flight_max < asked {
        tracing::info!(files, asked, in_flight_max, "fewer checks at once, for want of files");
    }
}

/// Starts everything; from here on packets are answered.
fn start(
    config: &Config,
    common: Common,
    built: Built,
    sockets: Sockets,
) -> anyhow::Result<Running> {
    let (mut tasks, ends) = (Tasks::default(), Ends::default());
    let Common { clock, board, metrics, files, node, .. } = common;
    tell_of_fewer_checks(&config.health_options(), files);
    let Built { registry, registry_options, writer, checker, zones, .. } = built;
    let encryption = built.certificate.as_ref().map(|certificate| Encryption {
        identity: certificate.shown(),
        https_path: config.dns.encrypted.https_path.clone(),
    });
    let names = built.settings.load().service_zones().cloned().collect();
    let wiring = Wiring {
        registry: registry.clone(),
        zones: zones.handle(),
        settings: built.settings,
        forward: built.forward,
        limits: built.dns_limits,
        encryption,
        metrics: metrics.clone(),
        clock: clock.clone(),
        stop: ends.dns.clone(),
    };
    let peers = built.sharing.as_ref().map(SharingTasks::peers);
    let server = match &built.sharing {
        Some(sharing) => sharing.server(),
        None => shared::lone(config, &sockets.http.local_addrs(), &clock),
    };
    if let Some(sharing) = built.sharing {
        sharing.start(&mut tasks, registry.clone(), &ends.sharing);
    }
    let api = http::Api::new(http::Setup {
        registry,
        registry_options: registry_options.subscribe(),
        zones: names,
        board: board.clone(),
        metrics,
        clock,
        draining: ends.draining.clone(),
        stop: ends.http.clone(),
        options: config.http_options(),
        consul: config.consul.options(
            &node,
            &sockets.dns.local_addrs(),
            &sockets.http.local_addrs(),
        ),
        eureka: config.eureka,
        server,
        peers,
    });
    tasks.spawn("writer", writer.run(ends.writer.clone()));
    tasks.spawn("checks", checker.run(ends.http.clone()));
    tasks.spawn("zones", zones.run(ends.http.clone()));
    tasks.spawn("forward zones", built.unasked.run(ends.http.clone()));
    if let Some(certificate) = built.certificate {
        tasks.spawn("certificate", certificate.run(ends.http.clone()));
    }
    tasks.spawn("http", sockets.http.run(api));
    let dns = sockets.dns.start(&wiring)?;
    Ok(Running { dns, tasks, ends, board })
}

// === impl Running ===

impl Running {
    /// Serves until a signal or a failure, then drains.
    async fn serve_until_asked(
        mut self,
        mut reloader: Reloader,
        signals: &mut Signals,
    ) -> anyhow::Result<()> {
        let failure = loop {
            tokio::select! {
                asked = signals.next() => match asked {
                    Asked::Reload => reloader.reload(),
                    Asked::Stop(signal) => {
                        info!(signal, "stopping");
                        break None;
                    }
                },
                ended = self.tasks.first_ended() => break Some(ended),
            }
        };
        self.ends.draining.cancel();
        self.board.block("stopping", "the server is going down");
        if let Some(failure) = failure {
            error!(%failure, "stopping because a part of the server is gone");
            self.stop().await;
            anyhow::bail!("{failure}; the log says why");
        }
        let lame_duck = reloader.config.server.lame_duck;
        if !lame_duck.is_zero() {
            info!(seconds = lame_duck.as_secs_f64(), "lame duck: changes are refused, DNS goes on");
            tokio::select! {
                () = tokio::time::sleep(lame_duck) => {}
                signal = signals.stop() => info!(signal, "not waiting any longer"),
            }
        }
        self.stop().await;
        info!("stopped");
        Ok(())
    }

    /// Ends the parts from the outside in, so that each finishes what the one before handed to it.
    async fn stop(mut self) {
        self.ends.http.cancel();
        self.tasks.ended("http").await;
        self.ends.writer.cancel();
        self.tasks.ended("writer").await;
        self.ends.sharing.cancel();
        self.tasks.all_ended().await;
        self.ends.dns.cancel();
        self.dns.stopped().await;
    }
}

fn shown_zones(config: &Config, zones: &ZonesHandle, refused: usize) -> String {
    let count = zones.load().iter().count();
    let folder = config.server.zones.display();
    if !config.server.zones.is_dir() {
        return format!("none ({folder} is not there)");
    }
    let noun = if count == 1 { "zone" } else { "zones" };
    let refused = if refused == 0 { String::new() } else { format!(", {refused} refused") };
    format!("{folder} ({count} {noun}{refused})")
}

/// Fewer file descriptors than this are less than the connections that the defaults admit.
const FEW_FILES: u64 = 20_000;

/// Takes all the file descriptors that the system allows, and says how many those are: a shell's
/// default of 1,024 is far too few.
fn raise_file_limit() -> u64 {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => {
            if limit < FEW_FILES {
                warn!(limit, "few file descriptors are allowed; raise LimitNOFILE or `ulimit -n`");
            }
            limit
        }
        Err(error) => {
            warn!(%error, "cannot raise the limit of file descriptors");
            rlimit::getrlimit(rlimit::Resource::NOFILE).map_or(1_024, |(soft, _)| soft)
        }
    }
}
