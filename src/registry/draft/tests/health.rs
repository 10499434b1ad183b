//! What checks and heartbeats say, and holds.

use super::{OPTIONS, check, play, register};
use crate::{
    model::{
        CheckKind, CheckReport, CheckSpec, Command, Heartbeat, Instance, InstanceKey, Revision,
        Status, Timestamp,
    },
    registry::{Snapshot, draft::Draft, testing},
};

#[test]
fn a_confirmed_death_ends_suspicion_until_a_heartbeat() {
    let checks = [check("tcp"), check("ttl")];
    let both = Instance { checks: checks.into(), ..testing::instance("web/a", "10.0.0.1") };
    let key = both.key();
    let report = |status| {
        let (key, output) = (key.clone(), "probe".into());
        Command::Report(CheckReport {
            key,
            registered: Revision(1),
            check: 0,
            status,
            output,
            since: None,
        })
    };
    let base = Snapshot::default();
    let mut draft = Draft::new(&base, &OPTIONS, Timestamp(1));
    draft.apply(&register(both.clone())).unwrap();
    draft.apply(&report(Status::Passing)).unwrap();
    draft.hold(&key, 1);
    assert!(draft.member(&key).unwrap().suspect);
    draft.apply(&report(Status::Critical)).unwrap();
    assert!(!draft.member(&key).unwrap().suspect);
    draft.apply(&report(Status::Passing)).unwrap();
    assert_eq!(draft.member(&key).unwrap().status, Status::Critical, "still silent");
    let beat = Heartbeat {
        key: key.clone(),
        check: None,
        status: Status::Passing,
        output: "".into(),
        heard: None,
    };
    draft.apply(&Command::Heartbeat(beat)).unwrap();
    assert_eq!(draft.member(&key).unwrap().status, Status::Passing);
}

#[test]
fn what_was_last_said_of_a_manual_check_holds() {
    let checks =
        [CheckSpec::new(CheckKind::Manual), CheckSpec::new(CheckKind::Manual), check("ttl")];
    let instance = Instance { checks: checks.into(), ..testing::instance("web/a", "10.0.0.1") };
    let key = instance.key();
    let say = |check, status: Status| {
        let (key, registered, output) = (key.clone(), Revision(1), status.as_str().into());
        Command::Report(CheckReport { key, registered, check, status, output, since: None })
    };
    let (key, output) = (key.clone(), "".into());
    let beat = Command::Heartbeat(Heartbeat {
        key: key.clone(),
        check: None,
        status: Status::Critical,
        output,
        heard: None,
    });
    let (said, first) =
        ([say(0, Status::Warning), say(1, Status::Passing), beat], register(instance.clone()));
    let heavier = register(Instance { weight: 7, ..instance });
    let steps: Vec<_> = [first].into_iter().chain(said).chain([heavier]).collect();
    let (snapshot, ..) = play(&steps);
    let states: Vec<_> =
        snapshot.member(&key).unwrap().checks.iter().map(|check| check.status).collect();
    // A heartbeat is no word about them, nor is a registration, which is a heartbeat.
    assert_eq!(states, [Status::Warning, Status::Passing, Status::Passing]);
}

#[test]
fn a_held_instance_says_so_until_it_is_heard_again() {
    let held = "silent, held by self-preservation";
    let checks = [check("tcp"), check("ttl")];
    let instance = Instance {
        checks: checks.into(),
        initial_status: Some(Status::Passing),
        ..testing::instance("web/a", "10.0.0.1")
    };
    let key = instance.key();
    let beat = |output: &str| {
        let (key, status) = (key.clone(), Status::Passing);
        Command::Heartbeat(Heartbeat {
            key,
            check: None,
            status,
            output: output.into(),
            heard: None,
        })
    };
    let cases = [
        (beat("fine"), "fine"),
        (beat(""), "heartbeat"),
        (register(instance.clone()), "registered again"),
    ];
    for (heard, expected) in cases {
        let base = Snapshot::default();
        let mut draft = Draft::new(&base, &OPTIONS, Timestamp(1));
        draft.apply(&register(instance.clone())).unwrap();
        let before = draft.member(&key).unwrap();
        draft.hold(&key, 0); // which is no `ttl` check
        draft.hold(&key, 1);
        let member = draft.member(&key).unwrap();
        assert_eq!(&*member.checks[1].output, held, "also without a lapse before");
        assert_eq!(member.checks[0], before.checks[0], "the active check is not silent");
        assert_eq!(member.checks[1].since, before.checks[1].since, "it passed all the time");
        draft.apply(&heard).unwrap();
        let member = draft.member(&key).unwrap();
        assert_eq!((&*member.checks[1].output, member.suspect), (expected, false));
        for renewal in [&heard, &beat("something new")] {
            draft.apply(renewal).unwrap();
            assert_eq!(draft.member(&key).unwrap(), member, "a renewal costs no write");
        }
    }
}

fn outputs(draft: &mut Draft<'_>, key: &InstanceKey) -> Vec<String> {
    draft.member(key).unwrap().checks.iter().map(|state| state.output.to_string()).collect()
}

/// A heartbeat of one check used to end the suspicion that another is under.
#[test]
fn each_check_is_held_by_itself() {
    let held = "silent, held by self-preservation";
    let two = Instance {
        checks: [check("ttl"), check("ttl")].into(),
        ..testing::instance("web/a", "10.0.0.1")
    };
    let key = two.key();
    let beat = |check| {
        let (key, status) = (key.clone(), Status::Passing);
        let (check, output) = (Some((check, Revision(1))), "fine".into());
        Command::Heartbeat(Heartbeat { key, check, status, output, heard: None })
    };
    let base = Snapshot::default();
    let mut draft = Draft::new(&base, &OPTIONS, Timestamp(1));
    draft.apply(&register(two)).unwrap();
    (0..2).for_each(|check| draft.hold(&key, check));
    draft.apply(&beat(0)).unwrap();
    assert_eq!(outputs(&mut draft, &key), ["fine", held]);
    assert!(draft.member(&key).unwrap().suspect);
    draft.apply(&beat(1)).unwrap();
    assert!(!draft.member(&key).unwrap().suspect);
    (0..2).for_each(|check| draft.hold(&key, check));
    draft.lapse(&key, 0);
    assert_eq!(outputs(&mut draft, &key), ["no heartbeat for 10s", held], "one hold is over");
    assert!(draft.member(&key).unwrap().suspect);
}

/// A check that is renewed used to turn critical with those that are not.
#[test]
fn a_confirmed_death_is_of_the_checks_that_are_held() {
    let three = Instance {
        checks: [check("tcp"), check("ttl"), check("ttl")].into(),
        initial_status: Some(Status::Passing),
        ..testing::instance("web/a", "10.0.0.1")
    };
    let key = three.key();
    let base = Snapshot::default();
    let mut draft = Draft::new(&base, &OPTIONS, Timestamp(1));
    draft.apply(&register(three)).unwrap();
    draft.hold(&key, 1);
    let (status, output) = (Status::Critical, "refused".into());
    let failed = CheckReport {
        key: key.clone(),
        registered: Revision(1),
        check: 0,
        status,
        output,
        since: None,
    };
    draft.apply(&Command::Report(failed)).unwrap();
    let silent = "silent, and an active check failed";
    assert_eq!(outputs(&mut draft, &key), ["refused", silent, "initial status"]);
}
