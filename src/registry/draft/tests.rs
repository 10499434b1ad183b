//! Drafts of single commands, and of any.

mod health;
mod random;
mod registering;
mod steps;

use std::{sync::Arc, time::Duration};

use super::{Draft, Finished};
use crate::{
    model::{
        CheckKind, CheckSpec, Command, EventKind, Instance, Policy, Share, Target, TcpCheck,
        Thresholds, Timestamp,
    },
    registry::{Options, RegistryError, Snapshot},
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

fn check(kind: &str) -> CheckSpec {
    let thresholds = Thresholds::DEFAULT;
    let kind = match kind {
        "ttl" => CheckKind::ttl(Duration::from_secs(10)).unwrap(),
        _ => CheckKind::Tcp(Box::new(TcpCheck::new(Target::default(), thresholds))),
    };
    CheckSpec::new(kind)
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
