//! `/internal/v1/beats`: heartbeats that reached another server than the one that counts them.
//!
//! They come in batches, a few a second from each server, so that heartbeats of 100,000 instances
//! are some requests. What is not known or not kept here is said by its place and not handed on
//! again: two servers that are not of one mind about whose task an instance is would send it to and
//! fro. The path is in no contract, because it is for servers of one cluster alone; a later version
//! of Rollcall takes this one's batches, and this one's reader passes over what it does not know.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    http::{
        Api,
        dto::{Beat, Beats, BeatsTaken},
        json::{self, Json, at_revision},
        peers::FromPeer,
        problem::Problem,
        seen::Seen,
    },
    model::{Command, Heartbeat, Invalid, limit},
    registry::{Member, Ownership, Snapshot},
};

/// Where it is.
pub(in crate::http) const PATH: &str = "/internal/v1/beats";

/// Why a heartbeat is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Refused {
    Elsewhere,
    Unknown,
}

/// Takes heartbeats from another server.
pub(in crate::http) async fn take(
    State(api): State<Api>,
    FromPeer(peers): FromPeer,
    _: Seen,
    request: Request,
) -> Result<Response, Problem> {
    let body = json::read(request, limit::BEATS_OCTETS_MAX, &api).await?;
    let Beats { from, beats } = json::parse(&body)?;
    if beats.len() > limit::BEATS_MAX {
        let problem = format!("beats are above the limit of {}", limit::BEATS_MAX);
        return Err(Invalid::new("beats", beats.len(), problem).into());
    }
    let snapshot = api.registry().snapshot();
    let mut reply = BeatsTaken::default();
    for (index, beat) in beats.iter().enumerate() {
        match heartbeats(beat, &snapshot, &peers.ownership) {
            Ok(heartbeats) => {
                for heartbeat in heartbeats {
                    api.registry().enqueue(Command::Heartbeat(heartbeat)).await?;
                }
                reply.taken += 1;
            }
            Err(Refused::Elsewhere) => reply.elsewhere.push(index),
            Err(Refused::Unknown) => reply.unknown.push(index),
        }
    }
    let BeatsTaken { taken, unknown, elsewhere } = &reply;
    let (unknown, elsewhere) = (unknown.len(), elsewhere.len());
    tracing::debug!(from, taken, unknown, elsewhere, "heartbeats from another server");
    api.metrics().count_beats(*taken, unknown, elsewhere);
    Ok(at_revision(snapshot.revision, Json(reply)))
}

/// What a beat is to the registry.
fn heartbeats(
    beat: &Beat,
    snapshot: &Snapshot,
    ownership: &Ownership,
) -> Result<Vec<Heartbeat>, Refused> {
    let unknown = |()| Refused::Unknown;
    let key = beat.key().ok_or(Refused::Unknown)?;
    let member = snapshot.member(&key).ok_or(Refused::Unknown)?;
    let check = beat.check().map_err(unknown)?;
    let is_known = match check {
        None => member.instance.has_ttl_check(),
        Some((check, registered)) => {
            let spec = member.instance.checks.get(check);
            registered == member.registered && spec.is_some_and(|spec| spec.ttl().is_some())
        }
    };
    if !is_known {
        return Err(Refused::Unknown);
    }
    if !ownership.keeps(&key) {
        return Err(Refused::Elsewhere);
    }
    let Some(status) = beat.status().map_err(unknown)? else { return Ok(renewals(member)) };
    let output = &beat.output[..beat.output.floor_char_boundary(limit::CHECK_OUTPUT_OCTETS_MAX)];
    Ok(vec![Heartbeat { key, check, status, output: output.into() }])
}

/// Renews all `ttl` checks of an instance and leaves them in the states that they are in, as its
/// registration does that changes nothing.
fn renewals(member: &Member) -> Vec<Heartbeat> {
    let checks = member.instance.checks.iter().zip(member.checks.iter()).enumerate();
    let ttl = checks.filter(|(_, (spec, _))| spec.ttl().is_some());
    let renewal = |(index, (_, state)): (usize, (_, &crate::model::CheckState))| Heartbeat {
        key: member.key(),
        check: Some((index, member.registered)),
        status: state.status,
        output: Arc::clone(&state.output),
    };
    ttl.map(renewal).collect()
}
