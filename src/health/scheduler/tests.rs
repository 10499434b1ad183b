//! The scheduler's promises, under stopped time, with a probe that does what the test says.

use std::{
    collections::{BTreeMap, HashMap},
    num::NonZeroUsize,
    time::Duration,
};

use parking_lot::Mutex;
use tokio::time::{sleep, timeout};

use super::*;
use crate::{
    health::probe::ProbeError,
    model::{
        Amendment, Carry, CheckKind, CheckSpec, EventKind, Instance, InstanceKey, Interface,
        Origin, Replacement, Revision, Scope, Status, Streak, Target, TcpCheck, Thresholds,
        Timestamp,
    },
    registry::{
        Member, Options,
        testing::{Kept, Running, beating, instance, key, run, view},
    },
};

const INTERVAL: Duration = Duration::from_secs(10);

/// What the probes of one instance answer, in turn; the last one again and again.
type Script = Vec<Result<&'static str, &'static str>>;

/// A probe that keeps a diary.
#[derive(Clone, Default)]
struct Fake(Arc<Mutex<Diary>>);

#[derive(Default)]
struct Diary {
    clock: Option<Clock>,
    takes: Duration,
    scripts: HashMap<InstanceKey, Script>,
    starts: BTreeMap<InstanceKey, Vec<Duration>>,
    order: Vec<InstanceKey>,
    in_flight: Vec<InstanceKey>,
    in_flight_most: usize,
}

impl Probe for Fake {
    async fn probe(&self, job: &Job) -> Outcome {
        let key = job.instance.key();
        let (takes, answer) = {
            let mut diary = self.0.lock();
            let now = diary.clock.as_ref().unwrap().elapsed();
            assert!(!diary.in_flight.contains(&key), "{key} is probed twice at once");
            diary.in_flight.push(key.clone());
            diary.in_flight_most = diary.in_flight_most.max(diary.in_flight.len());
            diary.order.push(key.clone());
            let starts = diary.starts.entry(key.clone()).or_default();
            starts.push(now);
            let turn = starts.len() - 1;
            let answer = match diary.scripts.get(&key) {
                Some(script) => script[turn.min(script.len() - 1)],
                None => Ok("fine"),
            };
            (diary.takes, answer)
        };
        sleep(takes).await;
        self.0.lock().in_flight.retain(|other| *other != key);
        match answer {
            Ok("bug") => panic!("a fault in the probe"),
            Ok("clock") => Ok(format!("now {:?}", tokio::time::Instant::now())),
            Ok(output) => Ok(output.to_owned()),
            Err("ours") => Err(ProbeError::NotRun("too many open files".to_owned())),
            Err(output) => Err(ProbeError::Failed(output.to_owned())),
        }
        .map(|output| (Status::Passing, output))
        .into()
    }
}

/// A running registry and a running scheduler.
struct Rig {
    running: Running,
    fake: Fake,
    stop: CancellationToken,
}

impl Rig {
    fn start() -> Self {
        Self::over(Kept::default(), 1_000)
    }

    fn over(kept: Kept, in_flight_max: usize) -> Self {
        let running = run(kept, Options::default());
        let (fake, stop) = (Fake::default(), CancellationToken::new());
        let scheduler = scheduler(&running, &fake, in_flight_max);
        tokio::spawn(scheduler.run(stop.clone()));
        Self { running, fake, stop }
    }

    async fn register(&self, instances: impl IntoIterator<Item = Instance>) {
        let instances = instances.into_iter().map(Arc::new).collect();
        self.running.registry.submit(Command::Register(instances)).await.unwrap();
    }

    fn script(&self, name: &str, script: Script) {
        self.fake.0.lock().scripts.insert(key(name), script);
    }

    fn starts(&self, name: &str) -> Vec<Duration> {
        self.fake.0.lock().starts.get(&key(name)).cloned().unwrap_or_default()
    }

    fn status(&self, name: &str) -> (Status, String) {
        let snapshot = self.running.registry.snapshot();
        let state = &snapshot.member(&key(name)).unwrap().checks[0];
        (state.status, state.output.to_string())
    }

    async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        let mut revisions = self.running.registry.events().subscribe();
        let wait = async {
            while !holds(self) {
                revisions.changed().await.unwrap();
            }
        };
        timeout(Duration::from_secs(600), wait).await.unwrap_or_else(|_| panic!("never {what}"));
    }
}

/// One that does nothing yet.
fn scheduler(running: &Running, fake: &Fake, in_flight_max: usize) -> Scheduler<Fake> {
    let clock = running.clock.clone();
    fake.0.lock().clock = Some(clock.clone());
    let bound = NonZeroUsize::new(in_flight_max).unwrap();
    let runner = Runner::new(fake.clone(), bound, clock.clone());
    let stats = Stats::new(&running.metrics);
    let mut scheduler = Scheduler::new(running.registry.clone(), runner, clock, stats);
    scheduler.random = fastrand::Rng::with_seed(7);
    scheduler
}

fn checked(name: &str, thresholds: Thresholds) -> Instance {
    let check = TcpCheck::new(Target::default(), thresholds);
    let kind = CheckKind::Tcp(Box::new(check));
    Instance { checks: [CheckSpec::new(kind)].into(), ..instance(name, "10.0.0.1") }
}

fn every_ten_seconds(name: &str) -> Instance {
    checked(name, Thresholds { interval: INTERVAL, ..Thresholds::DEFAULT })
}

fn many(count: usize) -> Vec<String> {
    (0..count).map(|n| format!("web/i{n}")).collect()
}

#[tokio::test(start_paused = true)]
async fn the_first_check_runs_at_once() {
    let rig = Rig::start();
    sleep(Duration::from_secs(100)).await;
    let before = rig.running.clock.elapsed();
    rig.register([every_ten_seconds("web/a")]).await;
    rig.until("passing", |rig| rig.status("web/a") == (Status::Passing, "fine".into())).await;
    assert!(rig.starts("web/a")[0] - before < Duration::from_millis(5));
}

#[tokio::test(start_paused = true)]
async fn phases_spread_and_intervals_are_never_exceeded() {
    let rig = Rig::start();
    let names = many(400);
    rig.register(names.iter().map(|name| every_ten_seconds(name))).await;
    sleep(INTERVAL * 6).await;
    let mut quarters = [0; 4];
    for name in &names {
        let starts = rig.starts(name);
        assert!(starts.len() >= 6, "{name}: {starts:?}");
        let phase = starts[1] - starts[0];
        quarters[usize::try_from(phase.as_millis() / 2_500).unwrap().min(3)] += 1;
        for pair in starts[1..].windows(2) {
            let gap = pair[1] - pair[0];
            assert!(gap >= INTERVAL.mul_f64(0.9) && gap <= INTERVAL + 2 * TICK, "{name}: {gap:?}");
        }
    }
    assert!(quarters.iter().all(|&n| n > 60), "{quarters:?}");
}

#[tokio::test(start_paused = true)]
async fn rise_and_fall_decide() {
    let rig = Rig::start();
    let script = [1, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 1, 1, 1];
    rig.script("web/a", script.map(|up| if up == 1 { Ok("up") } else { Err("down") }).into());
    rig.register([checked("web/a", Thresholds { rise: 2, fall: 3, ..Thresholds::DEFAULT })]).await;
    sleep(INTERVAL * 16).await;
    let (events, _) = rig.running.registry.events().after(Revision(0), 100).unwrap();
    let turns: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::StatusChanged { to, output, .. } => Some((*to, &**output)),
            _ => None,
        })
        .collect();
    let expected = [
        (Status::Passing, "up"),    // the second success in a row
        (Status::Critical, "down"), // the third failure in a row
        (Status::Passing, "up"),
    ];
    assert_eq!(turns, expected);
}

#[tokio::test(start_paused = true)]
async fn a_check_that_outlasts_its_interval_misses_turns() {
    let rig = Rig::start();
    rig.fake.0.lock().takes = INTERVAL * 5 / 2; // the probe itself asserts that it is alone
    rig.register([every_ten_seconds("web/a")]).await;
    sleep(INTERVAL * 20).await;
    let starts = rig.starts("web/a");
    assert!((6..=8).contains(&starts.len()), "{starts:?}");
    let text = rig.running.metrics.encode().unwrap();
    assert!(!text.contains("rollcall_checks_skipped_total 0\n"), "{text}");
}

#[tokio::test(start_paused = true)]
async fn the_bound_holds_and_who_was_due_first_goes_first() {
    let rig = Rig::over(Kept::default(), 3);
    rig.fake.0.lock().takes = Duration::from_secs(1);
    let names = many(10);
    rig.register(
        names.iter().map(|name| {
            checked(name, Thresholds { interval: INTERVAL * 100, ..Thresholds::DEFAULT })
        }),
    )
    .await;
    sleep(Duration::from_millis(500)).await;
    let text = rig.running.metrics.encode().unwrap();
    assert!(text.contains("rollcall_checks_in_flight 3\n"), "{text}");
    assert!(text.contains("rollcall_checks_waiting 7\n"), "{text}");
    sleep(Duration::from_secs(4)).await;
    let diary = rig.fake.0.lock();
    assert_eq!(diary.in_flight_most, 3);
    let expected: Vec<_> = names.iter().map(|name| key(name)).collect();
    assert_eq!(diary.order, expected);
    let text = rig.running.metrics.encode().unwrap();
    // The last one waited for three rounds.
    let late = |name: &str| text.contains(&format!("rollcall_check_lateness_seconds_{name}\n"));
    assert!(late(r#"bucket{le="0.5",run="first"} 3"#), "{text}");
    assert!(late(r#"count{run="first"} 10"#), "{text}");
}

/// A bulk registration held up every check that came due after it.
#[tokio::test(start_paused = true)]
async fn first_checks_of_a_bulk_take_turns_with_those_that_are_due() {
    let rig = Rig::over(Kept::default(), 10);
    rig.fake.0.lock().takes = Duration::from_millis(100); // a hundred checks a second
    let names = many(500); // fifty of them
    rig.register(names.iter().map(|name| every_ten_seconds(name))).await;
    sleep(INTERVAL * 2).await;
    rig.register((0..2_000).map(|n| every_ten_seconds(&format!("bulk/i{n}")))).await;
    sleep(INTERVAL).await; // the bulk would take twice as long by itself
    let now = rig.running.clock.elapsed();
    let worst = names.iter().flat_map(|name| {
        // Those that wait are as late as they are.
        let starts = [rig.starts(name), vec![now]].concat();
        starts[1..].windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
    });
    let worst = worst.max().unwrap();
    assert!(worst <= INTERVAL + Duration::from_millis(500), "{worst:?} late");
    let begun = (0..2_000).filter(|n| !rig.starts(&format!("bulk/i{n}")).is_empty()).count();
    assert!((250..1_000).contains(&begun), "{begun}: neither starves the other");
}

#[tokio::test(start_paused = true)]
async fn a_result_of_a_replaced_registration_is_dropped() {
    let rig = Rig::start();
    rig.fake.0.lock().takes = Duration::from_secs(1);
    rig.script("web/a", vec![Ok("old"), Err("new")]);
    rig.register([every_ten_seconds("web/a")]).await;
    sleep(Duration::from_millis(500)).await;
    // The cancelled probe does not sign off.
    rig.fake.0.lock().in_flight.clear();
    let replaced = Thresholds { timeout: Duration::from_secs(3), ..Thresholds::DEFAULT };
    rig.register([checked("web/a", replaced)]).await;
    rig.until("checked anew", |rig| rig.status("web/a").1 == "new").await;
    assert_eq!(rig.status("web/a").0, Status::Critical);
    let (events, _) = rig.running.registry.events().after(Revision(0), 100).unwrap();
    assert!(
        !events.iter().any(|event| matches!(event.kind, EventKind::StatusChanged { .. })),
        "the old result was believed: {events:?}"
    );
    assert!(rig.starts("web/a")[1] < Duration::from_millis(600), "the new one runs at once");
}

#[tokio::test(start_paused = true)]
async fn a_new_weight_goes_on_with_what_was_counted_and_when_it_was_due() {
    let rig = Rig::start();
    rig.fake.0.lock().takes = Duration::from_millis(500);
    rig.script("web/a", vec![Ok("up"), Err("down")]);
    rig.register([every_ten_seconds("web/a")]).await;
    rig.until("checked", |rig| rig.status("web/a").0 == Status::Passing).await;
    // Twice in every probe: also one that is in flight goes on.
    let setting = async {
        for weight in 2.. {
            rig.register([Instance { weight, ..every_ten_seconds("web/a") }]).await;
            sleep(Duration::from_millis(250)).await;
        }
    };
    tokio::select! {
        () = setting => {}
        () = rig.until("found dead", |rig| rig.status("web/a").0 == Status::Critical) => {}
    }
    assert_eq!(rig.starts("web/a").len(), 3, "it is not checked more often than it asked for");
}

#[tokio::test(start_paused = true)]
async fn a_deregistered_instance_is_no_longer_probed() {
    let rig = Rig::start();
    rig.register([every_ten_seconds("web/a"), every_ten_seconds("web/b")]).await;
    sleep(INTERVAL).await;
    let gauge = |rig: &Rig, count| {
        let text = rig.running.metrics.encode().unwrap();
        text.contains(&format!("rollcall_checks{{type=\"tcp\"}} {count}\n"))
    };
    assert!(gauge(&rig, 2));
    rig.running.registry.submit(Command::Deregister(key("web/a"))).await.unwrap();
    let before = rig.starts("web/a").len();
    sleep(INTERVAL * 10).await;
    assert_eq!(rig.starts("web/a").len(), before);
    assert!(rig.starts("web/b").len() >= 10);
    assert!(gauge(&rig, 1));
}

#[tokio::test(start_paused = true)]
async fn what_becomes_another_server_s_task_is_probed_no_more_until_it_is_this_one_s_again() {
    let rig = Rig::start();
    let ownership = rig.running.registry.ownership().clone();
    ownership.set(view(&["a"]));
    rig.fake.0.lock().takes = Duration::from_secs(3);
    rig.script("web/a", vec![Ok("fine"), Err("dead")]);
    let at_once = Thresholds { interval: INTERVAL, fall: 1, ..Thresholds::DEFAULT };
    rig.register([checked("web/a", at_once)]).await;
    rig.until("it passes", |rig| rig.status("web/a").0 == Status::Passing).await;
    while rig.starts("web/a").len() < 2 {
        sleep(Duration::from_secs(1)).await;
    }
    ownership.set(view(&["b"]));
    sleep(INTERVAL * 5).await;
    assert_eq!(rig.starts("web/a").len(), 2);
    assert_eq!(rig.status("web/a").0, Status::Passing, "what was on its way counts no more");
    // A probe that is called off ends without a word.
    rig.fake.0.lock().in_flight.clear();
    ownership.set(view(&["a"]));
    rig.until("it is found dead", |rig| rig.status("web/a").0 == Status::Critical).await;
}

/// The way through a million takes seconds.
#[tokio::test(start_paused = true)]
async fn what_another_server_has_by_now_neither_begins_nor_counts_before_it_is_come_upon() {
    for is_under_way in [false, true] {
        let (running, fake) = (run(Kept::default(), Options::default()), Fake::default());
        running
            .registry
            .submit(Command::Register(vec![every_ten_seconds("web/a").into()]))
            .await
            .unwrap();
        let ownership = running.registry.ownership();
        ownership.set(view(&["a"]));
        let mut scheduler = scheduler(&running, &fake, 10);
        scheduler.resync();
        if is_under_way {
            scheduler.launch();
            assert_eq!(scheduler.runner.in_flight(), 1);
        }
        ownership.set(view(&["b"]));
        match is_under_way {
            true => {
                let done = scheduler.runner.next().await;
                scheduler.finish_all(done);
            }
            false => drop(scheduler.launch()),
        }
        assert_eq!((scheduler.runner.in_flight(), scheduler.reports.len()), (0, 0));
        assert_eq!(scheduler.roster.len(), 0, "given up");
    }
}

#[tokio::test(start_paused = true)]
async fn a_drained_instance_is_checked_as_ever_and_heartbeats_are_not_ours() {
    let rig = Rig::start();
    rig.register([every_ten_seconds("web/a"), beating("web/b", "10.0.0.2", INTERVAL)]).await;
    rig.running.registry.submit(Command::Drain { key: key("web/a"), on: true }).await.unwrap();
    sleep(INTERVAL * 10).await;
    assert!(rig.starts("web/a").len() >= 10);
    assert!(rig.starts("web/b").is_empty());
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_known_checks_are_spread_and_unknown_ones_run_at_once() {
    let kept = Kept::default();
    let names = many(100);
    let first = Rig::over(kept.clone(), 1_000);
    first.register(names.iter().map(|name| every_ten_seconds(name))).await;
    first.until("all checked", |rig| rig.running.registry.snapshot().counts.passing == 100).await;
    first.stop.cancel();
    first.fake.0.lock().takes = INTERVAL * 100; // nobody is to check what follows
    first.register([every_ten_seconds("web/new")]).await;
    first.running.stop.cancel();

    let second = Rig::over(kept, 1_000);
    let restart = second.running.registry.snapshot().revision;
    sleep(Duration::from_millis(1)).await;
    assert_eq!(second.starts("web/new").len(), 1, "at once");
    sleep(RESTART_SPREAD + 2 * TICK).await;
    let mut thirds = [0; 3];
    for name in &names {
        let starts = second.starts(name);
        assert!(!starts.is_empty(), "{name} was not checked within {RESTART_SPREAD:?}");
        thirds[usize::try_from(starts[0].as_secs()).unwrap().min(2)] += 1;
    }
    assert!(thirds.iter().all(|&n| n > 20), "{thirds:?}");
    let (events, _) = second.running.registry.events().after(restart, 100).unwrap();
    let turned = events.iter().filter(|e| matches!(e.kind, EventKind::StatusChanged { .. }));
    assert_eq!(turned.count(), 1, "only the new one turned");
}

#[tokio::test(start_paused = true)]
async fn an_output_that_always_differs_is_reported_at_a_pace() {
    let rig = Rig::start();
    rig.script("web/a", vec![Ok("clock")]);
    let often = Thresholds { interval: Duration::from_secs(1), ..Thresholds::DEFAULT };
    rig.register([checked("web/a", often)]).await;
    sleep(OUTPUT_PACE * 10).await;
    assert!(rig.starts("web/a").len() > 500);
    let revision = rig.running.registry.snapshot().revision;
    // The registration, the turn to passing, and one a minute.
    assert!((Revision(10)..=Revision(13)).contains(&revision), "{revision}");
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_our_own_turns_nothing_and_is_shown() {
    let rig = Rig::start();
    rig.script("web/a", vec![Ok("fine"), Err("ours")]);
    rig.register([every_ten_seconds("web/a")]).await;
    let shown = "not checked: too many open files";
    rig.until("shown", |rig| rig.status("web/a") == (Status::Passing, shown.into())).await;
    sleep(INTERVAL * 20).await;
    assert_eq!(rig.status("web/a").0, Status::Passing);
    let text = rig.running.metrics.encode().unwrap();
    assert!(
        text.contains(r#"rollcall_check_results_total{type="tcp",result="not_run"} 2"#),
        "{text}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_panic_in_a_probe_ends_nothing() {
    let rig = Rig::start();
    rig.script("web/a", vec![Ok("bug"), Ok("fine")]);
    rig.register([every_ten_seconds("web/a")]).await;
    rig.until("passing", |rig| rig.status("web/a").0 == Status::Passing).await;
}

#[tokio::test(start_paused = true)]
async fn a_warning_by_failures_in_a_row_is_told_with_what_the_failure_said() {
    let rig = Rig::start();
    let script = vec![Ok("fine"), Err("1st"), Err("2nd"), Ok("fine"), Ok("again"), Err("on")];
    rig.script("web/a", script);
    let thresholds = Thresholds { rise: 2, fall: 9, warn_after: 2, ..Thresholds::DEFAULT };
    let presumed = Instance {
        initial_status: Some(Status::Passing),
        ..checked("web/a", Thresholds { interval: INTERVAL, ..thresholds })
    };
    rig.register([presumed]).await;
    let is = |status, output: &str| {
        let expected = (status, output.to_owned());
        move |rig: &Rig| rig.status("web/a") == expected
    };
    rig.until("a warning", is(Status::Warning, "2nd")).await;
    assert_eq!(rig.starts("web/a").len(), 3);
    rig.until("passing", is(Status::Passing, "again")).await;
    assert_eq!(rig.starts("web/a").len(), 5, "two successes in a row");
}

#[tokio::test(start_paused = true)]
async fn the_first_result_decides_for_consul_s_clients_alone() {
    let thresholds = Thresholds { interval: INTERVAL, rise: 2, fall: 2, ..Thresholds::DEFAULT };
    for (interface, results) in
        [(None, 2), (Some(Interface::Consul), 1), (Some(Interface::Eureka), 2)]
    {
        let rig = Rig::start();
        let origin = interface.map(|interface| {
            let scope = Scope { interface, name: "N".into() };
            let (id, document, other_tags) = ("a".into(), "{}".into(), Box::default());
            Arc::new(Origin { scope, id, document, other_tags, service: None, node: None })
        });
        let instance = Arc::new(Instance { origin, ..checked("web/a", thresholds) });
        let checks = vec![Carry::Anew(Status::Critical, "".into())];
        let (key, to) = (instance.key(), Replacement { instance, checks, drained: None });
        let amendments = vec![Amendment { key, seen: None, to: Some(to) }];
        rig.running.registry.submit(Command::Amend(amendments)).await.unwrap();
        rig.until("passing", |rig| rig.status("web/a").0 == Status::Passing).await;
        assert_eq!(rig.starts("web/a").len(), results, "{interface:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn stopping_ends_the_scheduler() {
    let rig = Rig::start();
    rig.register([every_ten_seconds("web/a")]).await;
    sleep(INTERVAL).await;
    rig.stop.cancel();
    let before = rig.starts("web/a").len();
    sleep(INTERVAL * 5).await;
    assert_eq!(rig.starts("web/a").len(), before);
}

/// A check of `web/a` that is believed to be passing, as the registry stored it at `registered`.
fn judged(registered: Revision, result: Status, stored: Status) -> Option<CheckReport> {
    let instance = Arc::new(every_ten_seconds("web/a"));
    let mut record = Record {
        instance: Arc::clone(&instance),
        registered: Revision(1),
        due: Duration::ZERO,
        output_from: Duration::MAX / 2,
        streak: Streak::new(Status::Passing),
        index: 0,
        next: None,
        is_first: false,
        is_running: false,
        has_result: true,
    };
    let mut member = Member::new(Arc::clone(&instance), registered, Timestamp(0));
    member.checks[0] = CheckState { status: stored, output: "stored".into(), since: Timestamp(0) };
    let entry = crate::registry::ServiceEntry::new(
        instance.service.clone(),
        None,
        crate::model::Policy::default(),
        (registered, registered),
        Box::new([Arc::new(member)]),
    );
    let mut snapshot = Snapshot::default();
    snapshot.services.insert(instance.service.clone(), Arc::new(entry));
    let outcome = Outcome { status: Some(result), output: "seen".into() };
    judge(&mut record, outcome, &snapshot, Duration::ZERO)
}

#[test]
fn a_report_that_was_lost_is_repeated() {
    let (one, passing) = (Revision(1), Status::Passing);
    assert!(judged(one, passing, passing).is_none(), "the registry knows already");
    let repeated = judged(one, passing, Status::Critical).expect("the registry believes otherwise");
    assert_eq!((repeated.status, &*repeated.output), (passing, "seen"));
    assert!(judged(one, Status::Critical, passing).is_none(), "one failure of two");
    assert!(judged(Revision(2), passing, Status::Critical).is_none(), "another registration");
}
