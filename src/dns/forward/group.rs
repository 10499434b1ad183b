//! The upstreams of a zone, and the way from one to the next.
//!
//! One is asked first; the next one is asked when that fails, or is silent for a while: who waits
//! for a lost packet would else wait for all of the timeout. The first answer counts. A question
//! that has lost the race goes on to its own end, so that the upstream's failure is noticed.

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt, stream::FuturesUnordered};
use hickory_resolver::proto::op::Message;

use super::{
    ForwardOrder,
    care::Care,
    failure::{Failure, code_name},
    key::Key,
    upstream::Upstream,
};

/// How long an upstream may be silent before the next one is asked as well: longer than nearly all
/// replies take, and so short that nobody minds.
const PATIENCE: Duration = Duration::from_millis(400);

/// Upstreams that are asked one question at the most: with more, one that nobody can answer would
/// become many.
const ASKED_MAX: usize = 4;

/// Upstreams, in the order in which they are configured.
#[derive(Debug)]
pub(super) struct Group {
    upstreams: Box<[Arc<Upstream>]>,
    order: ForwardOrder,
}

// === impl Group ===

impl Group {
    pub(super) fn new(upstreams: Vec<Arc<Upstream>>, order: ForwardOrder) -> Self {
        Self { upstreams: upstreams.into(), order }
    }

    /// Why none of the upstreams can be asked; nothing when one can.
    pub(super) fn trouble(&self) -> Option<Failure> {
        let mut worst = Failure::Loop;
        for upstream in &self.upstreams {
            worst = worst.max(upstream.health.trouble()?);
        }
        Some(worst)
    }

    /// Asks until one of the upstreams has answered.
    ///
    /// # Errors
    /// What tells most, when none has.
    pub(super) async fn ask(&self, key: &Key, care: &Care) -> Result<Message, Failure> {
        let mut waiting = self.in_order().into_iter().take(ASKED_MAX);
        let mut worst = self.trouble().unwrap_or(Failure::Down);
        let mut under_way = FuturesUnordered::new();
        loop {
            if let Some(next) = waiting.next() {
                let (key, care) = (key.clone(), care.clone());
                under_way.push(tokio::spawn(async move { attempt(next, key, care).await }));
            } else if under_way.is_empty() {
                return Err(worst);
            }
            // The last one has all the time that it takes.
            let patience = if waiting.len() == 0 { Duration::MAX } else { PATIENCE };
            let told = tokio::time::timeout(patience, under_way.next()).await;
            match told {
                Ok(Some(Ok(Ok(message)))) => return Ok(message),
                Ok(Some(Ok(Err(failure)))) => worst = worst.max(failure),
                // A task of ours has panicked, or patience is at its end: on to the next.
                Ok(Some(Err(_))) | Ok(None) | Err(_) => {}
            }
        }
    }

    /// Those that can be asked, the first to be asked first.
    fn in_order(&self) -> Vec<Arc<Upstream>> {
        let mut usable: Vec<_> =
            self.upstreams.iter().filter(|upstream| upstream.health.is_up()).cloned().collect();
        if self.order == ForwardOrder::Random {
            fastrand::shuffle(&mut usable);
        }
        usable
    }
}

/// Asks one upstream, and notes how it did.
async fn attempt(upstream: Arc<Upstream>, key: Key, care: Care) -> Result<Message, Failure> {
    let began = care.clock.elapsed();
    let told = upstream.ask(&key).await;
    let took = care.clock.elapsed().saturating_sub(began);
    let result = match &told {
        Ok(message) => code_name(message.metadata.response_code.into()),
        Err(failure) => failure.as_str(),
    };
    if !upstream.health.retired.is_cancelled() {
        care.metrics.asked(&upstream.spec().to_string(), result, took);
    }
    match &told {
        Err(failure) if failure.is_upstreams() => {
            if upstream.health.failed() {
                care.examine(upstream);
            }
        }
        Err(Failure::Busy) => {}
        _ => upstream.health.answered(),
    }
    told
}
