//! The writer with the clock stopped: durability before visibility, and weather.

mod commits;
mod shared;
mod silence;
mod trouble;
mod weather;
mod words;

use std::sync::Arc;

use crate::{
    model::{
        Amendment, Carry, CheckReport, Command, Heartbeat, Instance, Replacement, Revision, Status,
    },
    registry::{
        Member,
        testing::{Kept, Running, key},
    },
};

fn register(instance: Instance) -> Command {
    Command::Register(vec![Arc::new(instance)])
}

fn report(name: &str, registered: Revision, status: Status) -> Command {
    let (key, output) = (key(name), "probe".into());
    Command::Report(CheckReport { key, registered, check: 0, status, output, since: None })
}

/// A heartbeat for all `ttl` checks of an instance.
fn heartbeat(name: &str, status: Status, output: &str) -> Command {
    let (key, output) = (key(name), output.into());
    Command::Heartbeat(Heartbeat { key, check: None, status, output, heard: None })
}

fn status(running: &Running, name: &str) -> Option<Status> {
    running.registry.snapshot().member(&key(name)).map(|member| member.status)
}

/// What a restart would find, and what readers see.
fn stored(kept: &Kept) -> Vec<Member> {
    kept.load().members
}

fn shown(running: &Running) -> Vec<Member> {
    let snapshot = running.registry.snapshot();
    let mut members: Vec<_> = snapshot
        .members()
        .map(|member| Member { suspect: false, ..Member::clone(member) })
        .collect();
    members.sort_by_key(Member::key);
    members
}

/// An amendment of an instance that was seen at a revision, with what was known of its check.
fn amend(instance: Instance, seen: u64, carry: Carry) -> Command {
    let (key, checks) = (instance.key(), vec![carry]);
    let to = Some(Replacement { instance: Arc::new(instance), checks, drained: None });
    Command::Amend(vec![Amendment { key, seen: Some(Revision(seen)), to }])
}
