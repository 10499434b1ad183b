//! Where a message becomes a reply, at once or later: the one place for every transport that has
//! connections. What UDP hands on comes by the short lane instead.
//!
//! Whoever serves a connection asks here, sends what is there at once, and keeps the futures of
//! what comes later, so that none of those holds up what comes behind it.

use std::time::Duration;

use futures_util::{FutureExt, future::BoxFuture};

use super::{LongLane, LongReply, Responded, respond};
use crate::dns::{
    Caller, Sources,
    forward::{Crowded, ForwardLane, Reach},
    stats::{DropReason, Pen},
};

/// The lanes of what is not answered at once; clones share them.
#[derive(Debug, Clone)]
pub(in crate::dns) struct Lanes {
    long: LongLane,
    forward: ForwardLane,
}

/// A message, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::dns) struct Asked<'m> {
    /// Who asks.
    pub caller: Caller,
    /// The message.
    pub message: &'m [u8],
    /// When it arrived, by the server's clock.
    pub arrived: Duration,
}

/// A reply that comes when it is ready; nothing when that fails.
pub(in crate::dns) type Later<Reply = Vec<u8>> = BoxFuture<'static, Option<Reply>>;

/// What becomes of a message.
pub(in crate::dns) enum Outcome {
    /// It must not be replied to.
    Never,
    /// The reply of so many octets stands in the buffer, and is counted.
    Now(usize),
    /// The reply comes from the long lane, and is counted then.
    Later(Later<LongReply>),
    /// The reply comes when upstreams have answered: it costs nothing while it waits.
    Forwarded(Later),
}

// === impl Lanes ===

impl Lanes {
    pub(in crate::dns) fn new(long: LongLane, forward: ForwardLane) -> Self {
        Self { long, forward }
    }

    /// The same, where nobody serves the long lane while what is returned beside it is kept.
    #[cfg(test)]
    pub(in crate::dns) fn without_long(&self) -> (Self, impl Sized + use<>) {
        let (long, waiting) = LongLane::unserved();
        (Self { long, forward: self.forward.clone() }, waiting)
    }

    /// Replies in `out`, which has room for the longest reply, or has the reply made on a lane.
    #[inline]
    pub(in crate::dns) fn reply(
        &self,
        sources: &Sources<'_>,
        asked: Asked<'_>,
        (rng, pen): (&mut fastrand::Rng, &mut Pen),
        out: &mut [u8],
    ) -> Outcome {
        let Asked { caller, message, arrived } = asked;
        match respond(sources, caller, message, rng, out) {
            Responded::With(replied) => {
                pen.query(replied.qtype);
                pen.response(&replied.summary);
                Outcome::Now(replied.summary.octets)
            }
            Responded::Limited => {
                pen.dropped(DropReason::RateLimited, 1);
                Outcome::Never
            }
            Responded::Silence => {
                pen.dropped(DropReason::NotQuery, 1);
                Outcome::Never
            }
            Responded::NeedsForward => match self.forward.reply(message, caller, arrived) {
                Ok(reply) => Outcome::Forwarded(reply.boxed()),
                // It needs nobody then.
                Err(Crowded) => self.reply(&sources.reaching(Reach::Last), asked, (rng, pen), out),
            },
            Responded::TakesLong => {
                Outcome::Later(self.long.reply(message.into(), caller, arrived).boxed())
            }
        }
    }
}
