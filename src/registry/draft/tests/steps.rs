//! Any commands, and what is due by time, for scripts.

use std::sync::Arc;

use proptest::{collection::vec, prelude::*};

use super::check;
use crate::{
    model::{
        AliasCheck, Amendment, Carry, CheckKind, CheckReport, CheckSpec, Command, Heartbeat,
        Instance, InstanceId, InstanceKey, Policy, Replacement, Revision, Scope, ServiceName,
        Status, Tag,
    },
    registry::{Snapshot, draft::Draft, testing},
};

/// What a step of a script does; some of them are due by time rather than commanded.
#[derive(Debug, Clone)]
pub(super) enum Step {
    Amend(Vec<Plan>),
    Command(Command),
    Expire(InstanceKey),
    Hold(InstanceKey),
    Lapse(InstanceKey),
}

/// An amendment: of what there is when it is carried out, or of what there was.
#[derive(Debug, Clone)]
pub(super) struct Plan {
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

pub(super) fn any_step(aliases: bool) -> impl Strategy<Value = Step> {
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
                let report = CheckReport { key, registered, check, status, output, since: None };
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

pub(super) fn take(draft: &mut Draft<'_>, step: &Step, base: &Snapshot) {
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
