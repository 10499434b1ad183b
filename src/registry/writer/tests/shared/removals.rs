//! Removals for want of life, while somebody registers the same again: which of them counts.

use std::sync::Arc;

use super::{Duration, Fleet, Status, beat, key, pass, register, report, status};
use crate::{
    model::{Amendment, Carry, CheckKind, CheckSpec, Command, Instance, Replacement},
    registry::{
        Applied, Edit, Health, Refused, RegistryError,
        testing::{beating, tcp_checked},
    },
};

const TTL: Duration = Duration::from_secs(3);

/// A lease, as Eureka's clients have: silent, its instance is removed.
pub(super) fn leased(name: &str) -> Instance {
    let mut instance = beating(name, "10.0.0.1", TTL);
    let lease = CheckSpec { deregister_after: Some(Duration::ZERO), ..instance.checks[0].clone() };
    instance.checks = [lease].into();
    instance
}

/// Has the owner remove `web/a` by itself, which the store does not take for now.
async fn removed_alone(fleet: &Fleet, owner: usize, seconds: u64) {
    fleet.commons.fail(owner, Some(Refused::Unavailable("no leader".into())));
    pass(seconds * 1_000).await;
    assert_eq!(status(&fleet.servers[owner], "web/a"), None, "it was removed");
}

/// It was acknowledged, and removed a moment later.
#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_as_unchanged_is_not_removed_for_what_was_found_before() {
    let deregister_after = Some(Duration::from_secs(5));
    let checked = Instance { deregister_after, ..tcp_checked("web/a") };
    for (instance, is_checked) in [(leased("web/a"), false), (checked, true)] {
        let fleet = Fleet::start(2);
        let (owner, other) = fleet.owner_and_other("web/a");
        fleet.submit(other, register(instance.clone())).await.unwrap();
        pass(5).await;
        let registered = fleet.registered(other, "web/a");
        if is_checked {
            let found = |status| report("web/a", registered, status);
            fleet.submit(owner, found(Status::Passing)).await.unwrap();
            fleet.submit(owner, found(Status::Critical)).await.unwrap();
            pass(5).await;
        } else {
            fleet.submit(other, beat("web/a", Status::Passing)).await.unwrap();
        }
        removed_alone(&fleet, owner, 6).await;
        let before = fleet.commons.members()[0].clone();
        let same = fleet.submit(other, register(instance)).await.unwrap();
        assert!(!same.changed, "nothing of it is another");
        fleet.commons.fail(owner, None);
        pass(2_000).await;
        assert!(fleet.status("web/a").iter().all(Option::is_some), "{:?}", fleet.status("web/a"));
        assert_eq!(fleet.registered(owner, "web/a"), registered);
        let after = fleet.commons.members()[0].clone();
        assert_eq!((&before.checks, before.since), (&after.checks, after.since));
        // Down for as long again it goes as ever.
        pass(6_000).await;
        assert_eq!(fleet.status("web/a"), [None; 2]);
        assert!(fleet.commons.members().is_empty());
    }
}

/// Says something of the checks of an instance, as doors do that know them one by one.
async fn say(
    fleet: &Fleet,
    server: usize,
    instance: &Instance,
    checks: Vec<Carry>,
) -> Result<Applied, RegistryError> {
    let key = key("web/a");
    let seen = fleet.registry(server).snapshot().member(&key).map(|member| member.registered);
    let to = Replacement { instance: Arc::new(instance.clone()), checks, drained: None };
    fleet.submit(server, Command::Amend(vec![Amendment { key, seen, to: Some(to) }])).await
}

/// A fleet with an instance that is to be removed soon, and what it says next: it is critical for
/// as long as it may be; or says that it is down, and then nothing more.
async fn overdue(is_leased: bool) -> (Fleet, Instance, Vec<Carry>) {
    let fleet = Fleet::start(2);
    let (owner, other) = fleet.owner_and_other("web/a");
    if is_leased {
        let checks = [leased("web/a").checks[0].clone(), CheckSpec::new(CheckKind::Manual)];
        let down = Instance { checks: checks.into(), ..leased("web/a") };
        let word = |text: &str| Carry::Anew(Status::Critical, text.into());
        let first = vec![Carry::Anew(Status::Passing, "up".into()), word("DOWN")];
        say(&fleet, other, &down, first).await.unwrap();
        return (fleet, down, vec![Carry::Renewed(0), word("STARTING")]);
    }
    let deregister_after = Some(Duration::from_secs(5));
    let checked = Instance { deregister_after, ..tcp_checked("web/a") };
    fleet.submit(other, register(checked.clone())).await.unwrap();
    pass(5).await;
    let registered = fleet.registered(owner, "web/a");
    for status in [Status::Passing, Status::Critical] {
        fleet.submit(owner, report("web/a", registered, status)).await.unwrap();
    }
    (fleet, checked, vec![Carry::Anew(Status::Passing, "back".into())])
}

/// It was acknowledged, and removed a moment later with the instance.
#[tokio::test(start_paused = true)]
async fn an_acknowledged_word_is_not_removed_for_what_was_found_before() {
    for is_leased in [false, true] {
        let (fleet, instance, word) = overdue(is_leased).await;
        let (owner, other) = fleet.owner_and_other("web/a");
        let registered = fleet.registered(other, "web/a");
        removed_alone(&fleet, owner, 6).await;
        assert!(say(&fleet, other, &instance, word).await.unwrap().changed);
        fleet.commons.fail(owner, None);
        pass(2_000).await;
        assert!(fleet.status("web/a").iter().all(Option::is_some), "{:?}", fleet.status("web/a"));
        assert_eq!(fleet.registered(owner, "web/a"), registered);
        assert_eq!(fleet.status("web/a")[owner], fleet.status("web/a")[other]);
        // Down or silent for as long again it goes as ever.
        if instance.deregister_after.is_some() {
            fleet.submit(owner, report("web/a", registered, Status::Critical)).await.unwrap();
        }
        pass(6_000).await;
        assert_eq!(fleet.status("web/a"), [None; 2]);
        assert!(fleet.commons.members().is_empty());
    }
}

/// Of two changes that are under way together the removal comes second, and was decided before.
#[tokio::test(start_paused = true)]
async fn a_word_that_comes_before_a_removal_under_way_stops_it() {
    for is_leased in [false, true] {
        let (fleet, ..) = overdue(is_leased).await;
        let (owner, other) = fleet.owner_and_other("web/a");
        fleet.commons.hang(true);
        pass(7_000).await;
        assert_eq!(status(&fleet.servers[owner], "web/a"), None, "its removal is proposed");
        let mut checks = fleet.commons.members()[0].checks.clone();
        let said = checks.last_mut().unwrap();
        said.output = "said".into();
        if !is_leased {
            said.status = Status::Passing;
        }
        let of = fleet.registered(other, "web/a");
        let to = Health { of, checks, suspect: false, since: None };
        fleet.commons.write(vec![Edit::Health { key: key("web/a"), to }]);
        fleet.commons.hang(false);
        pass(1_500).await;
        assert!(fleet.status("web/a").iter().all(Option::is_some), "{:?}", fleet.status("web/a"));
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_registered_after_a_removal_that_is_under_way_is_not_drained() {
    let fleet = Fleet::start(2);
    let (owner, _) = fleet.owner_and_other("web/a");
    fleet.submit(owner, register(leased("web/a"))).await.unwrap();
    fleet.submit(owner, Command::Drain { key: key("web/a"), on: true }).await.unwrap();
    removed_alone(&fleet, owner, 4).await;
    fleet.commons.fail(owner, None);
    // Before it is tried again.
    fleet.submit(owner, register(leased("web/a"))).await.unwrap();
    pass(5).await;
    for server in 0..2 {
        let snapshot = fleet.registry(server).snapshot();
        assert!(!snapshot.member(&key("web/a")).unwrap().drained, "on {server}");
    }
}
