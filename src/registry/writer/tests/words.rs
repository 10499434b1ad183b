//! What the log tells, and what checks say.

use std::{sync::Arc, time::Duration};

use super::{heartbeat, register};
use crate::{
    model::{
        Amendment, Carry, Command, Heartbeat, Policy, Replacement, Revision, Scope, Status,
        WhenNoneHealthy,
    },
    registry::{
        Options,
        testing::{self, Kept, Running, key, run},
    },
};

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
        running.registry.enqueue(heartbeat(&name(n), Status::Critical, "")).await.unwrap();
    }
    let minute = Duration::from_secs(60);
    let mut line = String::new();
    while !line.contains("failing open") {
        line = tokio::time::timeout(minute, lines.recv()).await.expect("it is told").unwrap();
    }
}

/// What is shown of the check of `web/a` after a heartbeat with these words.
async fn said(running: &Running, output: &str) -> String {
    let (key, check, status) = (key("web/a"), Some((0, Revision(1))), Status::Passing);
    let beat = Heartbeat { key, check, status, output: output.into(), heard: None };
    running.registry.submit(Command::Heartbeat(beat)).await.unwrap();
    let snapshot = running.registry.snapshot();
    snapshot.member(&testing::key("web/a")).unwrap().checks[0].output.to_string()
}

/// An agent shows a new note at once; what changes with each heartbeat is written once a minute.
#[tokio::test(start_paused = true)]
async fn a_new_word_of_a_check_is_shown_and_many_are_paced() {
    let running = run(Kept::default(), Options::default());
    let web = testing::beating("web/a", "10.0.0.1", Duration::from_secs(30));
    running.registry.submit(register(web)).await.unwrap();
    assert_eq!(said(&running, "a").await, "a");
    assert_eq!(said(&running, "b").await, "a", "too soon");
    for _ in 0..3 {
        tokio::time::sleep(Duration::from_secs(20)).await;
        said(&running, "b").await;
    }
    assert_eq!(said(&running, "b").await, "b");
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
        assert_eq!(said(&running, "a").await, "a");
        tokio::time::sleep(Duration::from_secs(61)).await;
        assert_eq!(said(&running, "").await, expected);
    }
}
