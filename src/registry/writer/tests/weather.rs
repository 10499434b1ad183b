//! Any commands in any weather of the store: what is visible is durable, and all is stored in the
//! end.

use std::{sync::Arc, time::Duration};

use proptest::{collection::vec, prelude::*};
use tokio::task::JoinHandle;

use super::{heartbeat, report, shown, stored};
use crate::{
    model::{
        AliasCheck, Amendment, Carry, CheckKind, CheckSpec, Command, Instance, InstanceId,
        InstanceKey, Policy, Replacement, Scope, ServiceName, Status,
    },
    registry::{
        Applied, JournalError, Member, Options, RegistryError,
        testing::{self, Kept, Running, run, tcp_checked},
    },
};

/// What a step of a script does.
#[derive(Debug, Clone)]
pub(super) enum Step {
    /// A command whose key and content follow from the numbers.
    Command(u8, u8, u8),
    Fail(bool),
    Hang(bool),
    Wait(u64),
}

pub(super) fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..12_u8, 0..4_u8, 0..6_u8).prop_map(|(k, who, how)| Step::Command(k, who, how)),
        1 => any::<bool>().prop_map(Step::Fail),
        2 => any::<bool>().prop_map(Step::Hang),
        4 => (0_u64..4_000).prop_map(Step::Wait),
    ]
}

fn instance(name: &str, how: u8) -> Instance {
    let ttl = Duration::from_secs(2);
    let base = match how % 3 {
        0 => testing::instance(name, "10.0.0.1"),
        1 => testing::beating(name, "10.0.0.1", ttl),
        _ => tcp_checked(name),
    };
    let deregister_after = (how < 3).then_some(Duration::from_secs(3));
    Instance { weight: how.into(), deregister_after, ..base }
}

pub(super) fn command(running: &Running, kind: u8, who: u8, how: u8) -> Command {
    let name = format!("s{}/i{}", who / 2, who % 2);
    let key: InstanceKey = testing::key(&name);
    let status = Status::ALL[usize::from(how % 3)];
    match kind {
        0..=2 => Command::Register(vec![Arc::new(instance(&name, how))]),
        3 => Command::Deregister(key),
        4 => Command::Drain { key, on: how < 3 },
        5 => {
            Command::SetPolicy(key.service, Policy { ttl_seconds: how.into(), ..Policy::default() })
        }
        6 => Command::RemovePolicy(key.service),
        7 => {
            let member = running.registry.snapshot().member(&key).cloned();
            report(&name, member.map(|m| m.registered).unwrap_or_default(), status)
        }
        8..=10 => amend(running, amended(&name, who, how), kind == 8 && how == 0),
        _ => heartbeat(&name, status, ""),
    }
}

/// What a client on node `n` has registered, or what `who` follows there, or the node itself.
fn amended(name: &str, who: u8, how: u8) -> Instance {
    let origin = |instance, id: &str| testing::from_elsewhere(instance, Scope::node("n"), id);
    match how {
        0..=2 => origin(instance(name, how), name),
        3 => {
            let alias = AliasCheck::new(Scope::node("n"), format!("s0/i{}", who % 2)).unwrap();
            let spec = CheckSpec::new(CheckKind::Alias(Box::new(alias)));
            origin(Instance { checks: [spec].into(), ..testing::instance(name, "10.0.0.1") }, name)
        }
        _ => {
            let (service, id) = (ServiceName::nodes(), InstanceId::parse("n").unwrap());
            origin(Instance { service, id, ..instance(name, how) }, "")
        }
    }
}

/// Puts it in the place of what is there, or takes that away.
fn amend(running: &Running, instance: Instance, removes: bool) -> Command {
    let key = instance.key();
    let seen = running.registry.snapshot().member(&key).map(|member| member.registered);
    let checks = vec![Carry::From(0); instance.checks.len()];
    let drained = instance.weight.is_multiple_of(2).then_some(instance.weight > 3);
    let to = Replacement { instance: Arc::new(instance), checks, drained };
    Command::Amend(vec![Amendment { key, seen, to: (!removes).then_some(to) }])
}

type Submission = JoinHandle<Result<Applied, RegistryError>>;

async fn play(steps: &[Step]) {
    let running = run(Kept::default(), Options::default());
    let mut submissions: Vec<(bool, Submission)> = Vec::new();
    let mut has_failed = false;
    for step in steps {
        match *step {
            Step::Command(kind, who, how) => {
                let command = command(&running, kind, who, how);
                let registry = running.registry.clone();
                let is_asked = command.must_be_durable();
                let task = tokio::spawn(async move { registry.submit(command).await });
                submissions.push((is_asked, task));
            }
            Step::Fail(fails) => {
                has_failed |= fails;
                let failure = fails.then(|| JournalError::Failed("i/o error".into()));
                running.kept.fail(failure);
            }
            Step::Hang(hangs) => running.kept.hang(hangs),
            Step::Wait(millis) => tokio::time::sleep(Duration::from_millis(millis)).await,
        }
        what_is_visible_is_durable(&running);
    }
    running.kept.hang(false);
    running.kept.fail(None);
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(stored(&running.kept), shown(&running), "all is stored in the end");
    let (loaded, snapshot) = (running.kept.load(), running.registry.snapshot());
    assert_eq!(loaded.revision, snapshot.revision);
    for (service, policy) in loaded.policies {
        assert_eq!(snapshot.service(service.as_str()).unwrap().policy, policy);
    }
    for (is_asked, submission) in submissions {
        assert!(submission.is_finished(), "every command has its reply");
        let not_durable = matches!(submission.await.unwrap(), Err(RegistryError::NotDurable(_)));
        assert!(!not_durable || (is_asked && has_failed), "what is seen is never refused");
    }
}

/// Health apart, which is seen.
fn what_is_visible_is_durable(running: &Running) {
    let rows = running.kept.load().members;
    for member in shown(running) {
        let row = rows.iter().find(|row| row.key() == member.key());
        let asked = |member: &Member| (Arc::clone(&member.instance), member.drained);
        assert_eq!(row.map(asked), Some(asked(&member)), "{}", member.key());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn what_is_visible_is_durable_and_all_is_stored_in_the_end(steps in vec(any_step(), 1..80)) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(play(&steps));
    }
}
