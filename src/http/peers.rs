//! The other servers that share the registry, as callers.
//!
//! They reach one another by the listeners that everybody reaches, so what is for them alone asks
//! for a token: that of the server which is asked. It makes one up at each start and puts it into
//! its own row in etcd, which only those can read who have etcd's credentials; so whoever shows it
//! is a server of the cluster, or could be one. Rejected: a secret of the whole cluster, which
//! would have to be configured on each server, and changed on all of them together.

use std::{sync::Arc, time::Duration};

use axum::{
    extract::FromRequestParts,
    http::{header, request::Parts},
};

use super::{Api, problem::Problem};
use crate::{
    model::Timestamp,
    registry::{Ownership, Peer},
};

/// What a server that shares its registry lets others do.
#[derive(Clone)]
pub struct Peers {
    /// Knows them from strangers.
    pub gate: Arc<dyn PeerGate>,
    /// Whose task which instance is.
    pub ownership: Ownership,
    /// What is known of them beside that.
    pub facts: Arc<dyn PeerFacts>,
}

/// This server, as it is shown.
#[derive(Debug, Clone)]
pub struct Server {
    /// What it is called, and where its HTTP interface is for others.
    pub peer: Peer,
    /// Since when it is there.
    pub life: Life,
}

/// What a server says of itself, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Life {
    /// Its version of Rollcall.
    pub version: String,
    /// When it was started, by its own clock.
    pub started: Timestamp,
}

/// What is known of the servers that share the registry, beside whose task what is.
pub trait PeerFacts: Send + Sync {
    /// What a server has said of itself; `None` when that is not known, or cannot be read.
    fn life(&self, server: &str) -> Option<Life>;

    /// How many instances this server looks after; it may be counted now and then only.
    fn kept(&self) -> u64;

    /// How long ago the store has taken a change of this server, or would have; `None` while it
    /// takes none.
    fn changed_ago(&self) -> Option<Duration>;

    /// Another server that has this one's name, too, has handed on what came to it.
    fn hear_of_twin(&self);
}

/// Knows the servers that share the registry from everybody else.
pub trait PeerGate: Send + Sync {
    /// Whether a token is that of this server.
    fn admits(&self, token: &str) -> bool;
}

/// The token of one life of a server.
pub struct PeerToken(Box<str>);

/// A request of another server.
pub(super) struct FromPeer(pub(super) Peers);

// === impl PeerToken ===

impl PeerToken {
    /// That token; an empty one admits nobody.
    pub fn new(token: impl Into<Box<str>>) -> Self {
        Self(token.into())
    }
}

impl PeerGate for PeerToken {
    /// In a time that says nothing of how much of a wrong one is right.
    fn admits(&self, token: &str) -> bool {
        let (own, shown) = (self.0.as_bytes(), token.as_bytes());
        !own.is_empty() && aws_lc_rs::constant_time::verify_slices_are_equal(own, shown).is_ok()
    }
}

// === impl FromPeer ===

impl FromRequestParts<Api> for FromPeer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = parts.uri.path();
        let peers = api.peers().ok_or_else(|| Problem::no_such_path(path))?;
        let shown = parts.headers.get(header::AUTHORIZATION).and_then(|it| it.to_str().ok());
        let token = shown.and_then(|text| text.split_once(' ')).and_then(|(scheme, token)| {
            // The scheme's name is read in any case (RFC 9110 §11.1).
            scheme.eq_ignore_ascii_case("bearer").then_some(token.trim_start())
        });
        match token {
            Some(token) if peers.gate.admits(token) => Ok(Self(peers.clone())),
            _ => Err(Problem::no_peer()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{PeerGate, PeerToken};

    #[test]
    fn only_the_whole_token_is_admitted_and_an_empty_one_never() {
        let gate = PeerToken::new("3f9a");
        assert!(gate.admits("3f9a"));
        for wrong in ["", "3f9", "3f9a ", "3f9b", "3F9A"] {
            assert!(!gate.admits(wrong), "{wrong}");
        }
        assert!(!PeerToken::new("").admits(""));
    }
}
