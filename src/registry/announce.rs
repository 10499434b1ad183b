//! What the writer says of its work: a log line per change of state, gauges, and the board.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric},
    metrics::{counter::Counter, gauge::ConstGauge},
};
use tracing::{debug, field::display, info, warn};

use super::{JournalError, Member, Registry, Snapshot, lease::Leases};
use crate::{
    model::{Event, EventKind, InstanceKey, Interface},
    telemetry::{Board, Metrics},
    util::Clock,
};

/// Octets of a check's output that a line shows: enough to know what is wrong. The rest of a page
/// that somebody answered is not for the log, and is had by asking for the instance.
const OUTPUT_OCTETS_LOGGED: usize = 256;

/// Up to so many changes of a batch have a log line each. Of a larger one only changes of state do,
/// and a bulk registration has one line in all.
const LINES_MAX: usize = 64;
/// Up to so many registrations and the like have a log line each in a second, and as many changes
/// of state: a person reads no more, and to write a line takes a third as long as the change. Each
/// of the two has lines of its own, so that a deployment does not hide what falls ill in it.
const LINES_A_SECOND_MAX: usize = 100;
const SECOND: Duration = Duration::from_secs(1);

/// Name of the condition on the board while expiry is held.
const SELF_PRESERVATION: &str = "self-preservation";
/// Name of the condition on the board while the store takes nothing.
const STORE: &str = "store";

/// Tells operators what the writer does.
#[derive(Debug)]
pub(super) struct Announcer {
    board: Board,
    clock: Clock,
    fail_opens: Counter,
    /// Shared with the collector.
    held: Arc<AtomicU64>,
    /// Since when some are held (RFC 3339); nothing while none is.
    holding_since: Option<String>,
    /// Since when the store takes nothing (RFC 3339); nothing while it does.
    store_failing: Option<String>,
    commit_is_slow: bool,
    lines: Lines,
}

/// The log lines of the second that runs.
#[derive(Debug, Default)]
struct Lines {
    began: Duration,
    /// Registrations and the like.
    changes: Budget,
    /// Changes of state.
    states: Budget,
}

/// The lines of one kind in a second.
#[derive(Debug, Default)]
struct Budget {
    written: usize,
    /// What had no line.
    left_out: usize,
}

/// Whom a line is about: an instance by its name here and by the one it has where it was
/// registered, or a node. Names of clients' own choice are strings, which the text form quotes.
struct Subject<'a> {
    /// Nothing for a node.
    instance: Option<&'a InstanceKey>,
    /// Nothing for the native one.
    interface: Option<&'static str>,
    node: Option<&'a str>,
    application: Option<&'a str>,
    id: Option<&'a str>,
}

/// Reads the gauges off the newest snapshot when somebody asks.
#[derive(Debug)]
struct Gauges {
    registry: Registry,
    held: Arc<AtomicU64>,
}

// === impl Announcer ===

impl Announcer {
    pub(super) fn new(board: Board, clock: Clock, metrics: &Metrics, registry: &Registry) -> Self {
        let (fail_opens, held) = (Counter::default(), Arc::new(AtomicU64::new(0)));
        let gauges = Gauges { registry: registry.clone(), held: Arc::clone(&held) };
        metrics.register(|families| {
            families.register(
                "fail_open",
                "Times that a service began to answer instances that are not healthy",
                fail_opens.clone(),
            );
            families.register_collector(Box::new(gauges));
        });
        Self {
            board,
            clock,
            fail_opens,
            held,
            holding_since: None,
            store_failing: None,
            commit_is_slow: false,
            lines: Lines::default(),
        }
    }

    /// Tells of a batch that is visible now.
    pub(super) fn published(
        &mut self,
        before: &Snapshot,
        after: &Snapshot,
        events: &[Event],
        now: Duration,
    ) {
        let is_bulk = events.len() > LINES_MAX;
        if is_bulk {
            info!(changes = events.len(), revision = after.revision.0, "batch applied");
        }
        self.tell_left_out(now);
        // What is told again was logged when it happened.
        for event in events.iter().filter(|event| event.told_after.is_none()) {
            let admits = match event.kind {
                EventKind::CheckChanged { .. } => false,
                EventKind::StatusChanged { .. } => self.lines.states.admits_one(),
                _ => !is_bulk && self.lines.changes.admits_one(),
            };
            if admits {
                log_event(event, before, after);
            }
        }
        self.tell_fail_open(before, after, events);
    }

    /// One line for each service that begins or ends to answer all its instances, whatever else
    /// happened in this second.
    fn tell_fail_open(&mut self, before: &Snapshot, after: &Snapshot, events: &[Event]) {
        let mut services: Vec<_> = events.iter().map(|event| &event.service).collect();
        services.sort_unstable();
        services.dedup();
        for service in services {
            let reason = |snapshot: &Snapshot| {
                snapshot.service(service.as_str()).and_then(|entry| entry.all.fail_open())
            };
            match (reason(before), reason(after)) {
                (None, Some(reason)) => {
                    self.fail_opens.inc();
                    let reason = reason.as_str();
                    warn!(%service, reason, "failing open: all instances are answered");
                }
                (Some(_), None) => info!(%service, "no longer failing open"),
                _ => {}
            }
        }
    }

    /// When there is something to say of the second that runs; `None` when all had its line.
    pub(super) fn speaks_at(&self) -> Option<Duration> {
        let Lines { began, changes, states } = &self.lines;
        (changes.left_out + states.left_out > 0).then(|| *began + SECOND)
    }

    /// Tells how much of the last second had no line, once it is over.
    pub(super) fn tell_left_out(&mut self, now: Duration) {
        let (changes, status_changes) = self.lines.begin_second(now);
        if changes + status_changes > 0 {
            info!(changes, status_changes, "more happened in a second than has a line each");
        }
    }

    /// Tells that changes wait for a commit that takes long.
    pub(super) fn commit_is_slow(&mut self) {
        self.commit_is_slow = true;
        warn!("the store takes long; changes wait, answers go on from memory");
        self.board.note(STORE, "a commit takes long, changes wait for it; look at the disk");
    }

    /// Tells of the instances that are held although silent.
    pub(super) fn holding(&mut self, leases: &Leases) {
        self.tell_held(leases.held() as u64);
    }

    fn tell_held(&mut self, held: u64) {
        let before = self.held.swap(held, Ordering::Relaxed);
        if held == before {
            return;
        }
        if held == 0 {
            info!("self-preservation ended: no silent instance is held any more");
            self.board.clear(SELF_PRESERVATION);
            self.holding_since = None;
            return;
        }
        if before == 0 {
            warn!(
                held,
                "self-preservation: many instances fell silent at once; they stay in the answers"
            );
        }
        let now = || self.clock.wall_text(Duration::ZERO);
        let since = self.holding_since.get_or_insert_with(now);
        let message = format!(
            "{held} silent instances are kept in the answers as suspect: too many fell silent at \
             once; look at the network between them and this server; since {since}"
        );
        self.board.note(SELF_PRESERVATION, message);
    }

    /// Tells that the store took a batch, or why not.
    pub(super) fn stored(&mut self, result: &Result<(), JournalError>) {
        let was_slow = std::mem::take(&mut self.commit_is_slow);
        match result {
            Ok(()) if self.store_failing.is_some() || was_slow => {
                info!("the store takes changes again");
                self.board.clear(STORE);
                self.store_failing = None;
            }
            Ok(()) => {}
            Err(error) => {
                if self.store_failing.is_some() {
                    debug!(%error, "the store still refuses changes");
                } else {
                    warn!(%error, "changes are refused; answers go on from memory");
                }
                let now = || self.clock.wall_text(Duration::ZERO);
                let since = self.store_failing.get_or_insert_with(now);
                self.board.note(STORE, format!("changes are refused: {error}; since {since}"));
            }
        }
    }
}

// === impl Lines ===

impl Lines {
    /// Begins another second if one is over; returns how many changes, and how many of state, of
    /// the last one had no line.
    fn begin_second(&mut self, now: Duration) -> (usize, usize) {
        if now.saturating_sub(self.began) < SECOND {
            return (0, 0);
        }
        let before = std::mem::replace(self, Self { began: now, ..Self::default() });
        (before.changes.left_out, before.states.left_out)
    }
}

// === impl Budget ===

impl Budget {
    fn admits_one(&mut self) -> bool {
        let admits = self.written < LINES_A_SECOND_MAX;
        self.written += usize::from(admits);
        self.left_out += usize::from(!admits);
        admits
    }
}

fn log_event(event: &Event, before: &Snapshot, after: &Snapshot) {
    let revision = event.revision.0;
    let Some(key) = event.kind.key() else {
        return info!(service = %event.service, revision, "policy changed");
    };
    let member = after.member(key).or_else(|| before.member(key));
    let Subject { instance, interface, node, application, id } = Subject::new(key, member);
    let instance = instance.map(display);
    // Who is meant, without what it is called elsewhere.
    let own = node.filter(|_| instance.is_none());
    match &event.kind {
        // Of a check by itself nothing is told: its instance is as it was.
        EventKind::CheckChanged { .. } | EventKind::PolicyChanged => {}
        EventKind::Deregistered { reason, .. } => {
            let reason = reason.as_str();
            info!(instance, interface, node, application, id, reason, revision, "deregistered");
        }
        EventKind::Drained { on: true, .. } => info!(instance, node = own, revision, "drained"),
        EventKind::Drained { on: false, .. } => info!(instance, node = own, revision, "undrained"),
        EventKind::Registered { replaced, .. } => {
            info!(instance, interface, node, application, id, replaced, revision, "registered");
        }
        EventKind::StatusChanged { from, to, suspect, output, .. } => {
            // As a string, which the text form quotes: a line break in it is not one of the log.
            let output = &output[..output.floor_char_boundary(OUTPUT_OCTETS_LOGGED)];
            info!(
                instance, node = own, %from, %to, suspect, output, revision,
                "status changed"
            );
        }
    }
}

// === impl Subject ===

impl<'a> Subject<'a> {
    fn new(key: &'a InstanceKey, member: Option<&'a Arc<Member>>) -> Self {
        let is_node = key.service.is_nodes();
        let instance = (!is_node).then_some(key);
        let Some(origin) = member.and_then(|member| member.instance.origin.as_deref()) else {
            let node = is_node.then_some(key.id.as_str());
            return Self { instance, interface: None, node, application: None, id: None };
        };
        let (interface, name) = (origin.scope.interface, Some(&*origin.scope.name));
        let (node, application) = match interface {
            Interface::Consul => (name, None),
            Interface::Eureka => (None, name),
        };
        let id = instance.map(|_| &*origin.id);
        Self { instance, interface: Some(interface.as_str()), node, application, id }
    }
}

// === impl Gauges ===

impl Collector for Gauges {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let snapshot = self.registry.snapshot();
        let counts = snapshot.counts;
        let help = "Instances by state.";
        let gauge = |n: usize| ConstGauge::new(i64::try_from(n).unwrap_or(i64::MAX));
        let mut family =
            encoder.encode_descriptor("instances", help, None, gauge(0).metric_type())?;
        for (status, count) in [
            ("passing", counts.passing),
            ("warning", counts.warning),
            ("critical", counts.critical),
        ] {
            gauge(count).encode(family.encode_family(&[("status", status)])?)?;
        }
        let help = "Instances by the interface that they came by.";
        let metric = gauge(0).metric_type();
        let mut family = encoder.encode_descriptor("instances_by_interface", help, None, metric)?;
        for (interface, count) in [
            ("native", counts.instances() - counts.consul - counts.eureka),
            ("consul", counts.consul),
            ("eureka", counts.eureka),
        ] {
            gauge(count).encode(family.encode_family(&[("interface", interface)])?)?;
        }
        let held = usize::try_from(self.held.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        let revision = usize::try_from(snapshot.revision.0).unwrap_or(usize::MAX);
        for (name, help, count) in [
            ("instances_drained", "Instances that are taken out of the answers.", counts.drained),
            (
                "dissenting_opinions",
                "What single servers find otherwise than is shared, for each instance.",
                self.registry.dissent().len(),
            ),
            ("instances_suspect", "Silent instances that self-preservation keeps.", held),
            (
                "nodes",
                "Nodes that are registered themselves, or have checks.",
                snapshot.nodes.len(),
            ),
            ("services", "Services with an instance or a policy.", snapshot.services.len()),
            ("revision", "Number of the newest change.", revision),
        ] {
            let metric = gauge(count);
            metric.encode(encoder.encode_descriptor(name, help, None, metric.metric_type())?)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Arc, time::Duration};

    use super::{LINES_A_SECOND_MAX, Lines, log_event};
    use crate::{
        model::{
            Amendment, Command, Event, EventKind, Instance, InstanceId, Replacement, Revision,
            Scope, ServiceName, Status, Timestamp,
        },
        registry::{
            Options, Snapshot,
            draft::Draft,
            testing::{self, from_elsewhere, instance, key},
        },
    };

    /// What is logged of what these commands do.
    fn told(commands: &[Command]) -> String {
        let (base, options) = (Snapshot::default(), Options::default());
        let mut draft = Draft::new(&base, &options, Timestamp(1));
        for command in commands {
            draft.apply(command).unwrap();
        }
        let done = draft.finish();
        let (log, mut lines) = testing::log();
        tracing::subscriber::with_default(log, || {
            done.events.iter().for_each(|event| log_event(event, &base, &done.next));
        });
        std::iter::from_fn(|| lines.try_recv().ok()).collect()
    }

    /// Who looks for what a client calls its service found nothing in the log.
    #[test]
    fn a_line_says_what_an_instance_is_called_where_it_was_registered() {
        let node = Scope::node("Web-1");
        let consul = from_elsewhere(instance("pay/pay-1-x", "10.0.0.1"), node.clone(), "Pay 1\n");
        let (service, id) = (ServiceName::nodes(), InstanceId::parse("web-1").unwrap());
        let machine = Instance { service, id, ..instance("x/x", "10.0.0.1") };
        let machine = from_elsewhere(machine, node, "");
        let app = Scope::application("pay");
        let eureka = from_elsewhere(instance("pay/a-8080", "10.0.0.2"), app, "a:8080");
        let native = instance("pay/own", "10.0.0.3");
        let of = |instance: Instance| {
            let (key, instance) = (instance.key(), Arc::new(instance));
            let to = Some(Replacement { instance, checks: vec![], drained: None });
            told(&[Command::Amend(vec![Amendment { key, seen: None, to }])])
        };
        for (instance, line) in [
            (
                consul,
                r#"instance=pay/pay-1-x interface="consul" node="web-1" id="Pay 1\n" replaced"#,
            ),
            (eureka, r#"instance=pay/a-8080 interface="eureka" application="PAY" id="a:8080" "#),
            (machine, r#"registered interface="consul" node="web-1" replaced"#),
            (native, "instance=pay/own replaced=false"),
        ] {
            let told = of(instance);
            assert!(told.contains(line), "{told}");
        }
    }

    #[test]
    fn changes_that_come_fast_are_counted_and_not_told_one_by_one() {
        let mut lines = Lines::default();
        let second = Duration::from_secs(1);
        assert_eq!(lines.begin_second(second), (0, 0));
        let told = (0..10_000).filter(|_| lines.changes.admits_one()).count();
        assert_eq!(told, LINES_A_SECOND_MAX);
        assert!(lines.states.admits_one(), "what falls ill has lines of its own");
        assert_eq!(lines.begin_second(second + second / 2), (0, 0), "the second is not over");
        assert_eq!(lines.begin_second(2 * second), (10_000 - LINES_A_SECOND_MAX, 0));
        assert!(lines.changes.admits_one());
    }

    /// Whoever may register could write lines into the log that look like the server's own.
    #[test]
    fn a_checks_output_is_no_line_of_the_log() {
        let (log, mut lines) = testing::log();
        let page = "ü".repeat(300);
        let output = format!("down\n INFO forged \u{1b}[31m{page}").into();
        let key = key("web/a");
        let (from, to, suspect) = (Status::Passing, Status::Critical, false);
        let kind = EventKind::StatusChanged { key: key.clone(), from, to, suspect, output };
        let (revision, at, service) = (Revision(1), Timestamp(0), key.service);
        let event = Event { revision, at, service, kind, place: revision, told_after: None };
        let none = Snapshot::default();
        tracing::subscriber::with_default(log, || log_event(&event, &none, &none));
        let line = lines.try_recv().unwrap();
        assert!(line.ends_with('\n') && line.lines().count() == 1, "{line}");
        assert!(line.contains(r#"output="down\n INFO forged \u{1b}[31mü"#), "{line}");
        assert!(line.len() < 512 && !line.contains(&page), "a page is not for the log: {line}");
    }
}
