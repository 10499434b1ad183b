//! Drafts against a plain model, and snapshots against a rebuild from what the store would have.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use proptest::{collection::vec, prelude::*};

use super::{Draft, Finished};
use crate::{
    model::{
        AliasCheck, Amendment, Carry, CheckKind, CheckReport, CheckSpec, Command, EventKind,
        Heartbeat, Instance, InstanceId, InstanceKey, Policy, Replacement, Revision, Scope,
        ServiceName, Share, Status, Tag, Target, TcpCheck, Thresholds, Timestamp,
    },
    registry::{
        Change, Loaded, Member, Options, RegistryError, ServiceEntry, Snapshot, restore::restore,
        testing,
    },
};

const OPTIONS: Options = Options {
    index_addresses: true,
    default_policy: Policy {
        ttl_seconds: 5,
        answer_limit: 8,
        when_none_healthy: crate::model::WhenNoneHealthy::Nodata,
        min_healthy: Share::NONE,
    },
    self_preservation: crate::registry::SelfPreservation::DEFAULT,
};

/// What a step of a script does; some of them are due by time rather than commanded.
#[derive(Debug, Clone)]
enum Step {
    Amend(Vec<Plan>),
    Command(Command),
    Expire(InstanceKey),
    Hold(InstanceKey),
    Lapse(InstanceKey),
}

/// An amendment: of what there is when it is carried out, or of what there was.
#[derive(Debug, Clone)]
struct Plan {
    instance: Arc<Instance>,
    is_late: bool,
    removes: bool,
    /// What becomes of each check.
    carry: u8,
    drained: Option<bool>,
}

/// What clients on two nodes register, and the nodes themselves.
fn any_plan(aliases: bool) -> impl Strategy<Value = Plan> {
    let choice = (0..3_u8, 0..2_u8, prop::bool::weighted(0.2), any::<bool>());
    let how = (prop::bool::weighted(0.1), prop::bool::weighted(0.2), 0..4_u8);
    (any_instance(), choice, how, prop::option::of(any::<bool>())).prop_map(
        move |(instance, (id, node, is_node, follows), how, drained)| {
            let mut instance = Instance::clone(&instance);
            let scope = Scope::node(&format!("n{node}"));
            if is_node {
                instance.service = ServiceName::nodes();
                instance.id = InstanceId::derived(&scope.name);
            }
            if aliases && follows {
                let id = if id == 0 { String::new() } else { format!("c{id}") };
                let alias = AliasCheck::new(scope.clone(), id).unwrap();
                let spec = CheckSpec::new(CheckKind::Alias(Box::new(alias)));
                instance.checks = instance.checks.iter().cloned().chain([spec]).collect();
            }
            let id = if is_node { String::new() } else { format!("c{id}") };
            let instance = Arc::new(testing::from_elsewhere(instance, scope, &id));
            let (is_late, removes, carry) = how;
            Plan { instance, is_late, removes, carry, drained }
        },
    )
}

impl Plan {
    fn amendment(self, draft: &mut Draft<'_>) -> Amendment {
        let Self { instance, is_late, removes, carry, drained } = self;
        let key = instance.key();
        let seen = draft.member(&key).ok().map(|member| member.registered);
        let seen = if is_late { Some(Revision(1_000_000)) } else { seen };
        let checks = (0..instance.checks.len()).map(|index| match carry {
            0 => Carry::Anew(Status::Warning, "anew".into()),
            1 => Carry::Renewed(index),
            _ => Carry::From(index),
        });
        let checks = checks.collect();
        let to = (!removes).then_some(Replacement { instance, checks, drained });
        Amendment { key, seen, to }
    }
}

/// Of a service, or a node.
fn any_owner() -> impl Strategy<Value = InstanceKey> {
    prop_oneof![
        4 => any_key(),
        1 => (0..2_u8).prop_map(|node| {
            InstanceKey::new(ServiceName::nodes(), InstanceId::derived(&format!("n{node}")))
        }),
    ]
}

fn any_key() -> impl Strategy<Value = InstanceKey> {
    (0..4_u8, 0..4_u8).prop_map(|(service, id)| testing::key(&format!("s{service}/i{id}")))
}

fn any_status() -> impl Strategy<Value = Status> {
    prop_oneof![Just(Status::Passing), Just(Status::Warning), Just(Status::Critical)]
}

fn any_instance() -> impl Strategy<Value = Arc<Instance>> {
    let checks = prop_oneof![Just(""), Just("ttl"), Just("tcp"), Just("tcp ttl")];
    (any_key(), 0..6_u8, 0..3_u16, 1..3_u16, vec(0..3_u8, 0..3), checks).prop_map(
        |(key, ip, weight, priority, tags, checks)| {
            let name = key.to_string();
            let mut instance = testing::instance(&name, &format!("10.0.0.{}", ip + 1));
            let mut tags: Vec<Tag> =
                tags.iter().map(|tag| Tag::parse(&format!("t{tag}")).unwrap()).collect();
            tags.sort();
            tags.dedup();
            (instance.weight, instance.priority, instance.tags) = (weight, priority, tags.into());
            instance.checks = checks.split_whitespace().map(check).collect();
            Arc::new(instance)
        },
    )
}

fn check(kind: &str) -> CheckSpec {
    let thresholds = Thresholds::DEFAULT;
    let kind = match kind {
        "ttl" => CheckKind::ttl(Duration::from_secs(10)).unwrap(),
        _ => CheckKind::Tcp(Box::new(TcpCheck::new(Target::default(), thresholds))),
    };
    CheckSpec::new(kind)
}

fn any_step(aliases: bool) -> impl Strategy<Value = Step> {
    let output: Arc<str> = "said".into();
    let report_output = Arc::clone(&output);
    prop_oneof![
        6 => vec(any_plan(aliases), 1..3).prop_map(Step::Amend),
        6 => vec(any_instance(), 1..4).prop_map(Command::Register).prop_map(Step::Command),
        2 => any_key().prop_map(Command::Deregister).prop_map(Step::Command),
        2 => (any_owner(), any::<bool>())
            .prop_map(|(key, on)| Step::Command(Command::Drain { key, on })),
        2 => (any_owner(), any_status(), 0..4_usize).prop_map(move |(key, status, check)| {
            let output = Arc::clone(&output);
            // Which registration is filled in when it is carried out.
            let check = (check < 3).then_some((check, Revision(0)));
            Step::Command(Command::Heartbeat(Heartbeat { key, check, status, output, heard: None }))
        }),
        4 => (any_owner(), 0..60_u64, 0..2_usize, any_status()).prop_map(
            move |(key, registered, check, status)| {
                let (registered, output) = (Revision(registered), Arc::clone(&report_output));
                let report = CheckReport { key, registered, check, status, output };
                Step::Command(Command::Report(report))
            }
        ),
        1 => (any_key(), 0..3_u32).prop_map(|(key, ttl_seconds)| {
            let policy = Policy { ttl_seconds, ..Policy::default() };
            Step::Command(Command::SetPolicy(key.service, policy))
        }),
        1 => any_key().prop_map(|key| Step::Command(Command::RemovePolicy(key.service))),
        1 => any_key().prop_map(Step::Expire),
        1 => any_key().prop_map(Step::Hold),
        1 => any_key().prop_map(Step::Lapse),
    ]
}

fn take(draft: &mut Draft<'_>, step: &Step, base: &Snapshot) {
    match step {
        Step::Amend(plans) => {
            let amendments = plans.iter().map(|plan| plan.clone().amendment(draft)).collect();
            // What is late, or has an origin that another one has, is refused.
            let _refused = draft.apply(&Command::Amend(amendments));
        }
        Step::Command(Command::Heartbeat(beat)) => {
            let registered = draft.member(&beat.key).map_or(Revision(0), |m| m.registered);
            let check = beat.check.map(|(check, _)| (check, registered));
            let _refused = draft.apply(&Command::Heartbeat(Heartbeat { check, ..beat.clone() }));
        }
        // Most reports are made to fit the registration that is there, or none would count.
        Step::Command(Command::Report(report)) if report.registered.0 % 4 != 0 => {
            let registered = base.member(&report.key).map_or(report.registered, |m| m.registered);
            let report = CheckReport { registered, ..report.clone() };
            draft.apply(&Command::Report(report)).unwrap();
        }
        Step::Command(command) => drop(draft.apply(command)),
        Step::Expire(key) => draft.expire(key),
        Step::Hold(key) => (0..3).for_each(|check| draft.hold(key, check)),
        Step::Lapse(key) => (0..3).for_each(|check| draft.lapse(key, check)),
    }
}

/// The rows that a store would hold.
#[derive(Debug, Default)]
struct Rows {
    members: BTreeMap<InstanceKey, Member>,
    policies: BTreeMap<ServiceName, Policy>,
}

impl Rows {
    fn take(&mut self, changes: &[Change]) {
        for change in changes {
            match change.clone() {
                Change::DeleteMember(key) => drop(self.members.remove(&key)),
                Change::DeletePolicy(name) => drop(self.policies.remove(&name)),
                Change::PutMember(member) => {
                    drop(self.members.insert(member.key(), Member::clone(&member)));
                }
                Change::PutPolicy(name, policy) => drop(self.policies.insert(name, policy)),
            }
        }
    }

    fn load(&self, revision: Revision) -> Loaded {
        let policies = self.policies.iter().map(|(name, policy)| (name.clone(), *policy)).collect();
        Loaded { revision, members: self.members.values().cloned().collect(), policies }
    }
}

/// Everything that a reader could see, in an order that can be compared.
fn picture(snapshot: &Snapshot) -> impl PartialEq + std::fmt::Debug + use<> {
    let service = |entry: &ServiceEntry| {
        let own = (entry.policy, entry.has_own_policy);
        let by_tag: Vec<_> = entry.tags().map(|(tag, some)| (tag.clone(), some.clone())).collect();
        (own, entry.members.clone(), entry.all.clone(), by_tag)
    };
    let services: BTreeMap<ServiceName, _> =
        snapshot.services.iter().map(|(name, entry)| (name.clone(), service(entry))).collect();
    let tags: BTreeMap<Tag, u32> =
        snapshot.tags.iter().map(|(tag, count)| (tag.clone(), *count)).collect();
    let addresses: BTreeMap<IpAddr, BTreeSet<InstanceKey>> = snapshot
        .by_address
        .iter()
        .map(|(ip, keys)| (*ip, keys.iter().cloned().collect()))
        .collect();
    let nodes: BTreeMap<InstanceId, Arc<Member>> =
        snapshot.nodes.iter().map(|(id, node)| (id.clone(), Arc::clone(node))).collect();
    let names: BTreeMap<(Scope, String), (InstanceKey, BTreeSet<InstanceKey>)> = (0..2)
        .flat_map(|node| ["", "c0", "c1", "c2"].map(|id| (Scope::node(&format!("n{node}")), id)))
        .filter_map(|(scope, id)| {
            let followers = snapshot.followers.of(&scope, &id.into()).into_iter().collect();
            let key = snapshot.origins.get(&scope, id)?.key();
            Some(((scope, id.to_owned()), (key, followers)))
        })
        .collect();
    (snapshot.revision, snapshot.counts, services, tags, addresses, nodes, names)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Any sequence of commands, in batches of any size, kept by a store and restored from it,
    /// gives the snapshot that was reached step by step.
    #[test]
    fn what_the_store_keeps_restores_the_same_snapshot(
        batches in vec(vec(any_step(true), 1..6), 1..12)
    ) {
        let (mut snapshot, mut rows) = (Snapshot::default(), Rows::default());
        for (at, batch) in (1_u64..).zip(&batches) {
            let mut draft = Draft::new(&snapshot, &OPTIONS, Timestamp(at));
            for step in batch {
                take(&mut draft, step, &snapshot);
            }
            let Finished { next, changes, events, .. } = draft.finish();
            prop_assert!(next.revision >= snapshot.revision, "revisions only grow");
            prop_assert!(events.iter().all(|e| e.revision > snapshot.revision));
            prop_assert!(events.is_sorted_by_key(|e| e.revision));
            prop_assert!(changes.is_empty() == (next.revision == snapshot.revision));
            rows.take(&changes);
            snapshot = next;
            let restored = restore(rows.load(snapshot.revision), &OPTIONS).unwrap();
            prop_assert_eq!(picture(&restored), picture(&snapshot));
        }
    }

    /// A batch in one draft and the same commands in a draft each reach the same world. Aliases are
    /// settled once a batch, at revisions of their own.
    #[test]
    fn a_batch_is_its_commands_in_order(steps in vec(any_step(false), 1..20)) {
        let empty = Snapshot::default();
        let mut together = Draft::new(&empty, &OPTIONS, Timestamp(1));
        let mut singly = Snapshot::default();
        for step in &steps {
            // Both take reports for the registration as it is after the steps before.
            let mut draft = Draft::new(&singly, &OPTIONS, Timestamp(1));
            take(&mut together, step, &singly);
            take(&mut draft, step, &singly);
            singly = draft.finish().next;
        }
        prop_assert_eq!(picture(&together.finish().next), picture(&singly));
    }
}

/// One command after the other on a registry that begins empty.
fn play(commands: &[Command]) -> (Snapshot, Vec<EventKind>, Vec<Result<bool, RegistryError>>) {
    let base = Snapshot::default();
    let mut draft = Draft::new(&base, &OPTIONS, Timestamp(1));
    let results =
        commands.iter().map(|command| draft.apply(command).map(|applied| applied.changed));
    let results = results.collect();
    let Finished { next, events, .. } = draft.finish();
    (next, events.into_iter().map(|event| event.kind).collect(), results)
}

fn register(instance: Instance) -> Command {
    Command::Register(vec![Arc::new(instance)])
}

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
fn a_confirmed_death_ends_suspicion_until_a_heartbeat() {
    let checks = [check("tcp"), check("ttl")];
    let both = Instance { checks: checks.into(), ..testing::instance("web/a", "10.0.0.1") };
    let key = both.key();
    let report = |status| {
        let (key, output) = (key.clone(), "probe".into());
        Command::Report(CheckReport { key, registered: Revision(1), check: 0, status, output })
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
        let passed = CheckReport { key: key.clone(), registered, check: 0, status, output };
        let first = with(tcp(80, Thresholds::DEFAULT));
        let (snapshot, ..) = play(&[first, Command::Report(passed), with(spec)]);
        assert_eq!(snapshot.member(&key).unwrap().status, expected);
    }
}

#[test]
fn what_was_last_said_of_a_manual_check_holds() {
    let checks =
        [CheckSpec::new(CheckKind::Manual), CheckSpec::new(CheckKind::Manual), check("ttl")];
    let instance = Instance { checks: checks.into(), ..testing::instance("web/a", "10.0.0.1") };
    let key = instance.key();
    let say = |check, status: Status| {
        let (key, registered, output) = (key.clone(), Revision(1), status.as_str().into());
        Command::Report(CheckReport { key, registered, check, status, output })
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
    let failed =
        CheckReport { key: key.clone(), registered: Revision(1), check: 0, status, output };
    draft.apply(&Command::Report(failed)).unwrap();
    let silent = "silent, and an active check failed";
    assert_eq!(outputs(&mut draft, &key), ["refused", silent, "initial status"]);
}
