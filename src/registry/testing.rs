//! A registry for tests: the real writer over a journal in memory that can be made to fail.

use std::{future::Future, io, net::IpAddr, pin::Pin, sync::Arc, time::Duration};

use parking_lot::Mutex;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

#[cfg(test)]
pub(crate) use super::shared::testing::Commons;
use super::{
    Change, Journal, JournalError, Loaded, Member, Options, Origins, Registry, Setup, start,
};
#[cfg(test)]
use super::{Peer, View};
use crate::{
    model::{
        Addresses, CheckKind, CheckSpec, Instance, InstanceId, InstanceKey, Meta, Origin, Policy,
        Revision, Scope, ServiceName, Target, TcpCheck, Thresholds,
    },
    telemetry::{Board, Metrics},
    util::Clock,
};

/// What a journal in memory has kept, shared with the test.
#[derive(Debug, Clone, Default)]
pub(crate) struct Kept {
    rows: Arc<Mutex<Rows>>,
    hangs: Arc<watch::Sender<bool>>,
}

#[derive(Debug, Default)]
struct Rows {
    revision: Revision,
    members: std::collections::BTreeMap<InstanceKey, Member>,
    policies: std::collections::BTreeMap<ServiceName, Policy>,
    failure: Option<JournalError>,
    commits: usize,
}

impl Kept {
    /// A journal of its own that has kept what another had kept: after a crash.
    pub(crate) fn holding(loaded: Loaded) -> Self {
        let kept = Self::default();
        let mut rows = kept.rows.lock();
        rows.revision = loaded.revision;
        rows.members = loaded.members.into_iter().map(|member| (member.key(), member)).collect();
        rows.policies = loaded.policies.into_iter().collect();
        drop(rows);
        kept
    }

    /// Makes each commit fail from now on, or succeed again.
    pub(crate) fn fail(&self, failure: Option<JournalError>) {
        self.rows.lock().failure = failure;
    }

    /// Makes each commit hang from now on, the one under way too, or go on.
    pub(crate) fn hang(&self, hangs: bool) {
        self.hangs.send_replace(hangs);
    }

    /// How many commits there were.
    pub(crate) fn commits(&self) -> usize {
        self.rows.lock().commits
    }

    /// What a restart would find.
    pub(crate) fn load(&self) -> Loaded {
        let rows = self.rows.lock();
        Loaded {
            revision: rows.revision,
            members: rows.members.values().cloned().collect(),
            policies: rows.policies.iter().map(|(name, policy)| (name.clone(), *policy)).collect(),
        }
    }
}

impl Journal for Kept {
    fn commit<'a>(
        &'a mut self,
        revision: Revision,
        changes: Vec<Change>,
    ) -> Pin<Box<dyn Future<Output = Result<(), JournalError>> + Send + 'a>> {
        Box::pin(async move {
            let going_on = self.hangs.subscribe().wait_for(|hangs| !hangs).await.is_ok();
            assert!(going_on, "the sender is in `self`");
            let mut rows = self.rows.lock();
            rows.commits += 1;
            if let Some(failure) = &rows.failure {
                return Err(failure.clone());
            }
            rows.revision = revision;
            for change in changes {
                match change {
                    Change::DeleteMember(key) => drop(rows.members.remove(&key)),
                    Change::DeletePolicy(name) => drop(rows.policies.remove(&name)),
                    Change::PutMember(member) => {
                        // Suspicion is not kept over a restart.
                        let kept = Member { suspect: false, ..Member::clone(&member) };
                        rows.members.insert(kept.key(), kept);
                    }
                    Change::PutPolicy(name, policy) => drop(rows.policies.insert(name, policy)),
                }
            }
            Ok(())
        })
    }
}

/// A running registry and all that a test may want to look at.
pub(crate) struct Running {
    pub(crate) registry: Registry,
    pub(crate) kept: Kept,
    pub(crate) board: Board,
    pub(crate) metrics: Metrics,
    pub(crate) clock: Clock,
    pub(crate) options: watch::Sender<Options>,
    pub(crate) stop: CancellationToken,
}

/// Starts the real writer over `kept`.
pub(crate) fn run(kept: Kept, options: Options) -> Running {
    let (board, metrics) = (Board::default(), Metrics::new());
    let clock = Clock::starting_at(Duration::from_secs(1_800_000_000));
    let (options, receiver) = watch::channel(options);
    let setup = Setup {
        loaded: kept.load(),
        keeping: super::Keeping::Own(Box::new(kept.clone())),
        options: receiver,
        clock: clock.clone(),
        board: board.clone(),
        metrics: metrics.clone(),
    };
    let (registry, writer) = start(setup).expect("what a journal kept is whole");
    let stop = CancellationToken::new();
    tokio::spawn(writer.run(stop.clone()));
    Running { registry, kept, board, metrics, clock, options, stop }
}

/// A running registry with nothing in it; the writer ends with the runtime.
pub(crate) fn registry() -> Registry {
    run(Kept::default(), Options::default()).registry
}

/// The same with so many instances in a thousand services, and a node.
#[cfg(test)]
pub(crate) async fn registry_of(instances: usize) -> Registry {
    let registry = registry();
    let names = (0..instances).map(|number| format!("s{}/i{number}", number % 1_000));
    let node = Instance { service: ServiceName::nodes(), ..instance("web/n1", "10.0.0.1") };
    let all = names.map(|name| instance(&name, "10.0.0.1")).chain([node]).map(Into::into);
    registry.submit(crate::model::Command::Register(all.collect())).await.unwrap();
    registry
}

/// What the server `a` sees where these are there, each of which checks by itself.
#[cfg(test)]
pub(crate) fn view(servers: &[&str]) -> View {
    let peer = |id: &&str| Peer { id: (*id).into(), http: [].into() };
    View {
        me: "a".into(),
        servers: servers.iter().map(peer).collect(),
        checkers: 1,
        is_cut_off: false,
        hears_all: false,
    }
}

/// `web/a` and the like.
pub(crate) fn key(text: &str) -> InstanceKey {
    let (service, id) = text.split_once('/').expect("SERVICE/INSTANCE");
    InstanceKey::new(ServiceName::parse(service).unwrap(), InstanceId::parse(id).unwrap())
}

/// An instance at `ip`, port 8080, weight and priority 1, without checks.
pub(crate) fn instance(name: &str, ip: &str) -> Instance {
    let InstanceKey { service, id } = key(name);
    let ip: IpAddr = ip.parse().unwrap();
    Instance {
        service,
        id,
        addresses: Addresses::ips(vec![ip]).unwrap(),
        port: 8080,
        weight: 1,
        warning_weight: None,
        priority: 1,
        tags: Arc::default(),
        meta: Meta::default(),
        checks: Arc::default(),
        deregister_after: None,
        initial_status: None,
        origin: None,
    }
}

/// An instance that was registered in a scope of another registry as `id`.
pub(crate) fn from_elsewhere(instance: Instance, scope: Scope, id: &str) -> Instance {
    let (id, document, other_tags) = (id.into(), "{}".into(), Box::default());
    Instance {
        origin: Some(Arc::new(Origin {
            scope,
            id,
            document,
            other_tags,
            service: None,
            node: None,
        })),
        ..instance
    }
}

/// These, by where they came from.
pub(crate) fn origins<'i>(instances: impl Iterator<Item = &'i Arc<Instance>>) -> Origins {
    let mut origins = Origins::new(true);
    for instance in instances {
        origins.insert(instance, Revision(1));
    }
    origins
}

/// An instance whose port is checked.
pub(crate) fn tcp_checked(name: &str) -> Instance {
    let thresholds = Thresholds::DEFAULT;
    let kind = CheckKind::Tcp(Box::new(TcpCheck::new(Target::default(), thresholds)));
    Instance { checks: [CheckSpec::new(kind)].into(), ..instance(name, "10.0.0.1") }
}

/// An instance that is kept alive by heartbeats.
pub(crate) fn beating(name: &str, ip: &str, ttl: Duration) -> Instance {
    let kind = CheckKind::ttl(ttl).unwrap();
    Instance { checks: [CheckSpec::new(kind)].into(), ..instance(name, ip) }
}

/// A log that hands on each line as it is written, those for debugging among them.
pub(crate) fn log() -> (impl tracing::Subscriber, mpsc::UnboundedReceiver<String>) {
    struct Lines(mpsc::UnboundedSender<String>);

    impl io::Write for Lines {
        fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
            // Whoever reads may have seen enough.
            let _gone = self.0.send(String::from_utf8_lossy(octets).into_owned());
            Ok(octets.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    let (sender, lines) = mpsc::unbounded_channel();
    let log = tracing_subscriber::fmt().with_ansi(false).with_max_level(tracing::Level::DEBUG);
    (log.with_writer(move || Lines(sender.clone())).finish(), lines)
}
