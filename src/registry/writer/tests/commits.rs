//! What a commit holds, and what waits for it.

use std::time::Duration;

use super::register;
use crate::{
    model::{Command, Policy, Revision},
    registry::{
        Options, RegistryError,
        testing::{self, Kept, Running, key, run},
    },
};

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
