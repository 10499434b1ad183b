//! Forwarding as it is configured, and what happens when that changes.

use std::{collections::BTreeMap, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use arc_swap::{ArcSwapOption, cache::Cache as Reading};
use hashbrown::HashMap;
use parking_lot::Mutex;
use tokio::{
    sync::{Notify, Semaphore, mpsc},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::{
    ForwardSpec, UpstreamSpec,
    cache::Cache,
    care::Care,
    group::Group,
    health::Health,
    key::Key,
    late_looks::LateLooks,
    loops::Probes,
    message::Limits,
    metrics::ForwardMetrics,
    resolv_conf::{Look, Unread},
    state::{Flights, Forward, Routes},
    upstream::Upstream,
};
use crate::{
    dns::guard::Networks,
    telemetry::{Board, Metrics},
    util::{Clock, FileStamp, Places},
};

/// How long a change of the resolv.conf may go unnoticed.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Names that wait to be fetched again, and are fetched again at once: a cache full of popular
/// names has one every few milliseconds. One that finds no room is asked for when it is over.
const PREFETCHES_MAX: usize = 64;

/// The name of the resolv.conf's condition on the board.
const CONDITION: &str = "resolv.conf";

/// The name of the condition that says that we are our own upstream.
const OWN_CONDITION: &str = "own upstream";

/// Forwarding, for those who answer and those who configure; clones share it.
#[derive(Debug, Clone)]
pub struct ForwardHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    current: Arc<ArcSwapOption<Forward>>,
    work: Mutex<Work>,
    newcomers: Notify,
    prefetches: mpsc::Sender<Key>,
    /// For the one who fetches.
    to_prefetch: Mutex<Option<mpsc::Receiver<Key>>>,
    late_looks: LateLooks,
    board: Board,
    care: Care,
}

/// What only changes of the configuration look at.
#[derive(Debug, Default)]
struct Work {
    spec: ForwardSpec,
    /// Where this server itself listens.
    own: Vec<SocketAddr>,
    from_file: Vec<UpstreamSpec>,
    /// Nothing when the file is to be read, whatever its stamp.
    stamp: Option<FileStamp>,
    upstreams: HashMap<UpstreamSpec, Arc<Upstream>>,
    newcomers: Vec<Arc<Upstream>>,
    /// What the cache was filled with.
    routes: BTreeMap<Box<[u8]>, Vec<UpstreamSpec>>,
}

/// A look at forwarding that costs next to nothing while nothing changes.
pub(in crate::dns) type ForwardReader = Reading<Arc<ArcSwapOption<Forward>>, Option<Arc<Forward>>>;

// === impl ForwardHandle ===

impl ForwardHandle {
    /// Forwarding that is off until it is configured.
    pub fn new(board: Board, metrics: &Metrics, clock: Clock) -> Self {
        let (prefetches, to_prefetch) = mpsc::channel(PREFETCHES_MAX);
        let care = Care {
            clock,
            metrics: ForwardMetrics::new(metrics),
            probes: Probes::default(),
            attempts: Places::default(),
        };
        Self(Arc::new(Shared {
            current: Arc::default(),
            work: Mutex::default(),
            newcomers: Notify::new(),
            prefetches,
            to_prefetch: Mutex::new(Some(to_prefetch)),
            late_looks: LateLooks::default(),
            board,
            care,
        }))
    }

    /// Says where this server itself listens, so that it is no upstream of its own.
    pub fn listens_on(&self, own: &[SocketAddr]) {
        self.0.work.lock().own = own.to_vec();
    }

    /// Takes over what is configured. Reads the resolv.conf, if one is named; what is wrong with
    /// that goes to the log and the board, and the upstreams stay that it had before. Waits two
    /// seconds for that file at the most; later than that it is taken over when it can be read.
    pub fn configure(&self, spec: &ForwardSpec) {
        let look = spec.resolv_conf.as_ref().and_then(|path| self.0.late_looks.look(path, None));
        let mut work = self.0.work.lock();
        if work.spec.resolv_conf != spec.resolv_conf {
            (work.from_file, work.stamp) = (Vec::new(), None);
            self.0.board.clear(CONDITION);
        }
        work.spec = spec.clone();
        if let Some(look) = look {
            self.0.take_over(&mut work, look);
        }
        self.0.publish(&mut work);
    }

    /// What is in force; nothing while forwarding is off.
    pub(in crate::dns) fn load(&self) -> Option<Arc<Forward>> {
        self.0.current.load_full()
    }

    /// A look at what is in force.
    pub(in crate::dns) fn reader(&self) -> ForwardReader {
        Reading::new(Arc::clone(&self.0.current))
    }

    /// Looks whether the resolv.conf has changed; blocks while it does.
    fn poll(&self) {
        let (path, known) = {
            let work = self.0.work.lock();
            let Some(path) = work.spec.resolv_conf.clone() else { return };
            (path, work.stamp)
        };
        let Some(look) = self.0.late_looks.look(&path, known) else { return };
        let mut work = self.0.work.lock();
        let is_wanted = work.spec.resolv_conf.as_ref() == Some(&path);
        if is_wanted && self.0.take_over(&mut work, look) {
            self.0.publish(&mut work);
        }
    }

    /// Looks after upstreams, the resolv.conf and what is to be fetched again, until `stop`.
    pub(super) async fn keep(self, stop: CancellationToken) {
        let Some(mut to_prefetch) = self.0.to_prefetch.lock().take() else { return };
        let room = Arc::new(Semaphore::new(PREFETCHES_MAX));
        let mut clock = tokio::time::interval(POLL_INTERVAL);
        let mut poll: Option<JoinHandle<()>> = None;
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = self.0.newcomers.notified() => {}
                Some(key) = to_prefetch.recv() => {
                    if let (Some(forward), Ok(permit)) =
                        (self.load(), Arc::clone(&room).try_acquire_owned())
                    {
                        tokio::spawn(async move {
                            // What comes of it is in the cache.
                            let _outcome = forward.resolve(key).await;
                            drop(permit);
                        });
                    }
                }
                _ = clock.tick() => {
                    if let Some(forward) = self.load() {
                        forward.cache.measure();
                    }
                    if poll.as_ref().is_none_or(JoinHandle::is_finished) {
                        let handle = self.clone();
                        poll = Some(tokio::task::spawn_blocking(move || handle.poll()));
                    }
                }
            }
            for newcomer in self.0.work.lock().newcomers.drain(..) {
                self.0.care.look_into(newcomer);
            }
        }
    }
}

// === impl Shared ===

impl Shared {
    /// Takes over what the resolv.conf says; returns whether there are other upstreams in it.
    fn take_over(&self, work: &mut Work, look: Look) -> bool {
        work.stamp = Some(look.stamp);
        match look.servers {
            Ok(servers) => {
                self.board.clear(CONDITION);
                let is_other = servers != work.from_file;
                if is_other {
                    let shown: Vec<_> = servers.iter().map(ToString::to_string).collect();
                    let file = work.spec.resolv_conf.as_deref().unwrap_or(Path::new(""));
                    info!(file = %file.display(), upstreams = ?shown, "resolv.conf read");
                }
                work.from_file = servers;
                is_other
            }
            Err(Unread { problem, may_pass }) => {
                if may_pass {
                    // Nobody writes the file again for that: it is read until it can be.
                    work.stamp = None;
                }
                let fate = fate(work);
                if self.board.note(CONDITION, format!("{problem}; {fate}")) {
                    error!(problem, "{fate}");
                }
                false
            }
        }
    }

    /// Puts what is configured into force.
    fn publish(&self, work: &mut Work) {
        if !work.spec.is_enabled() {
            self.retire_all_but(work, &BTreeMap::new());
            work.routes.clear();
            self.current.store(None);
            return;
        }
        let routes = self.routes(work);
        let before = self.current.load_full();
        let spec = work.spec.clone();
        let limits = Limits {
            max_ttl: spec.max_ttl_seconds,
            negative_max_ttl: spec.negative_max_ttl_seconds,
        };
        let terms = (spec.cache_octets, spec.stale_max_seconds);
        // What other upstreams said, or was kept by other rules, is not answered any more.
        let kept = before.as_ref().filter(|before| {
            work.routes == routes && before.limits == limits && before.cache_terms == terms
        });
        let (cache, flights) = match kept {
            Some(before) => (before.cache.clone(), before.flights.clone()),
            None => {
                let cache = Cache::new(terms.0, terms.1, self.care.metrics.clone());
                (cache, Flights::default())
            }
        };
        let groups = routes.iter().map(|(suffix, specs)| {
            let upstreams = specs.iter().filter_map(|spec| self.upstream(work, *spec, suffix));
            let group = Group::new(upstreams.collect(), spec.order, spec.in_flight_max);
            (suffix.clone(), Arc::new(group))
        });
        let groups: Vec<_> = groups.collect();
        self.retire_all_but(work, &routes);
        work.routes = routes;
        self.current.store(Some(Arc::new(Forward {
            lacks_upstreams: spec.resolv_conf.is_some() && !work.routes.contains_key(&[0][..]),
            routes: Routes::new(groups),
            allow: Networks::new(&spec.allow),
            cache,
            cache_terms: terms,
            limits,
            care: self.care.clone(),
            flights,
            in_flight_max: spec.in_flight_max,
            in_flight_per_client_max: spec.in_flight_per_client_max,
            prefetch: spec.prefetch.then(|| self.prefetches.clone()),
        })));
        self.newcomers.notify_one();
    }

    /// Who is asked for which names, without ourselves.
    fn routes(&self, work: &Work) -> BTreeMap<Box<[u8]>, Vec<UpstreamSpec>> {
        let mut own = Vec::new();
        let mut others = |specs: &mut dyn Iterator<Item = &UpstreamSpec>| {
            let mut others: Vec<UpstreamSpec> = Vec::new();
            for spec in specs {
                if is_own(&work.own, spec.address) {
                    own.push(spec.to_string());
                } else if !others.contains(spec) {
                    others.push(*spec);
                }
            }
            others
        };
        let mut routes = BTreeMap::new();
        let default = others(&mut work.spec.upstreams.iter().chain(&work.from_file));
        if !default.is_empty() {
            routes.insert(Box::from([0]), default);
        }
        for zone in &work.spec.zones {
            routes.insert(zone.suffix.as_wire().into(), others(&mut zone.upstreams.iter()));
        }
        if own.is_empty() {
            self.board.clear(OWN_CONDITION);
        } else {
            warn!(upstreams = ?own, "this server is among its own upstreams, and left out there");
            let problem = "is this server itself; it is left out, as it would ask itself forever";
            self.board
                .note(OWN_CONDITION, format!("the upstream `{}` {problem}", own.join("`, `")));
        }
        routes
    }

    /// The upstream, which is the one from before if there was one.
    fn upstream(
        &self,
        work: &mut Work,
        spec: UpstreamSpec,
        suffix: &[u8],
    ) -> Option<Arc<Upstream>> {
        let timeout = work.spec.timeout;
        if let Some(known) = work.upstreams.get(&spec).filter(|known| known.timeout() == timeout) {
            return Some(Arc::clone(known));
        }
        let metrics = self.care.metrics.clone();
        let health = Health::new(spec.to_string(), self.board.clone(), metrics);
        match Upstream::new(spec, timeout, suffix, health) {
            Ok(upstream) => {
                let upstream = Arc::new(upstream);
                if let Some(former) = work.upstreams.insert(spec, Arc::clone(&upstream)) {
                    former.health.supersede();
                }
                work.newcomers.push(Arc::clone(&upstream));
                Some(upstream)
            }
            Err(problem) => {
                error!(upstream = %spec, problem, "cannot use the upstream");
                None
            }
        }
    }

    fn retire_all_but(&self, work: &mut Work, routes: &BTreeMap<Box<[u8]>, Vec<UpstreamSpec>>) {
        let gone =
            work.upstreams.extract_if(|spec, _| !routes.values().any(|specs| specs.contains(spec)));
        gone.for_each(|(_, upstream)| upstream.health.retire());
    }
}

/// What becomes of names while the resolv.conf cannot be used.
fn fate(work: &Work) -> &'static str {
    match (work.from_file.is_empty(), work.spec.upstreams.is_empty(), work.spec.zones.is_empty()) {
        (false, _, _) => "the upstreams stay as they were",
        (true, false, _) => "only `upstreams` are asked until it can be read",
        (true, true, true) => "nothing is forwarded until it can be read",
        (true, true, false) => "only the names of `zones` are forwarded until it can be read",
    }
}

/// Whether a server that listens at `own` would answer at `upstream` itself.
pub fn is_own(own: &[SocketAddr], upstream: SocketAddr) -> bool {
    let ip = upstream.ip().to_canonical();
    own.iter().any(|own| {
        let is_everywhere = own.ip().is_unspecified() && ip.is_loopback();
        own.port() == upstream.port() && (own.ip().to_canonical() == ip || is_everywhere)
    })
}

#[cfg(test)]
mod tests {
    use super::is_own;

    #[test]
    fn who_would_be_asked_at_its_own_address_is_known() {
        for (own, upstream, expected) in [
            ("192.0.2.1:53", "192.0.2.1:53", true),
            ("192.0.2.1:53", "192.0.2.1:5353", false),
            ("192.0.2.1:53", "192.0.2.2:53", false),
            ("192.0.2.1:53", "[::ffff:192.0.2.1]:53", true),
            ("0.0.0.0:53", "127.0.0.1:53", true),
            ("[::]:53", "[::1]:53", true),
            ("0.0.0.0:53", "127.0.0.1:5353", false),
            ("0.0.0.0:53", "192.0.2.1:53", false),
        ] {
            let own = [own.parse().unwrap()];
            assert_eq!(is_own(&own, upstream.parse().unwrap()), expected, "{own:?} {upstream}");
        }
    }
}
