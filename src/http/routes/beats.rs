//! `/internal/v1/beats`: heartbeats that reached another server than the one that counts them.
//!
//! They come in batches, a few a second from each server, so that heartbeats of 100,000 instances
//! are some requests. What is not known or not kept here is said by its place and not handed on
//! again: two servers that are not of one mind about whose task an instance is would send it to and
//! fro. Servers that are cut off from the store say so here, and what they find of the silences of
//! their own instances. Each reply says when the store has last taken a change here: by that a
//! server of which it takes none knows that this is not so for all. The path is in no contract,
//! because it is for servers of one cluster alone; a later version of Rollcall takes this one's
//! batches, and this one's reader passes over what it does not know.

use std::time::Duration;

use axum::{
    extract::{Request, State},
    response::Response,
};

use crate::{
    http::{
        Api,
        json::{self, Json, at_revision},
        peers::FromPeer,
        problem::Problem,
        seen::Seen,
    },
    model::{Command, Invalid, Timestamp, limit},
    registry::{Astray, Beat},
    store::text::{BeatsTakenText, BeatsText},
};

/// Where it is.
pub(in crate::http) const PATH: &str = "/internal/v1/beats";

/// Takes heartbeats from another server.
pub(in crate::http) async fn take(
    State(api): State<Api>,
    FromPeer(peers): FromPeer,
    _: Seen,
    request: Request,
) -> Result<Response, Problem> {
    // The time that reading takes is no time before it came to the other server.
    let now = Timestamp(api.clock().wall_millis());
    let body = json::read(request, limit::BEATS_OCTETS_MAX, &api).await?;
    let BeatsText { from, apart, beats } = json::parse(&body)?;
    if beats.len() > limit::BEATS_MAX {
        let problem = format!("beats are above the limit of {}", limit::BEATS_MAX);
        return Err(Invalid::new("beats", beats.len(), problem).into());
    }
    let snapshot = api.registry().snapshot();
    let mut reply = BeatsTakenText::default();
    let is_apart = apart.is_some() && apart == peers.ownership.circle();
    for (index, beat) in beats.into_iter().enumerate() {
        let beat = beat.into_model(now);
        let found = |beat: &Beat| beat.found_by(&from, &snapshot, &peers.ownership, now);
        if let Some(report) = beat.as_ref().filter(|_| is_apart).and_then(found) {
            api.registry().enqueue(Command::Report(report)).await?;
            reply.taken += 1;
            continue;
        }
        // By who is cut off alone, or before this server is. Its clients may be others' by now.
        if beat.as_ref().is_some_and(|beat| beat.is_finding) {
            continue;
        }
        let beat = beat.ok_or(Astray::Unknown);
        match beat.and_then(|beat| beat.heartbeats(&snapshot, &peers.ownership)) {
            Ok(heartbeats) => {
                for heartbeat in heartbeats {
                    api.registry().enqueue(Command::Heartbeat(heartbeat)).await?;
                }
                reply.taken += 1;
            }
            Err(Astray::Elsewhere) => reply.elsewhere.push(index),
            Err(Astray::Unknown) => reply.unknown.push(index),
        }
    }
    if *from == *api.server().peer.id {
        peers.facts.hear_of_twin();
    }
    // When they are in: who is heard of without a break has handed on all that came to it.
    peers.ownership.hear_of(&from, apart);
    let millis = |ago: Duration| u64::try_from(ago.as_millis()).unwrap_or(u64::MAX);
    reply.changed_ago_ms = peers.facts.changed_ago().map(millis);
    let BeatsTakenText { taken, unknown, elsewhere, .. } = &reply;
    let (unknown, elsewhere) = (unknown.len(), elsewhere.len());
    tracing::debug!(%from, taken, unknown, elsewhere, "heartbeats from another server");
    api.metrics().count_beats(*taken, unknown, elsewhere);
    Ok(at_revision(snapshot.revision, Json(reply)))
}
