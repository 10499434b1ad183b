//! The writer with the clock stopped: durability before visibility, and weather.

mod shared;
mod weather;

use std::{sync::Arc, time::Duration};

use crate::{
    model::{
        Amendment, Carry, CheckReport, Command, Heartbeat, Instance, Policy, Replacement, Revision,
        Scope, Status, WhenNoneHealthy,
    },
    registry::{
        JournalError, Member, Options, RegistryError,
        testing::{self, Kept, Running, key, run, tcp_checked},
    },
};

fn register(instance: Instance) -> Command {
    Command::Register(vec![Arc::new(instance)])
}

fn report(name: &str, registered: Revision, status: Status) -> Command {
    let (key, output) = (key(name), "probe".into());
    Command::Report(CheckReport { key, registered, check: 0, status, output })
}

fn status(running: &Running, name: &str) -> Option<Status> {
    running.registry.snapshot().member(&key(name)).map(|member| member.status)
}

/// What a restart would find, and what readers see.
fn stored(kept: &Kept) -> Vec<Member> {
    kept.load().members
}

fn shown(running: &Running) -> Vec<Member> {
    let snapshot = running.registry.snapshot();
    let mut members: Vec<_> = snapshot
        .members()
        .map(|member| Member { suspect: false, ..Member::clone(member) })
        .collect();
    members.sort_by_key(Member::key);
    members
}

/// An amendment of an instance that was seen at a revision, with what was known of its check.
fn amend(instance: Instance, seen: u64, carry: Carry) -> Command {
    let (key, checks) = (instance.key(), vec![carry]);
    let to = Some(Replacement { instance: Arc::new(instance), checks, drained: None });
    Command::Amend(vec![Amendment { key, seen: Some(Revision(seen)), to }])
}

fn full() -> JournalError {
    JournalError::Full("no space left on device".into())
}

#[tokio::test(start_paused = true)]
async fn a_reply_comes_after_durability_and_visibility() {
    let running = run(Kept::default(), Options::default());
    let applied =
        running.registry.submit(register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    assert_eq!((applied.revision, applied.created, applied.changed), (Revision(1), 1, true));
    assert_eq!(running.registry.snapshot().revision, Revision(1));
    assert_eq!(running.kept.load().members.len(), 1);
    running.registry.submit(Command::Deregister(key("web/a"))).await.unwrap();
    assert!(running.registry.snapshot().service("web").is_none());
    assert!(running.kept.load().members.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_trickle_of_changes_gathers_for_one_commit() {
    let running = run(Kept::default(), Options::default());
    let submit = |name| running.registry.submit(register(testing::instance(name, "10.0.0.1")));
    submit("s0/a").await.unwrap();
    assert_eq!(running.kept.commits(), 1, "after a pause a change waits for nobody");
    let a_moment_later = async {
        tokio::time::sleep(Duration::from_millis(1)).await;
        submit("s2/a").await
    };
    let (second, third) = tokio::join!(submit("s1/a"), a_moment_later);
    let _visible = (second.unwrap(), third.unwrap());
    assert_eq!(running.kept.commits(), 2);
}

#[tokio::test(start_paused = true)]
async fn commands_that_wait_together_share_a_commit() {
    let running = run(Kept::default(), Options::default());
    let submissions = (0..500).map(|n| {
        let instance = testing::instance(&format!("s{n}/a"), "10.0.0.1");
        running.registry.submit(register(instance))
    });
    for result in futures_util::future::join_all(submissions).await {
        result.unwrap();
    }
    assert_eq!(running.registry.snapshot().counts.instances(), 500);
    assert!(running.kept.commits() <= 3, "{} commits", running.kept.commits());
}

#[tokio::test(start_paused = true)]
async fn a_full_store_refuses_changes_but_health_goes_on_and_is_owed() {
    let running = run(Kept::default(), Options::default());
    let registered = running.registry.submit(register(tcp_checked("web/a"))).await.unwrap();
    running.kept.fail(Some(full()));
    let refused = running.registry.submit(Command::Deregister(key("web/a"))).await.unwrap_err();
    assert!(matches!(refused, RegistryError::NotDurable(JournalError::Full(_))), "{refused}");
    let up = report("web/a", registered.revision, Status::Passing);
    running.registry.submit(up).await.unwrap();
    assert_eq!(status(&running, "web/a"), Some(Status::Passing), "the answers follow health");
    assert_eq!(running.kept.load().members[0].status, Status::Critical, "not stored yet");
    assert!(running.board.conditions()[0].1.message.contains("no space left"));
    running.kept.fail(None);
    tokio::time::sleep(Duration::from_secs(6)).await; // the writer asks again by itself
    assert_eq!(running.kept.load().members[0].status, Status::Passing, "what was owed is paid");
    assert_eq!(running.board.conditions(), []);
}

#[tokio::test(start_paused = true)]
async fn in_one_failed_batch_only_what_must_be_durable_is_refused() {
    let running = run(Kept::default(), Options::default());
    let registered = running.registry.submit(register(tcp_checked("web/a"))).await.unwrap();
    running.kept.fail(Some(full()));
    let (refused, reported) = tokio::join!(
        running.registry.submit(register(testing::instance("web/b", "10.0.0.2"))),
        running.registry.submit(report("web/a", registered.revision, Status::Passing)),
    );
    assert!(refused.is_err() && reported.is_ok());
    assert_eq!(
        (status(&running, "web/a"), status(&running, "web/b")),
        (Some(Status::Passing), None)
    );
}

#[tokio::test(start_paused = true)]
async fn while_a_commit_hangs_health_is_seen_and_changes_are_not() {
    let running = run(Kept::default(), Options::default());
    let ttl = Duration::from_secs(10);
    let submit = |command| {
        let registry = running.registry.clone();
        tokio::spawn(async move { registry.submit(command).await })
    };
    let registered = running.registry.submit(register(tcp_checked("web/a"))).await.unwrap();
    for name in ["web/silent", "web/beating"] {
        running.registry.submit(register(testing::beating(name, "10.0.0.2", ttl))).await.unwrap();
    }
    running.kept.hang(true);
    let new = submit(register(testing::instance("web/new", "10.0.0.3")));
    let up = submit(report("web/a", registered.revision, Status::Passing));
    for _ in 0..4 {
        tokio::time::sleep(ttl / 3).await;
        let (key, output) = (key("web/beating"), "".into());
        let beat = Command::Heartbeat(Heartbeat {
            key,
            check: None,
            status: Status::Passing,
            output,
            heard: None,
        });
        assert!(!running.registry.submit(beat).await.unwrap().changed, "heard at once");
    }
    assert_eq!(status(&running, "web/a"), Some(Status::Passing), "a result");
    assert_eq!(status(&running, "web/silent"), Some(Status::Critical), "a lost heartbeat");
    assert_eq!(status(&running, "web/beating"), Some(Status::Passing));
    assert_eq!(status(&running, "web/new"), None, "what is not durable is not visible");
    assert!(
        !new.is_finished() && !up.is_finished(),
        "a reply to a change means that it is durable"
    );
    assert!(running.board.conditions()[0].1.message.contains("takes long"));
    running.kept.hang(false);
    for task in [new, up] {
        let applied = task.await.unwrap().unwrap();
        assert!(applied.revision <= running.kept.load().revision, "what is replied is durable");
    }
    assert_eq!(status(&running, "web/new"), Some(Status::Passing));
    assert_eq!(running.board.conditions(), []);
    assert_eq!(stored(&running.kept), shown(&running), "what was seen is stored with it");
}

#[tokio::test(start_paused = true)]
async fn a_failed_store_is_asked_again_however_many_heartbeats_come() {
    let running = run(Kept::default(), Options::default());
    let ttl = Duration::from_secs(10);
    let registered = running.registry.submit(register(tcp_checked("web/a"))).await.unwrap();
    running.registry.submit(register(testing::beating("web/b", "10.0.0.2", ttl))).await.unwrap();
    running.kept.fail(Some(full()));
    let up = report("web/a", registered.revision, Status::Passing);
    running.registry.submit(up).await.unwrap();
    running.kept.fail(None);
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let (key, output) = (key("web/b"), "".into());
        let beat = Command::Heartbeat(Heartbeat {
            key,
            check: None,
            status: Status::Passing,
            output,
            heard: None,
        });
        running.registry.submit(beat).await.unwrap();
    }
    assert_eq!(running.board.conditions(), []);
    assert_eq!(stored(&running.kept), shown(&running));
}

#[tokio::test(start_paused = true)]
async fn a_silent_instance_leaves_and_a_heartbeat_brings_it_back() {
    let running = run(Kept::default(), Options::default());
    let ttl = Duration::from_secs(15);
    running.registry.submit(register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(status(&running, "web/a"), Some(Status::Passing));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status(&running, "web/a"), Some(Status::Critical), "within ttl plus a second");
    let (key, output) = (key("web/a"), "".into());
    let beat = Command::Heartbeat(Heartbeat {
        key,
        check: None,
        status: Status::Passing,
        output,
        heard: None,
    });
    assert!(running.registry.submit(beat.clone()).await.unwrap().changed);
    assert_eq!(status(&running, "web/a"), Some(Status::Passing));
    assert!(!running.registry.submit(beat).await.unwrap().changed, "renewing is not a change");
}

#[tokio::test(start_paused = true)]
async fn many_that_fall_silent_at_once_stay_as_suspect_and_it_is_said() {
    let running = run(Kept::default(), Options::default());
    let ttl = Duration::from_secs(5);
    for n in 0..20 {
        let instance = testing::beating(&format!("web/i{n}"), "10.0.0.1", ttl);
        running.registry.submit(register(instance)).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(60)).await;
    let counts = running.registry.snapshot().counts;
    assert_eq!((counts.passing, counts.suspect), (20, 20));
    assert!(running.board.conditions()[0].1.message.contains("20 silent instances"));
    assert!(running.metrics.encode().unwrap().contains("rollcall_instances_suspect 20"));
    tokio::time::sleep(Duration::from_secs(15 * 60)).await; // max_hold
    assert_eq!(running.registry.snapshot().counts.critical, 20);
    assert_eq!(running.board.conditions(), []);
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_states_are_kept_and_heartbeats_have_a_full_ttl() {
    let kept = Kept::default();
    let ttl = Duration::from_secs(10);
    let first = run(kept.clone(), Options::default());
    for name in ["web/alive", "web/dead"] {
        first.registry.submit(register(testing::beating(name, "10.0.0.1", ttl))).await.unwrap();
    }
    let output: Arc<str> = "".into();
    let beat = Heartbeat {
        key: key("web/dead"),
        check: None,
        status: Status::Critical,
        output,
        heard: None,
    };
    first.registry.submit(Command::Heartbeat(beat)).await.unwrap();
    first.stop.cancel();
    let second = run(kept, Options::default());
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(status(&second, "web/alive"), Some(Status::Passing));
    assert_eq!(status(&second, "web/dead"), Some(Status::Critical));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status(&second, "web/alive"), Some(Status::Critical));
}

#[tokio::test(start_paused = true)]
async fn stopping_finishes_what_was_accepted_and_refuses_the_rest() {
    let running = run(Kept::default(), Options::default());
    let accepted = running.registry.submit(register(testing::instance("web/a", "10.0.0.1")));
    let (accepted, ()) = tokio::join!(accepted, async { running.stop.cancel() });
    accepted.unwrap();
    let late = running.registry.submit(Command::Deregister(key("web/a"))).await;
    assert!(matches!(late, Err(RegistryError::Stopping)));
    assert_eq!(running.kept.load().members.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_new_default_policy_reaches_services_without_their_own() {
    let running = run(Kept::default(), Options::default());
    running.registry.submit(register(testing::instance("web/a", "10.0.0.1"))).await.unwrap();
    let default_policy = Policy { ttl_seconds: 30, ..Policy::default() };
    running.options.send_replace(Options { default_policy, ..Options::default() });
    let mut revision = running.registry.events().subscribe();
    revision.wait_for(|revision| *revision == Revision(2)).await.unwrap();
    assert_eq!(running.registry.snapshot().service("web").unwrap().policy.ttl_seconds, 30);
}

#[tokio::test(start_paused = true)]
async fn no_revision_that_was_shown_and_lost_comes_again() {
    let kept = Kept::default();
    let first = run(kept.clone(), Options::default());
    let registered = first.registry.submit(register(tcp_checked("web/a"))).await.unwrap();
    kept.fail(Some(full()));
    first.registry.submit(report("web/a", registered.revision, Status::Passing)).await.unwrap();
    let shown = first.registry.snapshot().revision;
    assert!(shown > kept.load().revision, "seen, shown, and not kept");
    kept.fail(None);
    let second = run(Kept::holding(kept.load()), Options::default()); // the first one was killed
    let registered =
        second.registry.submit(register(testing::instance("web/b", "10.0.0.2"))).await.unwrap();
    assert!(registered.revision > shown.next(), "a watcher who saw `shown` is told to start over");
    assert!(second.registry.events().after(shown, 1).is_err());
}

#[tokio::test(start_paused = true)]
async fn what_had_no_log_line_is_told_when_its_second_is_over() {
    let (log, mut lines) = testing::log();
    let _guard = tracing::subscriber::set_default(log);
    let running = run(Kept::default(), Options::default());
    for bulk in 0..5 {
        let instance = |n| Arc::new(testing::instance(&format!("web/i{bulk}-{n}"), "10.0.0.1"));
        let bulk = Command::Register((0..60).map(instance).collect());
        running.registry.submit(bulk).await.unwrap();
    }
    // Nothing more happens, and it is told all the same.
    let mut line = String::new();
    let minute = Duration::from_secs(60);
    while !line.contains("more happened") {
        line = tokio::time::timeout(minute, lines.recv()).await.expect("it is told").unwrap();
    }
    assert!(line.contains("changes=200 status_changes=0"), "{line}");
}

/// The lines of a second are spent by then, and it is the one line that somebody is woken for.
#[tokio::test(start_paused = true)]
async fn failing_open_is_told_however_many_fall_ill_in_the_same_second() {
    let (log, mut lines) = testing::log();
    let _guard = tracing::subscriber::set_default(log);
    let running = run(Kept::default(), Options::default());
    let ttl = Duration::from_secs(60);
    let name = |n| format!("web/i{n}");
    let all = (0..150).map(|n| Arc::new(testing::beating(&name(n), "10.0.0.1", ttl))).collect();
    running.registry.submit(Command::Register(all)).await.unwrap();
    let policy = Policy { when_none_healthy: WhenNoneHealthy::All, ..Policy::default() };
    running.registry.submit(Command::SetPolicy(key("web/a").service, policy)).await.unwrap();
    for n in 0..150 {
        let (key, output) = (key(&name(n)), "".into());
        let beat = Command::Heartbeat(Heartbeat {
            key,
            check: None,
            status: Status::Critical,
            output,
            heard: None,
        });
        running.registry.enqueue(beat).await.unwrap();
    }
    let minute = Duration::from_secs(60);
    let mut line = String::new();
    while !line.contains("failing open") {
        line = tokio::time::timeout(minute, lines.recv()).await.expect("it is told").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_stop_without_an_operator_waits_for_the_commit_that_runs() {
    let Running { registry, kept, options, stop, .. } = run(Kept::default(), Options::default());
    drop(options);
    kept.hang(true);
    let change = register(testing::instance("web/a", "10.0.0.1"));
    let asked = tokio::spawn({
        let registry = registry.clone();
        async move { registry.submit(change).await }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.cancel();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!asked.is_finished(), "it is not durable yet");
    kept.hang(false);
    assert!(asked.await.unwrap().unwrap().changed);
}

/// The store has taken it by then.
#[tokio::test(start_paused = true)]
async fn a_deregistration_that_an_expiry_overtakes_is_no_refusal() {
    let running = run(Kept::default(), Options::default());
    let ttl = Duration::from_secs(1);
    let dying =
        Instance { deregister_after: Some(ttl), ..testing::beating("web/a", "10.0.0.1", ttl) };
    running.registry.submit(register(dying)).await.unwrap();
    running.kept.hang(true);
    let asked = tokio::spawn({
        let registry = running.registry.clone();
        async move { registry.submit(Command::Deregister(key("web/a"))).await }
    });
    tokio::time::sleep(Duration::from_secs(10)).await;
    assert_eq!(status(&running, "web/a"), None, "it expired while the commit hung");
    running.kept.hang(false);
    assert!(asked.await.unwrap().is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_check_that_stays_critical_removes_its_instance_by_its_own_time() {
    let running = run(Kept::default(), Options::default());
    let after = |seconds| Some(Duration::from_secs(seconds));
    let checked = |name, own, whole| {
        let beating = testing::beating(name, "10.0.0.1", Duration::from_secs(1));
        let mut spec = beating.checks[0].clone();
        (spec.start, spec.deregister_after) = (Some(Status::Critical), own);
        Instance { checks: [spec].into(), deregister_after: whole, ..beating }
    };
    let instances =
        [("web/a", after(5), None), ("web/b", after(60), after(20)), ("web/c", None, None)]
            .map(|(name, own, whole)| Arc::new(checked(name, own, whole)));
    running.registry.submit(Command::Register(instances.into())).await.unwrap();
    let statuses = || ["web/a", "web/b", "web/c"].map(|name| status(&running, name));
    let critical = Some(Status::Critical);
    for (seconds, expected) in [
        (4, [critical; 3]),
        (2, [None, critical, critical]),
        (13, [None, critical, critical]),
        (2, [None, None, critical]),
        (100, [None, None, critical]),
    ] {
        tokio::time::sleep(Duration::from_secs(seconds)).await;
        assert_eq!(statuses(), expected, "{seconds} s later");
    }
}

/// It was refused the second time, because the instance had been removed meanwhile, and answered as
/// if it had been carried out.
#[tokio::test(start_paused = true)]
async fn an_amendment_outlasts_a_removal_while_its_commit_runs() {
    let running = run(Kept::default(), Options::default());
    let (ttl, after) = (Duration::from_secs(2), Some(Duration::from_secs(1)));
    let web = Instance { deregister_after: after, ..testing::beating("web/a", "10.0.0.1", ttl) };
    running.registry.submit(register(web.clone())).await.unwrap();
    running.kept.hang(true);
    let command = amend(Instance { weight: 9, ..web }, 1, Carry::From(0));
    let registry = running.registry.clone();
    let amended = tokio::spawn(async move { registry.submit(command).await });
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(status(&running, "web/a"), None, "it was silent for too long");
    running.kept.hang(false);
    amended.await.unwrap().unwrap();
    let member = running.registry.snapshot().member(&key("web/a")).cloned().unwrap();
    assert_eq!((member.instance.weight, member.status), (9, Status::Passing));
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(stored(&running.kept), shown(&running));
}

#[tokio::test(start_paused = true)]
async fn an_amendment_that_is_refused_is_no_sign_of_life() {
    let running = run(Kept::default(), Options::default());
    let web = testing::beating("web/a", "10.0.0.1", Duration::from_secs(10));
    running.registry.submit(register(web.clone())).await.unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let refused = running.registry.submit(amend(web, 99, Carry::Renewed(0))).await;
    assert!(matches!(refused, Err(RegistryError::Conflict(_))));
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(status(&running, "web/a"), Some(Status::Critical));
}

/// An agent shows a new note at once; what changes with each heartbeat is written once a minute.
#[tokio::test(start_paused = true)]
async fn a_new_word_of_a_check_is_shown_and_many_are_paced() {
    let running = run(Kept::default(), Options::default());
    let web = testing::beating("web/a", "10.0.0.1", Duration::from_secs(30));
    running.registry.submit(register(web)).await.unwrap();
    let said = async |output: &str| {
        let (key, check, status) = (key("web/a"), Some((0, Revision(1))), Status::Passing);
        let beat = Heartbeat { key, check, status, output: output.into(), heard: None };
        running.registry.submit(Command::Heartbeat(beat)).await.unwrap();
        let snapshot = running.registry.snapshot();
        snapshot.member(&testing::key("web/a")).unwrap().checks[0].output.to_string()
    };
    assert_eq!(said("a").await, "a");
    assert_eq!(said("b").await, "a", "too soon");
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        said("b").await;
    }
    assert_eq!(said("b").await, "b");
}

/// A client that passed its check with a note, and later without one, was shown with the note for
/// ever. Eureka's and the native interface's renewals say nothing of the kind.
#[tokio::test(start_paused = true)]
async fn an_empty_note_of_consul_s_clients_is_one() {
    for (scope, expected) in [(Scope::node("n"), ""), (Scope::application("WEB"), "a")] {
        let running = run(Kept::default(), Options::default());
        let web = testing::beating("web/a", "10.0.0.1", Duration::from_secs(300));
        let instance = Arc::new(testing::from_elsewhere(web, scope, "a"));
        let checks = vec![Carry::Anew(Status::Passing, "".into())];
        let to = Some(Replacement { instance, checks, drained: None });
        let amendment = Amendment { key: key("web/a"), seen: None, to };
        running.registry.submit(Command::Amend(vec![amendment])).await.unwrap();
        let said = async |output: &str| {
            let (key, check, status) = (key("web/a"), Some((0, Revision(1))), Status::Passing);
            let beat = Heartbeat { key, check, status, output: output.into(), heard: None };
            running.registry.submit(Command::Heartbeat(beat)).await.unwrap();
            let snapshot = running.registry.snapshot();
            snapshot.member(&testing::key("web/a")).unwrap().checks[0].output.to_string()
        };
        assert_eq!(said("a").await, "a");
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(said("").await, expected);
    }
}
