//! A store that refuses, or hangs.

use std::time::Duration;

use super::{amend, heartbeat, register, report, shown, status, stored};
use crate::{
    model::{Carry, Command, Instance, Status},
    registry::{
        JournalError, Options, RegistryError,
        testing::{self, Kept, key, run, tcp_checked},
    },
};

fn full() -> JournalError {
    JournalError::Full("no space left on device".into())
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
        let beat = heartbeat("web/beating", Status::Passing, "");
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
        let beat = heartbeat("web/b", Status::Passing, "");
        running.registry.submit(beat).await.unwrap();
    }
    assert_eq!(running.board.conditions(), []);
    assert_eq!(stored(&running.kept), shown(&running));
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
