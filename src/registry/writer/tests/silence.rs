//! Leases that end, and what ends with them.

use std::{sync::Arc, time::Duration};

use super::{amend, heartbeat, register, status};
use crate::{
    model::{Carry, Command, Instance, Status},
    registry::{
        Options, RegistryError,
        testing::{self, Kept, run},
    },
};

#[tokio::test(start_paused = true)]
async fn a_silent_instance_leaves_and_a_heartbeat_brings_it_back() {
    let running = run(Kept::default(), Options::default());
    let ttl = Duration::from_secs(15);
    running.registry.submit(register(testing::beating("web/a", "10.0.0.1", ttl))).await.unwrap();
    tokio::time::sleep(Duration::from_secs(14)).await;
    assert_eq!(status(&running, "web/a"), Some(Status::Passing));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status(&running, "web/a"), Some(Status::Critical), "within ttl plus a second");
    let beat = heartbeat("web/a", Status::Passing, "");
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
    first.registry.submit(heartbeat("web/dead", Status::Critical, "")).await.unwrap();
    first.stop.cancel();
    let second = run(kept, Options::default());
    tokio::time::sleep(Duration::from_secs(9)).await;
    assert_eq!(status(&second, "web/alive"), Some(Status::Passing));
    assert_eq!(status(&second, "web/dead"), Some(Status::Critical));
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(status(&second, "web/alive"), Some(Status::Critical));
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
