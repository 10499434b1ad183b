//! Removals for want of life, while somebody registers the same again: which of them counts.

use super::{Duration, Fleet, Status, beat, key, pass, register, report, status};
use crate::{
    model::{CheckSpec, Command, Instance},
    registry::{
        Refused,
        testing::{beating, tcp_checked},
    },
};

const TTL: Duration = Duration::from_secs(3);

/// A lease, as Eureka's clients have: silent, its instance is removed.
fn leased() -> Instance {
    let mut instance = beating("web/a", "10.0.0.1", TTL);
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
    for (instance, is_checked) in [(leased(), false), (checked, true)] {
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

#[tokio::test(start_paused = true)]
async fn what_is_registered_after_a_removal_that_is_under_way_is_not_drained() {
    let fleet = Fleet::start(2);
    let (owner, _) = fleet.owner_and_other("web/a");
    fleet.submit(owner, register(leased())).await.unwrap();
    fleet.submit(owner, Command::Drain { key: key("web/a"), on: true }).await.unwrap();
    removed_alone(&fleet, owner, 4).await;
    fleet.commons.fail(owner, None);
    // Before it is tried again.
    fleet.submit(owner, register(leased())).await.unwrap();
    pass(5).await;
    for server in 0..2 {
        let snapshot = fleet.registry(server).snapshot();
        assert!(!snapshot.member(&key("web/a")).unwrap().drained, "on {server}");
    }
}
