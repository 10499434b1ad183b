//! Registrations, one after the other.

use std::{sync::Arc, time::Duration};

use super::{OPTIONS, check, play, register};
use crate::{
    model::{
        CheckKind, CheckReport, CheckSpec, Command, Instance, Policy, Revision, Status, Target,
        TcpCheck, Thresholds, Timestamp,
    },
    registry::{RegistryError, draft::Draft, testing},
};

#[test]
fn registering_again_with_the_same_content_changes_nothing() {
    let instance = testing::instance("web/a", "10.0.0.1");
    let (snapshot, events, results) =
        play(&[register(instance.clone()), register(instance.clone())]);
    assert!(matches!(results[..], [Ok(true), Ok(false)]), "{results:?}");
    assert_eq!((snapshot.revision, events.len()), (Revision(1), 1));
}

#[test]
fn a_replacement_keeps_the_drain_and_the_state_of_unchanged_checks() {
    let tcp = Instance { checks: [check("tcp")].into(), ..testing::instance("web/a", "10.0.0.1") };
    let key = tcp.key();
    let passing = Command::Report(CheckReport {
        key: key.clone(),
        registered: Revision(1),
        check: 0,
        status: Status::Passing,
        output: "ok".into(),
        since: None,
    });
    let heavier = Instance { weight: 9, ..tcp.clone() };
    let moved = Instance { port: 9, ..heavier.clone() };
    let drain = Command::Drain { key: key.clone(), on: true };
    let (snapshot, ..) = play(&[register(tcp), passing, drain, register(heavier)]);
    let member = snapshot.member(&key).unwrap();
    assert_eq!((member.status, member.drained), (Status::Passing, true));
    let mut draft = Draft::new(&snapshot, &OPTIONS, Timestamp(2));
    draft.apply(&register(moved)).unwrap();
    let next = draft.finish().next;
    assert_eq!(next.member(&key).unwrap().status, Status::Critical, "another port is unproven");
}

#[test]
fn a_late_result_of_a_replaced_registration_is_dropped() {
    let first =
        Instance { checks: [check("tcp")].into(), ..testing::instance("web/a", "10.0.0.1") };
    let second = Instance { port: 9, ..first.clone() };
    let late = Command::Report(CheckReport {
        key: first.key(),
        registered: Revision(1),
        check: 0,
        status: Status::Passing,
        output: "ok".into(),
        since: None,
    });
    let (snapshot, _, results) = play(&[register(first.clone()), register(second), late]);
    assert!(matches!(results[2], Ok(false)));
    assert_eq!(snapshot.member(&first.key()).unwrap().status, Status::Critical);
}

#[test]
fn a_bulk_is_all_or_none_and_one_revision() {
    let of = |name: &str| Arc::new(testing::instance(name, "10.0.0.1"));
    let (snapshot, events, _) = play(&[Command::Register(vec![of("a/1"), of("b/1"), of("b/2")])]);
    assert_eq!((snapshot.revision, events.len(), snapshot.services.len()), (Revision(1), 3, 2));
    let (snapshot, events, results) =
        play(&[Command::Register(vec![of("a/1"), of("b/1"), of("a/1")])]);
    let Err(RegistryError::Invalid(refusal)) = &results[0] else { panic!("{results:?}") };
    assert_eq!(refusal.to_string(), "`[2]`: `a/1` is there twice");
    assert_eq!((snapshot.revision, events.len(), snapshot.services.len()), (Revision(0), 0, 0));
}

#[test]
fn a_service_is_known_while_it_has_an_instance_or_a_policy() {
    let instance = testing::instance("web/a", "10.0.0.1");
    let (key, service) = (instance.key(), instance.service.clone());
    let set = Command::SetPolicy(service.clone(), Policy::default());
    let (snapshot, ..) = play(&[register(instance.clone()), Command::Deregister(key.clone())]);
    assert!(snapshot.service("web").is_none());
    let (snapshot, ..) = play(&[register(instance), set, Command::Deregister(key)]);
    assert!(snapshot.service("web").is_some());
    let mut draft = Draft::new(&snapshot, &OPTIONS, Timestamp(2));
    draft.apply(&Command::RemovePolicy(service)).unwrap();
    assert!(draft.finish().next.service("web").is_none());
}

/// A TCP check of a port with thresholds.
fn tcp(port: u16, thresholds: Thresholds) -> CheckSpec {
    let target = Target { host: None, port: Some(port) };
    CheckSpec::new(CheckKind::Tcp(Box::new(TcpCheck::new(target, thresholds))))
}

#[test]
fn other_thresholds_keep_what_is_known_and_another_target_does_not() {
    let slow = Thresholds {
        interval: Duration::from_secs(60),
        timeout: Duration::from_secs(5),
        rise: 3,
        fall: 4,
        warn_after: 3,
    };
    let cases = [(tcp(80, slow), Status::Passing), (tcp(81, slow), Status::Critical)];
    for (spec, expected) in cases {
        let with = |spec: CheckSpec| {
            register(Instance { checks: [spec].into(), ..testing::instance("web/a", "10.0.0.1") })
        };
        let key = testing::key("web/a");
        let (registered, output) = (Revision(1), "connected".into());
        let status = Status::Passing;
        let passed =
            CheckReport { key: key.clone(), registered, check: 0, status, output, since: None };
        let first = with(tcp(80, Thresholds::DEFAULT));
        let (snapshot, ..) = play(&[first, Command::Report(passed), with(spec)]);
        assert_eq!(snapshot.member(&key).unwrap().status, expected);
    }
}
