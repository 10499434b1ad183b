//! One question on its way to several upstreams.
//!
//! Whoever is asked keeps its place until it has answered or the race is decided; then nobody
//! waits for it any more, and what it holds is let go at once. One that was silent for as long as
//! it takes to ask the next one, and was overtaken, is in doubt: it may be down, and nobody waits
//! until that is sure.

use std::{sync::Arc, time::Duration};

use hickory_resolver::proto::op::Message;
use tokio::task::{AbortHandle, JoinSet};

use super::{
    attempts::Leave,
    care::Care,
    failure::{Failure, GIVEN_UP},
    key::Key,
    upstream::Upstream,
};
use crate::dns::{code::rcode, stats::rcode_name};

/// How long an upstream may be silent before the next one is asked as well: longer than nearly all
/// replies take, and so short that nobody minds.
pub(super) const PATIENCE: Duration = Duration::from_millis(400);

/// Upstreams that are asked the same.
pub(super) struct Race<'k> {
    key: &'k Key,
    care: &'k Care,
    /// How many questions may be under way in all.
    attempts_max: usize,
    /// Each says which of the runners it was.
    tasks: JoinSet<(usize, Result<Message, Failure>)>,
    runners: Vec<Runner>,
    /// What one has left behind that has failed.
    spare: Option<Leave>,
}

/// One that was asked.
struct Runner {
    upstream: Arc<Upstream>,
    began: Duration,
    /// While it is under way.
    running: Option<(AbortHandle, Leave)>,
}

// === impl Race ===

impl<'k> Race<'k> {
    pub(super) fn new(key: &'k Key, care: &'k Care, attempts_max: usize) -> Self {
        let (tasks, runners) = (JoinSet::new(), Vec::new());
        Self { key, care, attempts_max, tasks, runners, spare: None }
    }

    /// Asks one more, to be called within a runtime. When as much is under way as may be, it takes
    /// the place of the one that has been silent for longest.
    ///
    /// # Errors
    /// When there is no such place.
    pub(super) fn enter(&mut self, upstream: Arc<Upstream>) -> Result<(), Failure> {
        let leave = self.spare.take();
        let leave = leave.or_else(|| self.care.attempts.begin(self.attempts_max));
        let leave = leave.or_else(|| self.give_up_first()).ok_or(Failure::Busy)?;
        let (number, began) = (self.runners.len(), self.care.clock.elapsed());
        let (key, care, asked) = (self.key.clone(), self.care.clone(), Arc::clone(&upstream));
        let task = self.tasks.spawn(async move { (number, attempt(asked, key, care).await) });
        self.runners.push(Runner { upstream, began, running: Some((task, leave)) });
        Ok(())
    }

    /// Whether nobody is under way.
    pub(super) fn is_over(&self) -> bool {
        self.tasks.is_empty()
    }

    /// What the next one says that answers or fails; nothing when nobody is under way, and when a
    /// task of ours has panicked. Those that were given up say nothing, and end at once: they are
    /// not waited for, nor taken for one that has failed.
    pub(super) async fn next(&mut self) -> Option<Result<Message, Failure>> {
        let (number, told) = loop {
            match self.tasks.join_next().await? {
                Err(error) if error.is_cancelled() => {}
                ended => break ended.ok()?,
            }
        };
        self.spare = self.runners[number].running.take().map(|(_, leave)| leave);
        Some(told)
    }

    /// Lets those go who are under way still.
    pub(super) fn decide(mut self) {
        while self.give_up_first().is_some() {}
    }

    fn give_up_first(&mut self) -> Option<Leave> {
        let first = self.runners.iter_mut().find(|runner| runner.running.is_some())?;
        let (task, leave) = first.running.take()?;
        task.abort();
        let upstream = &first.upstream;
        let took = self.care.clock.elapsed().saturating_sub(first.began);
        self.care.tell(upstream, GIVEN_UP, took);
        if took >= PATIENCE && upstream.health.failed() {
            self.care.examine(Arc::clone(upstream));
        }
        Some(leave)
    }
}

/// Asks one upstream, and notes how it did.
async fn attempt(upstream: Arc<Upstream>, key: Key, care: Care) -> Result<Message, Failure> {
    let began = care.clock.elapsed();
    let told = upstream.ask(&key).await;
    let took = care.clock.elapsed().saturating_sub(began);
    let result = match &told {
        Ok(message) => rcode_name(message.metadata.response_code.into()),
        Err(failure) => failure.as_str(),
    };
    care.tell(&upstream, result, took);
    match &told {
        Err(failure) if failure.is_upstreams() => {
            if upstream.health.failed() {
                care.examine(upstream);
            }
        }
        Err(Failure::Busy) => {}
        Err(Failure::Code(rcode::SERVFAIL)) => {
            if upstream.health.servfailed(care.clock.elapsed()) {
                care.look_into(upstream);
            }
        }
        _ => upstream.health.answered(),
    }
    told
}
