//! What is proposed together, and neither lost nor refused together.

use std::{sync::Arc, time::Duration};

use futures_util::future::join_all;

use super::{Fleet, key, register};
use crate::{
    model::{Command, Policy, Timestamp},
    registry::{Edit, Guard, Registration, RegistryError, shared::testing::Commons, testing},
};

/// What somebody else writes again and again.
fn hot_instance() -> Edit {
    let to = Registration {
        instance: Arc::new(testing::instance("web/hot", "10.0.0.9")),
        registered: None,
        registered_at: Timestamp(fastrand::u64(1..1 << 40)),
        since: None,
        created: None,
        checks: None,
    };
    Edit::Register { key: key("web/hot"), to: to.into(), guard: Guard::None }
}

fn hot_policy() -> Edit {
    Edit::Policy { service: key("web/hot").service, to: Some(Policy::default()) }
}

/// Writes in each millisecond, which is what a proposal takes.
async fn quarrel(commons: Commons, edit: fn() -> Edit) {
    loop {
        commons.write(vec![edit()]);
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
}

/// Ten registrations, and one more command among them.
async fn among_others(fleet: &Fleet, hot: Command) -> Result<(), RegistryError> {
    let name = |n| format!("api/{}-{n}", hot_name(&hot));
    let register = |n| register(testing::instance(&name(n), "10.0.0.1"));
    let first = join_all((0..5).map(|n| fleet.submit(0, register(n))));
    let last = join_all((5..10).map(|n| fleet.submit(0, register(n))));
    let (first, lost, last) = tokio::join!(first, fleet.submit(0, hot.clone()), last);
    for taken in first.into_iter().chain(last) {
        assert!(taken.as_ref().is_ok_and(|applied| applied.changed), "{taken:?}");
    }
    lost.map(drop)
}

fn hot_name(command: &Command) -> &'static str {
    if matches!(command, Command::Register(_)) { "i" } else { "p" }
}

/// They were refused as busy after four tries, with what they had nothing to do with.
#[tokio::test(start_paused = true)]
async fn what_others_are_faster_with_holds_up_nothing_else() {
    let fleet = Fleet::start(1);
    for (edit, hot) in [
        (hot_instance as fn() -> Edit, register(testing::instance("web/hot", "10.0.0.1"))),
        (hot_policy, Command::SetPolicy(key("web/hot").service, Policy::default())),
    ] {
        let quarrel = tokio::spawn(quarrel(fleet.commons.clone(), edit));
        tokio::time::sleep(Duration::from_millis(5)).await;
        let lost = among_others(&fleet, hot).await.unwrap_err();
        assert!(matches!(lost, RegistryError::Conflict(_) | RegistryError::Busy), "{lost:?}");
        quarrel.abort();
    }
}

/// All that came at the same time was refused with it.
#[tokio::test(start_paused = true)]
async fn only_what_is_too_large_by_itself_is_refused() {
    let fleet = Fleet::start(1);
    fleet.commons.limit(2);
    let three = (0..3).map(|n| testing::instance(&format!("web/{n}"), "10.0.0.1").into());
    let refused = among_others(&fleet, Command::Register(three.collect())).await.unwrap_err();
    assert!(matches!(&refused, RegistryError::Limit(_)), "{refused:?}");
    assert!(refused.to_string().contains("3 changes"), "{refused}");
    assert_eq!(fleet.commons.members().len(), 10);
}
