//! Who takes part in a run: those who change things, those who keep instances alive, what is
//! checked, and those who ask.

pub(super) mod backends;
pub(super) mod facts;
pub(super) mod heartbeats;
pub(super) mod resolvers;
pub(super) mod writers;

use std::{io::ErrorKind, time::Duration};

use crate::support::api::Attempt;

use super::ledger::Outcome;

/// How long a client waits for a server: longer than a server waits for etcd.
const PATIENCE: Duration = Duration::from_secs(5);

/// What came of a change, by its reply.
fn outcome(reply: &Result<Attempt, ureq::Error>) -> Outcome {
    let reply = match reply {
        Ok(reply) => reply,
        // Nobody was there to take it.
        Err(ureq::Error::Io(error)) if error.kind() == ErrorKind::ConnectionRefused => {
            return Outcome::Refused;
        }
        Err(_) => return Outcome::Unsure,
    };
    match (reply.status, reply.body["code"].as_str()) {
        (200..=299, _) => Outcome::Taken(reply.revision.expect("a change has a revision")),
        // The two that say so; of all others nothing took effect.
        (_, Some("timeout" | "store-unsure") | None) => Outcome::Unsure,
        (422, _) => panic!("the tests' own mistake: {reply:?}"),
        (_, Some(_)) => Outcome::Refused,
    }
}
